"""The inventory: the newest version wins, whatever comes in whatever order, and what is gone stays gone."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden_operator.listing import Kind, SecretFact, SecretTrouble
from grokwarden_operator.watching.inventory import Inventory

Raw = dict[str, Any]
PACK, TARGET, POD, NAMESPACE = Kind.POLICY_PACK, Kind.PROVIDER_TARGET, Kind.POD, Kind.NAMESPACE


def raw(
    name: str = "pack", *, uid: str = "", version: int = 1, spec: object = None, status: object = None, **metadata: Any
) -> Raw:
    full = {"namespace": "shop", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version), **metadata}
    return {"metadata": full, "spec": spec or {"version": "0.1.0"}, "status": status or {}}


def versions(inventory: Inventory) -> dict[str, str]:
    return {name: fact.resource_version for name, fact in inventory.listing().packs.items()}


@pytest.fixture
def inventory() -> Inventory:
    return Inventory()


# Events


def test_what_was_heard_is_listed(inventory: Inventory):
    assert inventory.put(PACK, raw())
    assert inventory.put(POD, raw("bot", uid="u1"))
    assert inventory.put(NAMESPACE, {"metadata": {"name": "shop", "uid": "n1", "resourceVersion": "1"}})

    listing = inventory.listing()

    assert set(listing.packs) == {"shop/pack"}
    assert set(listing.pods) == {"u1"}
    assert set(listing.namespaces) == {"shop"}
    assert (pod := inventory.pod("u1")) is not None
    assert pod.name == "bot"


def test_the_same_twice_makes_no_difference(inventory: Inventory):
    """Every list repeats everything; a round for each of them would never end."""
    inventory.put(PACK, raw(version=5))

    assert not inventory.put(PACK, raw(version=5))


def test_an_older_version_is_ignored(inventory: Inventory):
    """A list that began before an edit ends after the edit's event."""
    inventory.put(PACK, raw(version=10, spec={"version": "new"}))

    assert not inventory.put(PACK, raw(version=9, spec={"version": "old"}))
    assert versions(inventory) == {"shop/pack": "10"}


def test_versions_are_compared_as_numbers(inventory: Inventory):
    """As texts, 10 would be older than 9, and the edit would be lost."""
    inventory.put(PACK, raw(version=9, spec={"version": "old"}))

    assert inventory.put(PACK, raw(version=10, spec={"version": "new"}))


def test_a_status_of_our_own_makes_no_difference_but_is_kept(inventory: Inventory):
    """Each status we write comes back as an event; a round for it would write a status again."""
    inventory.put(PACK, raw(version=1))
    assert inventory.listing().packs["shop/pack"].status == {}

    assert not inventory.put(PACK, raw(version=2, status={"observedGeneration": 1}))
    assert inventory.listing().packs["shop/pack"].status == {"observedGeneration": 1}
    assert inventory.version(PACK, "uid-pack") == "2"


def test_a_spec_makes_a_difference(inventory: Inventory):
    inventory.put(PACK, raw(version=1))

    assert inventory.put(PACK, raw(version=2, spec={"version": "0.2.0"}))


def test_a_pods_heartbeat_makes_no_difference(inventory: Inventory):
    """Kubelets write pods' statuses all the time."""
    inventory.put(POD, raw("bot", version=1, status={"phase": "Pending"}))

    assert not inventory.put(POD, raw("bot", version=2, status={"phase": "Running"}))
    assert inventory.put(POD, raw("bot", version=3, labels={"app": "bot"}))
    assert inventory.put(POD, raw("bot", version=4, labels={"app": "bot"}, deletionTimestamp="now"))


def test_what_is_gone_stays_gone(inventory: Inventory):
    """An event that is late must not bring a deleted pack back into force: a uid is never used again."""
    inventory.put(PACK, raw(version=5))

    assert inventory.remove(PACK, "uid-pack")
    assert not inventory.put(PACK, raw(version=4))
    assert not inventory.put(PACK, raw(version=6))
    assert not inventory.remove(PACK, "uid-pack")
    assert versions(inventory) == {}


