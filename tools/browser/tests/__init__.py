"""Tests of the console in a real browser, against the stack that the environment describes."""
