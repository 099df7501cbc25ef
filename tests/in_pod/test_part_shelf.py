"""What is kept of the parts that came: all that is needed, and of the rest as much as is worth its memory."""

from bundles import pack_of, step_of
from eventually import eventually
from grokwarden.bundle import digest_of_bytes
from grokwarden.config_stream import MAX_PARTS
from grokwarden_sidecar.stream.part_shelf import PartShelf
from pod_bundles import bundle, grok_target
from pod_source import followed_source


def shelf_of(*parts):
    shelf = PartShelf()
    for part in parts:
        shelf.put(digest_of_bytes(part), part)
    return shelf


def test_the_oldest_that_nothing_needs_goes_first():
    """An edit that is taken back names the newest again."""
    parts = [b"%d" % number for number in range(MAX_PARTS + 3)]
    digests = [digest_of_bytes(part) for part in parts]
    shelf = shelf_of(*parts)

    shelf.trim({digests[0]})

    assert shelf.has_all([digests[0], *digests[3:]])
    assert not shelf.has_all(digests[1:2])
    assert shelf.digests([digests[0]])[:2] == [digests[0], digests[-1]]


def test_large_parts_are_not_hoarded():
    """A few hundred of a megabyte each would be more than the whole process has."""
    parts = [bytes([number]) * 1024 * 1024 for number in range(32)]
    needed = digest_of_bytes(parts[0])
    shelf = shelf_of(*parts)

    shelf.trim({needed})

    assert len(shelf.digests([needed])) == 17
    assert shelf.has_all([needed])


def test_what_is_no_digest_is_no_part():
    """It would be sent back in a header."""
    shelf = PartShelf()
    for name in ("", "sha256:", "sha256:" + "g" * 64, "sha256:" + "a" * 64 + "\n", "x-evil: 1"):
        shelf.put(name, b"part")

    assert shelf.digests([]) == []


async def test_what_is_in_force_is_never_forgotten(operator, tmp_path):
    """However much was offered since: it would have to be sent again to every pod at each reconnect."""
    kept = pack_of(step_of("audit-logger"), name="shop/kept")
    target = (grok_target(),)
    async with followed_source(operator, tmp_path / "state"):
        await operator.stream()
        for number in range(1, MAX_PARTS + 20):
            edited = pack_of(step_of("audit-logger", retention_days=number), name="shop/edited")
            wanted = bundle(kept, (edited, number), targets=target)
            await operator.offer(wanted, {})
        await operator.ack_of(wanted.version)
        (await operator.stream()).hang_up()
        await eventually(lambda: len(operator.requests_for("/v1/config/stream")) == 2)

    held = operator.requests_for("/v1/config/stream")[1].headers["x-grokwarden-parts"].split(",")
    assert len(held) == MAX_PARTS
    assert {ref.digest for ref in (*wanted.manifest.packs, *wanted.manifest.targets)} <= set(held)
