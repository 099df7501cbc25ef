"""Paths to documents: what belongs to us, what doesn't, and what can't be read."""

import io
import json
import os
from pathlib import Path

import pytest

from grokwarden.edge.files import Loaded, fingerprint, load
from grokwarden.edge.sources import MAX_FILE_BYTES

PACK = "apiVersion: grokwarden.io/v1alpha1\nkind: PolicyPack\nmetadata: {name: NAME}\nspec: {}\n"
HEAD = {"apiVersion": "grokwarden.io/v1alpha1", "kind": "PolicyPack"}
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: xai-key}\ndefaultMode: 0400\n"


def pack(name: str) -> str:
    return PACK.replace("NAME", name)


def names(result: Loaded) -> list[str]:
    return [document.content["metadata"]["name"] for document in result.documents]


def test_a_directory_gives_its_files_by_name(tmp_path: Path):
    """The order must not depend on the file system."""
    for name in ("b.yaml", "a.yml", "c.json", "notes.txt", ".hidden.yaml"):
        (tmp_path / name).write_text(json.dumps({**HEAD, "metadata": {"name": name}}))
    (tmp_path / "deeper.yaml").mkdir()

    result = load([str(tmp_path)])

    assert result.problems == ()
    assert names(result) == ["a.yml", "b.yaml", "c.json"]


def test_a_file_named_twice_is_read_once(tmp_path: Path):
    """`validate packs packs/a.yaml` is no conflict of two packs of one name."""
    (tmp_path / "a.yaml").write_text(pack("a"))
    assert names(load([str(tmp_path), str(tmp_path / "a.yaml")])) == ["a"]


def test_a_mounted_config_map_is_read_through_its_links(tmp_path: Path):
    """A kubelet swaps `..data`; the files are links through it and their own times never change."""
    for version in ("one", "two"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "pack.yaml").write_text(pack(version))
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "pack.yaml").symlink_to("..data/pack.yaml")
    before = fingerprint([str(tmp_path)])
    assert names(load([str(tmp_path)])) == ["one"]

    (tmp_path / "..next").symlink_to("..two")
    (tmp_path / "..next").rename(tmp_path / "..data")

    assert names(load([str(tmp_path)])) == ["two"]
    assert fingerprint([str(tmp_path)]) != before


def test_the_fingerprint_is_that_of_the_bytes_that_were_loaded(tmp_path: Path):
    """A watcher that took a fingerprint of its own could miss an edit made between reading and looking."""
    (tmp_path / "a.yaml").write_text(pack("a"))
    first = load([str(tmp_path)])
    assert first.fingerprint == fingerprint([str(tmp_path)])

    os.utime(tmp_path / "a.yaml", (1, 1))
    assert fingerprint([str(tmp_path)]) == first.fingerprint

    (tmp_path / "b.yaml").write_text("")
    assert fingerprint([str(tmp_path)]) != first.fingerprint


def test_standard_input_is_a_file():
    """`helm template … | grokwarden validate -` is how charts are checked."""
    result = load(["-"], stdin=io.BytesIO(pack("piped").encode()))
    assert names(result) == ["piped"]
    assert result.documents[0].file == "<stdin>"
    assert [str(problem) for problem in load(["-"]).unreadable] == [
        "<stdin>: standard input can't be read here; name a file"
    ]


def test_a_list_is_unfolded(tmp_path: Path):
    """`kubectl get policypacks -o yaml` writes a List."""
    items = "".join(
        f"- {{apiVersion: grokwarden.io/v1alpha1, kind: PolicyPack, metadata: {{name: {n}}}}}\n" for n in "ab"
    )
    (tmp_path / "list.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n{items}")

    result = load([str(tmp_path)])

    assert names(result) == ["a", "b"]
    assert [document.line_of(("metadata", "name")) for document in result.documents] == [4, 5]


def test_other_kubernetes_objects_beside_ours_are_left_alone(tmp_path: Path):
    """One file for kubectl often holds the Secret, the Deployment and the pack; their octal modes are theirs."""
    file = tmp_path / "all.yaml"
    file.write_text(SECRET + "---\n" + pack("a"))

    result = load([str(file)])

    assert result.problems == ()
    assert names(result) == ["a"]
    assert [str(warning) for warning in result.warnings] == [f"{file}:1: v1 Secret is not ours and was left alone"]


def test_a_named_file_that_holds_nothing_of_ours_is_an_error(tmp_path: Path):
    """Validating the wrong file must not end with "all good"."""
    (tmp_path / "secret.yaml").write_text(SECRET)
    (tmp_path / "pack.yaml").write_text(pack("a"))

    (problem,) = load([str(tmp_path / "secret.yaml"), str(tmp_path / "pack.yaml")]).findings
    assert "holds nothing of ours: expected a PolicyPack or ProviderTarget" in problem.message

    assert load([str(tmp_path)]).problems == (), "in a directory it is one of many"


def test_a_directory_that_holds_nothing_of_ours_is_an_error(tmp_path: Path):
    """A proxy that starts with nothing to enforce is the worst of all outcomes."""
    (tmp_path / "secret.yaml").write_text(SECRET)
    (problem,) = load([str(tmp_path)]).findings
    assert problem.message.startswith("nothing to enforce")


@pytest.mark.parametrize(
    "head",
    [
        "apiVersion: grokwarden.io/v1\nkind: PolicyPack",
        "apiVersion: grokwarden/v1alpha1\nkind: PolicyPack",
        "apiVersion: policy.example/v1\nkind: policypack",
        "apiVersion: grokwarden.io/v1alpha1\nkind: PolicyPak",
        "kind: PolicyPack",
    ],
)
def test_a_misspelt_resource_of_ours_is_not_taken_for_somebody_elses(head: str, tmp_path: Path):
    """Skipped with a warning, it would be a pack that is silently not enforced."""
    (tmp_path / "a.yaml").write_text(f"{head}\nmetadata: {{name: a}}\n")
    result = load([str(tmp_path)])
    assert names(result) == ["a"], "kept, so that the compiler says what is wrong with it"
    assert result.warnings == ()


def test_a_document_that_says_nothing_of_itself_is_an_error(tmp_path: Path):
    """The message names both kinds of file that are understood."""
    (tmp_path / "a.yaml").write_text("spec: {}\n")
    (problem,) = load([str(tmp_path)]).findings
    assert "no apiVersion and no kind: expected a PolicyPack or ProviderTarget of grokwarden.io/v1alpha1" in str(
        problem
    )


def test_what_can_not_be_read_is_named_with_its_reason(tmp_path: Path):
    """Each of them at once, and none of them as an exception."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "dangling.yaml").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("none.yaml", "empty", "latin.yaml", "large.yaml", "links")]

    unreadable = [str(problem).removeprefix(f"{tmp_path}/") for problem in load(paths).unreadable]

    assert unreadable == [
        "none.yaml: can't be read: No such file or directory",
        "empty: the directory holds no .yaml, .yml or .json file",
        "latin.yaml:2: not UTF-8 text",
        "large.yaml: larger than 4 MiB; split it",
        "links/dangling.yaml: can't be read: No such file or directory",
    ]
