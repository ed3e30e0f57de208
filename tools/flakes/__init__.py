"""The whole of `make test`, again and again, on a machine that has other work."""
