"""Resources as YAML that people read and every YAML reader understands alike."""

from collections.abc import Sequence
from typing import Final

import yaml

from grokwarden.edge.scalars import is_plain_text
from grokwarden.resources import Document

_WIDTH: Final = 1_000_000  # a folded line would change no value, but it hides a prompt's own line breaks


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, and quotes what another reader might not take for a text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow=flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if is_plain_text(text) else '"'
    if "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def write_yaml(documents: Sequence[Document]) -> str:
    """The documents, in their order and with their fields in their order, between ``---`` lines."""
    return yaml.dump_all(
        [document.content for document in documents],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_WIDTH,
    )
