# SPDX-License-Identifier: AGPL-3.0-or-later
"""P1, attachments: readable by source and desk only, and what a desk saves is what the source attached.

| Attacker           | Holds                                        | Tries                                          |
|--------------------|----------------------------------------------|------------------------------------------------|
| server and network | disk, database, private keys, all traffic    | to read a file, its name or its true size      |
| a malicious server | the same, and every answer that it gives     | to swap, cut, reorder, mix or change chunks;   |
|                    |                                              | to learn whose an attachment is by handing out |
|                    |                                              | a wrong chunk and seeing who asks again        |
|                    |                                              | or by listing old ones again after weeks       |
| another source     | a letter of its own, which names anything    | to have a part of a file taken for all of it   |
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import Response
from latchstring.desk import attachments
from latchstring.desk.attachments import Item, State
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.errors import DeskError
from latchstring.protocol import attachment as bytes_module
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Attachment, encode_names
from latchstring.server.api import Request
from latchstring.server.attachments import chunk_path
from tests.adversary.tools import Anything, Stage
from tests.attached import bring, listed, saved, upload, write_naming, write_with
from tests.builders import Stream
from tests.world.world import Source

pytestmark = pytest.mark.usefixtures("short_sessions")

TEXT = b"the ledger of the second set of books, page seven"
THREE = (TEXT + Stream("ledger")(1000)) * (3 * c.ATTACHMENT_PLAIN // (1000 + len(TEXT)) - 1)
NAME = "second-ledger-of-the-minister.pdf"


def send(stage: Stage) -> Attachment:
    (attachment,) = write_with(stage.source, "look", (NAME, THREE))
    stage.world.close()
    stage.desk.sync()
    return attachment


def the_item(stage: Stage) -> Item:
    return next(item for item in listed(stage.desk) if item.attachment.name == NAME)


# --- reading -------------------------------------------------------------------------------------


def test_the_server_and_the_network_find_nothing_of_it(stage: Stage) -> None:
    attachment = send(stage)
    bring(stage.desk)
    held = stage.world.disk() + stage.world.overheard()
    secrets = {
        "text": TEXT,
        "name": NAME.encode(),
        "id": attachment.id,
        "key": attachment.key,
        "hash": attachment.hash,
        "size": len(THREE).to_bytes(8, "big"),
    }
    for what, secret in secrets.items():
        assert secret not in held, what
        assert secret.hex().encode() not in held, what
    assert attachment.chunk_names()[0] in held, "the search finds what is there"


def test_the_search_would_see_an_unsealed_chunk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the cipher does nothing."""

    class Plain:
        def encrypt(self, _nonce: bytes, data: bytes, _aad: bytes | None) -> bytes:
            return data + bytes(16)

    monkeypatch.setattr(bytes_module, "_cipher", lambda *_: Plain())
    send(stage)
    assert TEXT in stage.world.disk()


def test_files_of_about_one_size_look_alike(stage: Stage) -> None:
    """The server sees how many chunks there are, of one length, and that number has few values."""
    seen = []
    for size in (1, 5000, c.ATTACHMENT_PLAIN):
        before = len(stage.world.traffic)
        upload(stage.source, "x", bytes(size))
        seen.append([x.shape[0::2] for x in stage.world.traffic[before:]])
    assert seen[0] == seen[1] == seen[2]


def test_names_of_chunks_tell_nothing_of_each_other(stage: Stage) -> None:
    """Without the id nobody can say which chunks belong together; with it, everybody could."""
    a, b = upload(stage.source, "a", THREE), upload(stage.source, "a", THREE)
    names = [*a.chunk_names(), *b.chunk_names()]
    assert len(set(names)) == len(names)
    stored = [stage.world.core.private.get(chunk_path(name)) for name in names]
    assert len(set(stored)) == len(names), "the same file twice is not seen to be the same"


# --- changing what is handed out -----------------------------------------------------------------

Forge = Callable[[list[bytes], list[bytes]], list[bytes]]
"""The three honest chunks, and three of another file that the attacker sent: what is handed out in their place."""

FORGERIES: dict[str, Forge] = {
    "two chunks swapped": lambda own, _other: [own[1], own[0], own[2]],
    "the first one twice": lambda own, _other: [own[0], own[0], own[2]],
    "the last one early": lambda own, _other: [own[2], own[1], own[2]],
    "one of another file": lambda own, other: [own[0], other[1], own[2]],
    "another file": lambda _own, other: other,
    "one bit": lambda own, _other: [own[0], own[1][:-1] + bytes([own[1][-1] ^ 1]), own[2]],
    "zeros": lambda own, _other: [own[0], own[1], bytes(c.ATTACHMENT_CHUNK)],
}


