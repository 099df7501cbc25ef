"""The control plane that the other tests stand on."""

import pytest

from kube import Kubectl, KubectlError, plain_pod, sidecar_pod


async def test_a_pod_gets_a_token_that_names_it(kubectl: Kubectl, namespace: str):
    """The identity of a sidecar is what such a token says, so the API server must vouch for it without a node."""
    [pod] = await kubectl.inside(namespace).create(sidecar_pod("bot", labels={"app": "bot"}))

    token = await kubectl.mint_token(pod)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    [reviewed] = await kubectl.create(review | {"spec": {"token": token, "audiences": ["grokwarden"]}})

    assert reviewed["status"]["authenticated"] is True
    assert reviewed["status"]["audiences"] == ["grokwarden"]
    assert reviewed["status"]["user"]["extra"]["authentication.kubernetes.io/pod-uid"] == [pod["metadata"]["uid"]]


async def test_a_token_is_not_for_a_pod_of_another_uid(kubectl: Kubectl, namespace: str):
    """Near miss: a pod that was deleted and made anew under its name is another one."""
    [pod] = await kubectl.inside(namespace).create(plain_pod("bot"))

    with pytest.raises(KubectlError, match="UID"):
        await kubectl.mint_token(pod | {"metadata": pod["metadata"] | {"uid": "another"}})
