# SPDX-License-Identifier: AGPL-3.0-or-later
"""P4: reading does not show whether there is a reply, and the server cannot tell a reply from filler.

| Attacker        | Holds                                          | Tries                                             |
|-----------------|------------------------------------------------|---------------------------------------------------|
| network, mirror | every byte of a source's request               | to see in it whether there is something to read   |
| server          | all pages that were ever uploaded, sheet by    | to tell a page with replies from one without: by  |
|                 | sheet, and when and how                        | length, compression, statistics of bytes, the     |
|                 |                                                | form of X25519 and ML-KEM values, repeats, and by |
|                 |                                                | how many uploads there are, and of what size      |

The server's best guess is measured: a threshold for each feature is learnt on one half of the slots and tried on the
other. Each test also runs with code that gives something away, and sees it.
"""

import math
import socket
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import HttpTransport
from latchstring.desk import placing
from latchstring.desk.line import Line
from latchstring.desk.pages import Blank, Content, make_page
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.uploads import PageUpload
from latchstring.desk.vault import Vault
from latchstring.protocol import constants as c
from latchstring.protocol import reply as reply_module
from latchstring.protocol.directory import Directory
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import SealKey
from latchstring.protocol.pair import Pair
from latchstring.protocol.passphrase import Passphrase
from latchstring.protocol.reply import Place, ReplyBody, seal_reply
from latchstring.protocol.sheet import parse_sheet
from latchstring.protocol.visit import parse_visit
from latchstring.source.thread import Reply
from tests.adversary.tools import Stage
from tests.builders import Stream
from tests.world.world import Source, World, open_door

# --- what crosses the network ----------------------------------------------------------------------


