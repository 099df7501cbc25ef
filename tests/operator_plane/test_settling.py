"""After a start, what stands in the cluster stays until sidecars had the time to come back; and nothing else does."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grokwarden_operator.status.conditions import status_document
from listings import BROKEN, CHAIN, namespace_of, pack, pod, secret, target
from rounds import Rounds, applied, draft_of, report, told

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE = (target(), secret("api.x.ai"), namespace_of(is_opted_in=True))
PODS = (pod("a"), pod("b"), pod("c"))


def status_after(*facts, change=None):
    """What stands in the cluster once sidecars have answered."""
    rounds = Rounds()
    plan = rounds.plan(*facts)
    reports = applied(plan) if change is None else change(plan)
    return status_document(draft_of(rounds.plan(*facts, reports=reports)), {}, now=NOW)


PROGRAMMED = status_after(*BASE, pack(), *PODS)


def is_kept(*facts, reports=None, settling=True):
    plan = Rounds().plan(*facts, reports=reports or {}, settling=settling)
    return not [draft for draft in plan.statuses if draft.kind == "PolicyPack"]


def test_a_restart_of_the_operator_does_not_unprogram_a_pack():
    """Nothing changed in the pods; a pager must not ring for an upgrade."""
    facts = (*BASE, pack(status=PROGRAMMED), *PODS)
    assert is_kept(*facts)
    assert not is_kept(*facts, settling=False)
    some = applied(Rounds().plan(*facts))
    del some[pod("b").uid]
    assert is_kept(*facts, reports=some)


def test_what_is_known_again_is_written():
    """Once all are back there is nothing to wait for."""
    facts = (*BASE, pack(status=PROGRAMMED), *PODS)
    plan = Rounds().plan(*facts, reports=applied(Rounds().plan(*facts)), settling=True)
    assert told(plan, "Programmed") == ("True", "Programmed")


def test_other_resources_statuses_do_not_wait():
    """Targets have no sidecars to wait for."""
    plan = Rounds().plan(*BASE, pack(status=PROGRAMMED), *PODS, settling=True)
    assert [draft.kind for draft in plan.statuses] == ["ProviderTarget"]


def test_a_refusal_is_remembered_too():
    """It must not turn into mere waiting, and back."""

    def refused(plan):
        return applied(plan) | {pod("a").uid: report(plan, pod("a").uid, change=lambda p: replace(p, applied=False))}

    assert is_kept(*BASE, pack(status=status_after(*BASE, pack(), *PODS, change=refused)), *PODS)


@pytest.mark.parametrize(
    "facts",
    [
        (pack(generation=2, status=PROGRAMMED), *PODS),
        (pack(BROKEN, status=PROGRAMMED), *PODS),
        (pack(f"{{{CHAIN}, enabled: false}}", status=PROGRAMMED), *PODS),
        (pack(), *PODS),
        (pack(status={}), *PODS),
        (pack(status={"observedGeneration": 1}), *PODS),
        (pack(status={**PROGRAMMED, "sidecars": None}), *PODS),
        (pack(status={**PROGRAMMED, "conditions": "?"}), *PODS),
        (pack(status=PROGRAMMED), *PODS, pod("d")),
        (pack(status=PROGRAMMED), *PODS[:2]),
        (pack(status=PROGRAMMED), *PODS[:2], pod("c", has_sidecar=False)),
        (pack(status=PROGRAMMED), target(name="second"), *PODS),
        (pack(status=PROGRAMMED),),
    ],
)
def test_whatever_is_known_to_have_changed_is_written_at_once(facts):
    """Silence excuses counts, and nothing else."""
    assert not is_kept(*BASE, *facts)


def test_an_answer_is_no_silence():
    """A sidecar that came back with something else than it should have is known to have it."""
    facts = (*BASE, pack(status=PROGRAMMED), *PODS)
    plan = Rounds().plan(*facts)
    old = report(plan, pod("a").uid, change=lambda p: replace(p, generation=0))
    assert not is_kept(*facts, reports={pod("a").uid: old})
    refused = report(plan, pod("a").uid, change=lambda p: replace(p, applied=False))
    assert not is_kept(*facts, reports={pod("a").uid: refused})


def test_a_sidecar_that_is_back_and_has_not_answered_is_silent():
    """It connects first and answers then."""
    facts = (*BASE, pack(status=PROGRAMMED), *PODS)
    back = replace(report(Rounds().plan(*facts), pod("a").uid), manifest="", packs={})
    assert is_kept(*facts, reports={pod("a").uid: back})


def test_nothing_becomes_programmed_by_silence():
    """What was not programmed before stays so, in the plan or in the cluster."""
    waiting = status_after(*BASE, pack(), *PODS, change=lambda _: {})
    plan = Rounds().plan(*BASE, pack(status=waiting), *PODS, settling=True)
    assert told(plan, "Programmed") == ("False", "Pending")
    for facts in ((pack(generation=2, status=PROGRAMMED), *PODS), (pack(status=PROGRAMMED), *PODS, pod("d"))):
        plan = Rounds().plan(*BASE, *facts, settling=True)
        assert told(plan, "Programmed")[0] == "False"
