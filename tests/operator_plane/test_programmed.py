"""Every way in which a pack's status could say more than is true."""

from dataclasses import replace

import pytest

from grokwarden.compiler.joining import RefReason
from grokwarden_operator.plan import Reason, SidecarTally
from listings import BROKEN, CHAIN, ROOT, listing, namespace_of, pack, pod, secret, target
from rounds import Rounds, applied, condition, draft_of, report, told

TRUE = ("True", "Programmed")
PENDING = ("False", "Pending")
SECRET = secret("api.x.ai")
BASE = (target(), SECRET)
SELECTIVE = f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: bot}}}}}}}}"


def tally(plan, name="shop/gateway"):
    return draft_of(plan, name).tally


def test_programmed_once_every_meant_pod_has_acked():
    """The one case in which it may be true, so that the others below are known to fail for their own reason."""
    plan = Rounds().answered(*BASE, pack(), pod("a"), pod("b"))
    assert told(plan, "Programmed") == TRUE
    assert tally(plan) == SidecarTally(desired=2, acked=2)
    assert condition(plan, "Programmed").message == "2 of 2 run generation 1"


def test_not_programmed_until_the_last_one_has():
    """`kubectl wait` must not return while one pod runs something else."""
    rounds = Rounds()
    facts = (*BASE, pack(), pod("a"), pod("b"))
    reports = applied(rounds.plan(*facts))
    del reports[pod("b").uid]
    plan = rounds.plan(*facts, reports=reports)
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=2, acked=1, stale=1)
    assert condition(plan, "Programmed").message == "1 of 2 run generation 1; waiting for 1: shop/b"


def test_a_new_generation_is_unprogrammed_at_once():
    """Else `kubectl apply && kubectl wait` would return on the old one."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod()))
    plan = rounds.plan(*BASE, pack(f"{{{CHAIN}, priority: 1}}", generation=2), pod(), reports=reports)
    assert draft_of(plan).generation == 2
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=1, stale=1)


def test_a_generation_that_changes_nothing_must_be_acked_too():
    """The digest is the same, and still nobody has said that they know of it."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod()))
    plan = rounds.plan(*BASE, pack(generation=2), pod(), reports=reports)
    assert told(plan, "Programmed") == PENDING


def test_a_broken_generation_is_not_programmed_though_the_one_before_it_runs_everywhere():
    """The author asks about what they applied last."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod()))
    plan = rounds.plan(*BASE, pack(BROKEN, generation=2), pod(), reports=reports)
    assert told(plan, "Programmed") == ("False", "NotAccepted")
    assert "generation 1 stays in force" in condition(plan, "Programmed").message
    assert tally(plan) == SidecarTally(desired=1, stale=1)
    assert plan.pods[pod().uid].bundle.manifest.packs[0].generation == 1


def test_a_generation_with_failing_tests_is_not_programmed():
    """Its tests are the author's own word on what it should do."""
    tests = "tests: [{name: t, request: {user: hi}, expect: {action: Block}}]"
    rounds = Rounds()
    plan = rounds.answered(*BASE, pack(), pod())
    assert told(plan, "Programmed") == TRUE
    plan = rounds.answered(*BASE, pack(f"{{{CHAIN}, {tests}}}", generation=2), pod())
    assert told(plan, "Programmed") == ("False", "TestsFailed")
    assert tally(plan) == SidecarTally(desired=1, stale=1)


def test_pods_are_those_that_the_newest_generation_selects():
    """Also where it is not good enough to be in force: the status is its own."""
    tests = "tests: [{name: t, request: {user: hi}, expect: {action: Block}}]"
    rounds = Rounds()
    pods = (pod("a"), pod("b"), pod("c", labels={"app": "cat"}))
    assert tally(rounds.answered(*BASE, pack(SELECTIVE), *pods)).desired == 2
    spec = f"{SELECTIVE.replace('bot', 'cat')[:-1]}, {tests}}}"
    plan = rounds.answered(*BASE, pack(spec, generation=2), *pods)
    assert tally(plan) == SidecarTally(desired=1, stale=1)
    assert tally(rounds.answered(*BASE, pack(BROKEN, generation=3), *pods)) == SidecarTally(desired=2, stale=2)


