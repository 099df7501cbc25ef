"""One authority after another, over years, without a sidecar ever meeting a certificate that it can't trust."""

from datetime import UTC, datetime, timedelta

import pytest

from grokwarden_operator.certs.authority import AUTHORITY_LIFETIME, AuthorityError, certificate_pem, new_authority
from grokwarden_operator.certs.rotation import (
    Custody,
    Step,
    advance,
    decode_custody,
    encode_custody,
    has_authority,
)

START = datetime(2027, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(days=1)
DUE = START + AUTHORITY_LIFETIME * 2 / 3


def published(custody: Custody, now: datetime) -> Custody:
    """What a keeper does once the bundle is out."""
    if custody.step is not Step.MADE:
        return custody
    return Custody(current=custody.current, next=custody.next, published_at=now)


def test_whoever_is_behind_by_less_than_the_overlap_trusts_whoever_signs():
    """Sidecars read the bundle now and then, replicas look at the Secret now and then: both lag."""
    now, hour = START, timedelta(hours=6)
    custody = Custody(current=new_authority(now))
    history = [custody]
    lag = int(OVERLAP / hour)
    signers = {custody.current.certificate.serial_number}

    while now < START + timedelta(days=365 * 11):
        now += hour
        custody = published(advance(custody, now, overlap=OVERLAP), now)
        history.append(custody)
        lagging = history[max(0, len(history) - lag) :]
        signers.add(custody.current.certificate.serial_number)
        assert all(custody.current.certificate in old.trusted for old in lagging)
        assert all(old.current.certificate in custody.trusted for old in lagging)
        assert custody.current.certificate.not_valid_after_utc > now + timedelta(days=30)

    assert len(signers) == 4, "an authority lives 5 years and is replaced after 40 months: thrice in 11 years"


def test_the_steps_come_one_by_one():
    """The new one must be known before it signs, and the old one until the last replica has left it."""
    custody = Custody(current=new_authority(START))
    assert advance(custody, DUE - timedelta(hours=1), overlap=OVERLAP) is custody

    made = advance(custody, DUE, overlap=OVERLAP)
    assert (made.step, made.current, len(made.trusted)) == (Step.MADE, custody.current, 2)

    assert advance(made, DUE + timedelta(days=30), overlap=OVERLAP) is made, "nobody has published it yet"

    announced = published(made, DUE)
    assert advance(announced, DUE + OVERLAP - timedelta(minutes=1), overlap=OVERLAP) is announced

    replaced = advance(announced, DUE + OVERLAP, overlap=OVERLAP)
    assert (replaced.step, replaced.current, replaced.next) == (Step.REPLACED, made.next, None)
    assert replaced.previous == custody.current.certificate

    at_rest = advance(replaced, DUE + OVERLAP + OVERLAP, overlap=OVERLAP)
    assert (at_rest.step, at_rest.current) == (Step.AT_REST, made.next)
    assert at_rest.trusted == (made.next.certificate,)


def test_an_expired_authority_is_replaced_at_once():
    """An operator that was off for years must come back by itself: what has expired is trusted by nobody."""
    end = START + AUTHORITY_LIFETIME
    alone = Custody(current=new_authority(START))
    with_next = Custody(current=alone.current, next=new_authority(DUE), published_at=DUE)

    assert advance(alone, end, overlap=OVERLAP).current != alone.current
    assert advance(with_next, end, overlap=OVERLAP) == Custody(current=with_next.next)


@pytest.mark.parametrize("name", ["AtRest", "Made", "Announced", "Replaced"])
def test_each_step_is_kept_and_read_back(name):
    """Replicas share nothing but the Secret."""
    current, other = new_authority(START), new_authority(START)
    custody = {
        "AtRest": Custody(current=current),
        "Made": Custody(current=current, next=other),
        "Announced": Custody(current=current, next=other, published_at=START),
        "Replaced": Custody(current=current, previous=other.certificate, replaced_at=START),
    }[name]

    again, dropped = decode_custody(encode_custody(custody))

    assert (again, again.step.value, dropped) == (custody, name, ())
    if custody.next:
        assert again.next.key_pem == custody.next.key_pem


def test_the_key_of_the_one_before_is_kept_nowhere():
    """What has stopped signing can't be stolen any more."""
    old, new = new_authority(START), new_authority(START)
    entries = encode_custody(Custody(current=new, previous=old.certificate, replaced_at=START))

    assert old.key_pem not in b"".join(entries.values())
    assert sum(b"PRIVATE KEY" in value for value in entries.values()) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"ca.crt": b""}, "ca.crt is missing"),
        ({"ca.key": b""}, "ca.key is missing"),
        ({"ca.key": b"x"}, "no unencrypted PEM private key"),
        ({"ca.crt": b"x"}, "the certificate can't be read"),
    ],
)
def test_a_damaged_current_authority_is_an_error(damage, message):
    """Sidecars may trust it, so nothing may take its place by itself."""
    entries = encode_custody(Custody(current=new_authority(START)))

    with pytest.raises(AuthorityError, match=message):
        decode_custody(entries | damage)


def test_a_damaged_next_or_previous_one_is_left_out():
    """Nothing is signed by them any more, or yet: the rotation begins again, and nobody is cut off."""
    current, other = new_authority(START), new_authority(START)
    made = encode_custody(Custody(current=current, next=other, published_at=START)) | {"next.key": b"x"}
    replaced = {**encode_custody(Custody(current=current)), "previous.crt": b"x", "previous.replaced": b"yesterday"}

    assert decode_custody(made) == (Custody(current=current), ("next.crt",))
    assert decode_custody(replaced) == (Custody(current=current), ("previous.crt",))


def test_a_time_that_cannot_be_read_starts_the_wait_anew():
    """Waiting too long costs nothing; not waiting would cut sidecars off."""
    current, other = new_authority(START), new_authority(START)
    made = encode_custody(Custody(current=current, next=other, published_at=START)) | {"next.published": b"soon"}
    entries = encode_custody(Custody(current=current, previous=other.certificate, replaced_at=START))
    replaced, _ = decode_custody(entries | {"previous.replaced": b"soon"})

    assert decode_custody(made)[0].step is Step.MADE
    waiting = advance(replaced, DUE, overlap=OVERLAP)
    assert (waiting.step, waiting.replaced_at) == (Step.REPLACED, DUE)


def test_a_secret_that_was_only_made_ready_holds_no_authority():
    """A chart may create it empty so that the operator needs no right to create Secrets."""
    assert not has_authority({})
    assert not has_authority({"ca.crt": b"", "ca.key": b""})
    assert has_authority({"ca.key": b"x"})
    assert has_authority({"previous.crt": certificate_pem(new_authority(START).certificate)})
