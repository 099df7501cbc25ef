"""The operator's config server as it runs in a cluster, but for the two things that a cluster is asked.

Those are ports, and ``Directory`` is behind both: it says whose a token is and which pods there are.
"""

import asyncio
import base64
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bundles import pack_of, step_of
from eventually import eventually
from grokwarden.bundle import Bundle, PartRef
from grokwarden.config_stream import Ack, AckedPack
from grokwarden.vocabulary import Tier
from grokwarden_operator.cluster.values import PodIdentity
from grokwarden_operator.listing import PodFact
from grokwarden_operator.plan import PodConfig
from grokwarden_operator.stream.bounded_protocol import WireLimits
from grokwarden_operator.stream.bounded_server import BoundedServer
from grokwarden_operator.stream.config_server import ConfigApi
from grokwarden_operator.stream.hub import StreamHub
from grokwarden_operator.stream.identity import Authenticator
from local_authority import LocalAuthority
from stream_client import StreamClient, stream_client
from targets import target_of


class Directory:
    """What the API server says of tokens and pods.

    Attributes:
        pods: By uid.
        reviews: Tokens that were asked for, oldest first.
        gate: While it is closed, reviews wait.
    """

    def __init__(self) -> None:
        self.pods: dict[str, PodFact] = {}
        self.reviews: list[str] = []
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.review_error: Exception | None = None
        self.find_error: Exception | None = None
        self._tokens: dict[str, PodIdentity] = {}
        self._asking = 0

    def add(self, pod: PodFact) -> PodFact:
        """The pod exists."""
        self.pods[pod.uid] = pod
        return pod

    def token(self, pod: PodFact, *, seconds: float = 3600.0, **claims: Any) -> str:
        """A token that was made for that pod."""
        token = unsigned_token({"exp": time.time() + seconds, "sub": pod.name, "n": len(self._tokens), **claims})
        self._tokens[token] = PodIdentity(
            namespace=pod.namespace, pod_name=pod.name, pod_uid=pod.uid, service_account=pod.service_account
        )
        return token

    def revoke(self, token: str) -> None:
        """The token is valid no more."""
        del self._tokens[token]

    async def review(self, token: str) -> PodIdentity | None:
        self.reviews.append(token)
        self._asking += 1
        self.most_at_once = max(self.most_at_once, self._asking)
        try:
            await self.gate.wait()
        finally:
            self._asking -= 1
        if self.review_error is not None:
            raise self.review_error
        return self._tokens.get(token)

    async def find_pod(self, identity: PodIdentity) -> PodFact | None:
        if self.find_error is not None:
            raise self.find_error
        return self.pods.get(identity.pod_uid)


@dataclass(kw_only=True)
class ConfigPlane:
    """A running config server and everything around it."""

    directory: Directory
    hub: StreamHub
    server: BoundedServer
    port: int
    trust: ssl.SSLContext
    authority: LocalAuthority
    server_context: ssl.SSLContext
    rings: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def client(
        self, pod: PodFact, *, instance: str = "process-1", seconds: float = 3600.0, token: str | None = None
    ) -> AsyncIterator[StreamClient]:
        """A client with a token of that pod, or with this one."""
        used = self.directory.token(pod, seconds=seconds) if token is None else token
        async with stream_client(self.port, self.trust, token=used, instance=instance) as client:
            yield client

    def publish(self, configs: Mapping[str, PodConfig]) -> None:
        self.hub.publish(configs)


@asynccontextmanager
async def config_plane(
    *,
    grace_seconds: float = 15.0,
    unclaimed_seconds: float = 60.0,
    max_streams: int = 5000,
    ping_seconds: float = 15.0,
    write_seconds: float = 60.0,
    drain_seconds: float = 2.0,
    limits: WireLimits | None = None,
    authenticator: Mapping[str, Any] | None = None,
) -> AsyncIterator[ConfigPlane]:
    """The config server on a free port of loopback until the block ends."""
    rings: list[float] = []
    hub = StreamHub(
        clock=time.monotonic,
        on_report=lambda: rings.append(time.monotonic()),
        grace_seconds=grace_seconds,
        unclaimed_seconds=unclaimed_seconds,
        max_streams=max_streams,
    )
    directory = Directory()
    asked = {"clock": time.monotonic, "now": time.time, **(authenticator or {})}
    who = Authenticator(directory.review, **asked)
    api = ConfigApi(hub, who, directory.find_pod, now=time.time, ping_seconds=ping_seconds, write_seconds=write_seconds)
    authority = LocalAuthority()
    context = authority.server_context()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setblocking(False)
    server = BoundedServer(
        api.app(),
        listener,
        context,
        on_stop=hub.shut_down,
        drain_seconds=drain_seconds,
        limits=limits or WireLimits(),
    )
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = tasks.create_task(server.serve_forever())
        await eventually(lambda: server.started)
        try:
            yield ConfigPlane(
                directory=directory,
                hub=hub,
                server=server,
                port=listener.getsockname()[1],
                trust=authority.client_context(),
                authority=authority,
                server_context=context,
                rings=rings,
            )
        finally:
            server.stop()
            await running


def unsigned_token(claims: Mapping[str, Any]) -> str:
    """What a service-account token looks like; nobody here checks signatures, the API server does."""

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return ".".join((encoded(b'{"alg":"none"}'), encoded(json.dumps(claims).encode()), encoded(b"signature")))


def config(
    text: str = "first", *, name: str = "shop/pack", generation: int = 1, keys: Mapping[str, str] | None = None
) -> PodConfig:
    """A configuration of one pack, different for each text, and one target, with these keys."""
    pack = pack_of(step_of("system-prompt-guard", required_prefix=text), name=name)
    target = target_of(name=f"{name.partition('/')[0]}/target")
    bundle = Bundle.of([(pack, f"uid-of-{name}", generation, Tier.NAMESPACE)], [(target, "uid-of-target", 1)])
    return PodConfig(bundle=bundle, keys=keys if keys is not None else {"shop/secret/key": "key-of-a-test"})


def refs_of(config: PodConfig) -> tuple[PartRef, ...]:
    """What the manifest names, in the order in which the parts come."""
    return (*config.bundle.manifest.packs, *config.bundle.manifest.targets)


def ack_of(config: PodConfig, *, applied: bool = True, reason: str = "", message: str = "") -> Ack:
    """A sidecar's answer to that configuration: all of it applied, or all of it refused."""
    return Ack(
        manifest=config.bundle.version,
        packs=tuple(
            AckedPack(
                name=ref.name,
                uid=ref.uid,
                generation=ref.generation,
                applied=applied,
                reason="" if applied else reason or "RegexTooComplex",
                message=message,
            )
            for ref in config.bundle.manifest.packs
        ),
    )
