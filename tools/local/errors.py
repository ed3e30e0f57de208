"""The one error a user of these tools sees."""


class LocalError(Exception):
    """Something that keeps the local stack, or the demo on it, from working; the message says what."""
