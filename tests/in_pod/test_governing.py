"""From the first configuration on the stream to governed calls, and what the pod lets be seen of it."""

import asyncio
import stat

import httpx

from answers import DONE, answer, chunk, read_events, text_of
from audit_logs import verify_directory
from eventually import eventually
from pod_bundles import KEY_NAME, bundle, forbidding, grok_target
from pod_trust import token_of
from sidecar import running_pod_sidecar


async def test_the_first_configuration_governs_calls(grok, operator, tmp_path):
    """The whole point: packs and keys come on the stream, and neither a file nor a restart is needed."""
    wanted = bundle(forbidding("verboten"), targets=(grok_target(grok.base_url),))
    grok.reply(json=answer("verboten"))
    grok.reply(json=answer())
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        assert await sidecar.readiness() == (503, "not ready: no policy is in force yet\n")
        early = await sidecar.chat()
        await operator.offer(wanted, {KEY_NAME: "xai-streamed"})
        await operator.ack_of(wanted.version)

        blocked_answer, allowed = await sidecar.chat(), await sidecar.chat()
        blocked = await sidecar.chat("verboten")
        record = await sidecar.record_of(allowed)

        assert (early.status_code, early.json()["error"]["code"]) == (503, "policy_unavailable")
        assert blocked.status_code == 400
        assert "verboten" not in blocked_answer.text
        assert allowed.json()["choices"][0]["message"]["content"] == "Fine."
        assert [request.header("authorization") for request in grok.requests] == ["Bearer xai-streamed"] * 2
        assert await sidecar.readiness() == (200, "ready\n")
        assert record["bundle"] == wanted.version
        assert (record["namespace"], record["pod"], record["service_account"]) == ("shop", "bot-7f9", "bot")
    assert verify_directory(sidecar.audit_dir).is_clean


async def test_the_request_for_a_stream_is_as_agreed(operator, tmp_path):
    """Identity by the token alone, one word for the process, and the parts that need not be sent."""
    wanted = bundle(forbidding("verboten"), targets=(grok_target(),))
    await operator.offer(wanted, {})
    async with running_pod_sidecar(tmp_path / "pod", operator):
        await operator.ack_of(wanted.version)
        first = await operator.stream()
        first.hang_up()
        again = await eventually(lambda: operator.streams and operator.streams[-1] is not first, timeout_seconds=10)
        await operator.ack_of(wanted.version, after=1)

    asked, asked_again = operator.requests_for("/v1/config/stream")
    [ack, ack_again] = [request for request in operator.requests_for("/v1/config/ack") if request.method == "POST"]
    digests = {ref.digest for ref in (*wanted.manifest.packs, *wanted.manifest.targets)}
    assert again
    assert {request.token for request in (asked, asked_again, ack, ack_again)} == {token_of()}
    assert len({request.headers["x-grokwarden-instance"] for request in operator.requests}) == 1
    assert asked.headers["accept-encoding"] == "zstd"
    assert asked.headers["x-grokwarden-parts"] == ""
    assert set(asked_again.headers["x-grokwarden-parts"].split(",")) == digests
    assert ack.body == ack_again.body


async def test_the_ack_names_every_pack_as_it_is_wanted(operator, tmp_path):
    """The pack's status is made of it: name, uid and generation are the manifest's, whatever else is known here."""
    wanted = bundle(
        (forbidding("one", name="shop/a"), 7), (forbidding("two", name="shop/b"), 3), targets=(grok_target(),)
    )
    await operator.offer(wanted, {})
    async with running_pod_sidecar(tmp_path / "pod", operator):
        ack = await operator.ack_of(wanted.version)

    fine = {"applied": True, "reason": "", "message": ""}
    assert ack["packs"] == [
        {"name": "shop/a", "uid": "uid-of-shop/a", "generation": 7, **fine},
        {"name": "shop/b", "uid": "uid-of-shop/b", "generation": 3, **fine},
    ]


