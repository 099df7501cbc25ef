"""Compiles files for a process that wants neither YAML nor pydantic in its memory; the contract is ``compilation``.

``python -m grokwarden.edge.compile_child`` reads one request and writes one reply. Problems of the files are part of
the reply; an exit other than 0 means that there is none.
"""

import sys
from collections.abc import Iterable
from typing import BinaryIO, Final

import msgspec

from grokwarden.bundle import encode_bundle
from grokwarden.compilation import CompileReply, CompileRequest, Remark
from grokwarden.compiler import Scope
from grokwarden.edge.compiling import compile_proven
from grokwarden.edge.files import load
from grokwarden.edge.sources import STDIN
from grokwarden.errors import Problem

_BAD_REQUEST: Final = 2


def compile_request(request: CompileRequest) -> CompileReply:
    """The reply to one request."""
    loaded = load([path for path in request.paths if path != STDIN])
    outcome = compile_proven(loaded, scope_of(request))
    document = encode_bundle(outcome.compilation.bundle) if outcome.compilation else b"null"
    return CompileReply(
        fingerprint=loaded.fingerprint,
        document=msgspec.Raw(document),
        problems=_remarks(outcome.problems),
        warnings=_remarks(outcome.warnings),
        is_unreadable=bool(loaded.unreadable),
    )


def scope_of(request: CompileRequest) -> Scope:
    """The pod that the request describes; who compiles files by request runs standalone."""
    scope = Scope(namespace=request.namespace, pod_labels=request.pod_labels, standalone=True)
    if request.root_namespace is None:
        return scope
    return Scope(
        namespace=request.namespace,
        pod_labels=request.pod_labels,
        root_namespace=request.root_namespace,
        standalone=True,
    )


def serve_one(stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Answer the request on ``stdin``; the exit code."""
    try:
        request = msgspec.json.decode(stdin.read(), type=CompileRequest)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"compile_child: not a request: {error}\n")
        return _BAD_REQUEST
    stdout.write(msgspec.json.encode(compile_request(request)))
    stdout.flush()
    return 0


def _remarks(problems: Iterable[Problem]) -> tuple[Remark, ...]:
    return tuple(Remark.of(problem) for problem in problems)


if __name__ == "__main__":
    raise SystemExit(serve_one(sys.stdin.buffer, sys.stdout.buffer))
