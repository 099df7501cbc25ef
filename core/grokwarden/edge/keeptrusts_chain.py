"""``policies.chain`` and the ``policy`` blocks of a Keeptrusts-style file, as the steps of a chain."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Union, get_args, get_origin

from grokwarden.api.chain import BLOCKS, PolicyName, block_name
from grokwarden.api.expectations import nearest, type_phrase
from grokwarden.edge.sections import Section
from grokwarden.resources import FieldPath

STEP_FIELDS: Final[Mapping[str, str]] = {
    "action": "action",
    "mode": "mode",
    "on_error": "onError",
    "phases": "phases",
    "on_stream": "onStream",
}
"""What may stand beside a policy's parameters and belongs to the step."""

_Placed = tuple[object, FieldPath]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    policy: PolicyName
    inline: Section
    path: FieldPath


def convert_chain(top: Section, origins: dict[FieldPath, FieldPath]) -> list[dict[str, Any]]:
    """The steps of ``policies.chain``, each with the parameters of its entry and of its ``policy`` block.

    Args:
        top: The whole file.
        origins: Filled in: where in the file each field of ``spec.chain`` stood.
    """
    policies = top.section("policies", accepted=("chain",))
    listed = enumerate(policies.items("chain"))
    entries = [entry for index, item in listed if (entry := _entry(policies, index, item)) is not None]
    blocks = _blocks(top, {entry.policy for entry in entries})
    names = _step_names([entry.policy for entry in entries])
    return [
        _step(entry, blocks.get(entry.policy), name, ("spec", "chain", index), origins)
        for index, (entry, name) in enumerate(zip(entries, names, strict=True))
    ]


def _entry(policies: Section, index: int, item: object) -> _Entry | None:
    path = (*policies.path, "chain", index)
    name, parameters = item, None
    if isinstance(item, dict) and item:
        name, parameters = next(iter(item.items()))
    if not isinstance(name, str):
        policies.log.add(path, f"expected the name of a policy, found {type_phrase(item)}")
        return None
    if isinstance(item, dict) and len(item) > 1:
        others = ", ".join(list(item)[1:])
        policies.log.add(path, f"expected one policy per entry; indent its parameters below {name}: {others}")
        return None
    if name not in BLOCKS:
        policies.log.add(path, _unknown_policy(name))
        return None
    policy = PolicyName(name)
    place = (*path, name) if isinstance(item, dict) else path
    inline = Section.of(parameters, place, policies.log, accepted=_accepted(policy))
    return _Entry(policy=policy, inline=inline, path=path)


def _blocks(top: Section, chained: set[PolicyName]) -> dict[PolicyName, Section]:
    """The sections of ``policy``; one that no step would use is a mistake, not a comment."""
    value = top.fields.get("policy")
    if not isinstance(value, Mapping):
        top.section("policy", accepted=tuple(BLOCKS))
        return {}
    blocks: dict[PolicyName, Section] = {}
    for name, parameters in value.items():
        if name not in BLOCKS:
            top.log.add(("policy", name), _unknown_policy(name))
        elif (policy := PolicyName(name)) not in chained:
            top.log.add(
                ("policy", name), f"{name} is not in policies.chain, so nothing would apply this: add or remove it"
            )
        else:
            blocks[policy] = Section.of(parameters, ("policy", name), top.log, accepted=_accepted(policy))
    return blocks


def _unknown_policy(name: str) -> str:
    return f"unknown policy {name}{nearest(name, tuple(BLOCKS))} (built so far: {', '.join(BLOCKS)})"


def _accepted(policy: PolicyName) -> tuple[str, ...]:
    return (*BLOCKS[policy].model_fields, *STEP_FIELDS)


def _step_names(policies: list[PolicyName]) -> Iterator[str]:
    """The policy's name, with a number from the second step of the same policy on."""
    for index, policy in enumerate(policies):
        earlier = policies[:index].count(policy)
        yield f"{policy}-{earlier + 1}" if earlier else str(policy)


def _step(
    entry: _Entry, block: Section | None, name: str, path: FieldPath, origins: dict[FieldPath, FieldPath]
) -> dict[str, Any]:
    step: dict[str, Any] = {"name": name, "policy": str(entry.policy)}
    parameters: dict[str, Any] = {}
    member = block_name(entry.policy)
    origins[path] = entry.path
    for key, (value, origin) in _merged(entry, block).items():
        if key in STEP_FIELDS:
            step[STEP_FIELDS[key]] = _as_words(value)
            origins[*path, STEP_FIELDS[key]] = origin
        else:
            info = BLOCKS[entry.policy].model_fields[key]
            camel = info.alias or key
            parameters[camel] = _as_parameter(key, value, info.annotation)
            origins[*path, member, camel] = origin
    if parameters:
        step[member] = parameters
    return step


def _merged(entry: _Entry, block: Section | None) -> dict[str, _Placed]:
    merged: dict[str, _Placed] = {}
    for section in (entry.inline, *([block] if block else [])):
        for key, value in section.fields.items():
            if key in merged and merged[key][0] != value:
                section.error(key, f"another value than in policies.chain ({entry.policy}); keep one of them")
            merged.setdefault(key, (value, (*section.path, key)))
    return merged


def _as_parameter(key: str, value: object, annotation: object) -> object:
    if key == "threshold" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _as_words(value, words=_words_in(annotation))


def _as_words(value: object, words: Mapping[str, str] | None = None) -> object:
    """``criminal_activity`` as ``CriminalActivity``: in the given words, or in general."""
    if isinstance(value, list):
        return [_as_words(item, words) for item in value]
    if not isinstance(value, str):
        return value
    if words is not None:
        return words.get(_folded(value), value)
    return "".join(part[:1].upper() + part[1:] for part in value.split("_"))


def _words_in(annotation: object) -> Mapping[str, str]:
    """The values of the enumeration in a field's type, by their letters alone."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return {_folded(word): str(word) for word in annotation}
    if get_origin(annotation) in (Union, types.UnionType, tuple, list) or hasattr(annotation, "__metadata__"):
        return {folded: word for part in get_args(annotation) for folded, word in _words_in(part).items()}
    return {}


def _folded(word: str) -> str:
    return word.replace("_", "").replace("-", "").casefold()
