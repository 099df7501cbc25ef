"""Keeptrusts-style ``policy-config.yaml`` files as resources of ours. Whatever has no equal is an error that names it.

A dropped policy would be a policy that nobody enforces, so nothing is dropped: not a policy, not a parameter, not a
key. The resources remember where in the original each of their fields stood.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grokwarden.api.expectations import type_phrase
from grokwarden.edge.draft import Draft
from grokwarden.edge.keeptrusts_chain import convert_chain
from grokwarden.edge.keeptrusts_providers import convert_targets
from grokwarden.edge.sections import ProblemLog, Section
from grokwarden.errors import Problem
from grokwarden.resources import Document

TOP_LEVEL: Final = ("pack", "policies", "policy", "providers")
IMPORTED_NAME: Final = "imported"
IMPORTED_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a file became. ``documents`` is empty if there are problems."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def is_keeptrusts(content: Mapping[str, object]) -> bool:
    """Whether a document looks like a ``policy-config.yaml``, and like no Kubernetes object."""
    return "apiVersion" not in content and "kind" not in content and any(key in content for key in TOP_LEVEL)


def convert(document: Document, *, file_stem: str = "") -> Conversion:
    """One ``PolicyPack`` and a ``ProviderTarget`` per provider target, equal in behaviour to the file.

    Args:
        document: The whole file.
        file_stem: What the pack is called after if the file has no ``pack.name``.
    """
    log = ProblemLog(document=document)
    top = Section.of(document.content, (), log, accepted=TOP_LEVEL)
    targets = convert_targets(top)
    pack = _pack(top, file_stem)
    chain = convert_chain(top, pack.origins)
    if chain:
        pack.put("chain", chain, origin=("policies", "chain"))
    _add_routing(pack, targets)
    if log.problems:
        return Conversion(problems=tuple(log.problems))
    documents = tuple(draft.document(document) for draft in (pack, *targets))
    return Conversion(documents=documents, warnings=_warnings(top, document))


def _pack(top: Section, file_stem: str) -> Draft:
    section = top.section("pack", accepted=("name", "version", "enabled"))
    draft = Draft.of("PolicyPack", section.text("name") or _label(file_stem), origin=("pack", "name"))
    draft.put("version", section.text("version") or IMPORTED_VERSION, origin=("pack", "version"))
    enabled = section.fields.get("enabled")
    if isinstance(enabled, bool):
        draft.put("enabled", enabled, origin=("pack", "enabled"))
    elif enabled is not None:
        section.error("enabled", f"expected true or false, found {type_phrase(enabled)}")
    return draft


def _add_routing(pack: Draft, targets: list[Draft]) -> None:
    routing: dict[str, object] = {"targets": [{"name": target.name} for target in targets]}
    if len(targets) > 1:
        routing = {"strategy": "Ordered", **routing, "retry": {"maxRetries": len(targets) - 1}}
    pack.put("routing", routing, origin=("providers", "targets"))
    for index in range(len(targets)):
        pack.origins["spec", "routing", "targets", index] = ("providers", "targets", index, "id")


def _label(file_stem: str) -> str:
    """The stem as an object may be called."""
    return re.sub(r"[^a-z0-9]+", "-", file_stem.lower()).strip("-")[:63].rstrip("-") or IMPORTED_NAME


def _warnings(top: Section, document: Document) -> tuple[Problem, ...]:
    if "providers" in top.fields:
        return ()
    message = "no providers.targets: calls go to xAI, with the key in the environment variable XAI_API_KEY"
    return (Problem(message=message, file=document.file, line=document.line_of(())),)