def hand_out(stage: Stage, attachment: Attachment, forge: Forge) -> None:
    """From now on the server hands out what it likes for this attachment."""
    private = stage.world.core.private
    own = [private.get(chunk_path(name)) for name in attachment.chunk_names()]
    mallory = Source(stage.world, "mallory")
    other = upload(mallory, "other.pdf", bytes(len(THREE)))
    others = [private.get(chunk_path(name)) for name in other.chunk_names()]
    for name, chunk in zip(attachment.chunk_names(), forge(own, others), strict=True):
        private.files[chunk_path(name)] = chunk


def test_whatever_is_handed_out_instead_is_never_saved(stage: Stage, tmp_path: Path) -> None:
    attachment = send(stage)
    private, folder = stage.world.core.private, ChunkFolder.of(stage.desk.vault)
    honest = {chunk_path(name): private.get(chunk_path(name)) for name in attachment.chunk_names()}
    for what, forge in FORGERIES.items():
        private.files.update(honest)
        hand_out(stage, attachment, forge)
        for name in attachment.chunk_names():  # as if it were the first time
            folder.drop(name)
        with stage.desk.vault.transaction():
            stage.desk.vault.do("DELETE FROM attachment_state")
        bring(stage.desk)
        assert the_item(stage).state is State.WRONG, what
        with pytest.raises(DeskError, match="not what the letter names"):
            saved(stage.desk, the_item(stage), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_the_cipher_alone_refuses_them_too(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the hash in the letter is compared with nothing."""
    attachment = send(stage)
    bring(stage.desk)
    folder, private = ChunkFolder.of(stage.desk.vault), stage.world.core.private
    honest = {chunk_path(name): private.get(chunk_path(name)) for name in attachment.chunk_names()}
    monkeypatch.setattr(bytes_module.CiphertextHash, "value", lambda _self: Anything(attachment.hash))
    for forge in FORGERIES.values():
        private.files.update(honest)
        hand_out(stage, attachment, forge)
        for name in attachment.chunk_names():
            folder.put(name, private.get(chunk_path(name)), 0)
        with pytest.raises(DeskError, match="not what the letter names"):
            saved(stage.desk, the_item(stage), tmp_path / "out")


def test_without_places_in_the_nonce_and_without_the_hash_a_swap_is_saved(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken twice: then the attack succeeds, and the test above would see it."""
    monkeypatch.setattr(bytes_module, "_nonce", lambda _n, _last: bytes(12))
    attachment = send(stage)
    hand_out(stage, attachment, FORGERIES["two chunks swapped"])
    bring(stage.desk)
    monkeypatch.setattr(bytes_module.Opener, "done", lambda _self: None)
    out = saved(stage.desk, the_item(stage), tmp_path / "out")
    assert out != THREE
    assert sorted(out) == sorted(THREE)


def test_a_file_that_is_cut_is_not_taken_for_a_whole_one(stage: Stage, tmp_path: Path) -> None:
    """The server drops the end, and says that this is all there is."""
    attachment = send(stage)
    name = attachment.chunk_names()[2]
    del stage.world.core.private.files[chunk_path(name)]
    assert bring(stage.desk).withheld == 1
    assert the_item(stage).state is State.COMING
    with pytest.raises(DeskError, match="not come whole"):
        saved(stage.desk, the_item(stage), tmp_path / "out")


def test_the_last_chunk_is_marked_so_that_a_shorter_file_opens_nowhere(stage: Stage, tmp_path: Path) -> None:
    """Another source learnt a key (say, from its owner) and names the first chunk as if it were all: refused."""
    attachment = send(stage)
    mallory = Source(stage.world, "mallory")
    first = stage.world.core.private.get(chunk_path(attachment.chunk_names()[0]))
    digest = bytes_module.CiphertextHash(1)
    digest.add(first)
    short = replace(attachment, size=100, hash=digest.value(), name="short.pdf")
    write_naming(mallory, "all of it", (short,))
    stage.world.close()
    stage.desk.sync()
    bring(stage.desk)
    item = next(i for i in listed(stage.desk) if i.attachment.name == "short.pdf")
    with pytest.raises(DeskError, match="not what the letter names"):
        saved(stage.desk, item, tmp_path / "out")


# --- learning whose it is ------------------------------------------------------------------------


def asked(stage: Stage, who: str) -> list[tuple[str, str, str]]:
    return [(x.method, x.path, x.query) for x in stage.world.traffic if x.who == who and "/v1/attachments" in x.path]


def probe(stage: Stage) -> list[list[tuple[str, str, str]]]:
    """A server hands everybody a wrong chunk, and looks who asks for what, in three sessions; news, then legal."""
    attachment = send(stage)
    stage.desks["legal"].sync()
    wrong = f"/v1/attachments/{attachment.chunk_names()[1].hex()}"

    def meddle(request: Request, answer: Response) -> Response:
        return Response(200, bytes(c.ATTACHMENT_CHUNK)) if request.path == wrong else answer

    for desk in stage.desks.values():
        desk.wire.meddle = meddle
        for _ in range(3):
            bring(desk)
    assert the_item(stage).state is State.WRONG
    return [asked(stage, "desk news"), asked(stage, "desk legal")]


def test_a_wrong_chunk_does_not_tell_whose_the_attachment_is(stage: Stage) -> None:
    news, legal = probe(stage)
    assert news == legal


def test_a_desk_that_asked_again_would_be_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: what does not verify is thrown away and fetched again, as one might think best."""
    real = attachments.review

    def review(*args: object) -> tuple[Item, ...]:
        found = real(*args)  # type: ignore[arg-type]  # passed on
        for item in found:
            if item.state is State.WRONG:
                folder = ChunkFolder.of(stage.desk.vault)
                for name in item.attachment.chunk_names():
                    folder.drop(name)
        return found

    monkeypatch.setattr("latchstring.desk.fetching.review", review)
    attachment = send(stage)
    stage.desks["legal"].sync()
    hand_out(stage, attachment, FORGERIES["one bit"])
    for desk in stage.desks.values():
        for _ in range(3):
            bring(desk)
    assert asked(stage, "desk news") != asked(stage, "desk legal")


def test_the_seized_server_cannot_tell_which_desk_it_was_for(stage: Stage) -> None:
    """Honest sessions: both desks ask for the same, in the same order, whosever it is."""
    send(stage)
    for desk in stage.desks.values():
        desk.sync()
        bring(desk)
    assert asked(stage, "desk news") == asked(stage, "desk legal")
    assert len(asked(stage, "desk news")) == 3 + 2


def relist(stage: Stage) -> list[list[tuple[str, str, str]]]:
    """A server lists nothing until the desks that need no chunk have forgotten them, then the same names again, twice;
    who asks for what since: news, then legal."""
    send(stage)
    hidden = [False]

    def meddle(request: Request, answer: Response) -> Response:
        return Response(200, encode_names(0, [])) if hidden[0] and request.path == "/v1/attachments" else answer

    stage.desks["legal"].sync()
    both = (stage.desks["news"], stage.desks["legal"])
    for desk in both:
        desk.wire.meddle = meddle
        assert bring(desk).new == 3
    hidden[0] = True
    for day in (7, 13, 20):
        stage.world.close(c.TICKS_PER_DAY * day)
        for desk in both:
            desk.sync()
            bring(desk)
    kept = [len(list(ChunkFolder.of(desk.vault).kept())) for desk in both]
    assert kept == [3, 0], "news keeps what its letter names"
    hidden[0], before = False, len(stage.world.traffic)
    for desk in both + both:
        bring(desk)
    since = stage.world.traffic[before:]
    return [
        [(x.method, x.path, x.query) for x in since if x.who == f"desk {who}" and "/v1/attachments" in x.path]
        for who in ("news", "legal")
    ]


def test_names_listed_again_after_weeks_do_not_tell_who_kept_them(stage: Stage, tmp_path: Path) -> None:
    news, legal = relist(stage)
    assert news == legal
    assert len({path for _method, path, _query in news}) == 1 + 3, "all of them are asked for, once"
    assert saved(stage.desk, the_item(stage), tmp_path / "out") == THREE


def test_a_desk_that_did_not_ask_for_what_it_kept_would_be_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: what is here is not fetched, however old, as one might think enough."""
    real = ChunkFolder.fetched
    monkeypatch.setattr(ChunkFolder, "fetched", lambda self, name: None if real(self, name) is None else 1 << 40)
    news, legal = relist(stage)
    assert news != legal


def test_what_is_handed_out_in_place_of_what_was_kept_is_not_kept(stage: Stage, tmp_path: Path) -> None:
    """The same server, with other bytes under the old names: the file that is here stays."""
    attachment = send(stage)
    bring(stage.desk)
    stage.world.close(c.TICKS_PER_DAY * 20)
    stage.desk.sync()
    hand_out(stage, attachment, FORGERIES["one bit"])
    assert bring(stage.desk).new == 3 + 3, "the attacker's own chunks too"
    assert saved(stage.desk, the_item(stage), tmp_path / "out") == THREE
