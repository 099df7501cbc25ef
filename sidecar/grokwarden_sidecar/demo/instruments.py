"""What the demo reads to learn what happened: metrics, probes, the provider's memory, the audit log."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from grokwarden.audit.record import AuditRecord
from grokwarden_sidecar.demo.errors import DemoError
from grokwarden_sidecar.demo.waiting import wait_for

_TIMEOUT_SECONDS: Final = 5.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Series:
    """All samples of one metric whose labels include these."""

    name: str
    labels: Mapping[str, str]

    def __str__(self) -> str:
        labels = ", ".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.name} {{{labels}}}" if labels else self.name


class Admin:
    """A sidecar's admin port."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ready(self) -> tuple[int, str]:
        """Status and body of ``/readyz``."""
        return fetch(f"{self.url}/readyz")

    def bundle(self) -> str:
        """The version of the bundle in force."""
        return str(json.loads(fetch(f"{self.url}/config")[1])["bundle"])

    def config_texts(self) -> list[str]:
        """What ``/config`` and ``/readyz`` say."""
        return [fetch(f"{self.url}{path}")[1] for path in ("/config", "/readyz")]

    def metrics(self) -> str:
        """The text of ``/metrics``."""
        return fetch(f"{self.url}/metrics")[1]

    def sample(self, series: Series) -> float:
        """The sum of a series; 0 while it has no sample."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics())
            for sample in family.samples
            if sample.name == series.name and series.labels.items() <= sample.labels.items()
        )


class ReceivedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the simulated provider remembers it."""

    path: str
    headers: list[tuple[str, str]]
    body: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of its body."""
        messages: list[dict[str, Any]] = json.loads(self.body)["messages"]
        return messages

    @property
    def key(self) -> str:
        """The key that it came with."""
        return dict(self.headers).get("authorization", "").removeprefix("Bearer ")


class Provider:
    """The simulator's control routes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def received(self) -> list[ReceivedCall]:
        """Every call that reached the provider, oldest first."""
        return msgspec.json.decode(fetch(f"{self.url}/_simulate/calls")[1], type=list[ReceivedCall])

    def say_next(self, content: str) -> None:
        """The next call is answered with this text."""
        fetch(f"{self.url}/_simulate/next", json.dumps({"content": content}).encode())


class AuditLog:
    """The records that a sidecar has written so far."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, request_id: str) -> AuditRecord:
        """The record of a call, as soon as it is on disk.

        Raises:
            DemoError: There is none.
        """
        return wait_for(
            lambda: next((record for record in self.records() if record.request_id == request_id), None),
            "the audit record of the call",
            timeout_seconds=3,
        )

    def records(self) -> Iterable[AuditRecord]:
        """The whole records, in order."""
        for segment in self.segments():
            for line in segment.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    yield msgspec.json.decode(line, type=AuditRecord)

    def segments(self) -> list[Path]:
        """The files that hold records."""
        return sorted(self.directory.glob("audit-*.jsonl"))


def fetch(url: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and body of a request to one of our own ports.

    Raises:
        DemoError: Nobody answers there.
    """
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310 - our own URL
    try:
        with _direct.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        raise DemoError(f"{url} does not answer: {error}") from error
