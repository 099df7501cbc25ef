"""The convergence benchmark, run once in small: one that nobody runs measures a program that no longer exists."""

import asyncio
import json
import sys
from pathlib import Path

from e2e.cluster.control_plane import ControlPlane

ROOT = Path(__file__).parents[2]


async def test_a_quick_run_measures_everything(control_plane: ControlPlane):
    """Every sidecar of it must end up with what was applied last, or it fails; how fast is no matter here."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.convergence", "--quick", "--json"),
        f"--kubeconfig={control_plane.kubeconfig}",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(150):
            stdout, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, stderr.decode()
    results = json.loads(stdout)

    [size] = results["sizes"]
    assert size["sidecars"] == 4
    assert [len(change["acks"]) for change in size["changes"]["changes"]] == [4, 4]
    assert all(0 < change["applied"] < change["programmed"] for change in size["changes"]["changes"])
    assert [len(change["acks"]) for change in size["quiet"]["changes"]] == [4]
    assert [burst["packs"] for burst in size["bursts"]] == [1, 2]
    assert all(1 <= count <= 6 for burst in size["bursts"] for count in burst["manifests"])
    [storm] = size["storms"]
    assert len(storm["acks"]) == 4
    assert min(storm["connects"]) >= 1
    costs = [size[phase]["cost"] for phase in ("quiet", "changes")] + [each["cost"] for each in size["bursts"]]
    assert all(cost["peak_mib"] >= cost["resident_mib"] > 0 for cost in costs)
    assert size["changes"]["cost"]["acks"] == 8
    assert [aim["limit"] for aim in results["aims"]] == [1.0, 250.0]
