"""What stays in force beside what is new: every case of it, without a process."""

import msgspec
import pytest

from bundles import pack_of, step_of
from grokwarden.bundle import KeySource, Manifest, PartRef, Routing, TargetPart
from grokwarden_sidecar.configuration.building import InForce, build
from grokwarden_sidecar.configuration.bundle_source import RefusalReason, Update
from grokwarden_sidecar.configuration.effective import select
from pod_bundles import TARGET, bundle, forbidding, from_the_future, grok_target

OTHER = "shop/other"


def after(*bundles):
    """What is in force once each of these was wanted, the last one's selection with it."""
    in_force, selection = InForce(), None
    for wanted in bundles:
        update = Update.of(wanted)
        selection = select(wanted.manifest, build(update, in_force), in_force)
        if any(outcome.problem for outcome in selection.outcomes) and not in_force.packs:
            continue
        in_force = InForce(
            packs={pack.ref.name: pack for pack in selection.packs},
            targets={target.ref.name: target for target in selection.targets},
        )
    return in_force, selection


def generations(in_force):
    return {name: pack.ref.generation for name, pack in in_force.packs.items()}


def reasons(selection):
    return [outcome.problem.reason if outcome.problem else None for outcome in selection.outcomes]


def test_all_good_is_as_wanted():
    """Then audit records name the very version that the operator has."""
    wanted = bundle(forbidding("a", name="shop/a"), forbidding("b", name="shop/b"), targets=(grok_target(),))

    _, selection = after(wanted)

    assert selection.bundle(wanted.version, wanted.manifest) == wanted


def test_a_kept_pack_keeps_its_place():
    """Order is meaning: the first block is the one that is told, and root packs come first."""
    target = (grok_target(),)
    one = bundle(*(forbidding(name, name=f"shop/{name}") for name in "abc"), targets=target)
    two = bundle(
        (forbidding("c", name="shop/c"), 2),
        (from_the_future("a", name="shop/a"), 2),
        (forbidding("b", name="shop/b"), 2),
        targets=target,
    )

    in_force, selection = after(one, two)

    assert list(in_force.packs) == ["shop/c", "shop/a", "shop/b"]
    assert generations(in_force) == {"shop/c": 2, "shop/a": 1, "shop/b": 2}
    assert selection.bundle(two.version, two.manifest).version != two.version


def test_what_is_unchanged_is_not_built_again():
    """A thousand patterns take a while; an edit elsewhere must not cost it."""
    target = (grok_target(),)
    one = bundle(forbidding("a", name="shop/a"), forbidding("b", name="shop/b"), targets=target)
    two = bundle((forbidding("A", name="shop/a"), 2), (forbidding("b", name="shop/b"), 5), targets=target)

    before, _ = after(one)
    now, _ = after(one, two)

    assert now.packs["shop/b"].ref.generation == 5
    building = build(Update.of(two), before)
    assert building.packs["shop/b"].steps is before.packs["shop/b"].steps
    assert building.packs["shop/a"].steps is not before.packs["shop/a"].steps


def test_a_pack_that_is_gone_is_gone():
    """Its author took it away; a good generation of it is of no interest."""
    target = (grok_target(),)
    one = bundle(forbidding("a", name="shop/a"), forbidding("b", name="shop/b"), targets=target)
    two = bundle(forbidding("b", name="shop/b"), targets=target)
    three = bundle((from_the_future("a", name="shop/a"), 2), forbidding("b", name="shop/b"), targets=target)

    assert list(after(one, two)[0].packs) == ["shop/b"]
    assert list(after(one, two, three)[0].packs) == ["shop/b"]


def test_a_pack_may_be_kept_over_many_bad_generations():
    """However long it takes to mend it."""
    target = (grok_target(),)
    versions = [bundle((from_the_future(f"x{number}"), number), targets=target) for number in range(2, 6)]

    in_force, selection = after(bundle(forbidding("a"), targets=target), *versions)

    assert generations(in_force) == {"shop/gateway": 1}
    assert reasons(selection) == [RefusalReason.UNKNOWN_POLICY]


def other_target(**fields):
    return grok_target(name=OTHER, **fields)


def moved(good, *, target, generation=2):
    """The pack's next generation goes to another target, and can't be used here."""
    part = from_the_future("x", targets=(target.name,))
    assert part.name == good.packs[0].name
    return bundle((part, generation), targets=(target,))


