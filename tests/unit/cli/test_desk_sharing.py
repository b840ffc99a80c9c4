# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk assign, note, search and evidence, and what inbox and show say of the others."""

import json
from pathlib import Path

import pytest

from latchstring.desk.facts import At, Reader, Told, apply_fact
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.shared_replies import reply_fact
from latchstring.desk.vault import Vault, open_vault
from latchstring.protocol.reply import ReplyBody
from tests.desk_world import CHEAP, PASSPHRASE, Source
from tests.unit.cli.test_desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    made = Desk(tmp_path, monkeypatch, capfd)
    made.open()
    return made


def hear(desk: Desk, thread: bytes, *facts: dict[str, object]) -> None:
    """As if a member called ben had told it, in a batch that is not followed yet."""
    reader = Reader(desk.world.founding.door, "news", "news-1")
    with open_vault(desk.vault, PASSPHRASE, CHEAP) as vault, vault.transaction():
        for position, fact in enumerate(facts):
            taken = apply_fact(vault, FACT_KINDS, Told(At(desk.world.batch + 1, 0, position), "ben", reader), fact)
            assert taken.applied


def test_what_is_written_or_looked_for_is_never_on_the_command_line(desk: Desk) -> None:
    """Other programs of the machine see it there, and a shell keeps it."""
    for command in (("note", "1eb569dc", "she is afraid"), ("search", "general")):
        desk.type(*command, code=2)


def test_a_thread_in_hand_with_notes_and_found_again(desk: Desk, tmp_path: Path) -> None:
    source = Source(desk.world, "a")
    desk.world.write(source, "an invoice\x1b[2J for the mayor")
    desk.world.close()
    desk.type("sync")
    mark = source.keys.thread_keys.thread(desk.world.founding.door, "news").hex()[:8]

    assert "no member 'zed'" in desk.type("assign", mark, "zed", code=2)
    assert "in the hands of news-1" in desk.type("assign", mark, "news-1")
    assert "news-1 (not yet told)" in desk.type("inbox")
    desk.type("note", mark, said="call \u202e back\n")
    (file := tmp_path / "note.txt").write_text(" \n")
    assert "The note is empty" in desk.type("note", mark, "--file", str(file), code=1)
    file.write_text("x" * 501)
    assert "characters too long" in desk.type("note", mark, "--file", str(file), code=1)
    shown = desk.type("show", mark)
    assert "In the hands of news-1, says news-1 (not yet told)" in shown
    assert "call <U+202E> back" in shown
    assert "\u202e" not in shown

    found = desk.type("search", said="mayo invoice\n")
    assert mark in found
    assert "\x1b" not in found
    assert "Nothing found" in desk.type("search", said="giraffe\n")
    assert "No words were typed" in desk.type("search", said=" \n", code=2)
    (hit,) = json.loads(desk.type("search", "--json", said="invoice\n").removesuffix("Words to find: "))
    assert (hit["kind"], hit["thread"][:8]) == ("letter", mark)
    assert desk.values("show", mark)["assigned"] == {"to": "news-1", "by": "news-1", "pending": True}
    found = desk.type("search", said="CALL bac\n")  # the note that no memo has told yet
    assert (mark in found, "note" in found, "\u202e" in found) == (True, True, False)
    desk.type("assign", mark, "nobody")
    assert "not yet told" not in desk.type("inbox")


def test_two_answers_to_one_letter_are_both_shown_and_said(desk: Desk) -> None:
    source = Source(desk.world, "a")
    msg_id = desk.world.write(source, "hello")
    desk.world.close()
    desk.type("sync")
    thread = source.keys.thread_keys.thread(desk.world.founding.door, "news")
    mark = thread.hex()[:8]
    desk.type("show", mark)
    (desk.folder / "answer.txt").write_text("From me.", encoding="utf-8")
    desk.type("reply", mark, "--file", str(desk.folder / "answer.txt"))
    theirs = reply_fact(b"\x07" * 16, thread, ReplyBody("From ben.", (msg_id[:8],)), desk.world.now + 60, 2)
    hear(desk, thread, dict(theirs), {"kind": "read", "thread": thread, "letters": [msg_id[:8]]})
    shown = desk.type("show", mark)
    assert "From me." in shown
    assert "From ben." in shown
    assert "Reply 07070707 by ben of" in shown
    assert shown.count("ben answered too, at ") == 1
    assert shown.count("news-1 answered too, at ") == 1
    assert "opened by ben" in shown
    assert "answered by you and ben, not knowing of each other" in desk.type("inbox")
    items = desk.values("show", mark)["items"]
    assert isinstance(items, list)
    assert [item["author"] for item in items if item["kind"] == "reply"] == [None, "ben"]


def test_what_another_member_opened_or_passed_on_is_said(desk: Desk) -> None:
    source = Source(desk.world, "a")
    msg_id = desk.world.write(source, "hello")
    desk.world.close()
    desk.type("sync")
    thread = source.keys.thread_keys.thread(desk.world.founding.door, "news")
    hear(desk, thread, {"kind": "read", "thread": thread, "letters": [msg_id[:8]]})
    assert "opened by ben" in desk.type("inbox")
    with open_vault(desk.vault, PASSPHRASE, CHEAP) as vault, vault.transaction():
        vault.do("UPDATE letter SET passed_on_by = 'ben', passed_at = 1")
    assert "Passed on by ben: this vault could not open it" in desk.type("show", thread.hex()[:8])


def test_broken_promises_are_shown_as_evidence(desk: Desk) -> None:
    assert "kept every promise" in desk.type("evidence")
    assert json.loads(desk.type("evidence", "--json")) == []
    with open_vault(desk.vault, PASSPHRASE, CHEAP) as vault:
        _break(vault)
    shown = desk.type("evidence")
    assert "Promised for batch 7, not in the log after batch 9" in shown
    assert "0102" in shown
    assert json.loads(desk.type("evidence", "--json")) == [{"publish_by": 7, "noticed": 9, "receipt": "0102"}]


def _break(vault: Vault) -> None:
    with vault.transaction():
        vault.do("INSERT INTO broken_promise VALUES (x'0102', 7, 9)")


@pytest.mark.parametrize("command", ["assign", "note", "search", "evidence"])
def test_every_command_has_an_example(desk: Desk, command: str) -> None:
    assert f"latchstring desk {command}" in desk.type(command, "--help")
