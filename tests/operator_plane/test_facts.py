"""Facts of raw objects: above all, which pod carries our sidecar and nobody else's token."""

import base64
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden_operator.listing import Kind
from grokwarden_operator.watching.facts import (
    fact_of,
    has_sidecar,
    namespace_fact,
    pod_fact,
    resource_fact,
    secret_fact,
)
from kube import plain_pod, sidecar_pod

Raw = dict[str, Any]


def seen(pod: Raw, **metadata: Any) -> Raw:
    """The pod as an API server sends it."""
    full = {"namespace": "shop", "uid": "uid-1", "resourceVersion": "7", **pod["metadata"], **metadata}
    return {**pod, "metadata": full}


def token_volume(name: str, audience: str = "grokwarden") -> Raw:
    return {"name": name, "projected": {"sources": [{"serviceAccountToken": {"audience": audience, "path": "token"}}]}}


def mounting(name: str, volume: str, **more: Any) -> Raw:
    return {"name": name, "image": "i", "volumeMounts": [{"name": volume, "mountPath": "/t"}], **more}


def test_a_pod_as_the_injector_makes_it_carries_our_sidecar():
    """The other cases are near misses of this one."""
    assert has_sidecar(sidecar_pod("bot")["spec"])


def test_an_ordinary_container_may_be_the_sidecar_too():
    """Clusters without native sidecars have it beside the application."""
    spec = sidecar_pod("bot")["spec"]
    [sidecar] = spec.pop("initContainers")
    del sidecar["restartPolicy"]
    spec["containers"].append(sidecar)

    assert has_sidecar(spec)


def test_an_init_container_that_ends_is_no_sidecar():
    """It would be gone before the application makes its first call."""
    spec = sidecar_pod("bot")["spec"]
    del spec["initContainers"][0]["restartPolicy"]

    assert not has_sidecar(spec)


def test_a_pod_without_one_has_none():
    assert not has_sidecar(plain_pod("bare")["spec"])


def test_a_mark_makes_no_sidecar():
    """Whoever writes a pod writes its labels and annotations too."""
    marks = {"grokwarden.io/injected": "true", "grokwarden.io/inject": "true", "app": "grokwarden"}
    pod = plain_pod("bare", labels=marks)
    pod["metadata"]["annotations"] = marks

    fact = pod_fact(seen(pod))

    assert fact is not None
    assert not fact.has_sidecar


