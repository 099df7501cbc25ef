"""A status as it is written: complete, valid, with times that mean something, and no write that says nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden.api.status import PolicyPackStatus, ProviderTargetStatus
from grokwarden.config_stream import MAX_MESSAGE_CHARACTERS, MAX_REASON_CHARACTERS
from grokwarden_operator.listing import Kind, SecretTrouble
from grokwarden_operator.status.conditions import changed_conditions, is_same_status, status_document
from listings import BROKEN, CHAIN, namespace_of, pack, pod, secret, target
from rounds import Rounds, draft_of, report

THEN = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)
FACTS = (target(), secret("api.x.ai"), pack(), pod())


def pending():
    return draft_of(Rounds().plan(*FACTS))


def programmed():
    return draft_of(Rounds().answered(*FACTS))


def times(document):
    return {entry["type"]: entry["lastTransitionTime"] for entry in document["conditions"]}


def test_a_status_is_complete():
    """Server-side apply removes what it does not find, so everything is said each time."""
    document = status_document(pending(), {}, now=THEN)
    assert document["observedGeneration"] == 1
    assert {entry["type"] for entry in document["conditions"]} == {
        "Accepted",
        "ResolvedRefs",
        "TestsPassed",
        "Programmed",
    }
    assert {entry["observedGeneration"] for entry in document["conditions"]} == {1}
    assert set(times(document).values()) == {"2026-01-01T12:00:00Z"}
    assert document["sidecars"] == {"desired": 1, "acked": 0, "nacked": 0, "stale": 1, "missing": 0}
    assert document["nacks"] == []


def test_a_time_is_that_of_the_last_change_of_status():
    """`kubectl get` shows since when; another message must not reset it."""
    before = status_document(pending(), {}, now=THEN)
    after = status_document(programmed(), before, now=NOW)
    assert times(after) == {**times(before), "Programmed": "2026-01-01T13:00:00Z"}
    again = status_document(programmed(), after, now=NOW + timedelta(days=1))
    assert times(again) == times(after)


def test_times_are_in_utc():
    """The API server takes any zone; people compare them by eye."""
    east = THEN.astimezone(timezone(timedelta(hours=5)))
    assert times(status_document(pending(), {}, now=east))["Accepted"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(
    "previous",
    [
        {},
        {"conditions": None},
        {"conditions": ["x", {}, {"type": "Accepted"}]},
        {"conditions": [{"type": "Accepted", "status": "True", "lastTransitionTime": 7}]},
    ],
)
def test_a_status_that_somebody_else_wrote_is_no_obstacle(previous):
    """It is in the cluster, and anybody with the right may write there."""
    document = status_document(pending(), previous, now=THEN)
    assert set(times(document).values()) == {"2026-01-01T12:00:00Z"}
    assert not is_same_status(previous, document)
    assert len(changed_conditions(previous, document)) == 4


def test_nothing_is_written_when_nothing_but_time_has_passed():
    """Each write wakes every watcher, this one too."""
    before = status_document(pending(), {}, now=THEN)
    after = status_document(pending(), before, now=NOW)
    assert is_same_status(before, after)
    shuffled = {**before, "conditions": list(reversed(before["conditions"]))}
    assert is_same_status(shuffled, after)
    foreign = {**before, "conditions": [*before["conditions"], {"type": "Other", "status": "True"}]}
    assert is_same_status(foreign, after)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d | {"observedGeneration": 2},
        lambda d: d | {"sidecars": d["sidecars"] | {"acked": 7}},
        lambda d: d | {"nacks": [{"pod": "p", "generation": 1, "reason": "R", "message": "m"}]},
        lambda d: d | {"unenforceable": []},
        lambda d: d | {"conditions": d["conditions"][1:]},
        lambda d: d | {"conditions": [d["conditions"][0] | {"message": "else"}, *d["conditions"][1:]]},
        lambda d: d | {"somethingOfAnOldVersion": 1},
        lambda d: {key: value for key, value in d.items() if key != "sidecars"},
    ],
)
def test_whatever_else_differs_is_worth_a_write(change):
    """A status that was overwritten has to be put right."""
    document = status_document(pending(), {}, now=THEN)
    assert not is_same_status(change(document), document)


def test_an_event_is_told_when_a_status_or_a_reason_changes():
    """And not for each ack of a rollout."""
    first = status_document(pending(), {}, now=THEN)
    assert [change.type for change in changed_conditions({}, first)] == [
        "Accepted",
        "ResolvedRefs",
        "TestsPassed",
        "Programmed",
    ]
    two = draft_of(Rounds().plan(*FACTS, pod("other")))
    assert changed_conditions(first, status_document(two, first, now=NOW)) == []
    done = status_document(programmed(), first, now=NOW)
    (change,) = changed_conditions(first, done)
    assert (change.type, change.status, change.reason, change.is_warning) == ("Programmed", "True", "Programmed", False)
    broken = draft_of(Rounds().plan(*FACTS[:2], pack(BROKEN, generation=2), pod()))
    warnings = {c.type: c.is_warning for c in changed_conditions(done, status_document(broken, done, now=NOW))}
    assert warnings == {"Accepted": True, "ResolvedRefs": True, "TestsPassed": False, "Programmed": True}


def test_an_event_fits_into_an_event():
    """Kubernetes refuses one with a longer message, and then nobody hears of it."""
    draft = pending()
    long = replace(draft, conditions=tuple(replace(c, message="x" * 5000) for c in draft.conditions))
    assert {len(c.message) for c in changed_conditions({}, status_document(long, {}, now=THEN))} == {1024}


@given(reason=st.text(max_size=200), message=st.text(max_size=2000))
def test_no_answer_of_a_sidecar_makes_a_status_invalid(reason, message):
    """A sidecar is in the application's pod: what it says must neither fill a status nor block it."""
    rounds = Rounds()
    plan = rounds.plan(*FACTS)
    said = report(plan, pod().uid, change=lambda p: replace(p, applied=False, reason=reason, message=message))
    draft = draft_of(rounds.plan(*FACTS, reports={pod().uid: said}))
    (nack,) = PolicyPackStatus.model_validate(status_document(draft, {}, now=THEN)).nacks
    assert 0 < len(nack.message) <= MAX_MESSAGE_CHARACTERS
    assert nack.message.isprintable()
    assert len(nack.reason) <= MAX_REASON_CHARACTERS


