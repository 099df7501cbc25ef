"""What the operator may do, and above all what not: asked of the API server, as the operator's own account."""

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.control_plane import ControlPlane
from kube import Kubectl, KubectlError, Object, plain_pod
from operator_account import ACCOUNT, MANIFEST, NAMESPACE, account_directory, install_account, let_read_secrets

ELSEWHERE = "default"
LISTED = f"rbac-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class Act:
    """Something that may be asked of the API server."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    group: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'/' + self.name if self.name else ''}{where}"

    def review(self) -> Object:
        resource, _, subresource = self.resource.partition("/")
        attributes = {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": self.namespace,
            "name": self.name,
        }
        spec = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}


OURS, RBAC, EVENTS = "grokwarden.io", "rbac.authorization.k8s.io", "events.k8s.io"
READ, WRITE = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")


def acts(verbs: tuple[str, ...], resource: str, **where: str) -> list[Act]:
    return [Act(verb, resource, **where) for verb in verbs]


ALLOWED = [
    *acts(READ, "policypacks", group=OURS),
    *acts(READ, "providertargets", group=OURS),
    *acts(("patch",), "policypacks/status", group=OURS, namespace=ELSEWHERE),
    *acts(("patch",), "providertargets/status", group=OURS, namespace=ELSEWHERE),
    *acts(READ, "pods"),
    *acts(READ, "namespaces"),
    Act("create", "tokenreviews", group="authentication.k8s.io"),
    Act("create", "events", group=EVENTS, namespace=ELSEWHERE),
    *acts(("get", "update"), "secrets", namespace=NAMESPACE, name="grokwarden-ca"),
    Act("create", "secrets", namespace=NAMESPACE),
    *acts(("list", "create", "patch", "delete"), "configmaps", namespace=NAMESPACE),
    *acts(("list", "watch"), "secrets", namespace=LISTED),
    *acts(("list", "watch"), "secrets", namespace=NAMESPACE),
]
FORBIDDEN = [
    # Secrets: none but where it was let in, and then only to look
    *acts((*READ, *WRITE), "secrets"),
    *acts((*READ, *WRITE), "secrets", namespace=ELSEWHERE),
    *acts(READ, "secrets", namespace="kube-system"),
    *acts(WRITE, "secrets", namespace=LISTED),
    *acts(("update", "patch", "delete"), "secrets", namespace=NAMESPACE, name="somebody-elses"),
    *acts(("patch", "delete"), "secrets", namespace=NAMESPACE, name="grokwarden-ca"),
    *acts(("create",), "serviceaccounts/token", namespace=ELSEWHERE),
    # Policies: their authors' alone
    *acts(WRITE, "policypacks", group=OURS, namespace=ELSEWHERE),
    *acts(WRITE, "providertargets", group=OURS, namespace=ELSEWHERE),
    *acts(WRITE, "policypacks", group=OURS, namespace=NAMESPACE),
    *acts(("update", "delete"), "policypacks/status", group=OURS, namespace=ELSEWHERE),
    # Workloads
    *acts(WRITE, "pods", namespace=ELSEWHERE),
    *acts(WRITE, "pods", namespace=NAMESPACE),
    *acts(("create",), "pods/exec", namespace=ELSEWHERE),
    *acts(("get",), "pods/exec", namespace=ELSEWHERE),
    *acts(("create",), "pods/attach", namespace=ELSEWHERE),
    *acts(("create",), "pods/portforward", namespace=ELSEWHERE),
    *acts(("get",), "pods/log", namespace=ELSEWHERE),
    *acts(("create",), "pods/eviction", namespace=ELSEWHERE),
    *acts(("update", "patch"), "pods/ephemeralcontainers", namespace=ELSEWHERE),
    *acts((*READ, *WRITE), "deployments", group="apps", namespace=ELSEWHERE),
    *acts((*READ, *WRITE), "nodes"),
    *acts(("create", "get"), "nodes/proxy"),
    # Others' configuration
    *acts((*READ, *WRITE), "configmaps", namespace=ELSEWHERE),
    *acts((*READ, *WRITE), "configmaps", namespace="kube-system"),
    *acts(WRITE, "namespaces"),
    *acts(("get", "list", "update", "delete"), "events", group=EVENTS, namespace=ELSEWHERE),
    # More rights
    *acts((*WRITE, "escalate", "bind"), "clusterroles", group=RBAC),
    *acts((*WRITE, "escalate", "bind"), "roles", group=RBAC, namespace=NAMESPACE),
    *acts(WRITE, "rolebindings", group=RBAC, namespace=NAMESPACE),
    *acts(WRITE, "clusterrolebindings", group=RBAC),
    *acts(("impersonate",), "users"),
    *acts(("impersonate",), "groups"),
    *acts(("impersonate",), "serviceaccounts", namespace="kube-system"),
    *acts(("create", "update", "approve"), "certificatesigningrequests", group="certificates.k8s.io"),
    # The cluster's own rules
    *acts((*READ, *WRITE), "customresourcedefinitions", group="apiextensions.k8s.io"),
    *acts((*READ, *WRITE), "mutatingwebhookconfigurations", group="admissionregistration.k8s.io"),
    *acts((*READ, *WRITE), "validatingwebhookconfigurations", group="admissionregistration.k8s.io"),
    *acts(("create", "update"), "subjectaccessreviews", group="authorization.k8s.io"),
]


@pytest.fixture(scope="module")
def as_operator(
    kubectl: Kubectl, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubectl]:
    """A kubectl that is the operator."""
    folder = tmp_path_factory.mktemp("operator")
    install_account(kubectl)
    directory = account_directory(kubectl, folder / "account", control_plane)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(control_plane, (directory.path / "token").read_text())))
    kubectl.run("create", "namespace", LISTED)
    asyncio.run(let_read_secrets(kubectl, LISTED))
    yield Kubectl(control_plane=_with(control_plane, kubeconfig), cache=folder / "cache")
    kubectl.run("delete", "namespace", LISTED, "--wait=false")


def test_the_table_is_what_the_api_server_says(as_operator: Kubectl):
    """Each line is a way to harm a cluster through the operator, or one that it can't work without."""
    expected = {**dict.fromkeys(ALLOWED, True), **dict.fromkeys(FORBIDDEN, False)}

    answers = _reviewed(as_operator, list(expected))

    wrong = [f"{act}: {'allowed' if answers[act] else 'refused'}" for act in expected if answers[act] != expected[act]]
    assert wrong == []
    assert len(FORBIDDEN) > 100


