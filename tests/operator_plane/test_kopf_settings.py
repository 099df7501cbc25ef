"""How kopf is set up, where a default of its own would hurt late."""

from itertools import islice

from grokwarden_operator.watching.kopf_settings import ListeningTimings, kopf_settings


def test_kopf_never_gives_up_and_never_rests_long():
    """By default it rests up to 21 s after an outage of a minute, and then ends altogether."""
    pauses = list(islice(kopf_settings(ListeningTimings()).networking.error_backoffs, 10_000))

    assert len(pauses) == 10_000
    assert max(pauses) == 2.0
    assert pauses[0] < 0.5


def test_kopf_can_be_asked_twice():
    """Each request begins with the short pauses again."""
    backoffs = kopf_settings(ListeningTimings()).networking.error_backoffs

    assert next(iter(backoffs)) == next(iter(backoffs))


def test_a_dead_connection_is_given_up_soon_after_the_api_server_would_have_ended_it():
    """A living watch is ended by the API server; one that is silent for longer is dead."""
    watching = kopf_settings(ListeningTimings(watch_seconds=30, silence_seconds=10.0)).watching

    assert (watching.server_timeout, watching.inactivity_timeout) == (30, 40.0)


def test_kopf_posts_nothing_and_kills_nobody():
    """Its Events would be noise in every namespace; its last resort is a SIGKILL to the process that it shares."""
    settings = kopf_settings(ListeningTimings())

    assert not settings.posting.enabled
    assert settings.process.ultimate_exiting_timeout is None
    assert settings.scanning.disabled
