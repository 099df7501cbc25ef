"""The names in audit records are the token's own; what it doesn't say is empty, and nothing depends on it."""

import pytest

from grokwarden_sidecar.call_log import Identity
from grokwarden_sidecar.pod_identity import NOBODY, identity_in
from pod_trust import token_of


def test_the_pod_is_who_its_token_says():
    """Nothing else in the container is made by the API server."""
    assert identity_in(token_of()) == Identity(namespace="shop", pod="bot-7f9", service_account="bot")


def test_a_token_that_says_less_gives_less():
    """Tokens of other audiences or older clusters have no pod in them."""
    claims = {"kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "bot"}}}

    assert identity_in(token_of(claims)) == Identity(namespace="shop", pod="", service_account="bot")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "word",
        "a.b",
        "a.!!!.c",
        "a.b.c.d",
        "..",
        token_of({}),
        token_of({"kubernetes.io": {"pod": 7}}),
        token_of({"kubernetes.io": None}),
        "a.é.c",
    ],
)
def test_whatever_is_no_such_token_gives_nobody(token):
    """A record is written with or without names; a call is never refused for them."""
    assert identity_in(token) == NOBODY
