"""Makes releases: programs that anybody can build again, what they are made of, and whether an advisory names it."""