def test_a_pod_that_is_gone_counts_no_more():
    """Neither its ack nor its absence says anything."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod("a"), pod("b")))
    plan = rounds.plan(*BASE, pack(), pod("a"), reports=reports)
    assert tally(plan) == SidecarTally(desired=1, acked=1)
    plan = rounds.plan(*BASE, pack(), reports=reports)
    assert told(plan, "Programmed") == ("False", "NoMatchingPods")
    assert tally(plan) == SidecarTally()


def test_a_pod_that_came_in_its_place_has_to_ack_itself():
    """A StatefulSet gives the new pod the name of the old one."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod("bot-0", uid="old")))
    plan = rounds.plan(*BASE, pack(), pod("bot-0", uid="new"), reports=reports)
    assert told(plan, "Programmed") == PENDING


def test_a_pod_that_is_being_deleted_is_governed_to_its_end_and_counts_no_more():
    """A rollout must not wait for pods on their way out; but what they still send, newer packs have to judge."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod("a"), pod("b")))
    plan = rounds.plan(*BASE, pack(), pod("a"), pod("b", is_ending=True), reports=reports)
    assert tally(plan) == SidecarTally(desired=1, acked=1)
    assert pod("b").uid in plan.pods


def test_a_pod_that_has_finished_is_nobodys_any_more():
    """It makes no call, and there is nobody to give a key to."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod("a"), pod("b")))
    plan = rounds.plan(*BASE, pack(), pod("a"), pod("b", is_live=False), reports=reports)
    assert tally(plan) == SidecarTally(desired=1, acked=1)
    assert pod("b").uid not in plan.pods


def test_a_restarted_sidecar_runs_nothing_that_it_has_not_acked_since():
    """Its answers are of a process that is no more."""
    rounds = Rounds()
    facts = (*BASE, pack(), pod())
    plan = rounds.plan(*facts)
    began = replace(report(plan, pod().uid), manifest="", packs={})
    plan = rounds.plan(*facts, reports={pod().uid: began})
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=1, stale=1)


def test_answers_without_a_manifest_are_none():
    """A report that was not emptied at a restart must not pass for one that was given after it."""
    rounds = Rounds()
    facts = (*BASE, pack(), pod())
    before = replace(report(rounds.plan(*facts), pod().uid), manifest="")
    assert told(rounds.plan(*facts, reports={pod().uid: before}), "Programmed") == PENDING


def test_a_disconnected_sidecar_is_not_known_to_run_anything():
    """What it said before it went silent may be long past."""
    rounds = Rounds()
    facts = (*BASE, pack(), pod())
    gone = report(rounds.plan(*facts), pod().uid, is_current=False)
    plan = rounds.plan(*facts, reports={pod().uid: gone})
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=1, stale=1)


def test_a_pack_made_anew_under_its_name_has_to_be_acked_anew():
    """It begins with generation 1 again, and may even say the same."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(uid="first"), pod()))
    plan = rounds.plan(*BASE, pack(uid="second"), pod(), reports=reports)
    assert told(plan, "Programmed") == PENDING
    assert told(rounds.answered(*BASE, pack(uid="second"), pod()), "Programmed") == TRUE


def test_a_pod_whose_label_changed_away_counts_no_more():
    """The pack does not govern it any more, and its bundle says so."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(SELECTIVE), pod("a"), pod("b")))
    moved = pod("b", labels={"app": "cat"})
    plan = rounds.plan(*BASE, pack(SELECTIVE), pod("a"), moved, reports=reports)
    assert tally(plan) == SidecarTally(desired=1, acked=1)
    assert plan.pods[moved.uid].bundle.packs == ()


def test_a_pod_whose_label_changed_to_match_has_to_ack():
    """From one moment to the next there is a pod on which the pack is not enforced."""
    rounds = Rounds()
    other = pod("b", labels={"app": "cat"})
    reports = applied(rounds.plan(*BASE, pack(SELECTIVE), pod("a"), other))
    plan = rounds.plan(*BASE, pack(SELECTIVE), pod("a"), pod("b"), reports=reports)
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=2, acked=1, stale=1)


