# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source of two desks: whoever holds both desks' vaults with their passphrases, and all that the server has, finds no
value in common that comes from the source. So nothing but what the person says, and when, tells that both threads are
one person's.

Here they say different things, of different files. The broken variants: keys that are the same at every desk, and ids
that come again.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.desk.known import mark_known
from latchstring.desk.letters import letters, mark_opened
from latchstring.desk.replies import write_reply
from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.encoding import ProtocolError, decode_cbor, h
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import SourceKeys, source_keys
from tests.attached import bring, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, World, open_door

SHORTEST = 8  # bytes: the mark by which a reply acknowledges a letter
PIECE = 16  # bytes of what is sealed
DESKS = ("legal", "news")


def parts(value: object) -> Iterator[bytes]:
    """A value, and what is inside where it is CBOR; texts as bytes. Numbers are not looked at."""
    match value:
        case bytes():
            yield value
            with suppress(ProtocolError):
                yield from parts(decode_cbor(value))
        case str():
            yield value.encode()
        case list():
            for item in value:
                yield from parts(item)
        case dict():
            for item in value.values():
                yield from parts(item)


def values(desk: Desk) -> set[bytes]:
    """All that lies in any column of any table of the vault."""
    tables = [row[0] for row in desk.vault.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = (row for table in tables for row in desk.vault.rows(f'SELECT * FROM "{table}"'))  # noqa: S608  # the schema's own
    return {part for row in rows for cell in row for part in parts(cell) if len(part) >= SHORTEST}


def public(world: World) -> bytes:
    """What anybody can have without a vault: files, and hashes that are made of them."""
    files = [*world.core.public.files.values()]
    return b"".join(files) + b"".join(h(file) for file in files)


def pieces(world: World, since: int, who: str) -> set[bytes]:
    """All runs of 16 bytes in bodies, names and headers that somebody sent since. Of a member's requests, which are
    signed and tell the time, the bodies of pages and of lists of knocks. Of a file's chunk, its first 4 kB."""
    sent = [x for x in world.traffic[since:] if x.who == who and x.method != "GET" and x.path != "/v1/keynotes"]
    given = [part[:LETTER_SIZE] for x in sent for part in list(parts(x.body))[1:] or [x.body]]
    if who.startswith("source"):
        given += [part.encode() for x in sent for part in (x.path, *(value for _, value in x.headers))]
    return {part[at : at + PIECE] for part in given for at in range(len(part) - PIECE + 1)}


def talk(source: Source, desk: Desk) -> set[bytes]:
    """A letter with a file; it is opened, the thread marked as known and answered; the source says that it read this.
    What the source sent, in pieces."""
    world, since = source.world, len(source.world.traffic)
    write_with(source, f"something for {desk.name} alone", (f"{desk.name}.pdf", bytes(1000)), desk=desk.name)
    world.close()
    desk.sync()
    bring(desk)
    thread = source.keys(desk.name).thread_keys.thread(world.door, desk.name)
    mark_opened(desk.vault, tuple(letter.number for letter in letters(desk.vault, thread)))
    mark_known(desk.vault, thread, True)
    write_reply(desk.vault, thread, f"an answer of {desk.name}", world.now, desk.random)
    desk.sync()
    world.close(36 * (world.batch // 36 + 1))
    assert source.heard(desk.name) == [f"an answer of {desk.name}"]
    source.write(f"more for {desk.name}", desk.name)
    world.close()
    desk.sync()
    return pieces(world, since, f"source {source.name}")


def in_common(folder: Path, between: Callable[[Source], None] = lambda _source: None) -> tuple[set[bytes], set[bytes]]:
    """What a source leaves at both desks: values in both vaults, and pieces of what it and the desks sent. `between`:
    what happens to the source's program after it wrote to the first desk."""
    world, desks = open_door(folder, *DESKS)
    one, two = (desks[name] for name in DESKS)
    stranger, source = Source(world, "somebody else"), Source(world, "a")
    write_with(stranger, "hello", ("x", bytes(10)))
    world.close()
    for desk in (one, two):
        desk.sync()
    before = values(one) & values(two)
    forms = pieces(world, 0, "source somebody else") | pieces(world, 0, "desk legal") & pieces(world, 0, "desk news")
    since = len(world.traffic)
    sent_one = talk(source, one)
    between(source)
    sent_two = talk(source, two)
    open_to_all = public(world)
    both = {value for value in (values(one) & values(two)) - before if value not in open_to_all}
    lines = (sent_one & sent_two) | (pieces(world, since, "desk legal") & pieces(world, since, "desk news"))
    return both, lines - forms


def test_two_desks_have_nothing_of_a_source_in_common(tmp_path: Path) -> None:
    assert in_common(tmp_path) == (set(), set())


def test_keys_that_are_the_same_at_every_desk_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_pair(seed: bytes, door: Door, desk: str) -> SourceKeys:
        return replace(source_keys(seed, door, "whichever"), desk=desk)

    monkeypatch.setattr("tests.world.world.source_keys", one_pair)
    vaults, _ = in_common(tmp_path)
    assert sorted(len(value) for value in vaults) == [32, 32, 1216]  # A, psk and pk_S


def test_ids_that_come_again_are_seen(tmp_path: Path) -> None:
    def forgetful(source: Source) -> None:
        source.random = Stream(f"ids {source.name}")

    vaults, lines = in_common(tmp_path, forgetful)
    assert {16, 32} <= {len(value) for value in vaults}  # ids of a letter and a file, the file's key
    assert lines  # the names of its chunks
