"""One YAML: what a file means is what kubectl would make of it, or an error that says what to write."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden.edge.yaml_reader import MAX_VALUES, Reading, read_yaml


def read(text: str) -> Reading:
    return read_yaml(text, file="pack.yaml")


def only(text: str) -> dict[str, object]:
    reading = read(text)
    assert not reading.unreadable
    (document,) = reading.documents
    assert not document.findings
    return document.document.content


def complaints(text: str) -> list[str]:
    reading = read(text)
    return [str(problem) for problem in (*reading.unreadable, *(f for d in reading.documents for f in d.findings))]


@pytest.mark.parametrize("word", ["n", "y", "N", "Y", "yes", "No", "ON", "off"])
def test_a_word_that_kubectl_takes_for_a_boolean_must_be_quoted(word: str):
    """`n: 1` reaches the API server as `"false": 1`: read as written here, it would be another pack in the cluster."""
    (as_key,) = complaints(f"a:\n  {word}: 1\n")
    assert as_key == f'pack.yaml:2: a.{word}: an unquoted {word} as a key is a boolean to kubectl: write "{word}"'

    (as_value,) = complaints(f"a: {word}\n")
    assert as_value.startswith(f"pack.yaml:1: a: an unquoted {word} is a boolean to kubectl")

    assert only(f'"{word}": "{word}"\n') == {word: word}


@pytest.mark.parametrize("text", ["0644", "0x1F", "1_000", "0b11", ".inf", ".nan", "-.INF", "9223372036854775808"])
def test_a_number_that_readers_read_differently_must_be_quoted(text: str):
    """0644 is 420 to kubectl and 644 to a reader of YAML 1.2."""
    assert len(complaints(f"a: {text}\n")) == 1
    assert only(f'a: "{text}"\n') == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1.0", "0.1.0"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("12:30", "12:30"),
        ("=", "="),
        ("1m30s", "1m30s"),
        ("0.10", 0.1),
        ("-7", -7),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("! 1", "1"),
        ("!!str on", "on"),
    ],
)
def test_a_plain_word_means_what_people_expect(text: str, value: object):
    """A version that became a float, or a date that became an object, would be refused with a puzzling message."""
    assert only(f"a: {text}\n") == {"a": value}


def test_a_key_is_text_whatever_it_looks_like():
    """A label `1.10: x` must not become the key 1.1."""
    assert only("1.10: a\n2024-01-01: b\n") == {"1.10": "a", "2024-01-01": "b"}


@pytest.mark.parametrize("key", ["true", "False", "null", "~", '? ""\n', "[a]", "{a: 1}", "*x"])
def test_a_key_that_is_no_word_is_refused_or_quoted(key: str):
    """JSON has texts as keys only; the empty key is one, if it is written out."""
    text = f"{key}: 1\n"
    assert bool(complaints(text)) != key.startswith("?")


def test_a_duplicate_key_is_an_error_that_names_both_lines():
    """Parsers differ in which of the two wins; a reviewer sees the first, the engine would run the second."""
    assert complaints("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") == [
        "pack.yaml:5: b.c: the key c is here twice, first on line 3; keep one"
    ]


def test_each_document_is_read_on_its_own():
    """An error in the first of ten documents must not hide those in the others."""
    text = "a: [\n---\nb: 1\n---\nc:\n\td: 1\n---\n- e\n---\n# nothing\n---\nf: 2\n"
    reading = read(text)

    assert [document.document.content for document in reading.documents] == [{"b": 1}, {"f": 2}]
    assert [problem.line for problem in reading.unreadable] == [2, 6, 8]
    assert "indent with spaces" in str(reading.unreadable[1])


def test_every_field_knows_its_line():
    """A problem without a line sends people searching through hundreds of them."""
    reading = read("# pack\n---\nspec:\n  chain:\n    - name: a\n      policy: b\n    - {name: c}\n")
    line_of = reading.documents[0].document.line_of

    assert line_of(("spec", "chain", 0, "policy")) == 6
    assert line_of(("spec", "chain", 1, "name")) == 7
    assert line_of(("spec", "chain", 1, "policy")) == 7, "a missing field is reported where it should stand"
    assert line_of(("status",)) == 3


def test_an_alias_is_the_value_it_names():
    """Shared blocks are common in hand-written YAML."""
    assert only("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, p: 3}\nd:\n  <<: [*x, {r: 4, p: 5}]\n") == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 2},
        "c": {"p": 3, "q": 2},
        "d": {"p": 1, "q": 2, "r": 4},
    }


def test_a_merge_of_something_else_is_refused():
    """Silently merging nothing would drop a step's parameters."""
    assert complaints("a: {<<: 1}\n") == ['pack.yaml:1: a["<<"]: << merges mappings, found the number 1']


def test_aliases_can_not_unfold_without_bound():
    """A few hundred bytes that unfold to gigabytes would take the reader down."""
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (complaint,) = complaints("\n".join(lines))
    assert f"more than {MAX_VALUES} values" in complaint


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: *nobody", "[" * 5000, "a: " + "[" * 100 + "]" * 100, "- " * 5000])
def test_a_hostile_structure_is_an_error_and_no_crash(text: str):
    """A recursive or bottomless document must end in a message, whatever reads it later."""
    assert len(complaints(text)) == 1


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!binary", "!!set", "!mine", "!!timestamp", "!!int"]
)
def test_a_tag_constructs_nothing(tag: str):
    """A tag that was obeyed could run code; one that was ignored would change the value."""
    (complaint,) = complaints(f"a: {tag} x\n")
    assert f"the tag {tag} is not supported" in complaint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: \x01\n", "control characters are not allowed"),
        ("%YAML 1.1\n---\na: 1\n", "directives (lines that begin with %) are not supported"),
        ("just text\n", "expected fields (a mapping), found text"),
        ("a: b: c\n", "mapping values are not allowed"),
    ],
)
def test_what_is_no_resource_at_all_says_so(text: str, message: str):
    """The reader is where somebody finds out that the wrong file was given."""
    assert any(message in complaint for complaint in complaints(text))


def test_an_empty_text_has_no_documents():
    """Comments and empty documents between `---` lines are common in generated files."""
    assert read("\ufeff# nothing\n---\n---\nnull\n...\n") == Reading(documents=(), unreadable=())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=20), json_values, max_size=4), st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_json(document: dict[str, object], indent: int | str | None):
    """`kubectl get -o json` is a file format too, with surrogate escapes and tabs as JSON writers like them."""
    assert only(json.dumps(document, indent=indent)) == document


@given(st.text())
def test_no_text_breaks_the_reader(text: str):
    """Whatever is fed in, the answer is documents and problems, never an exception."""
    read(text)
