"""Who gets a key: nobody whom the Secret's owner has not named, whatever a target's author writes."""

import pytest

from grokwarden.bundle import KeySource
from grokwarden_operator.listing import Kind, SecretTrouble
from grokwarden_operator.plan import Reason, Truth
from grokwarden_operator.reconcile.egress import egress_trouble
from grokwarden_operator.reconcile.hosts import rules_of
from grokwarden_operator.reconcile.secret_keys import MAX_KEY_BYTES, bound, look_up_key
from listings import BOT, CHAIN, KEY, ROOT, namespace_of, pack, pod, secret, target
from rounds import Rounds, condition, told
from targets import target_of

REFERENCE = "shop/xai-key/XAI_API_KEY"
TARGET = Kind.PROVIDER_TARGET


def lookup(base_url="https://api.x.ai/v1", *hosts, proxy_url=None, secrets=None, **fields):
    part = bound(target_of(base_url, key=KeySource(secret=REFERENCE), proxy_url=proxy_url))
    known = {"shop/xai-key": secret(*hosts, **fields)} if secrets is None else secrets
    return look_up_key(part, known)


@pytest.mark.parametrize(
    ("base_url", "hosts"),
    [
        ("https://api.x.ai/v1", ["api.x.ai"]),
        ("https://api.x.ai/v1", ["other.example", "api.x.ai:443"]),
        ("https://API.X.AI./v1", ["api.x.ai"]),
        ("https://api.x.ai", ["API.X.AI."]),
        ("https://api.x.ai:8443/v1", ["api.x.ai"]),
        ("https://api.x.ai:8443/v1", ["api.x.ai:8443"]),
        ("https://eu.api.x.ai/v1", ["*.api.x.ai"]),
        ("http://[::1]:8080/v1", ["[::1]:8080"]),
        ("http://127.0.0.1:8080/v1", ["127.0.0.1"]),
        ("http://gateway.example/v1", ["gateway.example:80"]),
    ],
)
def test_a_key_goes_to_a_host_that_its_secret_names(base_url, hosts):
    """The ordinary case, in the spellings that people use."""
    found = lookup(base_url, *hosts)
    assert (found.status, found.reason, found.key) == (Truth.TRUE, Reason.SECRET_RESOLVED, KEY)


@pytest.mark.parametrize(
    ("base_url", "hosts"),
    [
        ("https://evil.example/v1", ["api.x.ai"]),
        ("https://api.x.ai.evil.example/v1", ["api.x.ai"]),
        ("https://evil-api.x.ai/v1", ["api.x.ai"]),
        ("https://x.ai/v1", ["api.x.ai"]),
        ("https://api.x.ai:8443/v1", ["api.x.ai:443"]),
        ("http://api.x.ai/v1", ["api.x.ai:443"]),
        ("http://api.x.ai/v1", ["api.x.ai"]),
        ("http://eu.api.x.ai/v1", ["*.api.x.ai"]),
        ("https://api.x.ai@evil.example/v1", ["api.x.ai"]),
        ("https://api.x.ai:443@evil.example/v1", ["api.x.ai:443", "api.x.ai"]),
        ("https://evil.example\\@api.x.ai/v1", ["api.x.ai"]),
        ("https://evil.example/@api.x.ai/v1", ["api.x.ai"]),
        ("https://api.x.ai/v1", []),
        ("https://api.x.ai/v1", [""]),
        ("https://api.x.ai/v1", ["*"]),
        ("https://api.x.ai/v1", ["https://api.x.ai"]),
        ("https://a.b.x.ai/v1", ["*.x.ai"]),
    ],
)
def test_a_key_goes_nowhere_else(base_url, hosts):
    """The confused deputy: a target's author has the operator send somebody's key to a host of theirs."""
    found = lookup(base_url, *hosts)
    assert (found.status, found.reason, found.key) == (Truth.FALSE, Reason.HOST_NOT_ALLOWED, None)
    assert "kubectl annotate" in found.message or "beyond doubt" in found.message


@pytest.mark.parametrize(
    ("hosts", "is_resolved"),
    [(["api.x.ai"], False), (["proxy.corp"], False), (["api.x.ai", "proxy.corp"], True)],
)
def test_a_proxy_has_to_be_named_too(hosts, is_resolved):
    """With certificates of the target's choice it could read the key."""
    found = lookup("https://api.x.ai/v1", *hosts, proxy_url="http://proxy.corp:3128")
    assert found.is_resolved is is_resolved


def test_a_refusal_says_what_the_secrets_owner_would_write():
    """And it does not propose to take away what is allowed already."""
    message = lookup("https://eu.x.ai:8443/v1", "api.x.ai").message
    command = "kubectl annotate --overwrite secret -n shop xai-key grokwarden.io/allowed-hosts=api.x.ai,eu.x.ai:8443"
    assert command in message
    assert "eu.x.ai:8443 (spec.baseURL)" in message
    assert "api.x.ai alone" in message
    assert "names no host in grokwarden.io/allowed-hosts" in lookup("https://api.x.ai").message


