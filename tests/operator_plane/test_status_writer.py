"""How wishes become statuses: few writes, the newest wins, outages pass, and nothing is said twice."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from eventually import eventually
from grokwarden_operator.cluster.client import Occurrence, Write
from grokwarden_operator.cluster.errors import ClusterRejectedError, ClusterUnavailableError
from grokwarden_operator.listing import Kind
from grokwarden_operator.plan import ConditionDraft, ConditionType, Reason, SidecarTally, StatusDraft, Truth
from grokwarden_operator.status.status_object import (
    LAG_SECONDS,
    MAX_BACKOFF_SECONDS,
    ObjectKey,
    WriteResult,
    backoff_seconds,
)
from grokwarden_operator.status.writer import StatusWriter

INTERVAL = 0.05


def draft(
    acked: int = 0, *, name: str = "gateway", uid: str = "", generation: int = 1, reason: Reason = Reason.PENDING
) -> StatusDraft:
    """A pack's status that differs by how many sidecars have acked."""
    truth = Truth.TRUE if reason is Reason.PROGRAMMED else Truth.FALSE
    programmed = ConditionDraft(type=ConditionType.PROGRAMMED, status=truth, reason=reason, message=f"{acked} acked")
    return StatusDraft(
        kind=Kind.POLICY_PACK,
        namespace="shop",
        name=name,
        uid=uid or f"uid-of-{name}",
        generation=generation,
        conditions=(programmed,),
        tally=SidecarTally(desired=9, acked=acked, stale=9 - acked),
    )


@dataclass
class Statuses:
    """Statuses as an API server keeps them."""

    uids: dict[str, str] = field(default_factory=dict)
    standing: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    attempts: list[tuple[float, str, int]] = field(default_factory=list)
    events: list[Occurrence] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    trouble: Callable[[str], Exception | None] = lambda _: None
    slowness_seconds: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def apply_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str,
        status: Mapping[str, Any],
        *,
        resource_version: str = "",
    ) -> Write:
        self.versions.append(resource_version)
        self.attempts.append((time.monotonic(), name, status["sidecars"]["acked"]))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.slowness_seconds)
        self.at_once -= 1
        if error := self.trouble(name):
            raise error
        assert (kind, namespace) == (Kind.POLICY_PACK, "shop")
        if self.uids.get(name, uid) != uid:
            return Write.RECREATED if self.uids[name] else Write.GONE
        self.standing[name] = status
        return Write.DONE

    async def post_event(self, occurrence: Occurrence) -> None:
        if error := self.trouble("events"):
            raise error
        self.events.append(occurrence)

    def acked(self, name: str = "gateway") -> int | None:
        """What stands there."""
        return self.standing[name]["sidecars"]["acked"] if name in self.standing else None

    def writes(self, name: str = "gateway") -> list[int]:
        """What was tried to be written of one object, in order."""
        return [acked for _, object_name, acked in self.attempts if object_name == name]


@dataclass
class Bench:
    """A writer that runs, and the statuses that it writes."""

    writer: StatusWriter
    statuses: Statuses
    results: list[WriteResult]
    is_leader: bool = True
    now: datetime = datetime(2027, 1, 1, tzinfo=UTC)
    later_seconds: float = 0.0

    def wish(self, *drafts: StatusDraft, seen: Mapping[str, Any] | None = None) -> None:
        for each in drafts:
            self.writer.wish(each, {} if seen is None else seen)

    async def quiet(self) -> None:
        """Long enough for whatever would still be written."""
        for _ in range(20):
            if not await self._writes_more(than=len(self.statuses.attempts)):
                return
        raise AssertionError("there is no end to the writes")

    async def _writes_more(self, *, than: int) -> bool:
        with contextlib.suppress(AssertionError):
            await eventually(lambda: len(self.statuses.attempts) > than, timeout_seconds=4 * INTERVAL)
        return len(self.statuses.attempts) > than


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    statuses, results = Statuses(), []
    made = Bench(writer=None, statuses=statuses, results=results)
    made.writer = StatusWriter(
        statuses,
        is_leader=lambda: made.is_leader,
        clock=lambda: time.monotonic() + made.later_seconds,
        now=lambda: made.now,
        version_of=lambda kind, uid: f"newest of {kind} {uid}",
        on_result=results.append,
        min_interval_seconds=INTERVAL,
    )
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.writer.run())
        yield made
        running.cancel()


