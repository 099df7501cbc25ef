"""The log is read by more people than Secrets and tokens are meant for."""

import json
import subprocess
import sys

PROGRAM = """
import asyncio, logging, structlog
from grokwarden.edge.logs import LogFormat, LogLevel, configure_logs, log_stray_error
configure_logs(level=LogLevel.DEBUG, form=LogFormat.JSON)

def fail():
    token = "verboten"
    raise ValueError(f"can't use {token}")

async def stray():
    asyncio.get_running_loop().set_exception_handler(log_stray_error)
    task = asyncio.get_running_loop().create_task(asyncio.to_thread(fail))
    await asyncio.wait([task])

for library in ("kopf", "kopf.objects", "kubernetes.aio.client.rest", "aiohttp.access", "uvicorn.error", "asyncio"):
    logging.getLogger(library).debug("response body: verboten")
    logging.getLogger(library).info("GET verboten")
logging.getLogger("kopf").warning("the watch ended")
try:
    fail()
except ValueError as error:
    logging.getLogger("kopf").error("it failed", exc_info=error)
    structlog.stdlib.get_logger("grokwarden_operator.somewhere").exception("it_failed")
structlog.stdlib.get_logger("grokwarden_operator.somewhere").debug("looked", count=3)
structlog.stdlib.get_logger("grokwarden.compiler").debug("looked")
asyncio.run(stray())
"""


def run() -> tuple[str, list[dict[str, object]]]:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    return ended.stderr, [json.loads(line) for line in ended.stderr.splitlines()]


def test_libraries_are_heard_from_warnings_on_whatever_the_level():
    """At `debug` a Kubernetes client logs whole bodies, and a body may be a Secret's."""
    text, events = run()

    assert [(event["level"], event["event"]) for event in events] == [
        ("warning", "the watch ended"),
        ("error", "it failed"),
        ("error", "it_failed"),
        ("debug", "looked"),
        ("debug", "looked"),
        ("error", "error_unhandled"),
    ]
    assert events[3]["count"] == 3
    assert "verboten" not in text


def test_of_an_exception_only_its_type_and_place_are_logged():
    """Its text may hold whatever it failed on."""
    _, events = run()
    told = [(event["error"], event["at"]) for event in events if "error" in event]

    assert told == [("ValueError", "<string>:8")] * 3
