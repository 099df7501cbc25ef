"""What one author may write must not take anything from the others: real objects, a real operator."""

import json
from pathlib import Path

from eventually import eventually
from running_operator import running_operator
from scene import Scene, pack

DEPTH = 9900
"""Nearly as deep as an API server takes."""


def bottomless() -> str:
    """A pack with a test whose body is nested deeper than anybody here can read."""
    request = {"body": {"messages": [{"role": "user", "content": "hi"}], "metadata": "@"}}
    test = {"name": "deep", "request": request, "expect": {"action": "Allow"}}
    text = json.dumps(pack(name="bottomless", tests=[test]))
    return text.replace('"@"', '{"a":' * DEPTH + "1" + "}" * DEPTH)


async def test_an_object_that_nobody_can_read_takes_nothing_from_the_others(scene: Scene, tmp_path: Path):
    """In a list of all packs, and in a watch of them, one author's object stands beside everybody's."""
    async with scene.sidecar() as sidecar:
        await scene.kubectl.apply(pack("first"))
        await scene.programmed()
        await scene.kubectl("create", "--filename=-", stdin=bottomless())
        failed = ("wait", "--for=jsonpath={.status.conditions[?(@.type=='TestsPassed')].status}=False", "pp/bottomless")
        await scene.kubectl(*failed, "--timeout=10s")
        await scene.kubectl.apply(pack("second"))
        await scene.programmed(seconds=5)

        assert (await sidecar.chat("say second")).status_code == 400
        assert (await scene.operator.probe("/healthz")).status_code == 200
        assert not scene.operator.events("watches_ended")

    async with running_operator(tmp_path, scene.admin, secret_namespaces=[scene.namespace]) as another:
        await eventually(lambda: another.events("first_round_published"), timeout_seconds=10)
        assert (await another.probe("/readyz")).status_code == 200
