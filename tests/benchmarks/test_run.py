"""The benchmark, run once in small: a benchmark that nobody runs measures a program that no longer exists."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_quick_run_measures_every_proxy():
    """Every call of it must be answered, or it fails; how fast is no matter here."""
    command = [sys.executable, "benchmarks/run.py", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)

    assert list(results["samples"]) == ["pass-through", "routing only", "request steps only", "whole chain"]
    for sample in results["samples"].values():
        assert all(figures for figures in sample.values())
        assert min(sample["call_us"] + sample["chunk_us"]) > 0
    assert len(results["aims"]) == 5
