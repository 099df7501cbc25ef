"""The one tree of errors: each message says what, where, what was expected and what happens now.

A refusal of a call is a value, never one of these; a client never sees one of these.
"""

from dataclasses import dataclass


class GrokwardenError(Exception):
    """Something that a person has to act on; the text is meant for that person."""


class SettingsError(GrokwardenError):
    """A flag or a variable can't be used; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a resource or a file, with the place to mend it.

    Attributes:
        resource: ``PolicyPack shop/xai-gateway``, or empty when the document could not be read that far.
        path: Field path in the document, such as ``spec.chain[2].action``; empty for the whole document.
        message: What is wrong, what was expected, and where it helps what to write instead.
        file: The file it came from, if any.
        line: One-based line in that file.
    """

    resource: str = ""
    path: str = ""
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file or ""
        if self.file and self.line:
            place = f"{self.file}:{self.line}"
        subject = " ".join(part for part in (self.resource, self.path) if part)
        return ": ".join(part for part in (place, subject, self.message) if part)


class ResourceError(GrokwardenError):
    """The resources can't be used; ``problems`` holds every reason, not just the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class BundleError(GrokwardenError):
    """A bundle that was received or read back can't be used."""


class BundleChecksumError(BundleError):
    """The bytes received are not the bytes that were hashed."""

    def __init__(self, source: str, *, expected: str, actual: str) -> None:
        super().__init__(
            f"bundle from {source}: checksum is {actual[:19]}, manifest says {expected[:19]}; "
            "keeping the previous bundle"
        )
