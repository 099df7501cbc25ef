"""The watchdog tells a deaf watch from a quiet one, and from an API server that is away."""

import pytest

from grokwarden_operator.listing import Kind
from grokwarden_operator.watching.watchdog import Trouble, Watchdog, WatchdogTimings

PACK = Kind.POLICY_PACK
OTHERS = [kind for kind in Kind if kind is not PACK]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(clock: Clock) -> Watchdog:
    return Watchdog(clock, WatchdogTimings(deaf_seconds=60.0, open_seconds=15.0, grace_seconds=10.0, calm_seconds=60.0))


def pass_seconds(clock: Clock, watchdog: Watchdog, seconds: int, *, alive: list[Kind]) -> None:
    """Time passes; those that are alive are opened anew every half minute."""
    for second in range(seconds):
        clock.now += 1
        if second % 30 == 0:
            for kind in alive:
                watchdog.opened(kind)


def test_a_quiet_watch_that_is_opened_anew_is_alive(watchdog: Watchdog, clock: Clock):
    """In most clusters nobody edits a policy for days."""
    pass_seconds(clock, watchdog, 3600, alive=list(Kind))

    assert not any(watchdog.is_to_be_probed(kind) for kind in Kind)
    assert watchdog.healthy()


def test_a_silent_watch_is_deaf_once_the_api_server_was_seen_to_answer_for_a_while(watchdog: Watchdog, clock: Clock):
    pass_seconds(clock, watchdog, 61, alive=OTHERS)

    assert [kind for kind in Kind if watchdog.is_to_be_probed(kind)] == [PACK]
    assert not watchdog.probed(PACK, answers=True)
    assert not watchdog.is_to_be_probed(PACK)
    pass_seconds(clock, watchdog, 10, alive=OTHERS)
    assert watchdog.is_to_be_probed(PACK)
    assert watchdog.probed(PACK, answers=True)
    assert watchdog.ages()[PACK] == 71


def test_an_api_server_that_is_away_makes_nobody_deaf(watchdog: Watchdog, clock: Clock):
    """Restarting anything would not bring it back; and just after it is back the watches need a moment."""
    for _ in range(600):
        pass_seconds(clock, watchdog, 1, alive=[])
        for kind in Kind:
            if watchdog.is_to_be_probed(kind):
                assert not watchdog.probed(kind, answers=False)
    assert watchdog.healthy()

    assert not watchdog.probed(PACK, answers=True)
    clock.now += 2
    watchdog.opened(PACK)
    clock.now += 20
    assert not watchdog.is_to_be_probed(PACK)


def test_a_restart_is_given_time_but_not_too_much(watchdog: Watchdog, clock: Clock):
    """It has to list everything first. But kopf looks once which kinds there are, and never again for one it missed."""
    pass_seconds(clock, watchdog, 100, alive=OTHERS)
    watchdog.restarting(Trouble.SILENT, PACK)
    watchdog.started()

    pass_seconds(clock, watchdog, 15, alive=OTHERS)
    assert not watchdog.is_to_be_probed(PACK)
    assert watchdog.ages()[PACK] == 115
    pass_seconds(clock, watchdog, 1, alive=OTHERS)
    assert watchdog.is_to_be_probed(PACK)


def test_a_long_list_is_a_sign_of_life(watchdog: Watchdog, clock: Clock):
    """Ten thousand pods take a while; what is being told is not deaf."""
    clock.now += 1
    watchdog.started()
    for number in range(30):
        clock.now += 1
        watchdog.told(PACK, f"uid-{number}", 1, is_change=False)

    assert not watchdog.is_to_be_probed(PACK)


def test_a_suspicion_ends_with_a_sign_of_life(watchdog: Watchdog, clock: Clock):
    """An old suspicion must not shorten the next one."""
    pass_seconds(clock, watchdog, 61, alive=OTHERS)
    watchdog.probed(PACK, answers=True)
    watchdog.told(PACK, "uid", 1, is_change=True)

    pass_seconds(clock, watchdog, 61, alive=OTHERS)

    assert not watchdog.probed(PACK, answers=True)


def test_an_object_that_only_a_list_shows_gives_a_watch_away(watchdog: Watchdog, clock: Clock):
    """It is open, it is opened anew, and still it tells nothing."""
    watchdog.listed(PACK, {"uid": 7}, lambda _: True)
    pass_seconds(clock, watchdog, 10, alive=list(Kind))
    assert not watchdog.is_undelivered(PACK)

    clock.now += 1

    assert watchdog.is_undelivered(PACK)
    assert not any(watchdog.is_undelivered(kind) for kind in OTHERS)


@pytest.mark.parametrize(("version", "is_undelivered"), [(6, True), (7, False), (8, False)])
def test_only_that_version_or_a_newer_one_settles_it(
    watchdog: Watchdog, clock: Clock, version: int, is_undelivered: bool
):
    """An old event that was under way proves nothing."""
    watchdog.listed(PACK, {"uid": 7}, lambda _: True)
    watchdog.told(PACK, "uid", version, is_change=True)

    clock.now += 11

    assert watchdog.is_undelivered(PACK) is is_undelivered


def test_lists_do_not_put_off_what_is_overdue(watchdog: Watchdog, clock: Clock):
    """An object that is edited all the time, with a list after each edit, would hide a deaf watch for ever."""
    for version in range(7, 19):
        watchdog.listed(PACK, {"uid": version}, lambda _: True)
        clock.now += 1

    assert watchdog.is_undelivered(PACK)


def test_what_is_gone_is_not_waited_for(watchdog: Watchdog, clock: Clock):
    """An object that came and went while kopf was listing is never told of."""
    watchdog.listed(PACK, {"uid": 7}, lambda _: True)
    watchdog.listed(PACK, {}, lambda _: False)
    clock.now += 11

    assert not watchdog.is_undelivered(PACK)


def test_three_restarts_in_a_row_that_do_not_help_are_no_secret(watchdog: Watchdog, clock: Clock):
    """Only a new process may help then; before that, killing it would cut streams for nothing."""
    for restart in range(3):
        assert watchdog.healthy(), restart
        pass_seconds(clock, watchdog, 71, alive=OTHERS)
        watchdog.restarting(Trouble.SILENT, PACK)
        watchdog.started()

    assert not watchdog.healthy()
    assert watchdog.restarts == 3
    pass_seconds(clock, watchdog, 61, alive=list(Kind))
    assert watchdog.healthy()


def test_restarts_that_helped_for_a_while_are_not_counted_together(watchdog: Watchdog, clock: Clock):
    """A network that breaks a connection every hour is no reason to die."""
    for _ in range(10):
        pass_seconds(clock, watchdog, 3600, alive=list(Kind))
        watchdog.restarting(Trouble.ENDED, None)
        watchdog.started()
        assert watchdog.healthy()
    assert watchdog.restarts == 10


def test_a_watch_that_told_nothing_is_believed_again_only_when_it_tells_something(watchdog: Watchdog, clock: Clock):
    """It was always open; what it lists at its start it would list deaf, too."""
    for _ in range(3):
        pass_seconds(clock, watchdog, 300, alive=list(Kind))
        watchdog.restarting(Trouble.UNDELIVERED, PACK)
        watchdog.started()
        watchdog.told(PACK, "uid", 1, is_change=False)
    pass_seconds(clock, watchdog, 300, alive=list(Kind))

    assert watchdog.is_doubted()
    assert not watchdog.healthy()
    watchdog.told(PACK, "uid", 2, is_change=True)
    assert watchdog.healthy()
    assert not watchdog.is_doubted()