def test_what_a_secret_holds_is_not_told_to_whom_it_does_not_allow():
    """Otherwise a target would tell its author what is in a Secret that they may not read."""
    denied = [lookup("https://evil.example", entries=entries).message for entries in ({}, {"XAI_API_KEY": b""}, None)]
    assert len(set(denied)) == 1


@pytest.mark.parametrize("value", [b"key", b" key\n", b"\t\r\nkey  ", b"!" + b"~" * (MAX_KEY_BYTES - 1)])
def test_a_key_is_one_value_of_a_header(value):
    """Whoever pipes a key into a Secret adds a line break to it."""
    found = lookup("https://api.x.ai", "api.x.ai", entries={"XAI_API_KEY": value})
    assert found.key == value.strip().decode()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" \n",
        b"a b",
        b"a\nb",
        b"a\r\nx-evil: 1",
        b"k\x00",
        b"k\x7f",
        "schlüssel".encode(),
        b"~" * (MAX_KEY_BYTES + 1),
    ],
)
def test_a_key_that_could_break_a_header_is_not_given_out(value):
    """And the message must not show it."""
    found = lookup("https://api.x.ai", "api.x.ai", entries={"XAI_API_KEY": value})
    assert (found.status, found.reason, found.key) == (Truth.FALSE, Reason.SECRET_UNUSABLE, None)
    shown = value.strip().decode()[:20]
    assert not shown or shown not in found.message


@pytest.mark.parametrize(
    ("secrets", "status", "reason"),
    [
        ({"shop/xai-key": SecretTrouble.NOT_FOUND}, "False", Reason.SECRET_NOT_FOUND),
        ({"shop/xai-key": SecretTrouble.FORBIDDEN}, "False", Reason.SECRET_FORBIDDEN),
        ({"shop/xai-key": SecretTrouble.UNREAD}, "Unknown", Reason.SECRET_UNREAD),
        ({}, "Unknown", Reason.SECRET_UNREAD),
        ({"billing/xai-key": secret("api.x.ai", namespace="billing")}, "Unknown", Reason.SECRET_UNREAD),
        ({"shop/xai-key": secret("api.x.ai", entries={})}, "False", Reason.SECRET_ENTRY_NOT_FOUND),
    ],
)
def test_why_there_is_no_key(secrets, status, reason):
    """Each has another person who can mend it."""
    found = lookup(secrets=secrets)
    assert (found.status, found.reason, found.key) == (status, reason, None)
    assert "shop" in found.message


def test_a_reference_into_another_namespace_is_refused():
    """No document can say so today; the rule must not hang on that."""
    part = bound(target_of("https://api.x.ai", name="billing/t", key=KeySource(secret=REFERENCE)))
    assert look_up_key(part, {"shop/xai-key": secret("api.x.ai")}).reason is Reason.SECRET_FORBIDDEN


def test_a_target_without_a_key_needs_none():
    """A model inside of the network often has none."""
    found = look_up_key(target_of("http://10.0.0.7/v1"), {})
    assert (found.status, found.reason, found.key) == (Truth.TRUE, Reason.NO_SECRET_NEEDED, None)


def test_a_key_shows_in_no_text_of_what_holds_it():
    """A log line with a plan in it must not be a leak."""
    rounds = Rounds()
    plan = rounds.plan(target(), secret("api.x.ai"), pack(), pod())
    assert list(plan.pods[pod().uid].keys.values()) == [KEY]
    assert KEY not in repr(plan)
    assert KEY not in repr(lookup("https://api.x.ai", "api.x.ai"))
    assert KEY not in repr(secret("api.x.ai"))


def test_a_host_that_may_have_a_key_does_not_get_it_for_another():
    """Two targets name one entry. By the Secret's name alone, the sidecar would find the key for both."""
    evil = "{provider: xai, baseURL: 'https://evil.example/v1', secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok}}, {{name: evil}}]}}}}"
    plan = Rounds().plan(target(), target(evil, name="evil"), secret("api.x.ai"), pack(spec), pod())
    config = plan.pods[pod().uid]
    found = {part.name: config.keys.get(part.key.secret) for part in config.bundle.targets}
    assert found == {"shop/xai-grok": KEY, "shop/evil": None}


def test_keys_for_a_newer_version_of_a_target_do_not_fit_an_older_one():
    """Keys travel apart from bundles: for a moment, or for as long as it refuses the new one, a sidecar has the old."""
    evil = "{provider: xai, baseURL: 'https://evil.example/v1', secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"
    rounds = Rounds()
    before = rounds.plan(target(evil), secret("api.x.ai"), pack(), pod()).pods[pod().uid]
    after = rounds.plan(target(generation=2), secret("api.x.ai"), pack(), pod()).pods[pod().uid]
    assert list(after.keys.values()) == [KEY]
    assert before.bundle.targets[0].key.secret not in after.keys


