"""The call begins with the instructions that its owner prescribes."""

from pathlib import Path

import pytest

from call_cases import CallCase, call_cases, check_call


@pytest.mark.parametrize("case", call_cases(Path(__file__).parent))
def test_case(case: CallCase) -> None:
    """What an author reads in the cases is what the sidecar does."""
    check_call(case, "system-prompt-guard")