def test_a_container_of_our_name_without_our_token_is_no_sidecar():
    """A name is free for anybody; without the token it could not even ask for its policies."""
    assert not has_sidecar({"containers": [{"name": "grokwarden"}]})
    other = sidecar_pod("bot")["spec"]
    other["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["audience"] = "vault"
    assert not has_sidecar(other)
    unmounted = sidecar_pod("bot")["spec"]
    unmounted["initContainers"][0]["volumeMounts"] = []
    assert not has_sidecar(unmounted)


def test_our_token_under_another_name_is_no_sidecar():
    """Whatever that container is, it did not come from the injector."""
    spec = sidecar_pod("bot")["spec"]
    spec["initContainers"][0]["name"] = "grokwarden2"

    assert not has_sidecar(spec)


@pytest.mark.parametrize("where", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize("volume", ["grokwarden-token", "another"])
def test_a_pod_whose_token_is_shared_is_given_nothing(where: str, volume: str):
    """Whoever holds such a token gets the keys: an application that mounts one has stolen the sidecar's identity."""
    spec = sidecar_pod("bot")["spec"]
    spec["volumes"].append(token_volume("another"))
    spec.setdefault(where, []).append(mounting("thief", volume))

    assert not has_sidecar(spec)


def test_other_tokens_of_an_application_are_its_own_business():
    """Near miss: pods have always projected tokens for other systems."""
    spec = sidecar_pod("bot")["spec"]
    spec["volumes"] += [token_volume("vault", "vault"), {"name": "scratch", "emptyDir": {}}]
    spec["containers"][0]["volumeMounts"] = [
        {"name": "vault", "mountPath": "/v"},
        {"name": "scratch", "mountPath": "/s"},
    ]

    assert has_sidecar(spec)


def test_a_token_among_other_sources_of_a_volume_counts():
    """A projected volume has many sources; the thief's is wherever it is least looked for."""
    spec = sidecar_pod("bot")["spec"]
    hidden = token_volume("hidden")
    hidden["projected"]["sources"].insert(0, {"configMap": {"name": "harmless"}})
    spec["volumes"].append(hidden)
    spec["containers"].append(mounting("thief", "hidden"))

    assert not has_sidecar(spec)


def test_a_pod_is_live_until_it_has_finished_also_while_it_is_being_deleted():
    """A drain may take an hour, in which calls are made; what has finished makes none."""
    running = seen(sidecar_pod("bot")) | {"status": {"phase": "Running"}}
    pending = seen(sidecar_pod("bot")) | {"status": {"phase": "Pending"}}
    ended = [seen(sidecar_pod("bot")) | {"status": {"phase": phase}} for phase in ("Succeeded", "Failed")]
    ending = seen(sidecar_pod("bot"), deletionTimestamp="2026-01-01T00:00:00Z")

    facts = [fact for raw in (running, pending, *ended, ending) if (fact := pod_fact(raw))]

    assert [fact.is_live for fact in facts] == [True, True, False, False, True]
    assert [fact.is_ending for fact in facts] == [False, False, False, False, True]


def test_a_pod_says_who_it_is_and_whether_it_opted_out():
    pod = seen(plain_pod("bot", labels={"app": "bot"}), annotations={"grokwarden.io/inject": "false"})
    pod["spec"]["serviceAccountName"] = "robot"

    fact = pod_fact(pod)

    assert fact is not None
    assert (fact.namespace, fact.name, fact.uid, fact.service_account) == ("shop", "bot", "uid-1", "robot")
    assert fact.labels == {"app": "bot"}
    assert fact.is_opted_out
    other = pod_fact(seen(plain_pod("bot")))
    assert other is not None
    assert (other.is_opted_out, other.service_account) == (False, "default")


def test_a_resource_keeps_what_the_compiler_takes_and_little_else():
    """Bookkeeping of the API server doubles each object; hundreds of them are kept in memory."""
    raw = {
        "metadata": {
            "name": "pack",
            "namespace": "shop",
            "uid": "uid-1",
            "generation": 3,
            "resourceVersion": "99",
            "labels": {"team": "a"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{…}", "note": "kept"},
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {"version": "0.1.0"},
        "status": {"observedGeneration": 2},
    }

    fact = resource_fact(Kind.POLICY_PACK, raw)

    assert fact is not None
    assert fact.document.content == {
        "apiVersion": "grokwarden.io/v1alpha1",
        "kind": "PolicyPack",
        "metadata": {
            "name": "pack",
            "namespace": "shop",
            "uid": "uid-1",
            "generation": 3,
            "labels": {"team": "a"},
            "annotations": {"note": "kept"},
        },
        "spec": {"version": "0.1.0"},
    }
    assert (fact.full_name, fact.generation, fact.resource_version) == ("shop/pack", 3, "99")
    assert fact.status == {"observedGeneration": 2}


def test_a_namespace_says_whether_its_pods_are_to_have_a_sidecar():
    labels = {"grokwarden.io/injection": "enabled"}

    fact = namespace_fact({"metadata": {"name": "shop", "uid": "u", "labels": labels}})

    assert fact is not None
    assert (fact.name, fact.labels, fact.is_opted_in) == ("shop", labels, True)


def test_a_secret_says_which_hosts_may_have_it_and_shows_nothing_else():
    """Hosts are compared in lower case; values are in no repr, since reprs end up in logs."""
    raw = {
        "metadata": {
            "namespace": "shop",
            "name": "key",
            "annotations": {"grokwarden.io/allowed-hosts": "API.x.ai, proxy.corp:3128,\n api.openai.com ,"},
        },
        "data": {"KEY": base64.b64encode(b"xai-\xff").decode(), "BROKEN": "no base64!"},
    }

    fact = secret_fact(raw)

    assert fact is not None
    assert fact.allowed_hosts == ("api.x.ai", "proxy.corp:3128", "api.openai.com")
    assert fact.entries == {"KEY": b"xai-\xff"}
    assert "xai-" not in repr(fact)


def test_a_secret_without_the_annotation_may_go_nowhere():
    fact = secret_fact({"metadata": {"namespace": "shop", "name": "key"}, "data": {}})

    assert fact is not None
    assert fact.allowed_hosts == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [each for key, inner in below for each in _paths(inner, (*path, key))]


_FULL = seen(sidecar_pod("bot"), annotations={"a": "b"}) | {"status": {"phase": "Running"}, "data": {"K": "aGk="}}
_FULL["spec"]["ephemeralContainers"] = [mounting("debug", "x")]


@given(path=st.sampled_from(_paths(_FULL)), value=_JSON)
def test_no_shape_of_an_object_is_an_error(path: tuple[Any, ...], value: object):
    """Objects come from whoever may write them; one that is odd must not end the watch of all of them."""
    raw = deepcopy(_FULL)
    place: Any = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    for kind in Kind:
        fact_of(kind, raw)
    secret_fact(raw)


@given(raw=st.dictionaries(st.sampled_from(["metadata", "spec", "status", "data"]), _JSON))
def test_no_object_is_an_error(raw: Raw):
    """The same, from nothing."""
    for kind in Kind:
        assert fact_of(kind, raw) is None
    assert secret_fact(raw) is None
