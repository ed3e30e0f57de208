"""The one error a user of these tools sees."""


class LocalError(Exception):
    """Something that keeps the local stack from running; the message says what, and what to do about it."""
