"""Every CEL rule of the CRDs, judged by a real API server and by our own validation alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from grokwarden.api.validation import validated
from kube import Kubectl
from resource_texts import documents
from rule_cases import CASES, RuleCase

Schema = dict[str, Any]
CRDS = sorted((Path(__file__).parents[2] / "crds").glob("*.yaml"))


def rules_in(schema: Schema, where: str) -> Iterator[tuple[str, str]]:
    """Each rule of a schema by the member that it blames, with its message."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield f"{where}{rule['fieldPath']}", rule["message"]
    for name, member in schema.get("properties", {}).items():
        yield from rules_in(member, f"{where}.{name}")
    for inner, mark in ((schema.get("items"), "[]"), (schema.get("additionalProperties"), ".*")):
        if inner:
            yield from rules_in(inner, f"{where}{mark}")


def all_rules() -> list[tuple[str, str]]:
    specs = [yaml.safe_load(path.read_text(encoding="utf-8"))["spec"] for path in CRDS]
    return [
        rule
        for spec in specs
        for version in spec["versions"]
        for rule in rules_in(version["schema"]["openAPIV3Schema"], spec["names"]["kind"])
    ]


def test_every_rule_has_a_case():
    """A rule that nobody has seen refuse anything may be one that never does."""
    assert len(all_rules()) > 25
    assert sorted((case.rule, case.message) for case in CASES) == sorted(all_rules())


def case_id(case: RuleCase) -> str:
    return f"{case.rule}-{case.message[:24]}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_the_api_server_names_the_field_and_the_reason(kubectl: Kubectl, case: RuleCase):
    """An author who reads it must find the line; anything else in the answer would be another rule's work."""
    refused = kubectl.finish("create", "--dry-run=server", "--filename=-", stdin=case.document(case.broken))

    assert refused.returncode == 1
    place, _, rest = refused.stderr.strip().partition(" is invalid: ")
    assert place == f'The {case.kind} "{name_of(case)}"'
    assert rest.startswith(f"{case.at}: ")
    assert rest.endswith(f": {case.message}")
    assert "\n" not in rest


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_the_api_server_takes_what_keeps_the_rule(kubectl: Kubectl, case: RuleCase):
    """Near miss: a rule that refuses too much stops somebody's work."""
    kubectl.run("create", "--dry-run=server", "--filename=-", stdin=case.document(case.kept))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_our_own_validation_agrees(case: RuleCase):
    """What `grokwarden validate` passes on a laptop must not be refused in a cluster, nor the other way round."""
    [broken], [kept] = documents(case.text(case.broken)), documents(case.text(case.kept))
    refused, problems = validated(broken)
    taken, none = validated(kept)

    carrier = case.at.rpartition(".")[0]
    assert refused is None
    assert [problem.path for problem in problems if not problem.path.startswith(carrier)] == []
    assert (taken is not None, none) == (True, ())


def name_of(case: RuleCase) -> str:
    return str(case.document(case.kept)["metadata"]["name"])