async def test_a_call_keeps_the_bundle_it_began_with(grok, operator, tmp_path):
    """A stream that is judged by two packs, each for a half of it, would be judged by neither."""
    gate = asyncio.Event()
    grok.stream([chunk("begun "), gate, chunk("second " * 100), chunk(finish="stop"), DONE])
    target = grok_target(grok.base_url)
    before = bundle(forbidding("first"), targets=(target,))
    after = bundle((forbidding("second"), 2), targets=(target,))
    await operator.offer(before, {KEY_NAME: "xai-key"})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(before.version)
        async with sidecar.stream() as response:
            body = response.aiter_raw()
            begun = await anext(body)
            await operator.offer(after)
            await operator.ack_of(after.version)
            assert (await sidecar.chat("second")).status_code == 400
            gate.set()
            events = read_events(begun + b"".join([piece async for piece in body]))

        assert text_of(events).endswith("second ")
        assert events[-1] == "[DONE]"
        assert (await sidecar.record_of(response))["bundle"] == before.version


async def test_only_parts_that_are_new_have_to_travel(operator, tmp_path):
    """A fleet's edit of one pack must not send all the others again, and an edit that is taken back sends nothing."""
    kept = forbidding("two", name="shop/b")
    first = bundle(forbidding("one", name="shop/a"), kept, targets=(grok_target(),))
    second = bundle((forbidding("other", name="shop/a"), 2), kept, targets=(grok_target(),))
    await operator.offer(first, {})
    async with running_pod_sidecar(tmp_path / "pod", operator):
        await operator.ack_of(first.version)
        await operator.offer(second)
        await operator.ack_of(second.version)
        stream = await operator.stream()
        sent = list(stream.sent_parts)
        stream.hang_up()
        await operator.offer(first)
        await operator.ack_of(first.version, after=2)

    old, new = (ref.digest for ref in (first.manifest.packs[0], second.manifest.packs[0]))
    held = operator.requests_for("/v1/config/stream")[1].headers["x-grokwarden-parts"].split(",")
    assert sent == [*(ref.digest for ref in (*first.manifest.packs, *first.manifest.targets)), new]
    assert old in held


async def test_what_is_in_force_is_told_on_the_socket_alone(operator, tmp_path):
    """To the application, which can reach the pod's ports, ``/explain`` would say how to get by."""
    wanted = bundle(forbidding("verboten"), targets=(grok_target(),))
    await operator.offer(wanted, {KEY_NAME: "xai-key"})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(wanted.version)
        on_port = [
            (await sidecar.admin("/config")).status_code,
            (await sidecar.http.post(f"{sidecar.admin_url}/explain", content=b"{}")).status_code,
            *[(await sidecar.admin(path)).status_code for path in ("/metrics", "/healthz", "/readyz")],
        ]
        told = await sidecar.configuration()
        mode = stat.S_IMODE(sidecar.config_socket.stat().st_mode)
        transport = httpx.AsyncHTTPTransport(uds=str(sidecar.config_socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://sidecar") as client:
            asked = {"model": "grok-4.3", "messages": [{"role": "user", "content": "verboten"}]}
            explained = (await client.post("/explain", json=asked)).json()

    assert on_port == [404, 404, 200, 200, 200]
    assert mode == 0o600
    assert explained["decided_by"] == "shop/gateway/safety"
    assert told["bundle"] == wanted.version
    assert told["manifest"]["packs"][0]["generation"] == 1
    assert told["wanted"] is None
    assert told["refused"] == []
    assert told["stream"]["url"] == f"{operator.url}/v1/config/stream"
    assert told["stream"]["connected_since"] > 0
    assert told["staleness_seconds"] == 0
    assert not sidecar.config_socket.exists()


async def test_metrics_say_which_generation_runs(operator, tmp_path):
    """Dashboards compare it with the resource's; a pack that is gone must not stay there for ever."""
    one = bundle((forbidding("one", name="shop/a"), 7), forbidding("two", name="shop/b"), targets=(grok_target(),))
    two = bundle((forbidding("one", name="shop/a"), 8), targets=(grok_target(),))
    await operator.offer(one, {})
    async with running_pod_sidecar(tmp_path / "pod", operator) as sidecar:
        await operator.ack_of(one.version)
        before = await sidecar.metrics()
        await operator.offer(two)
        await operator.ack_of(two.version)
        after = await sidecar.metrics()

    generation, applied = "grokwarden_config_generation", "grokwarden_config_apply_total"
    assert (before.value(generation, pack="shop/a"), before.value(generation, pack="shop/b")) == (7, 1)
    assert [labels["pack"] for labels in after.label_sets(generation)] == ["shop/a"]
    assert after.value(generation, pack="shop/a") == 8
    assert after.value(applied, result="applied") == 2
    assert after.value("grokwarden_config_staleness_seconds") == 0