async def test_a_write_names_the_newest_version_that_is_known(bench):
    """Without it each status would cost a look at its object first, which doubles what a burst costs."""
    bench.writer.wish(draft(3, uid="uid-7"), {})

    await eventually(lambda: bench.statuses.versions == ["newest of PolicyPack uid-7"])


async def test_a_wish_is_written_at_once(bench):
    """`kubectl wait` is waiting for it."""
    began = time.monotonic()
    bench.wish(draft(3))
    await eventually(lambda: bench.statuses.acked() == 3)

    assert time.monotonic() - began < 0.5
    assert bench.results == [WriteResult.WRITTEN]


async def test_of_a_burst_few_are_written_and_the_last_one_for_sure(bench):
    """Each sidecar's answer changes the status; 500 of them must not become 500 writes."""
    for acked in range(1, 10):
        bench.wish(draft(acked))
        await asyncio.sleep(0)
    await eventually(lambda: bench.statuses.acked() == 9)
    await bench.quiet()

    written = bench.statuses.writes()
    assert (written[0], written[-1]) == (1, 9)
    assert len(written) == 2
    times = [at for at, _, _ in bench.statuses.attempts]
    assert all(later - earlier >= INTERVAL for earlier, later in itertools.pairwise(times))


async def test_the_same_is_never_written_twice(bench):
    """Each round of the reconcile wishes everything again."""
    for _ in range(5):
        bench.wish(draft(3))
        await eventually(lambda: bench.statuses.acked() == 3)
    await bench.quiet()

    assert bench.statuses.writes() == [3]


async def test_what_stands_there_already_is_not_written(bench):
    """A restarted operator finds hundreds of statuses as they should be."""
    bench.wish(draft(3))
    await eventually(lambda: bench.statuses.acked() == 3)
    seen = bench.statuses.standing.pop("gateway")
    bench.writer.retain(())
    bench.wish(draft(3), seen=seen)
    await bench.quiet()

    assert bench.statuses.writes() == [3]
    assert len(bench.statuses.events) == 1


async def test_a_status_that_somebody_else_overwrote_is_put_back(bench):
    """`kubectl edit --subresource status` must not make a status lie for longer than a moment."""
    bench.wish(draft(3))
    await eventually(lambda: bench.statuses.acked() == 3)
    ours = bench.statuses.standing["gateway"]
    bench.wish(draft(3), seen={})  # the watch is behind
    bench.wish(draft(3), seen=ours)
    await bench.quiet()
    assert bench.statuses.writes() == [3]

    forged = {**ours, "sidecars": {**ours["sidecars"], "acked": 9}}
    bench.wish(draft(3), seen=forged)
    await eventually(lambda: bench.statuses.writes() == [3, 3])


async def test_a_status_that_was_overwritten_before_anybody_looked_is_put_back(bench):
    """Looks are half a minute apart: what was written and forged in between was never seen as it was written."""
    bench.wish(draft(3))
    await eventually(lambda: bench.statuses.acked() == 3)
    ours = bench.statuses.standing["gateway"]
    forged = {**ours, "sidecars": {**ours["sidecars"], "acked": 9}}
    bench.wish(draft(3), seen=forged)
    await bench.quiet()
    assert bench.statuses.writes() == [3]  # it may be what stood there before

    bench.later_seconds = LAG_SECONDS
    bench.wish(draft(3), seen=forged)
    await eventually(lambda: bench.statuses.writes() == [3, 3])


async def test_times_of_conditions_are_those_of_the_status_before(bench):
    """The watch is behind the writer: with its view of before, a condition would seem to change again and again."""
    bench.wish(draft(1))
    await eventually(lambda: bench.statuses.acked() == 1)
    first = bench.statuses.standing["gateway"]["conditions"][0]["lastTransitionTime"]
    bench.now = bench.now.replace(hour=5)
    bench.wish(draft(2))
    await eventually(lambda: bench.statuses.acked() == 2)

    assert bench.statuses.standing["gateway"]["conditions"][0]["lastTransitionTime"] == first


