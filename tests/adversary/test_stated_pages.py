# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stated, not promised: the page without JavaScript seals and opens in the server's memory, and says so.

| Attacker              | Holds                                      | Does                                         |
|-----------------------|--------------------------------------------|----------------------------------------------|
| whoever listens in    | what passes through that process           | reads the words, the letter and the answers  |
| the pages' server     |                                            |                                              |
| the store, and who    | what it is sent, and what it answers       | finds none of it: what leaves that memory is |
| listens on its line   |                                            | sealed                                       |
"""

from pathlib import Path

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import source_keys
from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.passphrase import Passphrase, parse_passphrase
from latchstring.protocol.root import Door
from latchstring.protocol.source_keys import SourceKeys
from latchstring.protocol.wordlist import load
from latchstring.source import acts
from latchstring.source.thread import Reply
from tests.adversary.tools import Stage
from tests.world.test_site import Scene
from tests.world.world import Source

SEALS = "the server holds what you send in its memory while it seals it"
OPENS = "the server holds your words and the answers to you in its memory while it opens them"
TEXT, ANSWER = "I saw the lorries leave", "come on Monday"


class Listener:
    """Somebody in the process: what the pages' own acts are called with, and what they give."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.words: set[str] = set()
        self.texts: set[str] = set()
        seals, reads = acts.seal, acts.read_thread

        def seed_of(bits: bytes, door: Door) -> bytes:
            self.words.add(" ".join(Passphrase(bits).words(load())))
            return source_keys.seed_of(bits, door)

        def seal(visit: VerifiedVisit, keys: SourceKeys, body: LetterBody, msg_id: bytes) -> bytes:
            self.texts.add(body.text)
            return seals(visit, keys, body, msg_id)

        def read_thread(visit: VerifiedVisit, keys: SourceKeys) -> tuple[Reply, ...]:
            found = reads(visit, keys)
            self.texts |= {reply.text for reply in found if reply.text is not None}
            return found

        patch.setattr("latchstring.site.acts.seed_of", seed_of)
        patch.setattr(acts, "seal", seal)
        patch.setattr(acts, "read_thread", read_thread)


def unsealed(patch: pytest.MonkeyPatch) -> None:
    """The broken pages: a letter crosses to the store as it is, with the keys that it came with."""

    def plain(keys: SourceKeys, _note: object, _msg_id: bytes, body: LetterBody) -> bytes:
        return (body.encode() + keys.dh).ljust(LETTER_SIZE, b"\0")

    patch.setattr(acts, "seal_letter", plain)


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("broken", [False, True])
def test_the_page_without_a_script_seals_and_opens_in_the_servers_memory(
    stage: Stage, broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scene").mkdir()
    scene = Scene(stage.world, stage.desks, tmp_path / "scene")
    if broken:
        unsealed(monkeypatch)
    heard = Listener(monkeypatch)
    scene.browser.get("/en/write")
    assert SEALS in scene.browser.text
    scene.browser.press("text", desk="news", text=TEXT)
    scene.browser.press("words")
    words = scene.words()
    scene.browser.press("practise")
    scene.browser.press("send", words=words)
    assert "Your letter is in" in scene.browser.text
    assert (heard.words, heard.texts) == ({words}, {TEXT}), "the listener has all of it"

    person = Source(scene.world, "them", parse_passphrase(words, load()))
    if not broken:
        scene.deliver()
        scene.news.answer(person, ANSWER)
        scene.news.sync()
        scene.sheet()
        scene.browser.get("/en/return")
        assert OPENS in scene.browser.text
        scene.browser.press("open", words=words)
        assert ANSWER in scene.browser.text
        assert heard.texts == {TEXT, ANSWER}

    crossed = b"".join(x.sent + x.answer for x in scene.world.traffic if x.who == "the pages")
    keys = person.keys()
    secrets = (TEXT.encode(), ANSWER.encode(), words.encode(), person.passphrase.bits, keys.dh, keys.psk, keys.c0)
    found = [secret for secret in secrets if secret in crossed or secret.hex().encode() in crossed]
    assert found == ([TEXT.encode(), keys.dh] if broken else []), "and the store none of it"
    assert b"POST\n/v1/letters" in crossed, "the search looks where letters are"