def test_the_refusals_are_real(as_operator: Kubectl, kubectl: Kubectl):
    """A review is only an opinion; the calls themselves have to fail, whatever else would refuse them too."""
    kubectl.run("apply", "--filename=-", stdin=plain_pod("rbac-victim"), timeout_seconds=30)
    victim = f"--namespace={ELSEWHERE}"
    commands: list[tuple[tuple[str, ...], object]] = [
        (("get", "secrets", "--all-namespaces"), None),
        (("get", "secret", "anything", victim), None),
        (("delete", "pod", "rbac-victim", victim), None),
        (("create", "--filename=-", "--validate=false", victim), plain_pod("rbac-intruder")),
        (("label", "pod", "rbac-victim", "a=b", victim), None),
        (("exec", "rbac-victim", victim, "--", "id"), None),
        (("create", "clusterrolebinding", "mine", "--clusterrole=cluster-admin", f"--user={ACCOUNT}"), None),
        (("get", "namespaces", "--as=system:admin"), None),
        (("create", "token", "default", victim), None),
        (("create", "configmap", "mine", victim), None),
        (("create", "--filename=-", "--validate=false", victim), _pack()),
    ]
    for command, stdin in commands:
        with pytest.raises(KubectlError, match="orbidden"):
            as_operator.run(*command, stdin=stdin)
    kubectl.run("delete", "pod", "rbac-victim", victim, "--grace-period=0", "--force")


def test_what_is_allowed_works(as_operator: Kubectl):
    """Near miss: the account is good for what it is there for."""
    as_operator.run("get", "policypacks", "--all-namespaces")
    as_operator.run("get", "pods", "--all-namespaces")
    as_operator.run("get", "secrets", f"--namespace={LISTED}")


def test_no_rule_has_a_wildcard():
    """A wildcard grants what nobody has thought of yet."""
    rules = [rule for document in _manifest() for rule in document.get("rules", ())]

    words = {word for rule in rules for word in itertools.chain(*rule.values())}

    assert len(rules) >= 9
    assert not {word for word in words if "*" in word}


def test_nothing_that_reads_secrets_is_bound_for_the_whole_cluster():
    """One careless binding would hand every application's keys to whoever gets hold of the operator."""
    bound = {each["roleRef"]["name"] for each in _manifest() if each["kind"] == "ClusterRoleBinding"}

    roles = [each for each in _manifest() if each["kind"] == "ClusterRole" and each["metadata"]["name"] in bound]

    assert bound == {ACCOUNT}
    assert not [rule for role in roles for rule in role["rules"] if "secrets" in rule["resources"]]


def _reviewed(kubectl: Kubectl, acts: list[Act]) -> dict[Act, bool]:
    documents = yaml.safe_dump_all(act.review() for act in acts)
    printed = kubectl.run("create", "--filename=-", "--validate=false", "--output=yaml", stdin=documents)
    answers = yaml.safe_load_all(printed)
    return {act: each["status"]["allowed"] for act, each in zip(acts, answers, strict=True)}


def _manifest() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def _pack() -> Object:
    spec = {"version": "0.1.0", "chain": [{"name": "core", "policy": "core-policy"}]}
    return {"apiVersion": "grokwarden.io/v1alpha1", "kind": "PolicyPack", "metadata": {"name": "mine"}, "spec": spec}


def _with(control_plane: ControlPlane, kubeconfig: Path) -> ControlPlane:
    return ControlPlane(
        kubeconfig=kubeconfig, kubectl=control_plane.kubectl, server=control_plane.server, ca=control_plane.ca
    )


def _kubeconfig(control_plane: ControlPlane, token: str) -> dict[str, Any]:
    cluster = {"server": control_plane.server, "certificate-authority": str(control_plane.ca)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "operator",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": "cluster", "user": ACCOUNT}}],
    }
