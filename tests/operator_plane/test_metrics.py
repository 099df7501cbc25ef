"""What Prometheus is given: the names of the design, labels that stay bounded, figures that are true."""

import math
import re
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from grokwarden_operator.listing import Kind
from grokwarden_operator.metrics import OperatorMetrics
from grokwarden_operator.plan import ConditionDraft, ConditionType, Reason, StatusDraft, Truth
from grokwarden_operator.reconcile.convergence import Converged
from grokwarden_operator.status.status_object import WriteResult
from grokwarden_operator.stream.hub import SidecarState, StreamCounts
from grokwarden_operator.stream.pod_stream import StreamEnd
from listings import listing, namespace_of, pack, pod, target

LABELS = {
    "grokwarden_operator_acks_total": {"result"},
    "grokwarden_operator_certificate_expiry_timestamp_seconds": set(),
    "grokwarden_operator_config_sent_bytes_total": set(),
    "grokwarden_operator_config_streams": set(),
    "grokwarden_operator_config_streams_ended_total": {"reason"},
    "grokwarden_operator_convergence_seconds_bucket": {"pack", "le"},
    "grokwarden_operator_convergence_seconds_count": {"pack"},
    "grokwarden_operator_convergence_seconds_sum": {"pack"},
    "grokwarden_operator_injection_coverage_ratio": {"namespace"},
    "grokwarden_operator_opted_out_pods": {"namespace"},
    "grokwarden_operator_reconcile_seconds_bucket": {"le"},
    "grokwarden_operator_reconcile_seconds_count": set(),
    "grokwarden_operator_reconcile_seconds_sum": set(),
    "grokwarden_operator_resources": {"kind", "state"},
    "grokwarden_operator_sidecars": {"state"},
    "grokwarden_operator_status_writes_total": {"result"},
    "grokwarden_operator_watch_age_seconds": {"kind"},
    "grokwarden_operator_watch_restarts_total": set(),
}


def status(kind: Kind, *reasons: tuple[Truth, Reason], name: str = "x") -> StatusDraft:
    """A status with these conditions, in order."""
    types = (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.PROGRAMMED)
    conditions = [
        ConditionDraft(type=each, status=truth, reason=reason, message="")
        for each, (truth, reason) in zip(types, reasons, strict=False)
    ]
    return StatusDraft(kind=kind, namespace="shop", name=name, uid=name, generation=1, conditions=tuple(conditions))


