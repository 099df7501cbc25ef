"""A provider that fails, as the OpenAI SDK shows it through the sidecar: always an error, never a short answer."""

import asyncio
import time

import openai
import pytest

from grokwarden_sidecar.simulate import Script

pytestmark = pytest.mark.asyncio(loop_scope="session")

HELLO = [{"role": "user", "content": "Good morning"}]


async def test_a_cut_stream_is_an_error(client, grok):
    """A clean end without ``[DONE]`` raises nothing in the SDK: half an answer would pass for a whole one."""
    grok.next(Script(cut_after=3))
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)
    seen = [await anext(stream) for _ in range(3)]

    with pytest.raises(openai.APIError) as caught:
        await anext(stream)

    assert caught.value.code == "stream_interrupted"
    assert all(chunk.choices[0].finish_reason is None for chunk in seen)


async def test_a_cut_stream_is_an_error_for_the_synchronous_client(sync_client, grok):
    """It reads the end of a stream in other code."""
    grok.next(Script(cut_after=3))

    def read():
        return list(sync_client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True))

    with pytest.raises(openai.APIError):
        await asyncio.to_thread(read)


@pytest.mark.parametrize("script", [Script(no_done=True), Script(empty=True)], ids=["no [DONE]", "no event"])
async def test_a_stream_without_its_end_is_an_error(client, grok, script):
    """Nobody knows whether more was to come."""
    grok.next(script)
    stream = await client.chat.completions.create(model="grok-4.3", messages=HELLO, stream=True)

    with pytest.raises(openai.APIError):
        assert [chunk async for chunk in stream]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_in_a_200_is_an_error(client, grok, stream):
    """XAI answers so at times; of a stream the SDK alone would make an empty answer."""
    grok.next(Script(ok_error=True, times=3))

    with pytest.raises(openai.APIStatusError) as caught:
        await client.with_options(max_retries=0).chat.completions.create(
            model="grok-4.3", messages=HELLO, stream=stream
        )

    assert caught.value.status_code == 502
    assert caught.value.code
    assert len(grok.calls) == 1


@pytest.mark.parametrize("script", [Script(garbage=True), Script(empty=True), Script(cut_after=1)])
async def test_an_answer_that_is_none_is_an_error(client, grok, script):
    """What can't be read can't be checked, so it is not passed on."""
    grok.next(script)

    with pytest.raises(openai.InternalServerError) as caught:
        await client.with_options(max_retries=0).chat.completions.create(model="grok-4.3", messages=HELLO)

    assert caught.value.status_code == 502
    assert caught.value.request_id


async def test_the_sdk_retries_what_may_pass(client, grok):
    """A 503 is the client's to try again: with its own two retries the third attempt succeeds, ours are none."""
    grok.next(Script(status=503, times=2))

    completion = await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    assert completion.choices[0].finish_reason == "stop"
    assert [call.status for call in grok.calls] == [503, 503, 200]


async def test_the_sdk_gives_up_with_the_providers_error(client, grok):
    """Status, code and text are the provider's, in the shape that the SDK reads."""
    grok.next(Script(status=503, message="Overloaded, try later.", times=3))

    with pytest.raises(openai.InternalServerError) as caught:
        await client.with_options(max_retries=1).chat.completions.create(model="grok-4.3", messages=HELLO)

    assert (caught.value.status_code, len(grok.calls)) == (503, 2)
    assert "Overloaded, try later." in caught.value.message
    assert caught.value.code


async def test_the_provider_says_how_long_to_wait(client, grok):
    """``retry-after`` crosses the sidecar, and the SDK keeps to it."""
    grok.next(Script(status=429, retry_after=1))
    started = time.monotonic()

    await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    assert time.monotonic() - started >= 1
    assert [call.status for call in grok.calls] == [429, 200]


async def test_a_key_that_the_provider_rejects_is_not_the_applications_fault(client, grok):
    """XAI's 400 would send a developer looking at their own key, which is never used."""
    grok.next(Script(status=400, message="Incorrect API key provided: xa***et.", times=3))

    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model="grok-4.3", messages=HELLO)

    assert caught.value.code == "provider_credentials_rejected"
    assert "shop/xai-grok" in caught.value.message
    assert "XAI_API_KEY" in caught.value.message
    assert len(grok.calls) == 1
