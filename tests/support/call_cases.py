"""Cases of policies that judge whole calls, as data: messages in, decision and messages as the provider gets them out.

In a case, ``CORE`` stands for the core policy's text. A message that is a plain text is a user's.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundles import bundle_of, call_of, pack_of, step_of
from grokwarden.catalog.core_policy import CORE_POLICY
from grokwarden.engine import Engine
from grokwarden.engine.decision import decided_action
from grokwarden.exchange.body import apply_edits


@dataclass(frozen=True, kw_only=True)
class CallCase:
    """One case. ``sent`` is ``None`` where only the decision matters."""

    name: str
    settings: dict[str, Any]
    messages: list[Any]
    expect: dict[str, Any]
    sent: list[Any] | None


def call_cases(directory: Path) -> list[Any]:
    """Every case of the ``cases.yaml`` files below a directory, as pytest's parameters."""
    files = sorted(directory.rglob("cases.yaml"))
    cases = [(path.parent.name, case) for path in files for case in yaml.safe_load(path.read_text(encoding="utf-8"))]
    return [
        pytest.param(
            CallCase(
                name=case["name"],
                settings=case.get("settings", {}),
                messages=[_with_core(message) for message in case["messages"]],
                expect=case["expect"],
                sent=[_with_core(message) for message in case["sent"]] if "sent" in case else None,
            ),
            id=f"{topic}: {case['name']}",
        )
        for topic, case in cases
    ]


def _with_core(message: Any) -> Any:
    as_text = json.dumps({"role": "user", "content": message} if isinstance(message, str) else message)
    return json.loads(as_text.replace('"CORE', '"' + json.dumps(CORE_POLICY)[1:-1]))


def check_call(case: CallCase, policy: str) -> None:
    """The case's decision and the messages that leave are as it says."""
    engine = Engine(bundle_of(pack_of(step_of(policy, **case.settings))))
    call = call_of(*case.messages)
    verdict = engine.judge_request(call)
    decision = verdict.decisions[0]

    assert decided_action(verdict.decisions) == case.expect["action"]
    if "rule" in case.expect:
        assert decision.rule == case.expect["rule"]
    assert (verdict.block is not None) is (case.expect["action"] == "Block")
    if case.sent is not None:
        assert json.loads(apply_edits(call.body, verdict.edits))["messages"] == case.sent
