"""Places in a document, as people read them: ``spec.chain[2].action``."""

import re
from typing import Final

from grokwarden.resources import FieldPath

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP: Final = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


def format_path(path: FieldPath) -> str:
    """The path in the document's spelling; a key that holds a dot or the like stands in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def parse_path(text: str) -> FieldPath:
    """The steps of a plain path such as ``attackPatterns[3]``."""
    return tuple(int(index) if index else key for index, key in _STEP.findall(text))
