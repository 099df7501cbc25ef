"""What operator and sidecar say to each other, byte for byte."""

import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grokwarden.config_stream import (
    MAX_ACK_BYTES,
    MAX_EVENT_BYTES,
    MAX_MESSAGE_CHARACTERS,
    MAX_PARTS,
    MAX_REASON_CHARACTERS,
    Ack,
    AckedPack,
    Keys,
    MalformedMessageError,
    StreamEvent,
    UnknownEventError,
    decode_ack,
    decode_keys,
    encode_ack,
    encode_event,
    encode_keys,
    parts_header,
    read_event,
    read_parts_header,
)
from grokwarden.exchange import sse
from grokwarden.exchange.sse import EventSplitter

DIGEST = "sha256:" + "a1" * 32
one_line = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=200)
payloads = st.one_of(
    one_line.map(str.encode),
    st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=4).map(msgspec.json.encode),
)
identities = st.one_of(st.just(""), st.just(DIGEST), st.text(string.ascii_letters + ":. -", min_size=1))
events = st.tuples(st.sampled_from(StreamEvent), identities, payloads)


def applied(name: str = "shop/gateway") -> AckedPack:
    return AckedPack(name=name, uid="7d2c", generation=7, applied=True)


def refused(reason: str = "RegexTooComplex", message: str = "why") -> AckedPack:
    return AckedPack(name="shop/gateway", uid="7d2c", generation=7, applied=False, reason=reason, message=message)


@given(st.lists(events, max_size=6), st.data())
def test_events_come_out_as_they_were_said_whatever_the_chunks(said, data):
    """Networks cut where they like; what a sidecar enforces must not depend on it."""
    stream = b"".join(encode_event(kind, payload, event_id=identity) for kind, identity, payload in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter = EventSplitter()
    heard = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += [read_event(event) for event in splitter.feed(stream[start:end])]

    assert heard == said
    assert splitter.rest == b""


@pytest.mark.parametrize(
    "event",
    [
        b"event: manifest\nid: v1\ndata: {}\n\n",
        b"event:manifest\nid:v1\ndata:{}\n\n",
        b"event: manifest\r\nid: v1\r\ndata: {}\r\n\r\n",
        b": a comment\nevent: manifest\nretry: 5\nid: v1\ndata: {}\n\n",
        b"data: {}\nid: v1\nevent: manifest\n\n",
        b"event: pack\nevent: manifest\nid: v0\nid: v1\ndata: {}\n\n",
    ],
)
def test_an_event_is_read_as_the_standard_says(event):
    """Another operator, or something in between, may write the same event in other bytes."""
    assert read_event(event) == (StreamEvent.MANIFEST, "v1", b"{}")


def test_a_ping_has_no_data():
    """It only shows that somebody is there."""
    assert read_event(encode_event(StreamEvent.PING, b"")) == (StreamEvent.PING, "", b"")


@pytest.mark.parametrize(
    "event", [b": keep-alive\n\n", b"data: {}\n\n", b"event: shard\ndata: {}\n\n", b"event: Manifest\ndata: {}\n\n"]
)
def test_an_event_of_another_type_is_told_apart(event):
    """An operator that is newer must not end the stream of a sidecar that is older."""
    with pytest.raises(UnknownEventError):
        read_event(event)


def test_an_unknown_type_is_not_repeated_at_length():
    """It goes to a log, and the peer chose it."""
    with pytest.raises(UnknownEventError) as raised:
        read_event(b"event: %s\n\n" % (b"x" * 100_000))
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(("data", "identity"), [(b"a\nb", ""), (b"a\rb", ""), (b"a", "x\nevent: keys"), (b"a", "\r")])
def test_what_would_be_two_lines_is_no_event(data, identity):
    """The second line could be an event of its own."""
    with pytest.raises(ValueError, match="one line"):
        encode_event(StreamEvent.PACK, data, event_id=identity)


def test_the_longest_event_is_one_that_the_reader_takes():
    """Else a sidecar would connect again and again, and never get further."""
    assert MAX_EVENT_BYTES == sse.MAX_EVENT_BYTES
    room = MAX_EVENT_BYTES - len(encode_event(StreamEvent.PACK, b"", event_id=DIGEST))
    event = encode_event(StreamEvent.PACK, b"x" * room, event_id=DIGEST)
    splitter = EventSplitter()

    assert len(event) == MAX_EVENT_BYTES
    assert splitter.feed(event[:-1]) == []
    assert splitter.feed(event[-1:]) == [event]
    with pytest.raises(ValueError, match=f"event of {MAX_EVENT_BYTES + 1} bytes"):
        encode_event(StreamEvent.PACK, b"x" * (room + 1), event_id=DIGEST)


@given(
    st.lists(st.builds(applied, st.text(max_size=30)) | st.builds(refused, message=st.text(max_size=99)), max_size=5)
)
def test_an_ack_comes_out_as_it_was_said(packs):
    """Status is made of it."""
    ack = Ack(manifest=DIGEST, packs=tuple(packs))
    assert decode_ack(encode_ack(ack)) == ack


def test_an_ack_is_cut_to_what_is_agreed():
    """A refusal with a long story must arrive, or the pack would look merely late."""
    said = refused(reason="R" * 500, message="é" * 5000)
    (heard,) = decode_ack(encode_ack(Ack(manifest=DIGEST, packs=(said,)))).packs
    assert heard.message == "é" * MAX_MESSAGE_CHARACTERS
    assert heard.reason == "R" * MAX_REASON_CHARACTERS


@pytest.mark.parametrize("reason", ["", "no word", "lower", "Trailing\n", "Ünicode"])
def test_a_refusal_without_a_usable_reason_gets_one(reason):
    """The API server takes no status whose reason is none, and then nobody's refusal would be seen."""
    (heard,) = decode_ack(encode_ack(Ack(manifest=DIGEST, packs=(refused(reason=reason),)))).packs
    assert (heard.reason, heard.applied) == ("Refused", False)


def test_an_ack_of_very_many_refusals_loses_its_stories_and_no_refusal():
    """It would else be refused whole, each time."""
    packs = tuple(refused(message="€" * 1024) for _ in range(1000))
    data = encode_ack(Ack(manifest=DIGEST, packs=packs))
    heard = decode_ack(data).packs
    assert len(data) <= MAX_ACK_BYTES
    assert [(pack.reason, pack.message) for pack in heard] == [("RegexTooComplex", "")] * 1000


GOOD = '{"name": "a/b", "uid": "u", "generation": 1, "applied": true}'


@pytest.mark.parametrize(
    "pack",
    [
        "{}",
        GOOD.replace("true", '"yes"'),
        GOOD.replace("1", '"1"'),
        GOOD.replace("true", "false"),
        GOOD.replace("true", 'true, "reason": "Why"'),
        GOOD.replace("true", 'false, "reason": "two words"'),
        GOOD.replace("true", 'false, "reason": "Line\\n"'),
        GOOD.replace("true", f'false, "reason": "{"R" * 129}"'),
        GOOD.replace("true", f'false, "reason": "R", "message": "{"m" * 1025}"'),
    ],
)
def test_an_ack_that_is_none_is_refused(pack):
    """What a sidecar says goes into a status that the API server checks."""
    with pytest.raises(MalformedMessageError):
        decode_ack(f'{{"manifest": "v", "packs": [{pack}]}}'.encode())


def test_a_good_ack_with_a_further_field_is_taken():
    """The near miss, and what a newer sidecar would send."""
    (pack,) = decode_ack(f'{{"manifest": "v", "more": 1, "packs": [{GOOD[:-1]}, "took": 3}}]}}'.encode()).packs
    assert pack == AckedPack(name="a/b", uid="u", generation=1, applied=True)


@pytest.mark.parametrize("data", [b'{"manifest": "\xff", "packs": []}', b'{"more": ' + b"[" * 100_000])
def test_an_ack_that_no_decoder_follows_is_refused_like_any_other(data):
    """A sidecar is an untrusted program: what it sends must not be an error of the operator's."""
    with pytest.raises(MalformedMessageError):
        decode_ack(data)


def test_an_ack_that_is_too_long_is_not_even_read():
    """Its length is all that is looked at."""
    with pytest.raises(MalformedMessageError, match="an ack of 1048577 bytes"):
        decode_ack(b" " * (MAX_ACK_BYTES + 1))


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=60), max_size=5))
def test_keys_come_out_as_they_were_said_and_are_never_shown(keys):
    """They are all that an attacker wants of this stream."""
    said = Keys(keys={reference: f"key<{key}>" for reference, key in keys.items()})
    assert decode_keys(encode_keys(said)) == said
    for shown in (repr(said), str(said), f"{said}", repr(said.__rich_repr__()), repr((said,))):
        assert "key<" not in shown


