"""How a call learns that its client has left: from our own server, which calls back, and from any other one."""

import asyncio

import pytest

from eventually import eventually
from grokwarden.edge.addresses import Address, address_of, listen
from grokwarden_sidecar.calls.connection import ClientConnection
from grokwarden_sidecar.serving.servers import HttpServer
from raw_client import connection, request_bytes

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Waiting:
    """An application that takes a body and then waits for its client to leave."""

    def __init__(self, tasks, *, extensions):
        self.tasks = tasks
        self.extensions = extensions
        self.is_waiting = False
        self.has_noticed = False

    async def __call__(self, scope, receive, send):
        given = scope if self.extensions else {**scope, "extensions": {}}
        client = ClientConnection(given, receive, send, path=b"/", tasks=self.tasks)
        await client.read_body(10_000_000)
        client.watch()
        self.is_waiting = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            client.absorb_cancellation()
            self.has_noticed = client.has_left
        finally:
            client.close()


@pytest.mark.parametrize("extensions", [True, False], ids=["our server", "another server"])
@pytest.mark.parametrize("size_bytes", [10, 100_000, 2_000_000])
async def test_a_hang_up_is_noticed_whatever_the_body(size_bytes, extensions):
    """The server stops reading while a large body waits to be taken, and whoever doesn't read sees no end."""
    listener = listen(Address(host="127.0.0.1", port=0), flag="--listen")
    async with asyncio.TaskGroup() as tasks:
        app = Waiting(tasks, extensions=extensions)
        server = HttpServer(app, listener, drain_seconds=1)
        running = tasks.create_task(server.serve_forever())
        await eventually(lambda: server.started)
        async with connection(address_of(listener).port) as (_, writer):
            writer.write(request_bytes("POST", "/", body=b"x" * size_bytes))
            await eventually(lambda: app.is_waiting)
        await eventually(lambda: app.has_noticed)
        server.stop()
        await running