def test_a_rotated_key_is_no_new_bundle():
    """Rotation is routine, and must not reload anything."""
    rounds = Rounds()
    old = rounds.plan(target(), secret("api.x.ai"), pack(), pod()).pods[pod().uid]
    rotated = secret("api.x.ai", "other.example", entries={"XAI_API_KEY": b"another"})
    new = rounds.plan(target(), rotated, pack(), pod()).pods[pod().uid]
    assert new.bundle.version == old.bundle.version
    assert list(new.keys.values()) == ["another"]


def test_a_secret_that_can_not_be_read_just_now_takes_no_key_away():
    """The API server is slow after the operator's start; sidecars go on with what they have."""
    plan = Rounds().plan(target(), pack(), pod(), troubles={"shop/xai-key": SecretTrouble.UNREAD})
    config = plan.pods[pod().uid]
    assert (dict(config.keys), config.unread) == ({}, {f"{REFERENCE}@api.x.ai:443"})
    gone = Rounds().plan(target(), pack(), pod(), troubles={"shop/xai-key": SecretTrouble.NOT_FOUND})
    assert gone.pods[pod().uid].unread == frozenset()


def test_a_shared_targets_secret_is_looked_for_in_its_own_namespace():
    """The platform's key serves the application, which has a Secret of the same name."""
    shared = "{provider: xai, allowedNamespaces: {from: All}, secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"
    spec = f"{{{CHAIN}, routing: {{targets: [{{name: xai-grok, namespace: {ROOT}}}]}}}}"
    own = secret("api.x.ai", entries={"XAI_API_KEY": b"of-shop"})
    theirs = secret("api.x.ai", namespace=ROOT, entries={"XAI_API_KEY": b"of-root"})
    plan = Rounds().plan(target(shared, namespace=ROOT), own, theirs, pack(spec), pod(labels=BOT), namespace_of())
    assert list(plan.pods[pod().uid].keys.values()) == ["of-root"]


@pytest.mark.parametrize(
    ("base_url", "proxy_url", "hosts", "is_fine"),
    [
        ("https://api.x.ai/v1", None, [], True),
        ("http://10.0.0.7:8080/v1", None, [], True),
        ("http://localhost:8080/v1", None, [], False),
        ("http://127.0.0.1/v1", None, [], False),
        ("http://169.254.169.254/v1", None, [], False),
        ("http://[::ffff:169.254.169.254]/v1", None, [], False),
        ("https://api.x.ai/v1", "http://127.0.0.1:3128", [], False),
        ("http://2130706433/v1", None, [], False),
        ("https://a@b.example/v1", None, [], False),
        ("https://api.x.ai/v1", None, ["api.x.ai"], True),
        ("https://api.x.ai/v1", None, ["*.x.ai:443"], True),
        ("https://evil.example/v1", None, ["api.x.ai"], False),
        ("https://api.x.ai:8443/v1", None, ["api.x.ai:443"], False),
        ("https://api.x.ai/v1", "http://proxy.corp:3128", ["api.x.ai"], False),
        ("https://api.x.ai/v1", "http://proxy.corp:3128", ["api.x.ai", "proxy.corp"], True),
        ("http://127.0.0.1:8080/v1", None, ["127.0.0.1"], True),
        ("http://127.0.0.1:8080/v1", None, ["api.x.ai"], False),
    ],
)
def test_where_the_settings_let_calls_go(base_url, proxy_url, hosts, is_fine):
    """Without a list everything but this machine and its link; with one, that and nothing else."""
    trouble = egress_trouble(target_of(base_url, proxy_url=proxy_url), rules_of(hosts))
    assert (trouble == "") is is_fine


def test_settings_win_over_a_generation_that_was_good():
    """Neither what breaks them now nor what broke them before is used."""
    rounds = Rounds(egress_hosts=["api.x.ai"])
    good = rounds.plan(target(), secret("api.x.ai"), pack(), pod())
    assert good.pods[pod().uid].bundle.targets
    elsewhere = "{provider: xai, baseURL: 'https://eu.x.ai/v1', secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"
    plan = rounds.plan(target(elsewhere, generation=2), secret("api.x.ai", "eu.x.ai"), pack(), pod())
    assert plan.pods[pod().uid].bundle.targets == ()
    assert dict(plan.pods[pod().uid].keys) == {}
    assert told(plan, "Accepted", "shop/xai-grok", TARGET) == ("False", "EgressNotAllowed")
    assert "eu.x.ai:443" in condition(plan, "Accepted", "shop/xai-grok", TARGET).message
    assert told(plan, "SecretResolved", "shop/xai-grok", TARGET) == ("Unknown", "NotAccepted")
    assert told(plan, "ResolvedRefs") == ("False", "TargetNotAccepted")


def test_settings_win_over_the_last_good_generation_too():
    """It was good under other settings; that a newer one is broken does not bring it back."""
    stored = Rounds()
    stored.plan(target())
    rounds = Rounds(egress_hosts=["eu.x.ai"], stored=stored.verdicts.good)
    broken = "{provider: xai, secretKeyRef: {env: XAI_API_KEY}}"
    plan = rounds.plan(target(broken, generation=2), secret("api.x.ai"), pack(), pod())
    assert plan.pods[pod().uid].bundle.targets == ()
