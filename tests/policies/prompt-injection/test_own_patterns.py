"""What is wrong with an author's settings is said when the pack is applied, with the place to mend."""

import pytest

from grokwarden.policies import prompt_injection, safety_filter

INJECTION = {"threshold": "0.8", "attack_patterns": []}
SAFETY = {"threshold": "0.8", "categories": ["CriminalActivity"], "patterns": []}


def test_sound_settings_have_no_problem() -> None:
    """An error that nobody can mend would keep a pack out."""
    assert prompt_injection.POLICY.check(INJECTION | {"attack_patterns": ["foo", "bar+"]}) == []
    assert safety_filter.POLICY.check(SAFETY | {"patterns": ["foo"]}) == []


@pytest.mark.parametrize(
    ("pattern", "reason"), [("(?=x)", "RE2"), ("(", "RE2"), ("(a{100}){100}", "RE2"), ("a*", "empty"), ("x|", "empty")]
)
def test_a_bad_pattern_is_named_by_its_index(pattern: str, reason: str) -> None:
    """Among five hundred patterns, "one is wrong" helps nobody."""
    (problem,) = prompt_injection.POLICY.check(INJECTION | {"attack_patterns": ["fine", pattern]})
    assert problem.path == "attackPatterns[1]"
    assert reason in problem.message
    (problem,) = safety_filter.POLICY.check(SAFETY | {"patterns": [pattern]})
    assert problem.path == "patterns[0]"


def test_every_bad_pattern_is_reported() -> None:
    """One round of mending is enough."""
    problems = prompt_injection.POLICY.check(INJECTION | {"attack_patterns": ["(", "fine", ")"]})
    assert [problem.path for problem in problems] == ["attackPatterns[0]", "attackPatterns[2]"]


def test_five_hundred_long_patterns_compile_together() -> None:
    """The schema's bounds are a promise that the automaton keeps."""
    patterns = [f"{index} " + "lorem ipsum " * 80 for index in range(500)]
    assert prompt_injection.POLICY.check(INJECTION | {"attack_patterns": patterns}) == []


def test_a_threshold_out_of_range_is_a_problem() -> None:
    """Above one, nothing would ever be found, silently."""
    (problem,) = prompt_injection.POLICY.check(INJECTION | {"threshold": "1.5"})
    assert problem.path == "threshold"
