# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source at a page and a desk at its program, in the world of one process: each opens what the other sealed.

The page's half runs in Node and has no network: its requests cross the world's own line, where they can be lost.
"""

from pathlib import Path

import pytest

from latchstring.desk.letters import letters
from latchstring.protocol.constants import ATTACHMENT_PLAIN
from latchstring.protocol.source_keys import seed_of
from tests.adversary.tools import Stage
from tests.attached import bring, listed, saved
from tests.browser.peer import Peer, Thrown, packed
from tests.world.world import Source, Wire


class Page:
    """A source who uses the page: the same passphrase as `source` has in Python."""

    def __init__(self, peer: Peer, stage: Stage, source: Source) -> None:
        self._peer, self._stage = peer, stage
        self.seed = seed_of(source.passphrase.bits, stage.world.door)
        self.wire = Wire(stage.world, f"page of {source.name}")

    def ask(self, do: str, desk: str = "news", **given: object) -> object:
        """One act at the page."""
        world = self._stage.world
        return self._peer.ask(do, self.wire, desk=desk, seed=self.seed, door=world.door, now=world.now, **given)

    def heard(self) -> list[str]:
        """The texts of what is read."""
        replies = self.ask("read")
        assert isinstance(replies, list)
        return [reply["text"] for reply in replies]


def other(stage: Stage, name: str = "b") -> Source:
    """Somebody else."""
    return Source(stage.world, name)


def test_a_letter_from_the_page_is_read_and_answered(stage: Stage, peer: Peer) -> None:
    source = other(stage)
    page = Page(peer, stage, source)
    assert page.heard() == []
    sent = page.ask("write", text="Слово зі сторінки.")
    assert isinstance(sent, dict)
    stage.world.close()
    stage.desk.sync()
    assert "Слово зі сторінки." in stage.desk.texts()
    ours = [letter for letter in letters(stage.desk.vault) if letter.body and letter.body.way == "page"]
    assert [letter.body.language for letter in ours if letter.body] == ["en"]
    stage.desk.show(source)
    stage.desk.answer(source, "We read it.")
    stage.desk.sync()
    stage.world.close(180)
    assert page.heard() == source.heard() == ["We read it."]
    [reply] = [r for r in source.read() if r.text]
    assert page.ask("read") == [
        {
            "id": reply.id.hex(),
            "at": reply.at,
            "text": reply.text,
            "acks": [a.hex() for a in reply.acks],
            "known": False,
        }
    ]
    assert sent["mark"] in [a.hex() for a in reply.acks]
    page.ask("write", text="Thank you.")
    stage.world.close()
    stage.desk.sync()
    answer = next(letter for letter in letters(stage.desk.vault) if letter.body and letter.body.text == "Thank you.")
    assert answer.body is not None
    assert answer.body.read == (reply.id,)


def test_what_the_page_asks_is_what_the_program_asks(stage: Stage, peer: Peer) -> None:
    """The same requests in the same order and of the same size, so that nobody sees which of the two it is by them."""
    page, source = Page(peer, stage, other(stage)), other(stage, "c")
    before = len(stage.world.traffic)
    page.ask("write", text="one")
    source.write("the other, which is longer")
    crossed = stage.world.traffic[before:]
    mine, theirs = ([c for c in crossed if c.who == who] for who in (f"page of {other(stage).name}", "source c"))
    assert [c.shape for c in mine] == [c.shape for c in theirs] == [("GET", "/visit", 0), ("POST", "/v1/letters", 4096)]
    assert [c.headers for c in mine] == [c.headers for c in theirs]


def test_a_request_is_the_same_bytes_whoever_reads(stage: Stage, peer: Peer) -> None:
    """P4 at the page: with replies, without, with words that were never used."""
    for number in range(2):
        stage.desk.answer(stage.source, f"answer {number}")
    stage.desk.sync()
    stage.world.close(180, 216)
    readers = [stage.source, other(stage), other(stage, "c")]
    before = len(stage.world.traffic)
    assert [len(Page(peer, stage, reader).heard()) for reader in readers] == [2, 0, 0]
    crossed = stage.world.traffic[before:]
    assert len(crossed) == 3
    assert len({c.sent for c in crossed}) == len({c.answer for c in crossed}) == 1


def test_a_line_that_breaks(stage: Stage, peer: Peer) -> None:
    """Lost before the door heard, lost after it took the letter, delivered twice: it is there once."""
    page = Page(peer, stage, other(stage))
    for fates in (["pass", "drop", "pass"], ["pass", "cut", "pass"], ["pass", "twice"]):
        page.wire.fates = fates  # type: ignore[assignment]  # a test's shorthand
        page.ask("write", text=f"over {fates}")
    page.wire.fates = ["pass", "drop", "drop", "drop", "drop"]
    with pytest.raises(Thrown) as lost:
        page.ask("write", text="never")
    assert (lost.value.name, lost.value.why) == ("CannotWrite", "unsure")
    for _ in range(2):
        stage.world.close()
    stage.desk.sync()
    texts = [text for text in stage.desk.texts() if text.startswith("over")]
    assert sorted(texts) == sorted(
        {f"over {fates}" for fates in (["pass", "drop", "pass"], ["pass", "cut", "pass"], ["pass", "twice"])}
    )
    assert "never" not in stage.desk.texts()


@pytest.mark.parametrize("by_list", [False, True], ids=["in the letter", "by a list"])
def test_attachments_from_the_page_arrive_whole(stage: Stage, peer: Peer, tmp_path: Path, by_list: bool) -> None:
    page = Page(peer, stage, other(stage))
    data = bytes(range(256)) * (2 * ATTACHMENT_PLAIN // 256 + 3)
    page.wire.fates = ["pass", "cut", "pass", "drop", "pass", "cut", "pass", "pass", "cut"]
    files = [["фото.jpg", packed(data)], ["b.txt", packed(b"x")]]
    page.ask("write", text="with files", files=files, list=by_list)
    stage.world.close()
    stage.desk.sync()
    bring(stage.desk)
    items = {item.attachment.name: item for item in listed(stage.desk)}
    if by_list:
        bring(stage.desk)
        items = {item.attachment.name: item for item in listed(stage.desk)}
    assert saved(stage.desk, items["фото.jpg"], tmp_path / "photo") == data
    assert saved(stage.desk, items["b.txt"], tmp_path / "b") == b"x"


def test_the_passphrase_changed_at_the_page(stage: Stage, peer: Peer) -> None:
    before, after = other(stage), other(stage, "b again")
    page = Page(peer, stage, before)
    page.ask("write", text="under the old words")
    stage.world.close()
    stage.desk.sync()
    old = stage.desk.thread(before)
    page.ask("change", to=Page(peer, stage, after).seed)
    stage.world.close()
    stage.world.pass_time(1)
    stage.world.close()
    stage.desk.sync()
    assert stage.desk.thread(after) != old
    stage.desk.answer(after, "under the new words")
    stage.desk.sync()
    stage.world.close(180)
    assert Page(peer, stage, after).heard() == ["under the new words"]
    assert page.heard() == []
    with pytest.raises(Thrown) as same:
        page.ask("change", to=page.seed)
    assert same.value.why == "same-words"


def test_a_server_that_lies_is_told_nothing(stage: Stage, peer: Peer) -> None:
    page = Page(peer, stage, other(stage))
    raw = bytearray(stage.raw)
    raw[-100] ^= 1
    stage.serve(bytes(raw))
    page.wire.meddle = stage.source.wire.meddle
    before = len(stage.world.traffic)
    with pytest.raises(Thrown) as refused:
        page.ask("write", text="for the newsroom alone")
    assert refused.value.name == "VisitRefused"
    assert [c.shape for c in stage.world.traffic[before:]] == [("GET", "/visit", 0)]
