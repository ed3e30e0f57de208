"""Deploys the stack, to AWS or to a local AWS, and puts its secrets."""
