"""The compiler as a process of its own: JSON in, JSON out."""

import subprocess
import sys
from pathlib import Path

import pytest

from grokwarden.compilation import CHILD_MODULE, CompileReply, CompileRequest, decode_reply, encode_request
from grokwarden.compiler import Scope, compile_packs
from grokwarden.edge.files import load
from grokwarden.edge.sources import fingerprint
from grokwarden.edge.yaml_writer import write_yaml
from resource_texts import TARGET, pack_text

ROOT = Path(__file__).parents[2]
FIXTURES = sorted((ROOT / "tests" / "fixtures" / "keeptrusts").iterdir())


def compiled(*paths: Path, **facts: object) -> CompileReply:
    request = CompileRequest(paths=tuple(map(str, paths)), **facts)
    done = subprocess.run(
        [sys.executable, "-m", CHILD_MODULE], input=encode_request(request), capture_output=True, timeout=60, check=True
    )
    assert done.stderr == b""
    return decode_reply(done.stdout)


def test_a_good_file_gives_a_bundle_that_the_caller_can_verify():
    """The caller holds neither YAML nor pydantic, so the bytes have to be enough."""
    example = ROOT / "examples" / "xai-gateway.yaml"
    reply = compiled(example, pod_labels={"app": "bot"})

    assert reply.problems == ()
    assert reply.bundle == compile_packs(load([str(example)]).documents, scope=Scope(standalone=True)).bundle
    assert reply.fingerprint == fingerprint([str(example)])


def test_a_bad_file_gives_its_problems_and_no_bundle(tmp_path: Path):
    """The caller keeps what it runs, and says why."""
    file = tmp_path / "pack.yaml"
    file.write_text("apiVersion: grokwarden.io/v1alpha1\nkind: PolicyPack\nmetadata: {name: a}\nspec: {chian: []}\n")

    reply = compiled(file)

    assert reply.bundle is None
    assert reply.fingerprint == fingerprint([str(file)])
    problem = next(problem for problem in reply.problems if problem.path == "spec.chian")
    assert (problem.file, problem.line) == (str(file), 4)
    assert problem.text.startswith(f"{file}:4: PolicyPack")


def test_a_file_that_is_gone_is_a_problem_and_no_crash(tmp_path: Path):
    """A watcher looks at files while they are being replaced."""
    (problem,) = compiled(tmp_path / "gone.yaml").problems
    assert problem.message == "can't be read: No such file or directory"


def test_what_is_no_request_is_refused():
    """A caller of another version must get an error, not a guess."""
    for request in (b"", b'{"paths": []', b'{"paths": ["a"], "speed": 1}'):
        done = subprocess.run([sys.executable, "-m", CHILD_MODULE], input=request, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"not a request" in done.stderr


def test_the_contract_needs_neither_yaml_nor_pydantic():
    """It is imported into every sidecar, where both would cost a third of the memory."""
    code = "import sys, grokwarden.compilation; print({'yaml', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("fixture", [*FIXTURES, ROOT / "examples" / "policy-config.yaml"], ids=lambda path: path.stem)
def test_an_imported_file_compiles_to_the_bundle_of_the_original(fixture: Path, tmp_path: Path):
    """`import` then `run` has to enforce what `run` on the original did, to the byte."""
    imported = tmp_path / "resources.yaml"
    imported.write_text(write_yaml(load([str(fixture)]).documents))

    original, converted = compiled(fixture), compiled(imported)

    assert original.problems == converted.problems == ()
    assert bytes(original.document) == bytes(converted.document)
    assert original.bundle is not None
    assert original.bundle.packs[0].routing is not None


def test_a_pack_that_fails_its_own_tests_is_not_put_in_force(tmp_path: Path):
    """Its author wrote down what it must do; a pack that doesn't is a mistake that has already been found."""
    tests = '[{name: harmless, request: {user: "Hello"}, expect: {action: Block}}]'
    path = tmp_path / "pack.yaml"
    path.write_text(pack_text(f"{{chain: [{{name: i, policy: prompt-injection}}], tests: {tests}}}") + "---" + TARGET)

    reply = compiled(path)

    assert reply.bundle is None
    assert [remark.message for remark in reply.problems] == [
        'the test "harmless" fails: expected Block, got Allow',
    ]
    assert reply.problems[0].line is not None
