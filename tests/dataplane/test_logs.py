"""The log is read by more people than the calls are meant for."""

import json
import subprocess
import sys

PROGRAM = """
import asyncio, logging, structlog
from grokwarden.edge.logs import LogFormat, LogLevel, configure_logs, log_stray_error
configure_logs(level=LogLevel.INFO, form=LogFormat.JSON)

def fail():
    prompt = "verboten"
    raise ValueError(f"can't read {prompt}")

async def stray():
    asyncio.get_running_loop().set_exception_handler(log_stray_error)
    task = asyncio.get_running_loop().create_task(asyncio.to_thread(fail))
    await asyncio.wait([task])

try:
    fail()
except ValueError as error:
    logging.getLogger("some.library").error("it failed", exc_info=error)
    logging.getLogger("some.library").exception("it failed again")
    structlog.stdlib.get_logger("ours").exception("it_failed")
asyncio.run(stray())
"""


def test_of_an_exception_only_its_type_and_place_are_logged():
    """Its text may hold the prompt that caused it, whichever library logs it."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    events = [json.loads(line) for line in ended.stderr.splitlines()]

    assert [event["event"] for event in events] == ["it failed", "it failed again", "it_failed", "error_unhandled"]
    assert [event["error"] for event in events] == ["ValueError"] * 4
    assert [event["at"] for event in events] == ["<string>:8"] * 4
    assert "verboten" not in ended.stderr
    assert "exc_info" not in ended.stderr