def test_a_pack_made_anew_takes_the_place_of_the_old_one(inventory: Inventory):
    """Its deletion may be heard late, or never; the late one must not take the new pack away."""
    inventory.put(PACK, raw(uid="old", version=5))

    assert inventory.put(PACK, raw(uid="new", version=8))
    assert not inventory.remove(PACK, "old")
    assert not inventory.put(PACK, raw(uid="old", version=6))

    [pack] = inventory.listing().packs.values()
    assert pack.uid == "new"


def test_an_old_namesake_never_displaces_the_new_one(inventory: Inventory):
    """The same in the other order: the new one was listed before the old one's last event came."""
    inventory.put(PACK, raw(uid="new", version=8))

    assert not inventory.put(PACK, raw(uid="old", version=6))
    [pack] = inventory.listing().packs.values()
    assert pack.uid == "new"


def test_nonsense_makes_no_difference(inventory: Inventory):
    assert not inventory.put(PACK, {"metadata": "?"})
    assert not inventory.remove(PACK, "nobody")
    assert inventory.pod("nobody") is None


# Lists


def test_what_a_complete_list_leaves_out_is_gone(inventory: Inventory):
    """A deletion that nobody told of would leave a pack in force for ever."""
    inventory.put(PACK, raw("kept", version=1))
    inventory.put(PACK, raw("doomed", version=2))

    changes = inventory.replace(PACK, [raw("kept", version=1), raw("new", version=4)], "5")

    assert set(versions(inventory)) == {"shop/kept", "shop/new"}
    assert changes.gone == {"uid-doomed"}
    assert changes.newer == {"uid-new": 4}
    assert changes.count == 2


def test_what_is_newer_than_a_list_is_not_gone(inventory: Inventory):
    """An event can overtake the list that was made before it."""
    inventory.put(PACK, raw("made-meanwhile", version=9))

    changes = inventory.replace(PACK, [], "8")

    assert set(versions(inventory)) == {"shop/made-meanwhile"}
    assert changes.count == 0


def test_a_list_does_not_undo_an_edit_that_came_after_it(inventory: Inventory):
    inventory.put(PACK, raw(version=9, spec={"version": "new"}))

    assert inventory.replace(PACK, [raw(version=5, spec={"version": "old"})], "8").count == 0
    assert versions(inventory) == {"shop/pack": "9"}


def test_a_list_does_not_bring_back_what_was_deleted_after_it(inventory: Inventory):
    inventory.put(PACK, raw(version=5))
    inventory.remove(PACK, "uid-pack")

    changes = inventory.replace(PACK, [raw(version=5)], "8")

    assert (changes.count, changes.newer) == (0, {})
    assert versions(inventory) == {}


def test_a_list_that_says_what_is_known_makes_no_difference(inventory: Inventory):
    """Every few minutes everything is listed; nobody has to do anything about it."""
    everything = [raw("one", version=1), raw("two", version=2)]
    inventory.replace(PACK, everything, "5")

    assert inventory.replace(PACK, everything, "6").count == 0


def test_a_list_older_than_the_one_before_tells_of_a_restored_backup(inventory: Inventory):
    """A restored etcd counts on from then; by the numbers alone everything would be old news for ever."""
    inventory.replace(PACK, [raw("kept", version=100), raw("undone", version=200)], "500")
    inventory.remove(PACK, "uid-gone")

    changes = inventory.replace(PACK, [raw("kept", version=90), raw("gone", version=95)], "99")

    assert versions(inventory) == {"shop/kept": "90", "shop/gone": "95"}
    assert changes.count


def test_a_kinds_list_says_nothing_of_another_kind(inventory: Inventory):
    inventory.put(TARGET, raw("target"))

    inventory.replace(PACK, [], "100")

    assert set(inventory.listing().targets) == {"shop/target"}


# What is given out


def test_a_listing_stays_as_it_is(inventory: Inventory):
    """A round takes seconds at worst; what it works on must not change under it."""
    inventory.put(PACK, raw("one"))
    before = inventory.listing()

    inventory.put(PACK, raw("two"))
    inventory.remove(PACK, "uid-one")

    assert set(before.packs) == {"shop/one"}
    assert set(inventory.listing().packs) == {"shop/two"}
    with pytest.raises(TypeError):
        before.packs["shop/two"] = before.packs["shop/one"]  # type: ignore[index]


