"""The CRDs as an API server takes them, and as people with kubectl meet them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from code_blocks import code_blocks
from command_line import run_grokwarden
from grokwarden.api.crd import DEFINITIONS, Definition, structural_schema
from grokwarden.api.validation import validated
from grokwarden.resources import Document
from kube import Kubectl, KubectlError, as_text
from resource_texts import pack_text, target_text

ROOT = Path(__file__).parents[2]
OPEN_API = "/openapi/v3/apis/grokwarden.io/v1alpha1"
MINIMAL = {
    "PolicyPack": pack_text("{chain: [{name: core, policy: core-policy}]}"),
    "ProviderTarget": target_text("{provider: xai, secretKeyRef: {name: xai-key, key: XAI_API_KEY}}"),
}
BLOCKS = """{
  chain: [
    {name: core, policy: core-policy, corePolicy: {}},
    {name: injection, policy: prompt-injection, promptInjection: {}},
    {name: safety, policy: safety-filter, safetyFilter: {}},
    {name: prefix, policy: system-prompt-guard, systemPromptGuard: {requiredPrefix: Hello}},
    {name: audit, policy: audit-logger, auditLogger: {}}],
  routing: {targets: [{name: xai-grok}]}}"""
WITH_DEFAULTS = [*MINIMAL.values(), pack_text(BLOCKS)]
kinds = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)


def as_object(text: str) -> dict[str, Any]:
    return yaml.safe_load(text)


@kinds
def test_the_api_server_has_established_it(kubectl: Kubectl, definition: Definition):
    """A schema that is not structural is neither pruned nor defaulted, and says so only in a condition."""
    crd = json.loads(kubectl.run("get", "crd", definition.name, "--output=json"))
    conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}

    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert crd["status"]["storedVersions"] == ["v1alpha1"]


@kinds
def test_a_second_apply_changes_nothing(kubectl: Kubectl, definition: Definition):
    """What the API server drops or rewrites in a CRD would come back as a difference with every upgrade."""
    path = ROOT / "crds" / f"grokwarden.io_{definition.plural}.yaml"

    difference = kubectl.finish("diff", "--server-side", "--force-conflicts", f"--filename={path}")

    assert (difference.returncode, difference.stdout) == (0, "")


# --- what is stored ---------------------------------------------------------------------------------------------------


async def test_a_field_that_nobody_knows_is_refused(kubectl: Kubectl, namespace: str):
    """A typo that is dropped in silence is a policy that is not enforced."""
    misspelt = pack_text("{onUnscanable: Allow, chain: [{name: core, policy: core-policy, onEror: Allow}]}")

    with pytest.raises(KubectlError) as refused:
        await kubectl.inside(namespace).apply(as_object(misspelt))

    assert 'unknown field "spec.onUnscanable"' in refused.value.stderr
    assert 'unknown field "spec.chain[0].onEror"' in refused.value.stderr


def test_a_field_that_nobody_knows_is_never_stored(kubectl: Kubectl):
    """A client that does not ask for strictness must not store what the next version could take for an order."""
    spec = "{future: 1, chain: [{name: core, policy: core-policy}], tests: [{name: one, request: %s, expect: %s}]}"
    pack = pack_text(spec % ("{body: {future: 1}}", "{action: Allow, future: 1}"))

    done = kubectl.finish("create", "--dry-run=server", "--validate=warn", "--output=json", "--filename=-", stdin=pack)
    stored = json.loads(done.stdout)["spec"]

    assert "future" not in stored
    assert stored["tests"] == [{"name": "one", "request": {"body": {"future": 1}}, "expect": {"action": "Allow"}}]
    assert 'unknown field "spec.future"' in done.stderr


async def test_a_label_that_lost_its_value_does_not_widen_a_selector(kubectl: Kubectl, namespace: str):
    """A template with an empty variable writes `team:`, which the API server drops; a key would be everybody's."""
    inside = kubectl.inside(namespace)
    selector = "{from: Selector, selector: {matchLabels: {team: %s}}}"
    target = "{provider: xai, secretKeyRef: {name: xai-key, key: XAI_API_KEY}, allowedNamespaces: %s}"
    good, empty = target_text(target % (selector % "a")), target_text(target % (selector % ""))

    created = inside.finish("apply", "--dry-run=server", "--filename=-", stdin=empty)
    inside.run("apply", "--filename=-", stdin=good)
    updated = inside.finish("apply", "--filename=-", stdin=empty)

    assert (created.returncode, updated.returncode) == (1, 1)
    assert "spec.allowedNamespaces.selector.matchLabels: Invalid value" in created.stderr
    assert "spec.allowedNamespaces.selector.matchLabels in body should have at least 1 properties" in updated.stderr
    stored = (await inside.get("pt", "xai-grok"))["spec"]["allowedNamespaces"]
    assert stored["selector"] == {"matchLabels": {"team": "a"}}


