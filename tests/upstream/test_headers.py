"""What crosses the sidecar, in both directions."""

import pytest

from grokwarden_sidecar.calls.headers import client_headers, provider_headers, retry_after_seconds, with_key
from grokwarden_sidecar.configuration.keys import Key


@pytest.mark.parametrize(
    "name",
    [
        b"authorization", b"x-api-key", b"api-key", b"cookie", b"x-policy-decision", b"x-policy-pack", b"host",
        b"content-length", b"transfer-encoding", b"connection", b"accept-encoding", b"x-forwarded-for", b"expect",
        b"proxy-authorization", b"openai-organization", b"x-anything-new",
    ],
)  # fmt: skip
def test_what_is_not_listed_never_leaves(name):
    """A header that we did not think of may carry a key or steer the provider."""
    headers = provider_headers([(name, b"canary")])

    assert "canary" not in headers.values()
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "name",
    [
        "content-type", "accept", "x-grok-conv-id", "x-client-request-id", "idempotency-key", "xai-sdk-version",
        "xai-sdk-language", "traceparent", "tracestate", "user-agent",
    ],
)  # fmt: skip
def test_what_the_provider_needs_arrives(name):
    """Cache routing, tracing and idempotency break without them."""
    assert provider_headers([(name.encode(), b"value")])[name] == "value"


@pytest.mark.parametrize("value", [b"a\r\nx-evil: 1", b"a\x00b", b"a\tb", "é".encode(), b"\xff"])
def test_a_value_that_is_not_printable_ascii_is_dropped(value):
    """It could break the request apart, or come out as other bytes than it went in."""
    assert "x-grok-conv-id" not in provider_headers([(b"x-grok-conv-id", value)])


def test_the_first_of_repeated_headers_counts():
    """Two content types are a way to be read differently by two servers."""
    headers = provider_headers([(b"content-type", b"application/json"), (b"content-type", b"text/plain")])

    assert headers["content-type"] == "application/json"


def test_the_key_is_the_targets():
    """The application never holds it, and its own never leaves."""
    common = provider_headers([(b"authorization", b"Bearer dummy")])

    assert with_key(common, Key.of(b"xai-1"))["authorization"] == "Bearer xai-1"
    assert "authorization" not in with_key(common, None)
    assert "authorization" not in common


def test_the_client_gets_what_it_can_use_and_no_cookie():
    """Rate limits, request id and timing help; a cookie or a policy header of the provider's would mislead."""
    provider = [
        (b"Content-Type", b"text/event-stream"),
        (b"X-Request-Id", b"r1"),
        (b"x-ratelimit-remaining-requests", b"9"),
        (b"x-metrics-ttft-ms", b"120"),
        (b"retry-after", b"2"),
        (b"x-should-retry", b"false"),
        (b"x-zero-data-retention", b"true"),
        (b"Set-Cookie", b"__cf_bm=1"),
        (b"x-policy-decision", b"allow"),
        (b"content-length", b"12"),
        (b"transfer-encoding", b"chunked"),
        (b"openai-organization", b"user-of-the-key"),
        (b"location", b"https://elsewhere"),
    ]

    assert [name for name, _ in client_headers(provider)] == [
        b"content-type", b"x-request-id", b"x-ratelimit-remaining-requests", b"x-metrics-ttft-ms", b"retry-after",
        b"x-should-retry", b"x-zero-data-retention",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 0.0),
        ([(b"Retry-After", b"7")], 7.0),
        ([(b"retry-after", b" 1.5 ")], 1.5),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"9")], 0.25),
        (
            [(b"retry-after", b"Sun, 22 Nov 2026 10:00:30 GMT"), (b"date", b"Sun, 22 Nov 2026 10:00:00 GMT")],
            30.0,
        ),
        ([(b"retry-after", b"Sun, 22 Nov 2026 10:00:30 GMT")], 0.0),
        ([(b"retry-after", b"soon")], 0.0),
        ([(b"retry-after", b"-5")], 0.0),
        ([(b"retry-after-ms", b"inf")], 0.0),
        ([(b"retry-after", b"\xff")], 0.0),
    ],
)
def test_retry_after_is_understood_in_all_its_forms(headers, seconds):
    """Asking again too early makes a rate limit worse; nonsense must not break the call."""
    assert retry_after_seconds(headers) == seconds
