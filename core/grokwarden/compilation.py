"""What a long-running process says to the child that compiles for it, and what it gets back; one JSON object each way.

The child (``python -m grokwarden.edge.compile_child``) knows YAML and pydantic, so that its caller needs neither. This
module is all that both sides share.
"""

from typing import Final

import msgspec

from grokwarden.bundle import Bundle, decode_bundle
from grokwarden.errors import Problem

CHILD_MODULE: Final = "grokwarden.edge.compile_child"
"""To be run with ``-m``: request on standard input, reply on standard output, exit 0 if there is a reply."""


_NULL: Final = b"null"


class CompileRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to compile, for which pod.

    Attributes:
        paths: Files and directories; standard input is none of them.
        namespace: Of the pod; ``None`` where the resources leave no doubt.
        pod_labels: ``None`` where they are not known, and every pack applies.
        root_namespace: The namespace whose packs come first; ``None`` where there is none.
    """

    paths: tuple[str, ...]
    namespace: str | None = None
    pod_labels: dict[str, str] | None = None
    root_namespace: str | None = None


class Remark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A problem or a warning: ``text`` is the whole of it for a person, the rest is the same in parts."""

    text: str
    resource: str = ""
    path: str = ""
    message: str
    file: str | None = None
    line: int | None = None

    @classmethod
    def of(cls, problem: Problem) -> "Remark":
        return cls(
            text=str(problem),
            resource=problem.resource,
            path=problem.path,
            message=problem.message,
            file=problem.file,
            line=problem.line,
        )


class CompileReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of it.

    Attributes:
        fingerprint: Of the very bytes that were compiled, as ``grokwarden.edge.sources.fingerprint`` gives it.
        is_unreadable: Some of the problems are that a file can't be read at all.
        document: The bundle as ``encode_bundle`` gives it, the JSON ``null`` if there are problems.
    """

    fingerprint: str
    document: msgspec.Raw = msgspec.field(name="bundle")
    problems: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    is_unreadable: bool = False

    @property
    def bundle(self) -> Bundle | None:
        """The bundle, every digest checked.

        Raises:
            BundleError: The child's answer is damaged.
        """
        data = bytes(self.document)
        return None if data == _NULL else decode_bundle(data, source="the compiler")


def encode_request(request: CompileRequest) -> bytes:
    """The request as the child reads it."""
    return msgspec.json.encode(request)


def decode_reply(data: bytes) -> CompileReply:
    """The child's reply.

    Raises:
        msgspec.DecodeError: It is none; what the child wrote to standard error says why.
    """
    return msgspec.json.decode(data, type=CompileReply)
