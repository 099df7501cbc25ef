"""Cases of detectors as data: one text, what may have written it, and what has to be found."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from grokwarden.exchange.model import Field, Role, Slot
from grokwarden.policies.base import Policy
from grokwarden.vocabulary import Action, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. ``rule`` is ``None`` if nothing may be found or any rule will do."""

    name: str
    text: str
    slot: Slot
    action: Action
    rule: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def _slot(raw: dict[str, Any]) -> Slot:
    phase = Phase(raw.get("phase", Phase.REQUEST))
    written_by = raw.get("role") or next(iter(raw.get("request", {"assistant": ""})))
    fields = {Phase.TOOL_ARGUMENTS: Field.TOOL_ARGUMENTS, Phase.TOOL_RESULT: Field.TOOL_RESULT}
    return Slot(Role(written_by), Field(raw.get("field", fields.get(phase, Field.CONTENT))), phase)


def _case(raw: dict[str, Any]) -> Case:
    expected = raw["expect"]
    return Case(
        name=raw["name"],
        text=raw["text"] if "text" in raw else next(iter(raw["request"].values())),
        slot=_slot(raw),
        action=Action(expected["action"]),
        rule=expected.get("rule"),
        settings=raw.get("settings", {}),
    )


def cases_below(folder: Path) -> list[Any]:
    """Every case of every ``<topic>/cases.yaml``, as pytest parameters named ``topic: name``."""
    return [
        pytest.param(_case(raw), id=f"{path.parent.name}: {raw['name']}")
        for path in sorted(folder.glob("*/cases.yaml"))
        for raw in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def check(case: Case, policy: Policy, defaults: dict[str, Any]) -> None:
    """The policy finds in the case's text what the case says, and nothing where it says ``Allow``."""
    finding = policy.build(defaults | case.settings).scan(case.text, case.slot)
    assert (Action.ALLOW if finding is None else Action.BLOCK) is case.action, finding
    if case.rule is not None:
        assert finding is not None
        assert finding.rule == case.rule
