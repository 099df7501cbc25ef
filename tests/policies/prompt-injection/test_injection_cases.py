"""The cases beside this file, each judged at the default threshold unless it says otherwise."""

from pathlib import Path

import pytest

from detector_cases import Case, cases_below, check
from grokwarden.policies.prompt_injection import POLICY

DEFAULTS = {"threshold": "0.8", "attack_patterns": []}


@pytest.mark.parametrize("case", cases_below(Path(__file__).parent))
def test_case(case: Case) -> None:
    """What an author reads in the cases is what the sidecar does."""
    check(case, POLICY, DEFAULTS)
