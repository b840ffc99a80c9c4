# SPDX-License-Identifier: AGPL-3.0-or-later
"""P9 with attachments: what stands in a thread is what its own source attached.

| Attacker              | Holds                                       | Tries                                        |
|-----------------------|---------------------------------------------|----------------------------------------------|
| another source        | what a letter says of a file (id, key and   | to have the file, or one of theirs, stand in |
|                       | hash), the other thread's public keys       | the other's thread                           |
| server                | every chunk, what it lists and hands out    | the same                                     |
| former member         | thread keys, epochs, the token of an upload | the same, after the removal                  |
|                       | begun before it                             |                                              |

Members attach nothing: replies, notes and memos name no files, so nobody can pass one off as a member's.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete

from latchstring.client.transport import Response
from latchstring.desk import follow
from latchstring.desk.attachments import State
from latchstring.desk.errors import DeskError
from latchstring.desk.letters import thread_keys
from latchstring.protocol import attachment as bytes_module
from latchstring.protocol import pair as pair_module
from latchstring.protocol.attachment import Ask, Attachment, Sealer, encode_names
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.primitives import x25519
from latchstring.server.api import Request
from latchstring.server.attachments import chunk_path
from latchstring.source import acts
from latchstring.store import tables
from tests.adversary.test_p08_members import epoch_now
from tests.adversary.test_p09_authentic import letters_mac_off, news_note, post
from tests.adversary.tools import MALLORY, Stage
from tests.attached import bring, listed, saved, upload, write_naming, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage

OWN, OTHER = b"the ledger, page seven", b"a ledger of my making."


def in_thread(desk: Desk, source: Source) -> list[tuple[str, bytes]]:
    """What members see in a source's thread: the file's name and its id."""
    return [
        (item.attachment.name, item.attachment.id)
        for item in listed(desk)
        if item.letter.thread == desk.thread(source) and item.letter.verified
    ]


# --- another source ------------------------------------------------------------------------------


def test_who_knows_what_another_attached_cannot_name_it_in_their_thread(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a letter of their own it stands in their own thread; one in the other's name is nobody's. All public keys of
    that thread and the file's own key are known; the private a is not."""
    (own,) = write_with(stage.source, "look", ("ledger.txt", OWN))
    mallory = Source(stage.world, "mallory")
    theirs = upload(mallory, "theirs.txt", OTHER)
    write_naming(mallory, "mine, all of it", (own, theirs))

    def in_their_name() -> None:
        note, keys = news_note(stage), stage.source.keys().thread_keys
        pair = pair_module._pair(x25519(MALLORY, note.dh), keys, note)
        body = LetterBody("en", acts.WAY, "and this", attachments=(own, theirs))
        plain = frame_letter(pair, Stream("in their name")(16), body.encode())
        post(stage.world, note.seal_key.seal(plain, letter_info(note)))
        stage.world.close()
        stage.desk.sync()
        bring(stage.desk)

    in_their_name()
    assert in_thread(stage.desk, stage.source) == [("ledger.txt", own.id)]
    assert in_thread(stage.desk, mallory) == [("ledger.txt", own.id), ("theirs.txt", theirs.id)]

    letters_mac_off(monkeypatch)
    with stage.world.core.sql.write() as connection:
        connection.execute(delete(tables.letters))  # the same letter again
    in_their_name()
    assert in_thread(stage.desk, stage.source)[1:] == [("ledger.txt", own.id), ("theirs.txt", theirs.id)]


# --- server --------------------------------------------------------------------------------------


class OneKey:
    """A cipher that has the same key for every file."""

    def encrypt(self, _nonce: bytes, data: bytes, _aad: bytes | None) -> bytes:
        return data + bytes(16)

    def decrypt(self, _nonce: bytes, data: bytes, _aad: bytes | None) -> bytes:
        return data[:-16]


