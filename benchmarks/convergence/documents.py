"""The objects of a run: pods that carry a sidecar, a target with its key, and packs that are changed."""

import copy
from pathlib import Path
from typing import Any, Final

import yaml

Object = dict[str, Any]

SIDECAR: Final = "grokwarden"
OPERATOR_NAMESPACE: Final = "grokwarden-system"
OPERATOR_ACCOUNT: Final = "grokwarden-operator"
ROOT: Final = Path(__file__).parents[2]
_EXAMPLE: Final = ROOT / "examples" / "xai-gateway.yaml"
_LABELS: Final = {"app": "bench"}
_TOKEN_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_SECRET: Final = "xai-key"
_KEY: Final = "XAI_API_KEY"
_INJECTION: Final = "prompt-injection"


class Packs:
    """The example pack, and smaller ones beside it. Each edit changes one pattern, so each is a part of its own."""

    def __init__(self) -> None:
        documents: list[Object] = list(yaml.safe_load_all(_EXAMPLE.read_text(encoding="utf-8")))
        pack, self._target = documents
        pack["spec"]["selector"] = {"podSelector": {"matchLabels": _LABELS}}
        self._pack = pack

    def pack(self, number: int, word: str) -> Object:
        """A pack that forbids that word: number 0 is the example with all its tests, the others one step each."""
        pack = copy.deepcopy(self._pack)
        pack["metadata"]["name"] = pack_name(number)
        if number:
            spec = pack["spec"]
            step: Object = {"name": "words", "policy": _INJECTION, "promptInjection": {"attackPatterns": [word]}}
            pack["spec"] = {"version": spec["version"], "selector": spec["selector"], "chain": [step]}
        else:
            step = next(each for each in pack["spec"]["chain"] if each["policy"] == _INJECTION)
            step["promptInjection"]["attackPatterns"].append(word)
        return pack

    def target(self) -> Object:
        """The target that the example sends calls to, with its key from a Secret."""
        target = copy.deepcopy(self._target)
        target["spec"]["secretKeyRef"] = {"name": _SECRET, "key": _KEY}
        return target


def pack_name(number: int) -> str:
    """The name of one pack of a run."""
    return f"pack-{number:02}"


def key_secret() -> Object:
    """A key that is none, allowed where the target leads."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": _SECRET, "annotations": {"grokwarden.io/allowed-hosts": "api.x.ai"}},
        "stringData": {_KEY: "xai-no-key-at-all"},
    }


def secrets_reader() -> Object:
    """Lets the operator read the Secrets of a namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "grokwarden-secrets-reader"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "grokwarden-secrets-reader",
        },
        "subjects": [{"kind": "ServiceAccount", "namespace": OPERATOR_NAMESPACE, "name": OPERATOR_ACCOUNT}],
    }


def namespace(name: str) -> Object:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pod(number: int) -> Object:
    """A pod that carries the sidecar as it is injected. No scheduler looks at it, and nothing runs it."""
    token = {"serviceAccountToken": {"audience": SIDECAR, "expirationSeconds": 3600, "path": "token"}}
    sidecar = {
        "name": SIDECAR,
        "image": "example.invalid/grokwarden",
        "args": ["sidecar"],
        "restartPolicy": "Always",
        "volumeMounts": [{"name": "grokwarden-token", "mountPath": _TOKEN_MOUNT, "readOnly": True}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number:04}", "labels": _LABELS},
        "spec": {
            "schedulerName": "none",
            "initContainers": [sidecar],
            "containers": [{"name": "app", "image": "example.invalid/app"}],
            "volumes": [{"name": "grokwarden-token", "projected": {"sources": [token]}}],
        },
    }


def token_request(*, bound_to: Object | None = None, audience: str = "", seconds: int = 7200) -> Object:
    """A request for a token; ``bound_to`` is the pod that it ends with."""
    spec: Object = {"expirationSeconds": seconds}
    if audience:
        spec["audiences"] = [audience]
    if bound_to is not None:
        metadata = bound_to["metadata"]
        spec["boundObjectRef"] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def operator_kubeconfig(*, server: str, ca: Path, token: str) -> Object:
    """A kubeconfig of the operator's own account."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "operator",
        "clusters": [{"name": "cluster", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": "cluster", "user": "operator"}}],
    }