def test_the_same_generation_with_another_digest_has_to_be_acked():
    """A target came, so the calls of a pack without routing go elsewhere, though nobody touched the pack."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod()))
    plan = rounds.plan(*BASE, target(name="second"), pack(), pod(), reports=reports)
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=1, stale=1)


def test_a_disabled_pack_is_not_programmed():
    """It is enforced nowhere, whoever acked it before."""
    rounds = Rounds()
    reports = applied(rounds.plan(*BASE, pack(), pod()))
    plan = rounds.plan(*BASE, pack(f"{{{CHAIN}, enabled: false}}", generation=2), pod(), reports=reports)
    assert told(plan, "Programmed") == ("False", "Disabled")
    assert told(plan, "Accepted") == ("True", "Accepted")
    assert tally(plan) == SidecarTally()
    assert plan.pods[pod().uid].bundle.packs == ()


@pytest.mark.parametrize(
    "wrong",
    [{"generation": 1}, {"uid": "another"}, {"digest": "sha256:" + "0" * 64}],
    ids=["generation", "uid", "digest"],
)
@pytest.mark.parametrize("is_applied", [True, False])
def test_an_answer_on_something_else_is_no_answer(wrong, is_applied):
    """Neither an ack nor a refusal of another generation, object or part is one of this."""
    rounds = Rounds()
    facts = (*BASE, pack(generation=2), pod())
    plan = rounds.plan(*facts)
    said = report(plan, pod().uid, change=lambda p: replace(p, applied=is_applied, reason="Bad", **wrong))
    plan = rounds.plan(*facts, reports={pod().uid: said})
    assert told(plan, "Programmed") == PENDING
    assert tally(plan) == SidecarTally(desired=1, stale=1)
    assert draft_of(plan).nacks == ()


def test_a_report_of_another_pod_is_not_taken_for_this_ones():
    """An index that went wrong must cost an ack, not fake one."""
    rounds = Rounds()
    facts = (*BASE, pack(), pod("a"), pod("b"))
    other = report(rounds.plan(*facts), pod("b").uid)
    assert tally(rounds.plan(*facts, reports={pod("a").uid: other})) == SidecarTally(desired=2, stale=2)


def test_a_refusal_is_told_with_its_pod():
    """The platform team has to know where to look."""
    rounds = Rounds()
    facts = (*BASE, pack(), pod("a"), pod("b"))
    plan = rounds.plan(*facts)
    reports = applied(plan)
    refusal = {"applied": False, "reason": "RegexTooComplex", "message": "step x"}
    reports[pod("b").uid] = report(plan, pod("b").uid, change=lambda p: replace(p, **refusal))
    plan = rounds.plan(*facts, reports=reports)
    assert told(plan, "Programmed") == ("False", "Nacked")
    assert condition(plan, "Programmed").message == "1 of 2 run generation 1; refused by 1: shop/b"
    assert tally(plan) == SidecarTally(desired=2, acked=1, nacked=1)
    (nack,) = draft_of(plan).nacks
    assert (nack.pod, nack.generation, nack.reason, nack.message) == ("b", 1, "RegexTooComplex", "step x")


def test_a_pod_without_a_sidecar_is_missing_where_its_namespace_is_opted_in():
    """It came up while injection failed: nothing is enforced in it."""
    plan = Rounds().answered(*BASE, namespace_of(is_opted_in=True), pack(), pod("a"), pod("b", has_sidecar=False))
    assert told(plan, "Programmed") == ("False", "SidecarsMissing")
    assert tally(plan) == SidecarTally(desired=2, acked=1, missing=1)
    assert condition(plan, "Programmed").message == "1 of 2 run generation 1; no sidecar in 1: shop/b"


@pytest.mark.parametrize(
    ("spec", "is_opted_in", "is_opted_out", "missing"),
    [
        (f"{{{CHAIN}}}", False, False, 0),
        (f"{{{CHAIN}}}", True, False, 1),
        (f"{{{CHAIN}}}", True, True, 0),
        (f"{{{CHAIN}, selector: {{podSelector: {{}}}}}}", False, False, 0),
        (SELECTIVE, False, False, 1),
        (SELECTIVE, True, True, 1),
        (SELECTIVE.replace("bot", "cat"), True, False, 0),
        (
            f"{{{CHAIN}, selector: {{podSelector: {{matchExpressions: [{{key: app, operator: Exists}}]}}}}}}",
            False,
            True,
            1,
        ),
    ],
)
@pytest.mark.parametrize("space", ["shop", ROOT])
def test_which_pods_without_a_sidecar_are_missed(spec, is_opted_in, is_opted_out, missing, space):
    """Whoever names pods has to hear of each one; whoever names none does not want to hear of the whole cluster."""
    facts = (namespace_of(is_opted_in=is_opted_in), pack(spec, namespace=space))
    plan = Rounds().answered(*BASE, *facts, pod("a"), pod("b", has_sidecar=False, is_opted_out=is_opted_out))
    assert tally(plan, f"{space}/gateway").missing == missing


def test_a_root_pack_counts_the_pods_of_the_namespaces_that_it_selects():
    """And of no others, whether they have a sidecar or not."""
    spec = f"{{{CHAIN}, selector: {{namespaceSelector: {{matchLabels: {{team: a}}}}}}}}"
    spaces = (namespace_of("shop", team="a"), namespace_of("billing", team="b"))
    plan = Rounds().answered(*spaces, pack(spec, namespace=ROOT), pod("a"), pod("b", namespace="billing"))
    assert tally(plan, f"{ROOT}/gateway") == SidecarTally(desired=1, acked=1)
    everywhere = Rounds().answered(*spaces, pack(namespace=ROOT), pod("a"), pod("b", namespace="billing"))
    assert tally(everywhere, f"{ROOT}/gateway") == SidecarTally(desired=2, acked=2)


def test_unresolved_references_are_told_apart_from_what_is_enforced():
    """The chain is in force on every pod; that calls have nowhere to go is another condition."""
    plan = Rounds().answered(pack(f"{{{CHAIN}, routing: {{targets: [{{name: none}}]}}}}"), pod())
    assert told(plan, "Programmed") == TRUE
    assert told(plan, "ResolvedRefs") == ("False", "TargetNotFound")


def test_the_counts_always_add_up():
    """`desired` is the sum of the others, so a reader can trust either."""
    rounds = Rounds()
    facts = [*BASE, namespace_of(is_opted_in=True), pack()]
    facts += [pod("acks"), pod("nacks"), pod("silent"), pod("old"), pod("bare", has_sidecar=False)]
    plan = rounds.plan(*facts)
    reports = applied(plan)
    del reports[pod("silent").uid]
    reports[pod("nacks").uid] = report(plan, pod("nacks").uid, change=lambda p: replace(p, applied=False))
    reports[pod("old").uid] = report(plan, pod("old").uid, change=lambda p: replace(p, generation=0))
    counted = tally(rounds.plan(*facts, reports=reports))
    assert counted == SidecarTally(desired=5, acked=1, nacked=1, stale=2, missing=1)


def test_every_reason_of_a_reference_has_its_word_in_a_status():
    """A reason that the compiler learns must not make the operator fail."""
    assert {reason.value for reason in RefReason} <= {reason.value for reason in Reason}


def test_a_pod_in_an_unknown_namespace_is_governed():
    """Its namespace's watch event is late; that must not let it run without the root packs."""
    spec = f"{{{CHAIN}, selector: {{namespaceSelector: {{matchLabels: {{team: a}}}}}}}}"
    there = listing(pack(spec, namespace=ROOT), pod("a"))
    there = replace(there, namespaces={})
    plan = Rounds().plan_of(there)
    assert [ref.name for ref in plan.pods[pod("a").uid].bundle.manifest.packs] == [f"{ROOT}/gateway"]
