"""Bundles as an operator would give them to a pod of the namespace ``shop``."""

from typing import Any, Final

import msgspec

from bundles import pack_of, step_of
from grokwarden.bundle import Bundle, KeySource, PackPart, Retry, Routing, TargetPart
from grokwarden.vocabulary import Strategy, Tier
from targets import target_of

KEY_NAME: Final = "shop/xai-key/XAI_API_KEY"
TARGET: Final = "shop/xai-grok"


def grok_target(base_url: str = "http://127.0.0.1:9/v1", **fields: Any) -> TargetPart:
    """A target whose key the operator lends, and whose circuit stays closed."""
    values: dict[str, Any] = {"key": KeySource(secret=KEY_NAME), "failures": 10_000, "model": None}
    return target_of(base_url, **(values | fields))


def routed_to(*names: str) -> Routing:
    """A routing to these targets."""
    return Routing(strategy=Strategy.ORDERED, targets=names, retry=Retry())


def forbidding(word: str, *, name: str = "shop/gateway", targets: tuple[str, ...] | None = (TARGET,)) -> PackPart:
    """A pack whose one step forbids one word, and which says where calls go unless ``targets`` is ``None``."""
    step = step_of("safety-filter", name="safety", patterns=[word])
    return pack_of(step, name=name, routing=None if targets is None else routed_to(*targets))


def from_the_future(word: str, **fields: Any) -> PackPart:
    """A pack like ``forbidding``, whose policy this version of the sidecar does not have."""
    pack = forbidding(word, **fields)
    return msgspec.structs.replace(pack, steps=(msgspec.structs.replace(pack.steps[0], policy="from-the-future"),))


def bundle(*packs: PackPart | tuple[PackPart, int], targets: tuple[TargetPart, ...] = (), **uids: str) -> Bundle:
    """A bundle of packs, each with its generation if it is not the first; uids are the names' unless given.

    Args:
        packs: In order of evaluation.
        targets: Of the bundle.
        uids: By the last part of a pack's name.
    """
    listed = [pack if isinstance(pack, tuple) else (pack, 1) for pack in packs]
    return Bundle.of(
        [
            (part, uids.get(part.name.partition("/")[2], f"uid-of-{part.name}"), number, Tier.NAMESPACE)
            for part, number in listed
        ],
        [(target, f"uid-of-{target.name}", 1) for target in targets],
    )
