"""The admin plane: metrics, probes, and what is in force. On its own port, and never a way to send a call."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from grokwarden import __version__
from grokwarden.exchange.body import MalformedCall
from grokwarden.explain import explain_call
from grokwarden_sidecar.aside import apart
from grokwarden_sidecar.configuration.bundle_source import PackOutcome
from grokwarden_sidecar.configuration.bundle_store import BundleStore
from grokwarden_sidecar.metrics import CONTENT_TYPE, Metrics
from grokwarden_sidecar.supply import Supply

_MAX_BODY_BYTES: Final = 20 * 1024 * 1024
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_Answer = tuple[int, str, bytes]
_encode = msgspec.json.Encoder(order="deterministic").encode


class AdminPlane:
    """``/metrics /healthz /readyz``, and ``/config /explain`` where the application can't ask.

    Args:
        audit_failure: Why the audit log can't be written, ``None`` if it can.
        is_draining: The process has been told to stop.
        shows_config: To whoever can try what is let through, ``/explain`` would say how to get by.
    """

    def __init__(
        self,
        *,
        store: BundleStore,
        supply: Supply,
        metrics: Metrics,
        audit_failure: Callable[[], str | None],
        is_draining: Callable[[], bool],
        shows_config: bool,
    ) -> None:
        self._store = store
        self._supply = supply
        self._metrics = metrics
        self._audit_failure = audit_failure
        self._is_draining = is_draining
        self._routes: dict[tuple[str, str], Callable[[bytes], _Answer]] = {
            ("GET", "/metrics"): lambda _: (200, CONTENT_TYPE, self._metrics.render()),
            ("GET", "/healthz"): lambda _: (200, _TEXT, b"ok\n"),
            ("GET", "/readyz"): lambda _: self._ready(),
        }
        if shows_config:
            self._routes |= {("GET", "/config"): lambda _: self._config(), ("POST", "/explain"): self._explain}

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        route = self._routes.get((method, scope["path"]))
        if route is None:
            known = " ".join(sorted({path for _, path in self._routes}))
            status, kind, body = 404, _TEXT, f"not found; this port serves {known}\n".encode()
        else:
            request = await _read(receive) if method == "POST" else b""
            status, kind, body = await apart(len(request), route, request)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _ready(self) -> _Answer:
        """200 while calls are served; the body says what is wrong even then."""
        lines = []
        if self._is_draining():
            lines.append("not ready: draining")
        if self._store.current is None:
            lines.append(f"not ready: {self._ungoverned()}")
        if (reason := self._audit_failure()) is not None:
            lines.append(f"not ready: the audit log can't be written: {reason}")
        status = 503 if lines else 200
        if not lines:
            lines.append("ready")
        if self._store.problems:
            lines.append(f"the newest configuration is refused ({self._keeping()}):")
            lines += self._store.problems
        if trouble := self._supply.trouble:
            lines.append(f"nothing newer can come: {trouble}")
        return status, _TEXT, ("\n".join(lines) + "\n").encode()

    def _ungoverned(self) -> str:
        if self._store.is_ungoverned:
            return "no policy pack governs this pod"
        return "no policy is in force yet"

    def _keeping(self) -> str:
        outcome = self._store.outcome
        if self._store.current is None:
            return "there is none before it"
        return "the rest of it is in force" if outcome and outcome.bundle else "keeping the last good one"

    def _config(self) -> _Answer:
        """What is in force, what is wanted where that is another one, where they come from, and what is refused."""
        snapshot, store = self._store.current, self._store
        in_force = snapshot.bundle.manifest if snapshot else None
        document = {
            "version": __version__,
            "source": self._supply.description,
            "stream": self._supply.stream,
            "bundle": snapshot.bundle.version if snapshot else None,
            "applied_at": snapshot.applied_at if snapshot else None,
            "manifest": in_force,
            "wanted": store.wanted if store.wanted != in_force else None,
            "refused": [_shown(pack) for pack in store.outcome.refused] if store.outcome else [],
            "circuits": snapshot.router.circuits if snapshot and snapshot.router else {},
            "staleness_seconds": self._supply.staleness_seconds(store),
            "problems": store.problems,
        }
        return 200, _JSON, _encode(document)

    def _explain(self, body: bytes) -> _Answer:
        """Every step's decision on the posted chat-completions request; nothing is sent anywhere."""
        if self._store.current is None:
            return 503, _JSON, _encode({"error": "no policy is in force yet"})
        try:
            return 200, _JSON, _encode(explain_call(self._store.current.engine, body))
        except MalformedCall as error:
            return 400, _JSON, _encode({"error": str(error), "param": error.param})


def _shown(pack: PackOutcome) -> dict[str, object]:
    """A refused pack."""
    problem = pack.problem
    return {
        "name": pack.ref.name,
        "generation": pack.ref.generation,
        "reason": problem.reason if problem else "",
        "message": problem.message if problem else "",
    }


async def _read(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    """The request's body, cut off where it is too large to be a call."""
    body = bytearray()
    more = True
    while more and len(body) <= _MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)
