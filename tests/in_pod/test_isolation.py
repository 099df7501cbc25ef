"""One bad pack is refused alone; nothing is served by half of a first configuration, or by none."""

import msgspec
import pytest

from answers import answer
from bundles import step_of
from grokwarden.bundle import Manifest, canonical_bytes, digest_of_bytes, encode_part
from pod_bundles import KEY_NAME, TARGET, bundle, forbidding, from_the_future, grok_target, routed_to
from pod_source import followed_source
from sidecar import running_pod_sidecar

KEYS = {KEY_NAME: "xai-key"}


def unbuildable(word, **fields):
    """A pack whose settings can't be used."""
    pack = forbidding(word, **fields)
    return msgspec.structs.replace(pack, steps=(step_of("safety-filter", name="safety", patterns=["(", word]),))


async def is_blocked(sidecar, word):
    return (await sidecar.chat(word)).status_code == 400


def verdicts(ack):
    return {pack["name"]: (pack["generation"], pack["applied"], pack["reason"]) for pack in ack["packs"]}


async def test_a_bad_pack_keeps_its_generation_and_the_rest_applies(grok, operator, tmp_path):
    """Neither may one team's mistake hold up another's edit, nor may a step that can't be built be left out."""
    grok.always(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}")
    target = grok_target(grok.base_url)
    good = bundle(forbidding("one", name="shop/a"), forbidding("two", name="shop/b"), targets=(target,))
    bad = bundle((from_the_future("ONE", name="shop/a"), 2), (forbidding("TWO", name="shop/b"), 2), targets=(target,))
    fixed = bundle((forbidding("ein", name="shop/a"), 3), (forbidding("TWO", name="shop/b"), 2), targets=(target,))
    await operator.offer(good, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(good.version)
        await operator.offer(bad)
        refused = await operator.ack_of(bad.version)
        told, metrics, ready = await sidecar.configuration(), await sidecar.metrics(), await sidecar.readiness()
        kept, edited = await is_blocked(sidecar, "one"), await is_blocked(sidecar, "two TWO")
        record = await sidecar.record_of(await sidecar.chat("fine"))
        await operator.offer(fixed)
        cleared = await operator.ack_of(fixed.version)
        ready_again = await sidecar.readiness()

    assert verdicts(refused) == {"shop/a": (2, False, "UnknownPolicy"), "shop/b": (2, True, "")}
    assert "from-the-future" in refused["packs"][0]["message"]
    assert (kept, edited) == (True, True)
    assert [(pack["name"], pack["generation"]) for pack in told["manifest"]["packs"]] == [("shop/a", 1), ("shop/b", 2)]
    assert [pack["generation"] for pack in told["wanted"]["packs"]] == [2, 2]
    assert told["refused"][0]["reason"] == "UnknownPolicy"
    assert told["bundle"] == record["bundle"]
    assert told["bundle"] not in {good.version, bad.version}
    assert metrics.value("grokwarden_config_generation", pack="shop/a") == 1
    assert metrics.value("grokwarden_config_apply_total", result="rejected") == 1
    assert ready[0] == 200
    assert "pack shop/a, generation 2: UnknownPolicy" in ready[1]
    assert verdicts(cleared) == {"shop/a": (3, True, ""), "shop/b": (2, True, "")}
    assert ready_again == (200, "ready\n")
    assert [event["event"] for event in sidecar.logs].count("pack_refused") == 1


DEEP = b'"settings":{"deep":' + b"[" * 100_000 + b"]" * 100_000 + b","
BAD_PARTS = {
    "an unknown policy": ("UnknownPolicy", lambda: (from_the_future("x"), None)),
    "settings that can't be used": ("BuildFailed", lambda: (unbuildable("x"), None)),
    "a newer field": (
        "InvalidPart",
        lambda: (forbidding("x"), lambda data: data.replace(b'"name"', b'"new":1,"name"', 1)),
    ),
    "settings without a bottom": (
        "InvalidPart",
        lambda: (forbidding("x"), lambda data: data.replace(b'"settings":{', DEEP, 1)),
    ),
    "other bytes": ("ChecksumMismatch", lambda: (forbidding("x"), lambda data: data.replace(b"x", b"y"))),
    "a target that is not there": ("MissingTarget", lambda: (forbidding("x", targets=("shop/elsewhere",)), None)),
}


@pytest.mark.parametrize("name", BAD_PARTS)
async def test_each_way_to_be_bad_has_its_reason(operator, tmp_path, name):
    """The pack's status shows the word and the sentence: somebody has to be able to act on them."""
    reason, make = BAD_PARTS[name]
    pack, damage = make()
    good = bundle(forbidding("one"), targets=(grok_target(),))
    made = bundle((pack, 2), targets=(grok_target(),))
    wanted, damaged = with_damage(made, damage, is_rehashed=reason == "InvalidPart")
    await operator.offer(good, KEYS)
    async with followed_source(operator, tmp_path / "state") as pod:
        await operator.ack_of(good.version)
        await operator.offer(wanted, parts=damaged)
        ack = await operator.ack_of(wanted.version)
        kept = pod.version
        await operator.offer(good)
        cleared = await operator.ack_of(good.version, after=2)

    assert verdicts(ack) == {"shop/gateway": (2, False, reason)}
    assert ack["packs"][0]["message"]
    assert "keeping" not in ack["packs"][0]["message"]
    assert kept == good.version
    assert verdicts(cleared) == {"shop/gateway": (1, True, "")}


def with_damage(made, damage, *, is_rehashed):
    """The bundle with other bytes for its pack, and those bytes by digest; named by their own if ``is_rehashed``."""
    if damage is None:
        return made, {}
    ref = made.manifest.packs[0]
    data = damage(encode_part(made.packs[0]))
    assert data != encode_part(made.packs[0])
    if not is_rehashed:
        return made, {ref.digest: data}
    named = msgspec.structs.replace(ref, digest=digest_of_bytes(data))
    manifest = msgspec.structs.replace(made.manifest, packs=(named,))
    renamed = msgspec.structs.replace(made, manifest=manifest, version=digest_of_bytes(canonical_bytes(manifest)))
    return renamed, {named.digest: data}


async def test_a_part_that_was_spoilt_on_its_way_is_asked_for_again(operator, tmp_path):
    """Nobody has to change the pack for it: with the next stream it comes anew, and the nack clears."""
    good = bundle(forbidding("one"), targets=(grok_target(),))
    edited = bundle((forbidding("two"), 2), targets=(grok_target(),))
    digest = edited.manifest.packs[0].digest
    await operator.offer(good, KEYS)
    async with followed_source(operator, tmp_path / "state") as pod:
        await operator.ack_of(good.version)
        await operator.offer(edited, parts={digest: b"spoilt"})
        spoilt = await operator.ack_of(edited.version)
        await operator.offer(edited)
        (await operator.stream()).hang_up()
        cleared = await operator.ack_of(edited.version, after=2)

        assert pod.version == edited.version

    assert verdicts(spoilt) == {"shop/gateway": (2, False, "ChecksumMismatch")}
    assert verdicts(cleared) == {"shop/gateway": (2, True, "")}
    assert digest not in operator.requests_for("/v1/config/stream")[1].headers["x-grokwarden-parts"]


async def test_a_first_configuration_applies_completely_or_not_at_all(grok, operator, tmp_path):
    """A part of it would be a policy that nobody wrote: without the pack that blocks, for one."""
    grok.reply(json=answer())
    target = grok_target(grok.base_url)
    wanted = bundle(forbidding("one", name="shop/a"), from_the_future("two", name="shop/b"), targets=(target,))
    fixed = bundle(forbidding("one", name="shop/a"), (forbidding("two", name="shop/b"), 2), targets=(target,))
    await operator.offer(wanted, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        ack = await operator.ack_of(wanted.version)
        refused, (code, text) = await sidecar.chat(), await sidecar.readiness()
        is_stored = (tmp_path / "pod" / "state" / "bundle.json").exists()
        await operator.offer(fixed)
        cleared = await operator.ack_of(fixed.version)
        served, ready = await sidecar.chat(), await sidecar.readiness()

    assert verdicts(ack) == {"shop/a": (1, False, "Incomplete"), "shop/b": (1, False, "UnknownPolicy")}
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "policy_unavailable")
    assert not is_stored
    assert code == 503
    assert text.startswith("not ready: no policy is in force yet\n")
    assert "pack shop/b, generation 1: UnknownPolicy: step safety: there is no policy from-the-future" in text
    assert verdicts(cleared) == {"shop/a": (1, True, ""), "shop/b": (2, True, "")}
    assert (served.status_code, ready) == (200, (200, "ready\n"))


async def test_a_new_bad_pack_does_not_stop_the_rest(operator, tmp_path):
    """It never governed this pod; those that do go on, and their edits too."""
    before = bundle(forbidding("one", name="shop/a"), targets=(grok_target(),))
    after = bundle(
        (forbidding("two", name="shop/a"), 2),
        from_the_future("x", name="shop/b", targets=None),
        targets=(grok_target(),),
    )
    await operator.offer(before, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(before.version)
        await operator.offer(after)
        ack = await operator.ack_of(after.version)
        is_edited, told = await is_blocked(sidecar, "two"), await sidecar.configuration()

    assert verdicts(ack) == {"shop/a": (2, True, ""), "shop/b": (1, False, "UnknownPolicy")}
    assert is_edited
    assert [pack["name"] for pack in told["manifest"]["packs"]] == ["shop/a"]


async def test_a_pack_that_was_made_anew_inherits_nothing(operator, tmp_path):
    """Another object of the same name is another author's, maybe: the generation before it was of the other one."""
    target = (grok_target(),)
    before = bundle(forbidding("one", name="shop/a"), forbidding("two", name="shop/b"), targets=target)
    after = bundle(
        from_the_future("x", name="shop/a"), forbidding("two", name="shop/b"), targets=target, a="another-uid"
    )
    await operator.offer(before, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(before.version)
        await operator.offer(after)
        ack = await operator.ack_of(after.version)
        told = await sidecar.configuration()

    assert ack["packs"][0]["uid"] == "another-uid"
    assert verdicts(ack) == {"shop/a": (1, False, "UnknownPolicy"), "shop/b": (1, True, "")}
    assert [pack["name"] for pack in told["manifest"]["packs"]] == ["shop/b"]


async def test_no_pack_is_no_permission(grok, operator, tmp_path):
    """A pod that no pack selects must not be one that everything is allowed to."""
    grok.reply(json=answer())
    governed = bundle(forbidding("one"), targets=(grok_target(grok.base_url),))
    await operator.offer(bundle(), {})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        ack = await operator.ack_of(bundle().version)
        refused, ready = await sidecar.chat(), await sidecar.readiness()
        await operator.offer(governed, KEYS)
        await operator.ack_of(governed.version)
        served = await sidecar.chat()
        await operator.offer(bundle())
        await operator.ack_of(bundle().version, after=2)
        refused_again, metrics = await sidecar.chat(), await sidecar.metrics()

    assert ack["packs"] == []
    for response in (refused, refused_again):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "policy_unavailable")
        assert "No policy pack governs this pod" in response.json()["error"]["message"]
    assert ready == (503, "not ready: no policy pack governs this pod\n")
    assert served.status_code == 200
    assert len(grok.requests) == 1
    assert metrics.label_sets("grokwarden_config_generation") == []


async def test_a_target_that_can_not_be_used_is_told_by_the_packs_that_use_it(operator, tmp_path):
    """Nothing else would say that the edit of a target is not in force."""
    good = bundle(
        forbidding("one", name="shop/a"), forbidding("two", name="shop/b", targets=None), targets=(grok_target(),)
    )
    bad = bundle(
        (forbidding("ONE", name="shop/a"), 2),
        (forbidding("TWO", name="shop/b", targets=None), 2),
        targets=(grok_target(ca_bundle="no certificate"),),
    )
    await operator.offer(good, KEYS)
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(good.version)
        await operator.offer(bad)
        ack = await operator.ack_of(bad.version)
        told = await sidecar.configuration()

    assert verdicts(ack) == {"shop/a": (2, False, "InvalidTarget"), "shop/b": (2, True, "")}
    assert f"target {TARGET}: its caBundle holds no PEM certificate" in ack["packs"][0]["message"]
    assert told["manifest"]["targets"] == [msgspec.to_builtins(ref) for ref in good.manifest.targets]


async def test_a_routing_that_leads_nowhere_is_told_to_the_caller(operator, tmp_path):
    """The operator could resolve none of its targets: that is no reason to refuse the pack, whose steps still count."""
    pack = msgspec.structs.replace(forbidding("one"), routing=routed_to())
    wanted = bundle(pack)
    await operator.offer(wanted, {})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        ack = await operator.ack_of(wanted.version)
        blocked, failed, ready = await is_blocked(sidecar, "one"), await sidecar.chat(), await sidecar.readiness()
        models = await sidecar.http.get(f"{sidecar.base_url}/models")
        record = await sidecar.record_of(failed)

    assert verdicts(ack) == {"shop/gateway": (1, True, "")}
    assert blocked
    assert ready == (200, "ready\n")
    for response in (failed, models):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "no_target")
        assert response.headers["x-should-retry"] == "false"
    assert record["status"] == 503


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data.replace(b'"schemaVersion":1', b'"schemaVersion":99'), "UnsupportedSchema"),
        (lambda data: data.replace(b'"packs"', b'"novelty":true,"packs"'), "InvalidManifest"),
        (lambda data: msgspec.json.encode({**msgspec.json.decode(data), "packs": twice(data)}), "InvalidManifest"),
    ],
    ids=["another schema", "unknown field", "a name twice"],
)
async def test_a_manifest_that_can_not_be_read_is_answered_all_the_same(operator, tmp_path, damage, reason):
    """A newer operator must see that this sidecar is behind, not wonder why it is silent."""
    good = bundle(forbidding("one"), targets=(grok_target(),))
    data = damage(canonical_bytes(bundle((forbidding("two"), 2), targets=(grok_target(),)).manifest))
    await operator.offer(good, KEYS)
    async with followed_source(operator, tmp_path / "state") as pod:
        await operator.ack_of(good.version)
        await operator.offer_raw(data, digest_of_bytes(data), [])
        ack = await operator.ack_of(digest_of_bytes(data))

        assert pod.version == good.version
        assert pod.status.staleness_seconds > 0

    assert {pack["reason"] for pack in ack["packs"]} == {reason}
    assert {pack["applied"] for pack in ack["packs"]} == {False}
    assert ack["packs"][0]["generation"] == 2


def twice(data):
    return list(msgspec.to_builtins(msgspec.json.decode(data, type=Manifest).packs)) * 2
