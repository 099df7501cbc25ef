"""What keeps the demo from going on."""

from grokwarden.errors import GrokwardenError


class DemoError(GrokwardenError):
    """A part of the demo did not start, did not answer, or is not what the walk was written for."""
