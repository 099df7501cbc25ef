"""What a target's status says to the person who has to act on it."""

import pytest

from grokwarden_operator.listing import Kind
from listings import XAI, pack, pod, secret, target
from rounds import Rounds, condition, draft_of
from rounds import told as told_of

BROKEN = "{provider: xai, secretKeyRef: {env: XAI_API_KEY}}"
NAME = "shop/xai-grok"


def told(plan, kind):
    return told_of(plan, kind, NAME, Kind.PROVIDER_TARGET)


def message(plan, kind):
    return condition(plan, kind, NAME, Kind.PROVIDER_TARGET).message


def test_a_good_target():
    """All three conditions are true, and there is nothing about sidecars in it."""
    plan = Rounds().plan(target(generation=7), secret("api.x.ai"))
    assert told(plan, "Accepted") == ("True", "Accepted")
    assert told(plan, "SecretResolved") == ("True", "SecretResolved")
    assert told(plan, "ModelAvailable") == ("True", "Known")
    draft = draft_of(plan, NAME, Kind.PROVIDER_TARGET)
    assert (draft.generation, draft.tally, draft.nacks, draft.gaps) == (7, None, (), ())
    assert message(plan, "SecretResolved") == (
        "the key is entry XAI_API_KEY of Secret shop/xai-key; it may go to api.x.ai:443"
    )


def test_a_broken_generation_says_which_one_is_used():
    """Calls go on as before, and the author has to know that."""
    rounds = Rounds()
    rounds.plan(target(), secret("api.x.ai"))
    plan = rounds.plan(target(BROKEN, generation=2), secret("api.x.ai"), pack(), pod())
    assert told(plan, "Accepted") == ("False", "CompileError")
    assert "generation 1 stays in use: spec.secretKeyRef.env: " in message(plan, "Accepted")
    assert told(plan, "SecretResolved") == ("Unknown", "NotAccepted")
    assert told(plan, "ModelAvailable") == ("Unknown", "NotAccepted")
    assert len(plan.pods[pod().uid].keys) == 1


def test_a_target_that_never_was_good_says_that_calls_are_refused():
    """Which is what happens."""
    plan = Rounds().plan(target(BROKEN), pack(), pod())
    assert "nothing of it can be used, and calls to it are refused" in message(plan, "Accepted")
    assert plan.pods[pod().uid].bundle.targets == ()


def test_a_target_without_a_key_is_resolved():
    """There is nothing to find."""
    plan = Rounds().plan(target("{provider: openai-compatible, baseURL: 'http://10.0.0.7/v1', insecure: true}"))
    assert told(plan, "SecretResolved") == ("True", "NoSecretNeeded")


@pytest.mark.parametrize(
    ("provider", "expected", "words"),
    [
        ("provider: xai, model: grok-4.3", ("True", "Known"), "grok-4.3 is among the models known on"),
        ("provider: 'xai:chat:grok-4.3'", ("True", "Known"), "grok-4.3 is among"),
        ("provider: xai, model: grok-3", ("False", "Retired"), "grok-3 was retired on 20"),
        ("provider: xai, model: grok-99", ("Unknown", "NotInCatalogue"), "grok-99 is not among"),
        ("provider: xai", ("Unknown", "NotChecked"), "names no model"),
        ("provider: openai, model: gpt-x", ("Unknown", "NotChecked"), "provider openai"),
    ],
)
def test_what_is_known_of_a_model(provider, expected, words):
    """Of the catalogue alone: a model that it does not know may well be there."""
    plan = Rounds().plan(target(f"{{{provider}, secretKeyRef: {{name: xai-key, key: XAI_API_KEY}}}}"))
    assert told(plan, "ModelAvailable") == expected
    assert words in message(plan, "ModelAvailable")


def test_a_target_that_is_not_used_is_looked_at_all_the_same():
    """Its author wants to know before a pack names it."""
    plan = Rounds().plan(target(XAI), secret())
    assert told(plan, "SecretResolved") == ("False", "HostNotAllowed")