def test_a_kept_pack_keeps_its_target_while_its_key_may_go_to_that_host():
    """The operator still says that this host may have this key, by another target of it."""
    good = bundle(forbidding("a"), targets=(grok_target(),))

    in_force, _ = after(good, moved(good, target=other_target(model="grok-4.7")))

    assert set(in_force.targets) == {TARGET, OTHER}
    assert in_force.packs["shop/gateway"].part == good.packs[0]


@pytest.mark.parametrize(
    "target",
    [
        other_target(base_url="https://api.x.ai/v1"),
        other_target(key=KeySource(secret="shop/other-key/KEY")),
        other_target(key=None),
    ],
    ids=["another host", "another key", "no key"],
)
def test_a_kept_pack_loses_a_target_whose_key_nobody_lends_to_it_any_more(target):
    """A key must not go on to a host that the operator has taken it from; the pack's steps stay in force."""
    good = bundle(forbidding("a"), targets=(grok_target(),))

    in_force, selection = after(good, moved(good, target=target))

    kept = in_force.packs["shop/gateway"]
    assert set(in_force.targets) == {OTHER}
    assert kept.part.routing.targets == ()
    assert kept.part.steps == good.packs[0].steps
    assert generations(in_force) == {"shop/gateway": 1}
    assert (
        selection.bundle("", good.manifest).manifest.packs[0].digest == kept.ref.digest != good.manifest.packs[0].digest
    )


def test_a_kept_pack_keeps_a_target_without_a_key():
    """There is nothing to lend; a model on the same node, for instance."""
    good = bundle(forbidding("a"), targets=(grok_target(key=None),))

    in_force, _ = after(good, moved(good, target=other_target()))

    assert set(in_force.targets) == {TARGET, OTHER}


def test_a_target_that_can_not_be_read_stays_as_it_was():
    """A newer operator's field must not leave every call without a provider."""
    good = bundle(forbidding("a"), targets=(grok_target(),))
    newer = bundle((forbidding("b"), 2), targets=(grok_target(model="grok-4.7"),))
    ref = newer.manifest.targets[0]
    parts = Update.of(newer).parts | {ref.digest: b'{"from": "the future"}'}
    in_force, _ = after(good)
    update = Update(version=newer.version, manifest=newer.manifest, parts=parts)
    building = build(update, in_force)

    selection = select(newer.manifest, building, in_force)

    assert reasons(selection) == [RefusalReason.INVALID_TARGET]
    assert [target.part for target in selection.targets] == list(good.targets)
    assert building.unreadable == {ref.digest}


def test_a_target_that_was_made_anew_inherits_nothing():
    """Neither does the one before live on under its name."""
    good = bundle(forbidding("a"), targets=(grok_target(),))
    newer = bundle((forbidding("b"), 2), targets=(grok_target(model="grok-4.7"),))
    ref = msgspec.structs.replace(newer.manifest.targets[0], uid="another")
    manifest = msgspec.structs.replace(newer.manifest, targets=(ref,))
    in_force, _ = after(good)
    parts = Update.of(newer).parts | {ref.digest: b"{}"}

    selection = select(manifest, build(Update(version="", manifest=manifest, parts=parts), in_force), in_force)

    assert selection.targets == ()
    assert selection.packs[0].part.routing.targets == ()


@pytest.mark.parametrize("swapped", [TargetPart, "name"])
def test_a_part_is_what_its_entry_says(swapped):
    """A digest can be right for the bytes and wrong for the place."""
    good = bundle(forbidding("a", name="shop/a"), forbidding("b", name="shop/b"), targets=(grok_target(),))
    first, second = good.manifest.packs
    wrong = good.manifest.targets[0].digest if swapped is TargetPart else second.digest
    ref = PartRef(name=first.name, uid=first.uid, generation=2, digest=wrong)
    manifest = Manifest(packs=(ref, second), targets=good.manifest.targets)
    encoded = {digest: msgspec.json.encode(part, order="sorted") for digest, part in Update.of(good).parts.items()}
    in_force, _ = after(good)

    building = build(Update(version="", manifest=manifest, parts=encoded), in_force)

    assert building.packs["shop/a"].reason is RefusalReason.INVALID_PART


def test_the_log_of_all_calls_is_asked_for_by_any_pack():
    """One pack that wants every call recorded is not overruled by another that does not."""
    quiet = pack_of(step_of("audit-logger", log_all_access=False), name="shop/quiet")
    loud = pack_of(step_of("audit-logger", log_all_access=True), name="shop/loud")

    in_force, _ = after(bundle(quiet, loud, forbidding("a", targets=None)))

    assert [pack.logs_all for pack in in_force.packs.values()] == [False, True, None]
    assert isinstance(forbidding("a").routing, Routing)