async def test_each_change_of_a_condition_is_told_once(bench):
    """`kubectl describe` shows the history; the same line after each answer of a sidecar would bury it."""
    bench.wish(draft(1))
    await eventually(lambda: bench.statuses.acked() == 1)
    bench.wish(draft(2))
    await eventually(lambda: bench.statuses.acked() == 2)
    bench.wish(draft(9, reason=Reason.PROGRAMMED))
    await eventually(lambda: bench.statuses.acked() == 9)
    bench.wish(draft(8, generation=2, reason=Reason.NACKED))
    await eventually(lambda: len(bench.statuses.events) == 3)

    assert [(event.reason, event.is_warning) for event in bench.statuses.events] == [
        ("Pending", False),
        ("Programmed", False),
        ("Nacked", True),
    ]
    last = bench.statuses.events[-1]
    assert (last.action, last.note) == ("Programmed", "Programmed is False: 8 acked")
    assert (last.kind, last.namespace, last.name, last.uid) == (Kind.POLICY_PACK, "shop", "gateway", "uid-of-gateway")


async def test_events_wait_for_statuses(bench):
    """Two hundred packs that change at once must not be told about before the last of them shows it."""
    order: list[str] = []
    bench.statuses.trouble = lambda name: order.append("event" if name == "events" else "status")
    bench.statuses.slowness_seconds = 0.005
    bench.wish(*(draft(1, name=f"pack-{number}") for number in range(40)))
    await eventually(lambda: len(bench.statuses.events) == 40, timeout_seconds=5)

    assert order.index("event") >= 40 - 8


async def test_an_event_that_cannot_be_posted_holds_up_nothing(bench):
    """The status says the same, and keeps saying it."""
    refused = ClusterRejectedError("POST events", "forbidden")
    bench.statuses.trouble = lambda name: refused if name == "events" else None
    with capture_logs() as logs:
        for acked, reason in ((1, Reason.PENDING), (2, Reason.NACKED), (9, Reason.PROGRAMMED)):
            bench.wish(draft(acked, reason=reason))
            await eventually(lambda acked=acked: bench.statuses.acked() == acked)
        await bench.quiet()

    assert [each["event"] for each in logs] == ["event_unposted"], "said once, not for each"


async def test_after_an_outage_the_newest_wishes_are_written(bench):
    """What was wished first is history by then, and a status must not show it even for a moment."""
    away = ClusterUnavailableError("PATCH status", "no connection")
    bench.statuses.trouble = lambda _: away
    names = [f"pack-{number}" for number in range(20)]
    with capture_logs() as logs:
        for acked in (1, 2, 3):
            bench.wish(*(draft(acked, name=name) for name in names))
            tried = len(bench.statuses.attempts)
            await eventually(lambda tried=tried: len(bench.statuses.attempts) > tried)
        bench.statuses.trouble = lambda _: None
        back_at = time.monotonic()
        await eventually(lambda: all(bench.statuses.acked(name) == 3 for name in names), timeout_seconds=5)

    assert time.monotonic() - back_at < MAX_BACKOFF_SECONDS + 1
    assert len(bench.results) - bench.results.count(WriteResult.RETRIED) == len(names)
    assert [each["event"] for each in logs] == ["status_unwritten", "status_writes_resumed"]


async def test_an_outage_is_waited_for_and_not_hammered_at(bench):
    """Hundreds of objects, each tried again and again, are what an API server needs least when it comes back."""
    bench.statuses.trouble = lambda _: ClusterUnavailableError("PATCH status", "no connection")
    bench.wish(*(draft(1, name=f"pack-{number}") for number in range(200)))
    await eventually(lambda: len(bench.statuses.attempts) >= 6, timeout_seconds=5)
    began, tried = time.monotonic(), len(bench.statuses.attempts)
    await eventually(lambda: time.monotonic() - began > 1.0, timeout_seconds=3)

    assert len(bench.statuses.attempts) - tried <= 5


