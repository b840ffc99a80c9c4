# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk delete, keep, retention, withdraw, link, unlink, as a member types them."""

import json
from pathlib import Path

import pytest

from latchstring.cli import ui
from latchstring.desk.letters import threads
from latchstring.desk.vault import open_vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY
from tests.desk_world import CHEAP, PASSPHRASE, Source
from tests.unit.cli.test_desk import Desk, desk

__all__ = ["desk"]  # the fixture


@pytest.fixture
def marks(desk: Desk, tmp_path: Path) -> list[str]:
    """A desk with two threads, the first of which has two letters and a reply; the threads' marks."""
    desk.open()
    sources = [Source(desk.world, name) for name in ("a", "b")]
    for source, text in ((sources[0], "the first"), (sources[0], "the second"), (sources[1], "another")):
        desk.world.write(source, text)
        desk.world.close()
    desk.type("sync")
    found = [s.keys.thread_keys.thread(desk.world.founding.door, "news").hex()[:8] for s in sources]
    desk.type("show", found[0])
    (tmp_path / "answer.txt").write_text("thank you", encoding="utf-8")
    desk.type("reply", found[0], "--file", str(tmp_path / "answer.txt"))
    return found


def letters_of(desk: Desk, thread: str) -> list[str]:
    items = desk.values("show", thread)["items"]
    assert isinstance(items, list)
    return [item["mark"] for item in items if item["kind"] == "letter"]


def test_deleting_asks_first(desk: Desk, marks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "no" if len(asked) == 1 else "Yes"

    monkeypatch.setattr(ui, "ask", ask)
    first, second = letters_of(desk, marks[0])
    assert "Nothing was deleted" in desk.type("delete", first, code=1)
    assert asked == ["Delete 1 letter for good? Type yes:"]
    assert letters_of(desk, marks[0]) == [first, second]
    said = desk.type("delete", first)
    assert "Deleted and erased here: 1 letter, 0 replies." in said
    assert "other members' machines do the same" in said
    assert "cannot be recovered" in said
    assert letters_of(desk, marks[0]) == [second]


def test_deleting_a_thread(desk: Desk, marks: list[str]) -> None:
    value = desk.values("delete", "--thread", marks[0], "--yes")
    assert (value["letters"], value["replies"], value["threads"]) == (2, 1, 1)
    assert value["thread_keys_erased_at"] is None
    assert "No thread or letter is named so" in desk.type("show", marks[0], code=1)
    assert marks[1] in desk.type("inbox")


def test_deleting_a_thread_whose_words_were_changed_says_how_long_its_keys_stay(desk: Desk, marks: list[str]) -> None:
    for mark in marks:
        with open_vault(desk.vault, PASSPHRASE, CHEAP) as vault, vault.transaction():
            (thread,) = (t for t in threads(vault) if t.hex().startswith(mark))
            vault.do("INSERT INTO moved_thread (thread, batch, old) VALUES (?, 5, ?)", thread, b"o" * 31 + thread[:1])
    said = desk.type("delete", "--thread", marks[0], "--yes")
    until = desk.world.founding.directory.policy.closes_at((BODY_DAYS + 1) * TICKS_PER_DAY)
    assert "Deleted and erased here: 2 letters, 1 reply, 1 thread." in said
    assert f"the thread's keys stay in this vault until its first sync after {ui.when(until)}" in said
    (letter,) = letters_of(desk, marks[1])
    assert desk.values("delete", letter, "--yes")["thread_keys_erased_at"] == until


def test_what_cannot_be_deleted(desk: Desk, marks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = letters_of(desk, marks[0])
    for args, said, code in (
        ((), "Name letters, or one thread", 2),
        ((first, "--thread", marks[0]), "Name letters, or one thread", 2),
        (("12", "--yes"), "too short", 1),
        ((first, "ffffffff", "--yes"), "No letter is named so", 1),
        (("--thread", "ffffffff", "--yes"), "No thread or letter is named so", 1),
    ):
        assert said in desk.type("delete", *args, code=code)
    monkeypatch.setattr("latchstring.desk.naming.LEAST_DIGITS", 0)
    assert "More than one letter is named so" in desk.type("delete", "", "--yes", code=1)
    assert len(letters_of(desk, marks[0])) == 2


def test_withdrawing(desk: Desk, marks: list[str]) -> None:
    items = desk.values("show", marks[0])["items"]
    assert isinstance(items, list)
    reply = next(item["id"] for item in items if item["kind"] == "reply")
    assert f"Reply {reply[:8]}" in desk.type("show", marks[0])
    assert "not published yet" in desk.type("withdraw", reply[:8])
    assert "It was withdrawn before" in desk.type("withdraw", reply)
    assert "withdrawn" in desk.type("show", marks[0])
    assert "No reply is named so" in desk.type("withdraw", "ffffffff", code=1)


def test_linking(desk: Desk, marks: list[str]) -> None:
    assert "shown together" in desk.type("link", *marks)
    assert "linked already" in desk.type("link", *marks, code=1)
    assert "one and the same" in desk.type("link", marks[0], marks[0], code=1)
    shown = desk.type("show", marks[1])
    assert "another" in shown
    assert "Linked by a member as of the same source" in shown
    assert "the second" in shown
    assert f"{marks[0]} + {marks[1]}" in desk.type("inbox")
    assert "stands alone again" in desk.type("unlink", marks[1])
    assert "the second" not in desk.type("show", marks[1])
    assert "not linked" in desk.type("unlink", marks[1], code=1)


def test_retention(desk: Desk, marks: list[str]) -> None:
    assert "the directory's policy sets no time" in desk.type("retention")
    assert "stays" in desk.type("keep", marks[0])
    value = json.loads(json.dumps(desk.values("retention")))
    assert value["keep_days"] == 0
    kept = {item["thread"][:8]: item["kept"] for item in value["threads"]}
    assert kept == {marks[0]: True, marks[1]: False}
    desk.type("keep", marks[0], "--off")
    assert not any(item["kept"] for item in desk.values("retention")["threads"])  # type: ignore[attr-defined]  # a test's shorthand
