"""Resources as short YAML texts, for tests that start from what an author writes."""

from collections.abc import Sequence

from grokwarden.compiler import Compilation, Scope, compile_packs
from grokwarden.edge.yaml_reader import read_yaml
from grokwarden.errors import Problem, ResourceError
from grokwarden.resources import Document

TARGET = """
apiVersion: grokwarden.io/v1alpha1
kind: ProviderTarget
metadata: {name: xai-grok}
spec: {provider: xai, secretKeyRef: {env: XAI_API_KEY}}
"""

ALONE = Scope(standalone=True)


def documents(*texts: str, file: str = "pack.yaml") -> list[Document]:
    """The documents of the texts, as one file."""
    reading = read_yaml("\n---\n".join(text.strip("\n") for text in texts), file=file)
    assert not reading.unreadable
    return [read.document for read in reading.documents]


def pack_text(spec: str, *, name: str = "gateway", namespace: str | None = None) -> str:
    """A pack with this spec, given as a flow mapping."""
    place = f", namespace: {namespace}" if namespace else ""
    metadata = f"{{name: {name}{place}}}"
    return f"apiVersion: grokwarden.io/v1alpha1\nkind: PolicyPack\nmetadata: {metadata}\nspec: {spec}\n"


def target_text(spec: str, *, name: str = "xai-grok", namespace: str | None = None) -> str:
    """A target with this spec, given as a flow mapping."""
    return pack_text(spec, name=name, namespace=namespace).replace("PolicyPack", "ProviderTarget")


def compiled(*texts: str, scope: Scope = ALONE) -> Compilation:
    """What the texts compile to."""
    return compile_packs(documents(*texts), scope=scope)


def problems_of(*texts: str, scope: Scope = ALONE) -> Sequence[Problem]:
    """Why the texts don't compile; empty if they do."""
    try:
        compile_packs(documents(*texts), scope=scope)
    except ResourceError as error:
        return error.problems
    return []