def samples(metrics: OperatorMetrics) -> dict[str, dict[tuple[str, ...], float]]:
    """Every figure, by name and by the values of its labels in the order of their names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            values = tuple(sample.labels[name] for name in sorted(sample.labels))
            found.setdefault(sample.name, {})[values] = sample.value
    return found


@pytest.fixture
def metrics():
    return OperatorMetrics()


def counts_of(**sidecars: int) -> StreamCounts:
    return StreamCounts(
        open=4,
        sidecars=Counter({SidecarState(state): count for state, count in sidecars.items()}),
        ended=Counter({StreamEnd.TOKEN_EXPIRED: 2}),
        acks=Counter({"accepted": 7}),
        bytes_sent=1000,
    )


def test_names_and_labels_are_those_that_dashboards_and_alerts_are_built_on(metrics):
    """A name that changes silences an alert without a word."""
    everything = listing(pack(), namespace_of(is_opted_in=True), pod())
    metrics.listed(everything, [status(Kind.POLICY_PACK, (Truth.TRUE, Reason.ACCEPTED))])
    metrics.watch_streams(lambda: counts_of(acked=1))
    metrics.watch_watches(lambda: {Kind.POD: 1.0}, lambda: 0)
    metrics.watch_certificate(lambda: 1.0)
    metrics.reconciled(0.01)
    families = list(text_string_to_metric_families(metrics.render().decode()))
    found = {sample.name: set(sample.labels) for family in families for sample in family.samples}

    assert {name: labels for name, labels in found.items() if name.startswith("grokwarden_")} == LABELS
    assert "process_resident_memory_bytes" in found
    assert all(re.fullmatch(r"[A-Z].*\.", family.documentation) for family in families)


def test_the_series_of_a_deleted_pack_are_removed(metrics):
    """Packs come and go; without this the registry would grow for as long as the process lives."""
    metrics.listed(listing(pack(name="a"), pack(name="b")), [])
    metrics.converged([Converged(pack="shop/a", generation=1, seconds=0.3)])
    assert samples(metrics)["grokwarden_operator_convergence_seconds_sum"] == {("shop/a",): 0.3, ("shop/b",): 0.0}

    metrics.listed(listing(pack(name="b")), [])
    metrics.converged([Converged(pack="shop/a", generation=1, seconds=0.3)])
    assert samples(metrics)["grokwarden_operator_convergence_seconds_count"] == {("shop/b",): 0.0}
    assert "shop/a" not in metrics.render().decode()


def test_coverage_is_of_opted_in_namespaces_and_of_pods_that_are_meant(metrics):
    """The figure an alert is built on: a pod that opted out is no accident, one that was missed is."""
    everything = listing(
        namespace_of("shop", is_opted_in=True),
        namespace_of("idle", is_opted_in=True),
        namespace_of("other"),
        pod("a"),
        pod("b", has_sidecar=False),
        pod("c", has_sidecar=False),
        pod("d"),
        pod("out", has_sidecar=False, is_opted_out=True),
        pod("dead", has_sidecar=False, is_live=False),
        pod("e", namespace="other", has_sidecar=False),
    )
    metrics.listed(everything, [])
    found = samples(metrics)

    assert found["grokwarden_operator_injection_coverage_ratio"] == {("idle",): 1.0, ("shop",): 0.5}
    assert found["grokwarden_operator_opted_out_pods"] == {("idle",): 0.0, ("shop",): 1.0}

    metrics.listed(listing(namespace_of("shop")), [])
    assert "grokwarden_operator_injection_coverage_ratio" not in samples(metrics), "it has opted out since"


def test_resources_are_counted_by_what_is_wrong_with_them_first(metrics):
    """One alert for whatever holds up a pack, with the reason as its label."""
    good = (Truth.TRUE, Reason.ACCEPTED)
    metrics.listed(
        listing(pack(), target()),
        [
            status(Kind.POLICY_PACK, good, (Truth.TRUE, Reason.RESOLVED_REFS), (Truth.TRUE, Reason.PROGRAMMED)),
            status(Kind.POLICY_PACK, good, (Truth.FALSE, Reason.SECRET_NOT_FOUND), (Truth.FALSE, Reason.PENDING)),
            status(Kind.POLICY_PACK, good, (Truth.TRUE, Reason.RESOLVED_REFS), (Truth.FALSE, Reason.PENDING)),
            status(Kind.POLICY_PACK, good, (Truth.TRUE, Reason.RESOLVED_REFS), (Truth.FALSE, Reason.PENDING)),
            status(Kind.PROVIDER_TARGET, (Truth.UNKNOWN, Reason.SECRET_UNREAD)),
        ],
    )
    assert samples(metrics)["grokwarden_operator_resources"] == {
        ("PolicyPack", "Ready"): 1,
        ("PolicyPack", "SecretNotFound"): 1,
        ("PolicyPack", "Pending"): 2,
        ("ProviderTarget", "SecretUnread"): 1,
    }

    metrics.listed(listing(), [])
    assert "grokwarden_operator_resources" not in samples(metrics)


def test_sidecars_are_counted_in_every_state_and_those_that_never_came_too(metrics):
    """A sidecar that can't reach the operator is the one that matters, and no stream counts it."""
    metrics.watch_streams(lambda: counts_of(acked=2, gone=1))
    metrics.listed(listing(*(pod(f"bot-{number}") for number in range(5)), pod("plain", has_sidecar=False)), [])
    found = samples(metrics)

    assert found["grokwarden_operator_sidecars"] == {
        ("acked",): 2,
        ("nacked",): 0,
        ("stale",): 0,
        ("gone",): 1,
        ("unconnected",): 2,
    }
    assert found["grokwarden_operator_config_streams"] == {(): 4}
    assert found["grokwarden_operator_acks_total"][("accepted",)] == 7
    assert found["grokwarden_operator_acks_total"][("unknown_manifest",)] == 0
    assert found["grokwarden_operator_config_streams_ended_total"][("TokenExpired",)] == 2


def test_figures_of_others_are_read_when_they_are_asked_for(metrics):
    """An age that was true a minute ago is the one thing that must not be shown of a watch that is deaf."""
    ages = {Kind.POD: 1.0}
    expiry = [math.nan]
    metrics.watch_watches(lambda: ages, lambda: 3)
    metrics.watch_certificate(lambda: expiry[0])
    assert math.isnan(samples(metrics)["grokwarden_operator_certificate_expiry_timestamp_seconds"][()])

    ages[Kind.POD] = 95.0
    expiry[0] = 1.8e9
    found = samples(metrics)
    assert found["grokwarden_operator_watch_age_seconds"] == {("Pod",): 95.0}
    assert found["grokwarden_operator_watch_restarts_total"] == {(): 3}
    assert found["grokwarden_operator_certificate_expiry_timestamp_seconds"] == {(): 1.8e9}


def test_every_result_of_a_status_write_is_there_from_the_start(metrics):
    """A rate over a series that has just appeared misses its first increase."""
    assert samples(metrics)["grokwarden_operator_status_writes_total"] == {(each.value,): 0 for each in WriteResult}

    metrics.status_written(WriteResult.REJECTED)
    assert samples(metrics)["grokwarden_operator_status_writes_total"][("rejected",)] == 1


def test_two_of_them_share_nothing(metrics):
    """A registry of the process would make a second one in a test, or in another program, an error."""
    OperatorMetrics().reconciled(1.0)

    assert samples(metrics)["grokwarden_operator_reconcile_seconds_count"] == {(): 0}