@pytest.mark.parametrize("broken", [False, True])
def test_a_server_cannot_put_another_threads_file_into_a_thread(
    stage: Stage, broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lists the other's chunk alone, and hands it out under both names. Broken: one key for all files, and a hash
    that is compared with nothing."""
    if broken:
        monkeypatch.setattr(bytes_module, "_cipher", lambda *_: OneKey())
        monkeypatch.setattr("latchstring.desk.attachments.same", lambda *_: True)
        monkeypatch.setattr(bytes_module, "same", lambda *_: True)
    (own,) = write_with(stage.source, "look", ("ledger.txt", OWN))
    (theirs,) = write_with(Source(stage.world, "mallory"), "look", ("theirs.txt", OTHER))
    stage.world.close()
    (name,), private = theirs.chunk_names(), stage.world.core.private
    private.files[chunk_path(own.chunk_names()[0])] = private.get(chunk_path(name))
    stage.desk.sync()

    def lists_theirs_alone(request: Request, answer: Response) -> Response:
        asked = request.path == "/v1/attachments" and request.query == "after=0"
        return replace(answer, body=encode_names(2, [name])) if asked else answer

    stage.desk.wire.meddle = lists_theirs_alone
    bring(stage.desk)
    assert in_thread(stage.desk, stage.source) == [("ledger.txt", own.id)]
    (item,) = (item for item in listed(stage.desk) if item.attachment.id == own.id)
    assert item.state is State.DROPPED, "what it does not list has not come"
    stage.desk.wire.meddle = lambda _request, answer: answer
    bring(stage.desk)
    (item,) = (item for item in listed(stage.desk) if item.attachment.id == own.id)
    if broken:
        assert saved(stage.desk, item, tmp_path / "out") == OTHER
        return
    assert item.state is State.WRONG
    with pytest.raises(DeskError, match="not what the letter names"):
        saved(stage.desk, item, tmp_path / "out")


# --- a former member -----------------------------------------------------------------------------


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("broken", [False, True])
def test_what_a_former_member_uploads_is_in_no_thread(
    three: TeamStage, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token admits whoever has it, a member or not: what comes by it is a chunk like everybody's. The letter in which
    they name it, by the thread's keys and the newest epoch they held, counts for no thread. Broken: any epoch counts.
    """
    world, (there, _, gone) = three.world, three.team.values()
    source = Source(world, "a")
    source.write("while they were there", tell=False)
    world.close()
    gone.sync()
    epoch, keys = epoch_now(gone), thread_keys(gone.vault, gone.thread(source))
    random = Stream("former member")
    token, sealer = random(32), Sealer(file_id := random(16), key := random(32), len(OTHER))
    assert world.answer(Request("POST", "/v1/attachments", body=Ask(token, 1).encode())).status == 201

    world.remove_member(gone.member)
    world.close()
    chunk = sealer.seal(OTHER)
    made = Attachment(file_id, key, len(OTHER), sealer.ciphertext_hash(), "theirs.txt")
    path = f"/v1/attachments/{made.chunk_names()[0].hex()}"
    put = Request("PUT", path, headers={"authorization": f"Bearer {token.hex()}"}, body=chunk)
    assert world.answer(put).status == 201
    body = LetterBody("en", acts.WAY, "and this", attachments=(made,))
    plain = frame_letter(pair_of_desk(epoch, keys), random(16), body.encode())
    post(world, epoch.note.seal_key.seal(plain, letter_info(epoch.note)))
    world.close()
    if broken:
        monkeypatch.setattr(follow, "counting", lambda *_: {epoch.note.hash: epoch.note.day})
    there.sync()
    bring(there)
    assert in_thread(there, source) == ([("theirs.txt", made.id)] if broken else [])
    assert [(item.attachment.id, item.letter.verified) for item in listed(there)] == [(made.id, broken)]
    fetched = bring(gone)
    assert (fetched.new, fetched.trouble is None) == (0, False), "nor do they see what there is"
