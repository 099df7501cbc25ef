"""What the port of metrics and probes answers, on a real socket, and how its server ends."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from grokwarden.edge.addresses import Address, address_of, listen
from grokwarden.errors import SettingsError
from grokwarden_operator.metrics import OperatorMetrics
from grokwarden_operator.probes import probe_app
from grokwarden_operator.serving import serve

ANYWHERE = Address(host="127.0.0.1", port=0)


class State:
    """What the operator would say of itself."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.unready: list[str] = []
        self.remarks: list[str] = []


@pytest.fixture
def state():
    return State()


@pytest.fixture
async def probes(state):
    """A client of a served port."""
    app = probe_app(
        metrics=OperatorMetrics().render,
        troubles=lambda: state.troubles,
        unready=lambda: state.unready,
        remarks=lambda: state.remarks,
    )
    async with serving(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        yield client


@contextlib.asynccontextmanager
async def serving(app, *, ends_at_once: bool = False):
    """The address of a server that runs."""
    listener = listen(ANYWHERE, flag="--listen-http")
    server = serve(app, listener, graceful_seconds=1.0)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve_forever())
        yield address_of(listener)
        server.stop(at_once=ends_at_once)
        await running


async def test_healthz_is_ok_until_there_is_trouble_and_then_tells_each(probes, state):
    """The kubelet restarts the process for it, and a person reads it to learn why."""
    assert ((answer := await probes.get("/healthz")).status_code, answer.text) == (200, "ok\n")

    state.troubles = ["the watch of Pod is deaf since 90 s", "a second\nreason"]
    answer = await probes.get("/healthz")
    assert (answer.status_code, answer.text) == (500, "the watch of Pod is deaf since 90 s\na second reason\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_readyz_tells_what_it_waits_for(probes, state):
    """Sidecars must not be sent to a replica that can't serve them."""
    state.unready = ["no list of PolicyPack yet"]
    state.remarks = ["the API server does not answer"]
    answer = await probes.get("/readyz")

    assert answer.status_code == 503
    assert answer.text == "no list of PolicyPack yet\nthe API server does not answer\n"


async def test_it_stays_ready_without_the_api_server_and_says_so(probes, state):
    """Sidecars that reconnect during an outage are served from memory; unready, nobody would reach that memory."""
    state.remarks = ["the API server does not answer: serving from memory"]
    answer = await probes.get("/readyz")

    assert (answer.status_code, answer.text) == (200, "ready\nthe API server does not answer: serving from memory\n")


async def test_metrics_are_in_the_text_format(probes):
    """Prometheus takes them by their content type."""
    answer = await probes.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE grokwarden_operator_reconcile_seconds histogram" in answer.text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/docs", "/openapi.json", "/v1/config/stream", "/healthz/x"])
async def test_nothing_else_is_there(probes, path):
    """The port is open to the whole cluster, without a word of authentication."""
    answer = await probes.get(path)

    assert answer.status_code == 404
    assert answer.text == "there are only /metrics, /healthz, /readyz\n"


async def test_nothing_can_be_written(probes):
    """A probe is asked, never told."""
    assert (await probes.post("/healthz")).status_code == 405
    assert "server" not in (await probes.get("/healthz")).headers


def test_an_address_that_is_taken_is_told_with_its_flag():
    """A person has to know which of the ports to change."""
    with contextlib.closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Address(host="127.0.0.1", port=other.getsockname()[1])
        with pytest.raises(SettingsError, match=r"--listen-http 127.0.0.1:\d+: can't listen there \(Address already"):
            listen(taken, flag="--listen-http")


@pytest.mark.parametrize("ends_at_once", [False, True])
async def test_a_stream_that_does_not_end_is_ended_with_the_server(ends_at_once):
    """An open stream must not hold up a shutdown until the kubelet kills the process."""
    ended = asyncio.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(endless, ends_at_once=ends_at_once) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"x")
        loop = asyncio.get_running_loop()
        began = loop.time()

    assert loop.time() - began < 3
    assert ended.is_set()
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()


SERVER = """
import asyncio, signal
from grokwarden.edge.addresses import listen
from grokwarden_operator.serving import serve
from grokwarden.edge.addresses import Address

async def app(scope, receive, send):
    pass

async def main():
    server = serve(app, listen(Address(host="127.0.0.1", port=0), flag="x"))
    loop = asyncio.get_running_loop()

    def end_streams():
        print("told", flush=True)
        loop.call_later(0.5, stop)

    def stop():
        print("streams have ended", flush=True)
        server.stop()

    loop.add_signal_handler(signal.SIGTERM, end_streams)
    print("ready", flush=True)
    await server.serve_forever()
    print("drained", flush=True)

asyncio.run(main())
"""


async def test_a_signal_is_the_processs_own_affair():
    """Uvicorn would end its server at the signal, and there is something to be done before that: streams end first."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()

    assert (process.returncode, output, errors) == (0, b"told\nstreams have ended\ndrained\n", b"")
