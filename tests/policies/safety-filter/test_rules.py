"""The built-in rules as a whole: names that users rely on, and patterns that RE2 takes."""

from pathlib import Path

import pytest

from grokwarden.policies.rules.detector import Rule
from grokwarden.policies.rules.injection import INJECTION_RULES
from grokwarden.policies.rules.safety import ANSWER_RULES, REQUEST_RULES
from grokwarden.text.patterns import refusal

DOCS = Path(__file__).parents[3] / "docs" / "policies"
ALL = {
    "prompt-injection": INJECTION_RULES,
    "safety-filter requests": REQUEST_RULES,
    "safety-filter answers": ANSWER_RULES,
}


@pytest.mark.parametrize("rules", ALL.values(), ids=ALL)
def test_rules_are_usable_and_have_names_of_their_own(rules: tuple[Rule, ...]) -> None:
    """Two rules of one name would count twice and could not be told apart in a record."""
    assert [rule.name for rule in rules if refusal(rule.pattern) is not None] == []
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(0 < rule.weight <= 1 for rule in rules)


@pytest.mark.parametrize(
    ("page", "rules"),
    [("prompt-injection.md", INJECTION_RULES), ("safety-filter.md", (*REQUEST_RULES, *ANSWER_RULES))],
)
def test_the_page_lists_every_rule_with_its_weight(page: str, rules: tuple[Rule, ...]) -> None:
    """Whoever reads a rule's name in a record looks it up there."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [rule.name for rule in rules if f"`{rule.name.rpartition('/')[2]}` {rule.weight:g}" not in text] == []
