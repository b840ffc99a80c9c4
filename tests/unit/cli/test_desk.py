# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk, as a member types it, against a server in the same process."""

import io
import json
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from latchstring.cli import desk as cli
from latchstring.cli import enrolling, ui, vaults
from latchstring.cli.main import run
from latchstring.client.transport import Response
from latchstring.desk.vault import create_vault, open_vault
from latchstring.org.draft import add_card, new_draft
from latchstring.protocol.directory import Member
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.letter import LetterBody, seal_letter
from latchstring.protocol.wordlist import load
from tests.builders import found
from tests.desk_world import CHEAP, PASSPHRASE, LocalTransport, Source, World


class Context(LocalTransport):
    """The transport that the command opens."""

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *_: object) -> None: ...


class Clock:
    """The module `time`, on the world's clock."""

    def __init__(self, world: World) -> None:
        self._world = world

    def time(self) -> float:
        return float(self._world.now)


class Desk:
    """A member at a terminal."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.patch, self.capfd = folder, monkeypatch, capfd
        self.vault = folder / "desk.vault"
        self.world = World(found(letters=16))
        self.transport = Context(self.world)
        self.link = format_link(self.world.founding.door, ("http://door.example",))
        monkeypatch.setattr(vaults, "open_vault", partial(open_vault, cost=CHEAP))
        monkeypatch.setattr(enrolling, "create_vault", partial(create_vault, cost=CHEAP))
        monkeypatch.setattr(cli, "HttpTransport", lambda _address, _via: self.transport)
        monkeypatch.setattr(cli, "time", Clock(self.world))
        monkeypatch.setenv("TZ", "UTC")
        monkeypatch.setattr(ui, "out", Console(highlight=False, soft_wrap=True, width=200))

    def type(self, *args: str, passphrase: str = PASSPHRASE, code: int = 0, said: str | None = None) -> str:
        """Run a command, with `said` typed at it; what it printed, standard output and error together."""
        read, write = os.pipe()
        os.write(write, passphrase.encode() + b"\n")
        os.close(write)
        if said is not None:
            self.patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
        try:
            status = run(["desk", *args, "--vault", str(self.vault), "--passphrase-fd", str(read)])
        finally:
            os.close(read)
        printed = self.capfd.readouterr()
        assert status == code, printed
        assert "Traceback" not in printed.err
        return printed.out + printed.err

    def values(self, *args: str) -> dict[str, object]:
        read = self.type(*args, "--json")
        value = json.loads(read)
        assert isinstance(value, dict)
        return value

    def join(self) -> None:
        """init, and the directory that names the new keys."""
        self.type("init", "--door", self.link, "--desk", "news", "--member", "news-1")
        card = self.values("card")
        news = self.world.founding.directory.desks[0]
        member = Member("news-1", bytes.fromhex(str(card["sign"])), bytes.fromhex(str(card["request"])))
        self.world.close()
        self.world.renew(desks=(replace(news, gen=2, members=(member,)),))

    def open(self) -> None:
        self.join()
        for _ in range(3):
            self.world.close()
            self.type("sync")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capfd)


def test_from_an_empty_folder_to_an_answer(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    assert "No letters yet" in desk.type("inbox")
    source = Source(desk.world, "a")
    desk.world.write(source, "There is something\nyou should know.")
    desk.world.close()
    assert "New letters: 1." in desk.type("sync")
    listed = desk.type("inbox")
    assert "1 new" in listed
    assert "There is something you should know." in listed
    mark = source.keys.thread_keys.thread(desk.world.founding.door, "news").hex()[:8]
    assert mark in listed
    shown = desk.type("show", mark)
    assert "  There is something\n  you should know." in shown
    assert "opened" in desk.type("inbox")
    (tmp_path / "answer.txt").write_text("Thank you.", encoding="utf-8")
    kept = desk.type("reply", mark, "--file", str(tmp_path / "answer.txt"))
    assert "1 of their letters was opened" in kept
    assert "waiting for the next sync" in desk.type("inbox")
    desk.type("sync")
    assert re.search(r"waiting for sheet 1 at \d\d:\d\d", desk.type("inbox"))
    desk.world.close(36)
    assert "Replies now published: 1." in desk.type("sync")
    assert "published in sheet 1" in desk.type("inbox")
    (reply,) = source.replies(desk.world)
    assert reply.body is not None
    assert (reply.body.text, len(reply.body.acks)) == ("Thank you.", 1)
    desk.world.write(source, "I have read it", read=(reply.reply_id,))
    desk.world.close()
    assert "now read by their source: 1" in desk.type("sync")
    shown = desk.type("show", mark)
    assert "read by the source" in shown
    assert shown.index("There is something") < shown.index("Thank you.") < shown.index("I have read it")


def test_json_says_the_same(desk: Desk) -> None:
    desk.open()
    source = Source(desk.world, "a")
    msg_id = desk.world.write(source, "hello")
    desk.world.close()
    report = desk.values("sync")
    assert report["faults"] == []
    assert report["desk_open"] is True
    (listed,) = json.loads(desk.type("inbox", "--json"))
    assert listed["unopened"] == 1
    shown = desk.values("show", msg_id[:8].hex())
    assert isinstance(shown["items"], list)
    assert shown["items"][0]["text"] == "hello"
    reply = desk.values("reply", str(shown["mark"]), "--ack-only")
    assert reply["acks"] == [msg_id[:8].hex()]


def test_the_card_fits_the_organisation_s_draft(desk: Desk) -> None:
    desk.type(
        "init", "--door", desk.link, "--desk", "news", "--member", "anna", "--card", str(desk.folder / "card.toml")
    )
    card = (desk.folder / "card.toml").read_text()
    assert card == desk.type("card")[: len(card)]
    draft = add_card(new_draft(desk.world.founding.door, 600, 1_700_000_000), card)
    assert "anna" in draft


def test_init_takes_twelve_words_and_refuses_wrong_ones(desk: Desk) -> None:
    words = door_words(desk.world.founding.door, load())
    wrong = " ".join(["xyzzy", *words[1:]])
    assert "not in the list" in desk.type("init", "--door", wrong, "--desk", "news", "--member", "anna", code=2)
    assert "address is missing" in desk.type("init", "--door", " ".join(words), "--desk", "n", "--member", "a", code=2)
    assert "not the name" in desk.type("init", "--door", desk.link, "--desk", "News!", "--member", "a", code=2)
    assert not desk.vault.exists()
    desk.type("init", "--door", " ".join(words), "--at", "http://door.example", "--desk", "news", "--member", "anna")
    before = desk.vault.read_bytes()
    assert "already" in desk.type("init", "--door", desk.link, "--desk", "news", "--member", "anna", code=1)
    assert desk.vault.read_bytes() == before


def test_a_short_passphrase_makes_no_vault(desk: Desk) -> None:
    text = desk.type("init", "--door", desk.link, "--desk", "news", "--member", "anna", passphrase="short", code=1)
    assert "too short" in text
    assert not desk.vault.exists()


def test_errors_say_what_to_do(desk: Desk) -> None:
    assert "no vault there" in desk.type("inbox", code=1)
    desk.open()
    assert "does not open the vault" in desk.type("inbox", passphrase="not this one at all", code=1)
    assert "No thread" in desk.type("show", "abcdef", code=1)
    assert "too short" in desk.type("show", "ab", code=1)


def test_an_empty_and_a_long_reply_are_refused_in_words(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    source = Source(desk.world, "a")
    msg_id = desk.world.write(source, "hello")
    desk.world.close()
    desk.type("sync")
    mark = msg_id[:8].hex()
    assert "nothing to say" in desk.type("reply", mark, "--ack-only", code=1)
    (tmp_path / "empty").write_text(" \n")
    assert "empty" in desk.type("reply", mark, "--file", str(tmp_path / "empty"), code=1)
    (tmp_path / "long").write_text("ж" * 1000, encoding="utf-8")
    assert re.search(r"\b\d+ bytes too long", desk.type("reply", mark, "--file", str(tmp_path / "long"), code=1))


def test_a_letter_cannot_move_the_cursor(desk: Desk) -> None:
    desk.open()
    source = Source(desk.world, "a")
    msg_id = desk.world.write(source, "\x1b[2Jgone \u202e reversed [red]not markup[/red]")
    desk.world.close()
    desk.type("sync")
    for text in (desk.type("show", msg_id[:8].hex()), desk.type("inbox")):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<U+001B>" in text
        assert "[red]not markup[/red]" in text


def test_letters_outside_their_days_stand_apart(desk: Desk) -> None:
    desk.open()
    source = Source(desk.world, "a")
    note = desk.world.visit().note("news")
    assert note is not None
    desk.world.write(source, "in time")
    desk.world.close(431)
    desk.world.post(seal_letter(source.keys, note, b"l" * 16, LetterBody("en", "client", "too late")))
    desk.world.close()
    assert "outside the days of their keys, shown as unverified: 1." in desk.type("sync")
    mark = source.keys.thread_keys.thread(desk.world.founding.door, "news").hex()[:8]
    shown = desk.type("show", mark)
    assert shown.index("in time") < shown.index("Outside the thread") < shown.index("too late")


def test_a_fault_of_the_server_ends_with_status_3(desk: Desk) -> None:
    desk.open()
    desk.world.close()
    path = f"/v1/packs/{desk.world.batch}"
    desk.transport.meddle = lambda _m, p, a: Response(404, b"") if p == path else a
    assert "Fault of the server" in desk.type("sync", code=3)


def test_a_second_sync_while_one_runs_says_so_and_disturbs_nothing(desk: Desk) -> None:
    """Or the first would call the pages of the second a fault of the server, and report it to the organisation."""
    desk.open()
    desk.world.close()
    said: list[str] = []

    def meanwhile(method: str, _path: str, answer: Response) -> Response:
        if method == "PUT" and not said:
            said.append("begun")
            said.append(desk.type("sync", code=1))
        return answer

    desk.transport.meddle = meanwhile
    desk.type("sync")
    assert "Another sync of this vault is under way" in said[1]
    desk.type("sync")


def test_a_thread_is_marked_as_known(desk: Desk) -> None:
    desk.open()
    source = Source(desk.world, "a")
    desk.world.write(source, "hello")
    desk.world.close()
    desk.type("sync")
    mark = source.keys.thread_keys.thread(desk.world.founding.door, "news").hex()[:8]
    assert "0 of 48" in desk.type("known")
    assert "marked as known. Next: latchstring desk sync" in desk.type("known", mark)
    assert "marked already" in desk.type("known", mark)
    assert mark in desk.type("known")
    desk.type("reply", mark, "--ack-only", code=1)
    desk.type("show", mark)
    desk.type("reply", mark, "--ack-only")
    desk.type("sync")
    desk.world.close(36)
    (reply,) = source.replies(desk.world)
    assert reply.body is not None
    assert reply.body.known
    assert desk.values("known", mark, "--off") == {"changed": True, "known": [], "most": 48}
    assert "Which thread?" in desk.type("known", "--off", code=2)
    assert "No thread" in desk.type("known", "ffff0000", code=1)


def test_before_the_directory_names_the_member(desk: Desk) -> None:
    desk.type("init", "--door", desk.link, "--desk", "law", "--member", "anna")
    assert "no door at this address yet" in desk.type("sync", code=1)
    desk.world.close()
    assert "does not name member 'anna'" in desk.type("sync", code=1)


def test_an_onion_address_and_no_way_to_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def line(address: str, via: str | None) -> Context:
        asked.append((address, via is not None))
        return desk.transport

    monkeypatch.setattr(cli, "HttpTransport", line)
    at = ("--at", "https://door.example")
    desk.type("init", "--door", desk.link, *at, "--at", "door.onion", "--desk", "law", "--member", "anna")
    for more in ((), ("--every", "100"), ("--at", "http://door.onion"), ("--at", "door.onion")):
        said = desk.type("sync", *more, code=2)
        assert "add --tor" in said
        assert "--at" in said
    assert "not an address" in desk.type("sync", *at, "--at", "http:/door.onion", code=2)
    assert asked == []
    desk.type("sync", *at, code=1)
    assert asked == [("https://door.example", False)]
    desk.type("sync", "--tor", code=1)
    assert asked[1:] == [("https://door.example", True), ("http://door.onion", True)]


def test_every_goes_on_when_the_network_does_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open()
    pauses: list[float] = []

    def countdown(until: float, _what: str) -> None:
        pauses.append(until - desk.world.now)
        desk.transport.fail = 0 if len(pauses) == 1 else None
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("latchstring.cli.ui.countdown", countdown)
    monkeypatch.setattr("latchstring.cli.desk.next_due", lambda _vault: None)  # memos have random times of their own
    text = desk.type("sync", "--every", "100", code=130)
    assert "cut before the server heard" in text
    assert text.count("Followed the log") == 2
    assert all(75 <= pause <= 125 for pause in pauses)


def test_help_has_an_example_for_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("init", "card", "sync", "inbox", "show", "reply"):
        assert run(["desk", command, "--help"]) == 0
        assert "Example" in capfd.readouterr().out