@pytest.mark.parametrize("text", WITH_DEFAULTS, ids=["pack", "target", "every-block"])
def test_defaults_are_those_of_our_own_models(kubectl: Kubectl, text: str):
    """The same text must mean the same on a laptop, where nobody fills it in, and in a cluster."""
    created = kubectl.run("create", "--dry-run=server", "--output=json", "--filename=-", stdin=text)
    stored = json.loads(created)["spec"]
    ours, _ = validated(Document(content=as_object(text)))
    assert ours

    assert stored == said(ours.spec.model_dump(mode="json", by_alias=True))


def test_every_default_of_the_schema_is_compared(kubectl: Kubectl):
    """The test above proves nothing of a default that none of its objects has."""
    seen = {}
    for text in WITH_DEFAULTS:
        stored = json.loads(kubectl.run("create", "--dry-run=server", "--output=json", "--filename=-", stdin=text))
        seen.setdefault(stored["kind"], set()).update(paths_in(stored["spec"], ".spec"))

    for definition in DEFINITIONS:
        schema = structural_schema(definition.model)["properties"]["spec"]
        assert [path for path in defaults_in(schema, ".spec") if path not in seen[definition.kind]] == []


def said(value: Any) -> Any:
    """A model's dump without what means the same as saying nothing: null, an empty list or text."""
    if isinstance(value, dict):
        return {key: said(member) for key, member in value.items() if member is not None and member not in ([], "")}
    return [said(entry) for entry in value] if isinstance(value, list) else value


def paths_in(value: Any, where: str) -> Iterator[str]:
    yield where
    if isinstance(value, dict):
        for key, member in value.items():
            yield from paths_in(member, f"{where}.{key}")
    elif isinstance(value, list):
        for entry in value:
            yield from paths_in(entry, f"{where}[]")


def defaults_in(schema: dict[str, Any], where: str) -> Iterator[str]:
    if "default" in schema:
        yield where
    for name, member in schema.get("properties", {}).items():
        yield from defaults_in(member, f"{where}.{name}")
    if "items" in schema:
        yield from defaults_in(schema["items"], f"{where}[]")


async def test_a_write_of_the_object_can_not_touch_its_status(kubectl: Kubectl, namespace: str):
    """Whoever may write packs must not be able to claim that they are in force."""
    inside = kubectl.inside(namespace)
    lie = {"sidecars": {"desired": 1, "acked": 1, "nacked": 0, "stale": 0, "missing": 0}}

    [created] = await inside.create(as_object(MINIMAL["PolicyPack"]) | {"status": lie})
    await inside("patch", "pp", "gateway", "--type=merge", f"--patch={json.dumps({'status': lie})}")

    assert "status" not in created
    assert "status" not in await inside.get("pp", "gateway")


async def test_a_write_of_the_status_can_not_touch_the_spec(kubectl: Kubectl, namespace: str):
    """The operator's rights end at the status; and a report must not look like a new generation."""
    inside = kubectl.inside(namespace)
    await inside.create(as_object(MINIMAL["PolicyPack"]))
    patch = {"spec": {"mode": "Shadow"}, "status": {"observedGeneration": 1}}

    await inside("patch", "pp", "gateway", "--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")
    pack = await inside.get("pp", "gateway")

    assert pack["spec"]["mode"] == "Enforce"
    assert pack["status"]["observedGeneration"] == pack["metadata"]["generation"] == 1


# --- what people see --------------------------------------------------------------------------------------------------


