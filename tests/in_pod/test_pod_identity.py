"""The names in audit records are the token's own; what it doesn't say is empty, and nothing depends on it."""

import pytest

from grokwarden.edge.addresses import Address
from grokwarden_sidecar.calls.call_log import Identity
from grokwarden_sidecar.in_pod import InPod
from grokwarden_sidecar.settings import SidecarSettings
from grokwarden_sidecar.stream.pod_identity import NOBODY, identity_in
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


async def test_the_names_are_known_before_the_first_call(tmp_path):
    """After a restart calls are served from what was in force, whether or not the operator can be reached."""
    (tmp_path / "token").write_text(token_of())
    supply = InPod(
        SidecarSettings(
            listen=Address(host="127.0.0.1", port=0),
            admin=Address(host="127.0.0.1", port=0),
            audit_dir=tmp_path / "audit",
            operator="https://127.0.0.1:9",
            ca_file=tmp_path / "none",
            token_file=tmp_path / "token",
            state_dir=tmp_path / "state",
            config_socket=tmp_path / "admin.sock",
        )
    )
    assert supply.identity == NOBODY

    await supply.begin(None, None)

    assert supply.identity.pod == "bot-7f9"