def test_equal_keys_are_equal_bytes():
    """So that who got them already is told nothing."""
    one, two = Keys(keys={"a": "1", "b": "2"}), Keys(keys={"b": "2", "a": "1"})
    assert encode_keys(one) == encode_keys(two)


KEYLESS = [
    *(b"", b"[]", b'{"keys": {"a/b/c": 5}}', b'{"keys": ["k3y"]}', b'{"keys": {"a": "k3y'),
    *(b'{"keys": {"a": "k3y\xff"}}', b'{"more": ' + b"[" * 100_000),
]


@pytest.mark.parametrize("data", KEYLESS)
def test_what_are_no_keys_is_refused_without_a_word_of_them(data):
    """The message goes to a log."""
    with pytest.raises(MalformedMessageError) as raised:
        decode_keys(data)
    assert "k3y" not in str(raised.value)


@given(st.lists(st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"), max_size=20, unique=True))
def test_parts_that_a_sidecar_has_come_out_as_they_were_said(digests):
    """Each one that is understood is not sent again."""
    assert read_parts_header(parts_header(digests)) == set(digests)


def test_what_is_no_digest_spares_no_part():
    """A part that travels twice does no harm, one that is never sent does."""
    assert read_parts_header(f"x, {DIGEST} ,{DIGEST}0,sha256:,,SHA256:{'a1' * 32}") == {DIGEST}
    assert read_parts_header("") == frozenset()


def test_the_header_of_parts_is_bounded_on_both_sides():
    """A server refuses a call with endless headers, and a hostile caller must not make one work."""
    digests = [f"sha256:{number:064x}" for number in range(MAX_PARTS + 5)]
    assert read_parts_header(parts_header(digests)) == set(digests[:MAX_PARTS])
    assert read_parts_header(",".join(digests)) == set(digests[:MAX_PARTS])