def test_the_secrets_that_are_wanted_are_those_that_targets_name(inventory: Inventory):
    """Only these are asked for: no right to read anybody else's is needed, and none is used."""
    named = {"secretKeyRef": {"name": "xai-key", "key": "KEY"}}
    inventory.put(TARGET, raw("one", spec=named))
    inventory.put(TARGET, raw("two", spec=named))
    inventory.put(TARGET, raw("elsewhere", spec=named, namespace="bank"))
    inventory.put(TARGET, raw("keyless", spec={"provider": "xai"}))
    inventory.put(TARGET, raw("odd", spec={"secretKeyRef": {"name": ["?"]}}))

    assert inventory.wanted_secrets() == {("shop", "xai-key"), ("bank", "xai-key")}


def test_a_listing_has_the_secrets_that_are_wanted_or_followed_and_no_others(inventory: Inventory):
    """A broken edit may name another Secret than the version in force does; what nobody follows is known no more."""
    named = {"secretKeyRef": {"name": "xai-key", "key": "KEY"}}
    secret = SecretFact(namespace="shop", name="xai-key", allowed_hosts=(), entries={"KEY": b"1"})
    inventory.put(TARGET, raw("one", spec=named))
    assert inventory.listing().secrets == {"shop/xai-key": SecretTrouble.UNREAD}

    assert inventory.put_secret("shop", "xai-key", secret)
    assert not inventory.put_secret("shop", "xai-key", secret)
    assert inventory.put_secret("shop", "in-force", SecretTrouble.NOT_FOUND)

    assert inventory.listing().secrets == {"shop/xai-key": secret, "shop/in-force": SecretTrouble.NOT_FOUND}
    assert inventory.put_secret("shop", "in-force", None)
    assert inventory.listing().secrets == {"shop/xai-key": secret}
    assert inventory.put_secret("shop", "xai-key", SecretTrouble.FORBIDDEN)
    assert inventory.listing().secrets == {"shop/xai-key": SecretTrouble.FORBIDDEN}
    assert inventory.put_secret("shop", "xai-key", None)
    assert inventory.listing().secrets == {"shop/xai-key": SecretTrouble.UNREAD}


# Any order


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[int, str, str, Raw]]:
    """Creations, edits and deletions of three packs: (version, what, uid, object), as the API server counts them."""
    counter, alive, history = itertools.count(1), dict[str, str](), []
    for step, name in enumerate(draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=12))):
        version = next(counter)
        if name in alive and draw(st.booleans()):
            uid = alive.pop(name)
            history.append((version, "DELETED", uid, raw(name, uid=uid, version=version)))
        else:
            uid = alive.setdefault(name, f"{name}-{step}")
            history.append((version, "PUT", uid, raw(name, uid=uid, version=version, spec={"version": str(version)})))
    return history


def _state(history: list[tuple[int, str, str, Raw]], version: int) -> list[Raw]:
    """What a list made at that version says."""
    there: dict[str, Raw] = {}
    for _, what, uid, each in (entry for entry in history if entry[0] <= version):
        if what == "PUT":
            there[uid] = each
        else:
            there.pop(uid, None)
    return list(there.values())


@given(data=st.data(), history=_histories())
def test_any_order_of_events_ends_in_the_truth_once_it_is_listed(data: st.DataObject, history):
    """Events of one kind are told object by object, lists come in between, and some events never come."""
    inventory = Inventory()
    last = history[-1][0]
    told = data.draw(st.lists(st.sampled_from(history), max_size=20))
    lists = sorted(data.draw(st.lists(st.integers(0, last), max_size=4)))
    steps = data.draw(st.permutations([*told, *([None] * len(lists))]))
    for step in steps:
        if step is None:
            version = lists.pop(0)
            inventory.replace(PACK, _state(history, version), str(version))
        elif step[1] == "PUT":
            inventory.put(PACK, step[3])
        else:
            inventory.remove(PACK, step[2])

    inventory.replace(PACK, _state(history, last), str(last))

    truth = {f"shop/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in _state(history, last)}
    assert versions(inventory) == truth