def undescribed(schema: dict[str, Any], where: str) -> Iterator[str]:
    """Every field of a published schema that explains nothing."""
    for name, member in schema.get("properties", {}).items():
        parts = (member, *member.get("allOf", ()))
        if not any(part.get("description") or "$ref" in part for part in parts):
            yield f"{where}.{name}"
        yield from undescribed(member, f"{where}.{name}")
    if "items" in schema:
        yield from undescribed(schema["items"], f"{where}[]")


@kinds
def test_the_api_server_explains_every_field(kubectl: Kubectl, definition: Definition):
    """`kubectl explain` reads what the API server publishes, which is not the file that was applied."""
    schemas = json.loads(kubectl.run("get", f"--raw={OPEN_API}"))["components"]["schemas"]
    published = schemas[f"io.grokwarden.v1alpha1.{definition.kind}"]

    assert {"spec", "status"} <= set(published["properties"])
    assert list(undescribed(published, definition.kind)) == []


def test_explain_walks_into_the_chain(kubectl: Kubectl):
    """The way by which most authors learn the fields."""
    whole = kubectl.run("explain", "pp.spec.chain", "--recursive")
    field = kubectl.run("explain", "pp.spec.chain.promptInjection.threshold")

    assert "The steps, in order of evaluation." in whole
    assert all(name in whole for name in ("promptInjection", "attackPatterns", "requiredPrefix", "contentCapture"))
    assert "The score from which a match counts" in field


async def test_the_table_shows_what_is_in_force(kubectl: Kubectl, namespace: str):
    """One look must tell how many sidecars run the pack."""
    inside = kubectl.inside(namespace)
    await inside.create(*map(as_object, MINIMAL.values()))
    condition = {"status": "True", "reason": "Yes", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    counts = {"desired": 40, "acked": 38, "nacked": 1, "stale": 0, "missing": 1}
    for kind, name, status in (
        ("pp", "gateway", {"sidecars": counts, "conditions": [condition | {"type": "Programmed"}]}),
        ("pt", "xai-grok", {"conditions": [condition | {"type": "SecretResolved"}]}),
    ):
        patch = json.dumps({"status": status})
        await inside("patch", kind, name, "--subresource=status", "--type=merge", f"--patch={patch}")

    packs = [line.split() for line in (await inside("get", "pp")).splitlines()]
    targets = [line.split() for line in (await inside("get", "pt")).splitlines()]

    assert packs[0] == ["NAME", "MODE", "PROGRAMMED", "ACKED", "DESIRED", "AGE"]
    assert packs[1][:-1] == ["gateway", "Enforce", "True", "38", "40"]
    assert targets[0] == ["NAME", "PROVIDER", "MODEL", "SECRET", "AGE"]
    assert targets[1][:-1] == ["xai-grok", "xai", "True"]


async def test_one_word_lists_all_that_is_ours(kubectl: Kubectl, namespace: str):
    """`kubectl get grokwarden` is the first thing to ask in an incident."""
    inside = kubectl.inside(namespace)
    await inside.create(*map(as_object, MINIMAL.values()))

    listed = await inside("get", "grokwarden", "--output=name")

    assert set(listed.split()) == {"policypack.grokwarden.io/gateway", "providertarget.grokwarden.io/xai-grok"}


def resources_in(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document and "apiVersion" in document]


def published_texts() -> Iterator[tuple[str, str]]:
    """Every resource that readers are given to copy."""
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        yield path.name, text if resources_in(text) else run_grokwarden("import", path).stdout
    yield "the demo's", (ROOT / "sidecar/grokwarden_sidecar/demo/xai-gateway.yaml").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for number, block in enumerate(code_blocks(page, "yaml"), 1):
            if "\nkind: " in block.text:
                yield f"{page.name}-{number}", block.text


async def test_everything_that_readers_copy_can_be_applied(kubectl: Kubectl, namespace: str):
    """The first `kubectl apply` of a newcomer is an example's, strict as kubectl is."""
    texts = dict(published_texts())

    assert {"xai-gateway.yaml", "policy-config.yaml"} < set(texts)
    for name, text in texts.items():
        resources = resources_in(text)
        assert resources, name
        for resource in resources:
            resource["metadata"].pop("namespace", None)
        await kubectl.inside(namespace)("apply", "--dry-run=server", "--filename=-", stdin=as_text(*resources))