def test_waiting_is_bounded():
    """A status must not be minutes late because the outage was long."""
    waits = [backoff_seconds(failures) for failures in range(50)]

    assert waits[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert set(waits[5:]) == {MAX_BACKOFF_SECONDS}


async def test_one_object_that_fails_again_and_again_holds_up_no_other(bench):
    """An object that trips the API server is its author's trouble, not everybody's."""
    bench.statuses.trouble = lambda name: ClusterUnavailableError("x", "500") if name == "poison" else None
    bench.wish(draft(1, name="poison"))
    await eventually(lambda: len(bench.statuses.writes("poison")) >= 5, timeout_seconds=5)
    began = time.monotonic()
    for acked in range(1, 5):
        bench.wish(draft(acked, name="other"))
        await eventually(lambda acked=acked: bench.statuses.acked("other") == acked)

    assert time.monotonic() - began < 1.5


async def test_what_the_api_server_rejects_is_not_tried_again_until_it_is_another(bench):
    """The same again is as wrong; the next wish may be right."""
    wrong = ClusterRejectedError("PATCH status", "sidecars.acked: must not be 7")
    bench.statuses.trouble = lambda _: wrong if bench.statuses.writes()[-1] == 7 else None
    with capture_logs() as logs:
        bench.wish(draft(7))
        await eventually(lambda: bench.results)
        bench.wish(draft(7), seen={"x": 1})
        await bench.quiet()
    assert bench.statuses.writes() == [7]
    assert [(each["event"], each["log_level"]) for each in logs] == [("status_unwritten", "error")]

    bench.wish(draft(8))
    await eventually(lambda: bench.statuses.acked() == 8)


@pytest.mark.parametrize("successor", ["", "another-uid"])
async def test_an_object_that_is_gone_is_let_go(bench, successor):
    """Nothing of the old one may show on an object that was made anew under its name."""
    bench.statuses.uids["gateway"] = successor
    bench.wish(draft(1))
    await eventually(lambda: bench.results == [WriteResult.GONE])
    bench.wish(draft(2))
    await bench.quiet()
    assert bench.statuses.writes() == [1]

    bench.wish(draft(5, uid="another-uid")) if successor else None
    await bench.quiet()
    assert bench.statuses.acked() == (5 if successor else None)


async def test_only_the_leader_writes(bench):
    """Two replicas that both write would show two truths in turns."""
    bench.is_leader = False
    bench.wish(draft(1))
    bench.wish(draft(2))
    await bench.quiet()
    assert bench.statuses.attempts == []

    bench.is_leader = True
    await eventually(lambda: bench.statuses.acked() == 2)
    assert bench.statuses.writes() == [2]


async def test_who_leads_again_writes_what_differs_from_what_the_other_wrote(bench):
    """What it wrote itself the time before says nothing about what stands there now."""
    bench.wish(draft(3), draft(4, name="other"))
    await eventually(lambda: bench.statuses.acked("other") == 4)
    ours = dict(bench.statuses.standing)
    bench.is_leader = False
    await eventually(lambda: not bench.writer._has_led)
    theirs = {**ours["gateway"], "sidecars": {"desired": 9, "acked": 1, "nacked": 0, "stale": 8, "missing": 0}}
    bench.wish(draft(3), seen=theirs)
    bench.wish(draft(4, name="other"), seen=ours["other"])
    bench.is_leader = True
    await eventually(lambda: bench.statuses.writes() == [3, 3])
    await bench.quiet()

    assert bench.statuses.writes("other") == [4]


async def test_writes_are_few_at_a_time_and_the_reconcile_never_waits(bench):
    """A slow API server must slow down nothing but the statuses."""
    bench.statuses.slowness_seconds = 0.02
    began = time.monotonic()
    bench.wish(*(draft(1, name=f"pack-{number}") for number in range(60)))
    took = time.monotonic() - began
    await eventually(lambda: len(bench.statuses.standing) == 60, timeout_seconds=5)

    assert took < 0.5
    assert bench.statuses.most_at_once == 8


async def test_what_is_wished_during_a_write_is_written_next(bench):
    """The write under way carries the older one, and must not count as the newer one's."""
    bench.statuses.slowness_seconds = 0.1
    bench.wish(draft(1))
    await eventually(lambda: bench.statuses.at_once == 1)
    bench.wish(draft(2))
    await eventually(lambda: bench.statuses.acked() == 2)

    assert bench.statuses.writes() == [1, 2]


async def test_objects_that_are_no_more_are_forgotten(bench):
    """A cluster in which packs come and go would fill the memory."""
    bench.is_leader = False
    bench.wish(draft(1), draft(1, name="other"))
    bench.writer.retain([ObjectKey.of(draft(1, name="other"))])
    bench.is_leader = True
    await eventually(lambda: bench.statuses.acked("other") == 1)
    await bench.quiet()

    assert "gateway" not in bench.statuses.standing
    assert len(bench.writer._objects) == 1
