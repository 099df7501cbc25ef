"""What the pages on the operator list is what the code has: each reason, flag and metric, and no other."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from grokwarden.config_stream import StreamEvent
from grokwarden_operator.listing import Kind
from grokwarden_operator.metrics import OperatorMetrics
from grokwarden_operator.plan import ConditionType, Reason
from grokwarden_operator.stream.acks import AckProblem
from grokwarden_operator.stream.hub import StreamCounts
from grokwarden_operator.stream.pod_stream import StreamEnd
from grokwarden_sidecar.configuration.bundle_source import RefusalReason

GROKWARDEN = Path(sys.executable).with_name("grokwarden")


@pytest.fixture(scope="module")
def docs(root: Path) -> Path:
    return root / "docs"


def section(page: Path, title: str) -> str:
    """The part of a page below a heading, up to the next one of that rank or a higher one."""
    rank = title.partition(" ")[0]
    _, _, rest = page.read_text(encoding="utf-8").partition(f"\n{title}\n")
    assert rest, f"{page.name} has no {title!r}"
    return re.split(rf"^#{{2,{len(rank)}}} ", rest, flags=re.MULTILINE)[0]


def column(text: str, number: int) -> set[str]:
    """The words in code of one column of the section's tables."""
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {word for row in rows if len(row) > number for word in re.findall(r"`([^`]+)`", row[number])}


def words(values: Iterable[object]) -> set[str]:
    return {str(value) for value in values}


def test_every_reason_of_a_condition_is_explained(docs: Path):
    """A reason is what an author sees; one that no page explains can't be acted on."""
    pack = section(docs / "operator.md", "### Conditions of a PolicyPack")
    target = section(docs / "operator.md", "### Conditions of a ProviderTarget")

    assert column(pack, 2) | column(target, 2) == words(Reason)
    assert column(pack, 0) | column(target, 0) == words(ConditionType)


def test_every_refusal_of_a_sidecar_is_explained(docs: Path):
    """It is read by whoever is called at night because a pack is nacked."""
    assert column(section(docs / "sidecar-in-a-pod.md", "### Why a pack is refused"), 0) == words(RefusalReason)


def test_the_stream_is_documented_whole(docs: Path):
    """Somebody else's client is written from this page."""
    page = docs / "config-stream.md"

    assert column(section(page, "## Events"), 0) == words(StreamEvent)
    refusals = section(page, "## Refusals")
    assert words(StreamEnd) <= column(refusals, 0)
    assert words(AckProblem) <= column(refusals, 1)


def test_every_metric_of_the_operator_is_listed(docs: Path):
    """A metric that nobody can find was built in vain; a listed one that is gone breaks an alert."""
    metrics = OperatorMetrics()
    metrics.watch_streams(lambda: StreamCounts(open=0, sidecars={}, ended={}, acks={}, bytes_sent=0))
    metrics.watch_watches(lambda: dict.fromkeys(Kind, 0.0), lambda: 0)
    metrics.watch_certificate(lambda: 0.0)
    families = text_string_to_metric_families(metrics.render().decode())
    names = {f.name + ("_total" if f.type == "counter" else "") for f in families if f.name.startswith("grokwarden_")}

    assert column(section(docs / "metrics.md", "## The operator"), 0) == names


@pytest.mark.parametrize(
    ("command", "page", "title"),
    [("operator", "operator.md", "## Run it"), ("sidecar", "sidecar-in-a-pod.md", "## What it is started with")],
)
def test_every_flag_is_in_a_table(docs: Path, command: str, page: str, title: str):
    """Whoever writes a manifest by hand has this page, and no terminal."""
    shown = {word.split()[0] for word in column(section(docs / page, title), 0) if word.startswith("--")}
    done = subprocess.run([GROKWARDEN, command, "--help"], capture_output=True, text=True, check=True)

    assert shown == set(re.findall(r"^│ +(--[a-z-]+)", done.stdout, re.MULTILINE)) - {"--help"}


def test_the_table_of_rights_names_whatever_the_manifest_grants(root: Path, docs: Path):
    """A right that the page leaves out would be found by somebody else."""
    manifest = (root / "operator/manifests/rbac.yaml").read_text(encoding="utf-8")
    granted = re.findall(r"^ +resources: \[([^\]]+)\]", manifest, re.MULTILINE)
    kinds = {word.strip().partition("/")[0] for line in granted for word in line.split(",")}
    names = {"policypacks": "packs", "providertargets": "targets", "tokenreviews": "token reviewed"}
    text = section(docs / "security.md", "### What the operator may do").lower()

    assert {"secrets", "pods"} < kinds
    assert [kind for kind in kinds if names.get(kind, kind) not in text] == []


def test_the_readmes_commands_are_among_those_that_are_run(root: Path, docs: Path):
    """The page's are typed in by the tests on a cluster; a copy that differs would be tried first, and fail."""
    shown = [line.partition("   #")[0] for line in section(root / "README.md", "## On a cluster").splitlines()]
    run = section(docs / "operator.md", "## Try it").splitlines()
    commands = [line for line in shown if line.startswith(("$ python", "$ kubectl apply", "$ grokwarden"))]

    assert len(commands) == 5
    assert [line for line in commands if line not in run] == []
