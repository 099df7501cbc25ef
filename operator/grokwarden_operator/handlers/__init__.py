"""What kopf is told to listen to: decorators and nothing else.

``on.event`` alone. A create, update, resume or delete handler, a timer or a daemon would have kopf write finalizers and
annotations to objects that are not ours, and an index would keep what the inventory keeps anyway.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from grokwarden_operator.cluster.paths import RESOURCES
from grokwarden_operator.listing import Kind

Heard = Callable[[Kind, Any], None]
"""Told of the kind, and of an event as kopf has it: ``type`` (``None`` for what was listed) and ``object``."""


def register(registry: kopf.OperatorRegistry, *, heard: Heard, login: Callable[[], Awaitable[Any]]) -> None:
    """The registry holds all that kopf is to do: speak as ``login`` says, and tell ``heard`` of every event."""

    @kopf.on.login(registry=registry)
    async def credentials(**_: Any) -> Any:  # noqa: ANN401 - kopf's own
        return await login()

    @kopf.on.event(*RESOURCES[Kind.POLICY_PACK], registry=registry)
    async def policy_pack(event: Any, **_: Any) -> None:  # noqa: ANN401
        heard(Kind.POLICY_PACK, event)

    @kopf.on.event(*RESOURCES[Kind.PROVIDER_TARGET], registry=registry)
    async def provider_target(event: Any, **_: Any) -> None:  # noqa: ANN401
        heard(Kind.PROVIDER_TARGET, event)

    @kopf.on.event(*RESOURCES[Kind.POD], registry=registry)
    async def pod(event: Any, **_: Any) -> None:  # noqa: ANN401
        heard(Kind.POD, event)

    @kopf.on.event(*RESOURCES[Kind.NAMESPACE], registry=registry)
    async def namespace(event: Any, **_: Any) -> None:  # noqa: ANN401
        heard(Kind.NAMESPACE, event)
