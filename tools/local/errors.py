"""The one error a user of these tools sees."""


class LocalError(Exception):
    """Something that keeps the local stack, the demo on it, or a deployment from working; the message says what."""
