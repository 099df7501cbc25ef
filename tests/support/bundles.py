"""Bundles and calls in a line, for tests that begin behind the compiler."""

import json
from typing import Any

from grokwarden.bundle import BlockResponse, Bundle, PackPart, StepPart
from grokwarden.exchange.chat import parse_chat
from grokwarden.exchange.model import Exchange
from grokwarden.policies import POLICIES
from grokwarden.vocabulary import Action, Endpoint, Fallback, Mode, Need, OnStream, Phase, Tier

DEFAULTS: dict[str, dict[str, Any]] = {
    "core-policy": {"on_forged_tag": "Neutralise", "restrict": []},
    "prompt-injection": {"threshold": "0.8", "attack_patterns": []},
    "safety-filter": {"threshold": "0.8", "categories": ["CriminalActivity"], "patterns": []},
    "system-prompt-guard": {"required_prefix": "You are a helpful assistant.", "on_missing": "Block"},
    "audit-logger": {"immutable": False, "retention_days": None, "log_all_access": True, "content_capture": "None"},
}


def step_of(policy: str, *, name: str = "", **fields: Any) -> StepPart:
    """A step with the policy's defaults; fields of ``StepPart`` are taken as such, all others as settings."""
    definition = POLICIES[policy]
    settings = {**DEFAULTS[policy], **{k: v for k, v in fields.items() if k not in StepPart.__struct_fields__}}
    phases = tuple(fields.get("phases", definition.sees))
    is_streamed = any(phase in definition.sees and definition.sees[phase] is Need.WINDOW for phase in phases)
    return StepPart(
        name=name or policy,
        policy=policy,
        action=fields.get("action", definition.actions[0] if definition.actions else Action.BLOCK),
        mode=fields.get("mode", Mode.ENFORCE),
        on_error=fields.get("on_error", Fallback.BLOCK),
        phases=phases,
        on_stream=fields.get("on_stream", OnStream.CUT if is_streamed else None),
        settings=settings,
    )


def pack_of(*steps: StepPart, name: str = "shop/pack", **fields: Any) -> PackPart:
    """A pack of these steps that allows everything else."""
    values: dict[str, Any] = {
        "version": "0.1.0",
        "endpoints": tuple(Endpoint),
        "on_unscannable": Fallback.BLOCK,
        "routing": None,
        "block_response": BlockResponse(),
        **fields,
    }
    return PackPart(name=name, steps=steps, **values)


def bundle_of(*packs: PackPart) -> Bundle:
    """A bundle of these packs, in this order, without targets."""
    return Bundle.of([(pack, "", 1, Tier.NAMESPACE) for pack in packs], [])


def call_of(*messages: Any, **fields: Any) -> Exchange:
    """A chat call; a text is a user's message."""
    listed = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
    return parse_chat(json.dumps({"model": "grok-4.3", "messages": listed, **fields}).encode())


def system(text: str) -> dict[str, str]:
    """A system message."""
    return {"role": "system", "content": text}


ALL_PHASES = tuple(Phase)