@pytest.mark.parametrize("reason", ["Bad\n", "a" * 129, "", "1st", "with space", "<b>", "Bad."])
def test_a_reason_that_is_no_word_becomes_one(reason):
    """The schema would refuse the whole status."""
    rounds = Rounds()
    plan = rounds.plan(*FACTS)
    said = report(plan, pod().uid, change=lambda p: replace(p, applied=False, reason=reason, message=""))
    (nack,) = draft_of(rounds.plan(*FACTS, reports={pod().uid: said})).nacks
    assert (nack.reason, nack.message) == ("Refused", "the sidecar gives no reason")


def test_at_most_ten_refusals_are_listed():
    """By name, so that the same ones stay in the list."""
    rounds = Rounds()
    pods = [pod(f"bot-{index:02}", labels={"app": "ba"[index % 2]}) for index in range(25)]
    asking = pack(f"{{{CHAIN}, selector: {{podSelector: {{matchLabels: {{app: a}}}}}}}}", name="asking")
    facts = [*FACTS[:3], asking, *pods]
    plan = rounds.plan(*facts)
    refused = {uid: report(plan, uid, change=lambda p: replace(p, applied=False)) for uid in plan.pods}
    draft = draft_of(rounds.plan(*facts, reports=refused))
    assert [nack.pod for nack in draft.nacks] == [f"bot-{index:02}" for index in range(10)]
    assert draft.tally.nacked == 25
    message = next(c.message for c in draft.conditions if c.type == "Programmed")
    assert message.endswith(
        "refused by 25: shop/bot-00, shop/bot-01, shop/bot-02, shop/bot-03, shop/bot-04 and 20 more"
    )


TESTS = ", ".join(f"{{name: t{i}, request: {{user: hi}}, expect: {{action: Block}}}}" for i in range(200))
STEPS = ", ".join(f"{{name: s{i}, policy: core-policy, phases: [Request]}}" for i in range(64))
WRONG = ", ".join(f"{{name: s{i}, policy: core-policy, action: Block}}" for i in range(64))
TARGETS = ", ".join(f"{{name: t{i}}}" for i in range(32))
PACKS = {
    "plain": f"{{{CHAIN}}}",
    "disabled": f"{{{CHAIN}, enabled: false}}",
    "broken": BROKEN,
    "very-broken": f"{{chain: [{WRONG}]}}",
    "many-gaps": f"{{chain: [{STEPS}]}}",
    "failing": f"{{{CHAIN}, tests: [{TESTS}]}}",
    "astray": f"{{{CHAIN}, routing: {{targets: [{TARGETS}]}}}}",
}
SECRETS = [secret(), secret("api.x.ai"), secret("api.x.ai", entries={}), *SecretTrouble]
PROVIDERS = {
    "plain": "{provider: xai, model: grok-4.3, secretKeyRef: {name: xai-key, key: XAI_API_KEY}}",
    "broken": "{provider: xai, secretKeyRef: {env: XAI_API_KEY}}",
    "retired": "{provider: xai, model: grok-3, secretKeyRef: {name: xai-key, key: XAI_API_KEY}}",
    "inside": "{provider: openai-compatible, baseURL: 'http://127.0.0.1:8080/v1'}",
}


@pytest.mark.parametrize("spec", PACKS.values(), ids=PACKS)
@pytest.mark.parametrize("is_opted_in", [True, False])
def test_every_status_of_a_pack_is_one_that_the_schema_takes(spec, is_opted_in):
    """What the API server refuses is never seen by anybody."""
    facts = (*FACTS[:2], namespace_of(is_opted_in=is_opted_in), pack(spec), pod(), pod("b", has_sidecar=False))
    for plan in (Rounds().plan(*facts), Rounds().answered(*facts)):
        document = status_document(draft_of(plan), {}, now=THEN)
        PolicyPackStatus.model_validate(document)


@pytest.mark.parametrize("spec", PROVIDERS.values(), ids=PROVIDERS)
@pytest.mark.parametrize("found", SECRETS, ids=range(len(SECRETS)))
def test_every_status_of_a_target_is_one_that_the_schema_takes(spec, found):
    """The same for targets, with every kind of Secret."""
    known = {"troubles": {"shop/xai-key": found}} if isinstance(found, SecretTrouble) else {}
    facts = (target(spec), pack(), pod(), *(() if known else (found,)))
    plan = Rounds().plan(*facts, **known)
    ProviderTargetStatus.model_validate(
        status_document(draft_of(plan, "shop/xai-grok", Kind.PROVIDER_TARGET), {}, now=THEN)
    )
    PolicyPackStatus.model_validate(status_document(draft_of(plan), {}, now=THEN))
