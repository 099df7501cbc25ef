"""Every field at its bounds, judged by a real API server and by our own validation: they have to say the same."""

import copy
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from grokwarden.api.crd import DEFINITIONS, Definition, structural_schema
from grokwarden.api.validation import validated
from grokwarden.resources import Document
from kube import Kubectl
from resource_texts import pack_text, target_text

Path = tuple[str | int, ...]
ABSENT = object()

WHOLE = {
    "PolicyPack": pack_text("""{
      version: 1.0.0, enabled: true, mode: Enforce, priority: 0, onUnscannable: Block,
      selector: {podSelector: {matchLabels: {app: bot}, matchExpressions: [{key: app, operator: In, values: [bot]}]}},
      endpoints: {allow: [ChatCompletions]},
      chain: [
        {name: core, policy: core-policy, action: Block, mode: Shadow, onError: Block, phases: [Request],
         onStream: Cut, corePolicy: {onForgedTag: Block, restrict: [AdultContent]}},
        {name: injection, policy: prompt-injection, promptInjection: {threshold: "0.8", attackPatterns: [one]}},
        {name: safety, policy: safety-filter,
         safetyFilter: {threshold: "0.8", categories: [CriminalActivity], patterns: [one]}},
        {name: prefix, policy: system-prompt-guard, systemPromptGuard: {requiredPrefix: Hello, onMissing: Block}},
        {name: audit, policy: audit-logger,
         auditLogger: {immutable: true, retentionDays: 3, logAllAccess: true, contentCapture: None}}],
      routing: {strategy: Ordered, targets: [{name: xai, namespace: shop}],
                retry: {maxRetries: 1, retryOn: [Connect]}},
      blockResponse: {style: Error, message: Sorry, contact: us},
      tests: [
        {name: one, request: {user: a, system: b, assistant: c, model: d},
         response: {content: a, reasoning: b, toolArguments: c},
         expect: {action: Allow, step: core, rule: r, phase: Request}},
        {name: two, request: {body: {n: 1}}, expect: {action: Allow}}]}"""),
    "ProviderTarget": target_text("""{
      provider: xai, model: grok-4, baseURL: "https://api.x.ai/v1", insecure: false, format: openai, weight: 100,
      secretKeyRef: {name: xai-key, key: KEY},
      timeouts: {connect: 5s, firstByte: 5s, streamIdle: 5s, total: 5s},
      circuitBreaker: {failures: 1, window: 5s, cooldown: 5s},
      pricing: {source: Table, inputPerMillion: "1", cachedInputPerMillion: "1", outputPerMillion: "1"},
      lifecycle: {onRetired: Warn, onSubstitution: Warn},
      allowedNamespaces: {from: Selector, selector: {matchLabels: {team: a}}},
      proxyURL: "http://proxy:1", caBundle: x}"""),
}
"""Resources that give nearly every field, so that each can be spoilt alone; env and file exclude name and key."""


@pytest.fixture(scope="module")
def api(kubectl: Kubectl) -> Iterator[httpx.Client]:
    """The API server without kubectl's start for each of some hundred requests."""
    control_plane = kubectl.control_plane
    command = [str(control_plane.kubectl), f"--kubeconfig={control_plane.kubeconfig}", "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout
        address = re.search(r"127\.0\.0\.1:\d+", proxy.stdout.readline())
        assert address
        with httpx.Client(base_url=f"http://{address[0]}", timeout=20, trust_env=False) as client:
            yield client
        proxy.terminate()


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_validate_and_the_api_server_agree_on_every_field(api: httpx.Client, definition: Definition):
    """A pack that passes on a laptop and is refused by kubectl, or the other way round, is tested by its users."""
    whole = yaml.safe_load(WHOLE[definition.kind])
    schema = structural_schema(definition.model)["properties"]["spec"]
    address = f"/apis/grokwarden.io/v1alpha1/namespaces/default/{definition.plural}"
    disagreements, verdicts = [], set()
    for path, value in spoilt(schema, whole["spec"], ("spec",)):
        resource = replaced(whole, path, value)
        resource_taken = validated(Document(content=copy.deepcopy(resource)))[0] is not None
        answer = api.post(address, params={"dryRun": "All", "fieldValidation": "Strict"}, json=resource)
        verdicts.add(answer.status_code)
        if (answer.status_code == httpx.codes.CREATED) != resource_taken:
            shown = "absent" if value is ABSENT else repr(value)[:60]
            disagreements.append(f"{path} {shown}: {answer.json().get('message', 'taken')[:200]}")

    assert {201, 422} <= verdicts <= {201, 400, 422}
    assert disagreements == []


def spoilt(schema: dict[str, Any], value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every field inside with values at and beyond its bounds."""
    for candidate in (None, ABSENT, *candidates(schema, value)):
        if candidate is not ABSENT or isinstance(path[-1], str):
            yield path, candidate
    if isinstance(value, dict):
        for name, member in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if inner:
                yield from spoilt(inner, member, (*path, name))
    elif isinstance(value, list):
        yield from spoilt(schema["items"], value[0], (*path, 0))


def candidates(schema: dict[str, Any], value: Any) -> Iterator[Any]:
    match schema["type"]:
        case "string":
            yield from ("", f"{value}\n", f" {value}", f"{value}é", value.swapcase(), 1, True, [], {})
            yield from (length * "a" for length in lengths(schema))
        case "integer":
            yield from (1.5, "1", True, [], 2**40)
            yield from (schema[bound] + step for bound in ("minimum", "maximum") for step in (-1, 0, 1))
        case "boolean":
            yield from ("true", 1, [], not value)
        case "array":
            yield from ([], {}, "a", [None], [*value, None], value * 2, value * (schema["maxItems"] + 1))
        case "object":
            yield from ({}, [], "a", {"unknown": 1}, {**value, "unknown": 1}, {**value, "unknown": None})


def lengths(schema: dict[str, Any]) -> Iterator[int]:
    if "enum" not in schema and schema["maxLength"] < 100_000:
        yield from (schema["maxLength"], schema["maxLength"] + 1)


def replaced(whole: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The resource with another value at that place, or none."""
    result: Any = copy.deepcopy(whole)
    holder = result
    for step in path[:-1]:
        holder = holder[step]
    if value is ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return result
