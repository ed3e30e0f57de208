"""Draws what `make bench` has measured."""
