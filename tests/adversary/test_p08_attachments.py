# SPDX-License-Identifier: AGPL-3.0-or-later
"""P8 with an attachment: what a seized vault and all chunks prove to a third party of who attached a file.

| Attacker                 | Holds                                       | Tries                                       |
|--------------------------|---------------------------------------------|---------------------------------------------|
| whoever seized the vault | news-1's vault and passphrase, every pack,  | to prove to a judge that a file, with the   |
| of one member            | every chunk, the log                        | letter that names it, is the source's       |

The proof of deniability is forging: a member makes another letter with another file of the same words, and so does a
member who was removed, within the epochs that they held. Uploads are anybody's: no chunk says who sent it.
"""

from dataclasses import dataclass, replace

import pytest

from latchstring.desk.attachments import State
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.letters import letters, thread_keys
from latchstring.protocol.attachment import Attachment, Opener
from latchstring.protocol.encoding import h
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.primitives import ed25519_sign, ed25519_verify
from latchstring.server.attachments import chunk_path
from latchstring.source import acts
from latchstring.source.upload import Bytes, Upload
from tests import attached
from tests.adversary import test_p08_members as members
from tests.adversary.test_p08_deniable import signer
from tests.attached import bring, listed, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage

TEXT, NAME, FILE = "I saw the lorries leave", "list.txt", b"five lorries, grey, no plates"
MARK = b"\n--"


@dataclass(frozen=True)
class Verdict:
    """All that a judge can check of a letter and its file, ids and keys left out: those are random in both."""

    letter: members.Verdict
    name: str
    size: int
    state: State
    stored: tuple[int, ...]  # the sizes of its chunks at the server
    text: bytes
    signed: bool


def judge(seized: Desk, source: Source) -> list[Verdict]:
    """Every letter of the thread that names a file, with what the vault and the server hold of it."""
    folder, private, found = ChunkFolder.of(seized.vault), seized.world.core.private, []
    items = {item.letter.msg_id: item for item in listed(seized)}
    for verdict, letter in zip(members.judge(seized, source), letters(seized.vault), strict=True):
        if letter.msg_id not in items:
            continue
        item = items[letter.msg_id]
        names, opener = item.attachment.chunk_names(), Opener(item.attachment)
        text, _, signature = b"".join(opener.open(folder.get(name) or b"") for name in names).partition(MARK)
        signed = bool(signature) and ed25519_verify(signer(source.keys()), text, signature)
        stored = tuple(len(private.get(chunk_path(name))) for name in names)
        plain = replace(verdict, rest=replace(verdict.rest, attachments=()))
        size = item.attachment.size - (len(MARK + signature) if signed else 0)
        found.append(Verdict(plain, item.attachment.name, size, item.state, stored, text, signed))
    return found


def sign_files(patch: pytest.MonkeyPatch) -> None:
    """The broken program: a file carries its source's signature."""
    real = attached.upload

    def upload(source: Source, name: str, data: bytes) -> Attachment:
        return real(source, name, data + MARK + ed25519_sign(h(source.keys().dh), data))

    patch.setattr(attached, "upload", upload)


def forge(forger: Desk, source: Source) -> bytes:
    """A letter with a file that the source never wrote, of what a member holds."""
    upload = Upload(Bytes(FILE), NAME, Stream("forged file"))
    named = upload.run(forger.wire, lambda _n: None, lambda _done, _of: None)
    epoch = members.epoch_now(forger)
    pair = pair_of_desk(epoch, thread_keys(forger.vault, forger.thread(source)))
    body = LetterBody("en", acts.WAY, TEXT, attachments=(named,))
    return epoch.note.seal_key.seal(frame_letter(pair, Stream("forged")(16), body.encode()), letter_info(epoch.note))


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("forger", ["a member", "a former member"])
@pytest.mark.parametrize("broken", [False, True])
def test_a_seized_vault_does_not_tell_a_source_s_file_from_a_member_s(
    three: TeamStage, forger: str, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former member was removed when both letters were under way to an epoch of before; such letters are shown
    outside threads, whoever wrote them."""
    world, (seized, _, other) = three.world, three.team.values()
    source = Source(world, "a")
    source.write("the first letter", tell=False)
    world.close()
    other.sync()
    if broken:
        sign_files(monkeypatch)
    if forger == "a former member":
        world.remove_member(other.member)  # in force with the next batch, and so before these letters count
    write_with(source, TEXT, (NAME, FILE))
    members.post(world, forge(other, source))
    world.close()
    seized.sync()
    bring(seized)
    two = judge(seized, source)
    assert [(v.text, v.size, v.state, v.letter.in_log) for v in two] == [(FILE, len(FILE), State.HERE, 1)] * 2
    assert [v.letter.text for v in two] == [TEXT] * 2
    assert {verified for v in two for verified in v.letter.row[3:4]} == {forger == "a member"}
    assert (two[0] == two[1]) is not broken