@contextmanager
def listening(body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server of one file; its address, and every byte that it was sent, connection by connection."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    got = b""
                    while b"\r\n\r\n" not in got:
                        got += connection.recv(65536)
                    heard.append(got)
                    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
                    connection.sendall(head.encode() + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def read_over_http(source: Source, address: str) -> int:
    """How many replies the source found."""
    with HttpTransport(address) as transport:
        source.wire = transport  # type: ignore[assignment]  # another Transport
        return len(source.read())


def answered(stage: Stage) -> None:
    """Three answers to the source, published."""
    for number in range(3):
        stage.desk.answer(stage.source, f"answer {number}")
    stage.desk.sync()
    for sheet in (5, 6, 7):
        stage.world.close(36 * sheet)


def test_a_request_is_the_same_bytes_whoever_reads(stage: Stage) -> None:
    answered(stage)
    readers = (stage.source, Source(stage.world, "b"), Source(stage.world, "c", Passphrase(bytes(13))))
    with listening(stage.world.core.public.get("visit")) as (address, heard):
        found = [read_over_http(reader, address) for reader in readers]
        assert found == [3, 0, 0]
        assert len(heard) == 3
        assert len(set(heard)) == 1
        assert heard[0].startswith(b"GET /visit HTTP/1.1\r\n")
        for word in (b"range", b"if-", b"cookie", b"etag", b"referer", b"accept-language", b"authorization"):
            assert word not in heard[0].lower()

        class Eager(Source):
            """A client that fetches what is its own once more."""

            def read(self, desk: str = "news") -> tuple[Reply, ...]:
                found = super().read(desk)
                for reply in found:
                    self.wire.request("GET", "/sheets/5", headers={"x-reply": reply.id.hex()})
                return found

        heard.clear()
        for reader in (Eager(stage.world, "a"), Eager(stage.world, "b")):
            read_over_http(reader, address)
        assert len(set(heard)) > 1


# --- slots -----------------------------------------------------------------------------------------

ENC = c.TAG_SIZE
X25519_AT = ENC + 1088


def bits(data: bytes, width: int) -> list[int]:
    """Little-endian fields of `width` bits, as ML-KEM packs its coefficients."""
    value = int.from_bytes(data, "little")
    return [value >> at & ((1 << width) - 1) for at in range(0, len(data) * 8, width)]


def unevenness(values: Sequence[int], bins: int) -> float:
    """Chi-squared of the values against an even spread."""
    counts, expected = Counter(values), len(values) / bins
    return sum((counts[i] - expected) ** 2 / expected for i in range(bins))


FEATURES: Mapping[str, Callable[[bytes], float]] = {
    "length": len,
    "compressed": lambda s: len(zlib.compress(s, 9)),
    "compressed end": lambda s: len(zlib.compress(s[-512:], 9)),
    "bytes of the tag": lambda s: sum(s[:ENC]),
    "unevenness of all bytes": lambda s: unevenness(s, 256),
    "unevenness of the ciphertext": lambda s: unevenness(s[X25519_AT + 32 :], 256),
    "mean of all bytes": lambda s: sum(s) / len(s),
    "top bit of the X25519 value": lambda s: s[X25519_AT + 31] >> 7,
    "X25519 value above the field": lambda s: int(
        int.from_bytes(s[X25519_AT : X25519_AT + 32], "little") >= 2**255 - 19
    ),
    "mean of the 10-bit coefficients": lambda s: sum(bits(s[ENC : ENC + 960], 10)),
    "unevenness of the 10-bit coefficients": lambda s: unevenness(bits(s[ENC : ENC + 960], 10), 1024),
    "mean of the 4-bit coefficients": lambda s: sum(bits(s[ENC + 960 : ENC + 1088], 4)),
    "unevenness of the 4-bit coefficients": lambda s: unevenness(bits(s[ENC + 960 : ENC + 1088], 4), 16),
    "last byte": lambda s: s[-1],
}


def guess_rate(feature: Callable[[bytes], float], replies: Sequence[bytes], noise: Sequence[bytes]) -> float:
    """How often the server is right about slots that it has not learnt from: 0.5 is tossing a coin."""
    half = len(replies) // 2
    known = sorted([(feature(s), 1) for s in replies[:half]] + [(feature(s), 0) for s in noise[:half]])
    best, threshold, above = 0.0, math.inf, 1
    for value in {value for value, _ in known}:
        for side in (0, 1):
            right = sum((label == side) == (v >= value) for v, label in known) / len(known)
            if right > best:
                best, threshold, above = right, value, side
    tried = [(feature(s), 1) for s in replies[half:]] + [(feature(s), 0) for s in noise[half:]]
    return sum((label == above) == (v >= threshold) for v, label in tried) / len(tried)


def slots_of_a_desk(stage: Stage, count: int) -> tuple[list[bytes], list[bytes]]:
    """`count` slots with replies of many lengths and as many without, out of pages as the desk makes them."""
    epoch = epoch_secrets(stage.desk.vault)[0].open()
    keys, random = stage.source.keys().thread_keys, Stream("pages")
    replies, noise = [], []
    for number in range(count):
        body = ReplyBody("so " * (number % 500), (bytes(8),) * (number % 5), bool(number % 2))
        content = Content(random(16), keys, body)
        page = make_page(Blank(number + 1, 0, 2), epoch, {number % 2: content}, random)
        pair = [page[c.PAGE_RANDOM + i * c.SLOT_SIZE : c.PAGE_RANDOM + (i + 1) * c.SLOT_SIZE] for i in (0, 1)]
        replies.append(pair[number % 2])
        noise.append(pair[1 - number % 2])
    return replies, noise


def telling(replies: Sequence[bytes], noise: Sequence[bytes]) -> list[str]:
    """Features by which the server does clearly better than a coin (0.7 of 200 is more than five deviations)."""
    return [name for name, feature in FEATURES.items() if guess_rate(feature, replies, noise) > 0.7]


def test_the_server_cannot_tell_a_reply_from_noise(stage: Stage) -> None:
    assert telling(*slots_of_a_desk(stage, 200)) == []


def test_noise_of_random_bytes_would_be_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def seal(pair: Pair, place: Place, reply_id: bytes, body: ReplyBody) -> bytes:
        return seal_reply(pair, place, reply_id, body) if body.text or body.acks else random(c.SLOT_SIZE)

    random = Stream("noise")
    monkeypatch.setattr("latchstring.desk.pages.seal_reply", seal)
    assert "top bit of the X25519 value" in telling(*slots_of_a_desk(stage, 200))


def test_replies_without_padding_would_be_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seal = SealKey.seal

    def unpadded(key: SealKey, plaintext: bytes, info: bytes) -> bytes:
        return seal(key, plaintext.rstrip(b"\0"), info).ljust(len(plaintext) + c.SEAL_OVERHEAD, b"\0")

    monkeypatch.setattr(SealKey, "seal", unpadded)
    assert "compressed" in telling(*slots_of_a_desk(stage, 200))


def repeats(world: World) -> int:
    """How many tags, page heads or seals in all sheets that were ever published are not the only ones."""
    seen: Counter[bytes] = Counter()
    for path, raw in world.core.public.files.items():
        if not path.startswith("sheets/"):
            continue
        sheet = parse_sheet(raw)
        for page, head in enumerate(sheet.heads):
            seen[sheet.r(page)] += 1
            for number in range(head.slots):
                slot = sheet.slot(page, number)
                seen.update((slot[: c.TAG_SIZE], slot[ENC:X25519_AT], slot[X25519_AT:]))
    return sum(count for count in seen.values() if count > 1)


@pytest.mark.parametrize("broken", [False, True])
def test_a_reply_that_is_placed_again_looks_new(stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken:  # tags that do not depend on their place
        tag = reply_module.reply_tag
        monkeypatch.setattr(reply_module, "reply_tag", lambda key, place: tag(key, replace(place, sheet=0, r=b"")))
        epoch = epoch_secrets(stage.desk.vault)[0]
        monkeypatch.setattr("latchstring.desk.placing._epochs_for", _one_epoch(epoch.open()))
    stage.desk.answer(stage.source, "again and again")
    for sheet in range(5, 70):
        if sheet % 10 == 5:
            stage.desk.sync()
        stage.world.close(36 * sheet)
    assert (repeats(stage.world) > 0) is broken


def _one_epoch(epoch: OpenEpoch) -> Callable[..., dict[int, OpenEpoch]]:
    """With one epoch for all days K_tag stays, as it does for a day's four sheets."""

    def epochs_for(*arguments: Sequence[int]) -> dict[int, OpenEpoch]:
        return dict.fromkeys(arguments[-1], epoch)

    return epochs_for


# --- the desk's sessions ---------------------------------------------------------------------------


def sessions(folder: Path, replies: int) -> list[tuple[str, str, int, int, int]]:
    """What the server sees of a fortnight of sessions, with so many replies to each of three letters."""
    world, desks = open_door(folder)
    desk = desks["news"]
    sources = [Source(world, name) for name in "abc"]
    for source in sources:
        source.write("hello")
    world.close(3, 4)
    desk.sync()
    for day in range(1, 8):
        for source in sources[: 3 if replies else 0]:
            desk.show(source)
            for number in range(replies if day < 3 else 0):
                desk.answer(source, f"answer {number}" * 20)
        for quarter in range(4):
            world.close(144 * day + 36 * quarter)
        desk.sync()
    return [
        (x.method, x.path, len(x.query), len(x.body), len(x.headers)) for x in world.traffic if x.who == "desk news"
    ]


def sparing(patch: pytest.MonkeyPatch) -> None:
    """The broken variant: a desk that saves itself the pages in which nothing is."""
    upload = placing._upload

    def some(
        vault: Vault, line: Line, directory: Directory, made: Sequence[tuple[PageUpload, bytes]], step: object
    ) -> tuple[int, set[int], tuple[str, ...]]:
        full = {row[0] for row in vault.rows("SELECT sheet FROM placement WHERE NOT published")}
        return upload(vault, line, directory, [m for m in made if m[0].sheet in full], step)  # type: ignore[arg-type]

    patch.setattr(placing, "_upload", some)


def test_sessions_with_replies_and_without_are_the_same_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = sessions(tmp_path / "quiet", 0)
    assert sessions(tmp_path / "busy", 2) == quiet
    sparing(monkeypatch)
    assert sessions(tmp_path / "quiet and sparing", 0) != sessions(tmp_path / "busy and sparing", 2)


def test_what_lies_at_the_server_has_one_size(stage: Stage) -> None:
    stage.desk.answer(stage.source, "to be found")
    stage.desk.sync()
    with stage.world.core.sql.read() as connection:
        rows = connection.exec_driver_sql("SELECT page, length(body), count(*) FROM pages GROUP BY 1, 2").fetchall()
    assert [tuple(row) for row in rows] == [(0, 3088, 28), (1, 3088, 28)]
    assert len(parse_visit(stage.raw).sheets) == 4
