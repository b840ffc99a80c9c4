# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies through real sheets: placed, published, audited, placed again, never lost."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed, Response
from latchstring.desk import placing
from latchstring.desk.letters import letters, mark_opened, threads
from latchstring.desk.replies import NothingToSay, Reply, ReplyTooLong, replies, write_reply
from latchstring.desk.uploads import uploads
from latchstring.protocol.constants import MAX_PLACINGS, REPLY_CBOR_MAX, sheet_of
from latchstring.protocol.encoding import h
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import PageReceipt, open_page_receipt
from latchstring.store import pages as stored_pages
from tests.desk_world import Source, World, open_desk


class Talk:
    """A source and a desk with one thread."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.at = open_desk(self.world, folder)
        self.source = Source(self.world, "a")
        self.world.write(self.source, "hello")
        self.world.close()
        self.at.sync()
        (self.thread,) = threads(self.at.vault)

    def copy(self, folder: Path) -> "Talk":
        """The same once more, to go its own way."""
        other = object.__new__(Talk)
        other.world, other.source, other.thread = self.world.copy(), self.source, self.thread
        other.at = self.at.copy(other.world, folder)
        return other

    def answer(self, text: str = "an answer") -> Reply:
        return write_reply(self.at.vault, self.thread, text, self.world.now, self.at.random)

    def heard(self) -> list[str]:
        return [o.body.text for o in self.source.replies(self.world) if o.body]

    def close_after_visit(self, _method: str, path: str, answer: Response) -> Response:
        """Sheet 1 closes right after the desk fetched /visit."""
        if path == "/visit" and self.world.batch < 36:
            self.to_sheet(1)
        return answer

    def to_sheet(self, number: int) -> None:
        self.world.close(36 * number)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Made once: founding a door takes a second."""
    return Talk(tmp_path_factory.mktemp("first"))


@pytest.fixture
def talk(first: Talk, tmp_path: Path) -> Talk:
    return first.copy(tmp_path)


def test_a_reply_is_in_the_next_sheet(talk: Talk) -> None:
    talk.answer("first light")
    report = talk.at.sync()
    assert (report.placed.replies, report.placed.unplaced, report.placed.pages) == (1, 0, 28)
    assert replies(talk.at.vault)[0].planned == 1
    talk.to_sheet(1)
    assert talk.heard() == ["first light"]
    report = talk.at.sync()
    assert (report.audit.published, report.audit.pages, report.faults) == (1, 1, ())
    (reply,) = replies(talk.at.vault)
    assert (reply.published, reply.last, reply.planned) == (1, 1, None)
    assert (report.placed.unplaced, [w for w in report.warnings if "wait" in w]) == (0, [])  # its next place is not due


def test_acknowledgements_are_of_letters_that_a_human_opened(talk: Talk) -> None:
    with pytest.raises(NothingToSay):
        talk.answer("")
    (letter,) = letters(talk.at.vault)
    mark_opened(talk.at.vault, (letter.number,))
    assert talk.answer("").body.acks == (letter.mark,)
    with pytest.raises(NothingToSay):
        talk.answer(" \n")  # acknowledged once is enough
    assert talk.answer("more").body.acks == ()


def test_a_reply_too_long_says_by_how_much_and_is_not_kept(talk: Talk) -> None:
    room = REPLY_CBOR_MAX - 22  # the CBOR around a long text
    for over in (1, 7, 1000):
        with pytest.raises(ReplyTooLong) as caught:
            talk.answer("x" * (room + over))
        assert caught.value.over == over
        text = "x" * (room + over - caught.value.over)
        with pytest.raises(ReplyTooLong):
            talk.answer(text + "x")
    assert replies(talk.at.vault) == ()
    talk.answer(text)


def test_more_replies_than_slots_wait_for_later_sheets(talk: Talk) -> None:
    for number in range(7):
        talk.answer(f"answer {number}")
    talk.at.sync()
    assert [r.planned for r in replies(talk.at.vault)] == [1, 1, 2, 2, 3, 3, 4]
    talk.to_sheet(1)
    talk.answer("later")
    talk.at.sync()
    assert [r.planned for r in replies(talk.at.vault)] == [None, None, 2, 2, 3, 3, 4, 4]
    for sheet in (2, 3, 4):
        talk.to_sheet(sheet)
        talk.at.sync()
    assert sorted(talk.heard()) == sorted([*(f"answer {n}" for n in range(7)), "later"])


def test_more_than_seven_days_hold_is_said(talk: Talk) -> None:
    for number in range(58):
        talk.answer(f"answer {number}")
    report = talk.at.sync()
    assert (report.placed.replies, report.placed.unplaced) == (56, 2)
    assert any(w.startswith("Replies that wait") and ": 2." in w for w in report.warnings)


def test_replies_of_an_absent_member_come_out_without_them(talk: Talk) -> None:
    for number in range(10):
        talk.answer(f"answer {number}")
    talk.at.sync()
    for sheet in range(1, 6):
        talk.to_sheet(sheet)
    assert len(talk.heard()) == 10
    assert talk.at.sync().audit.published == 10


def test_a_reply_is_placed_again_until_it_is_read(talk: Talk) -> None:
    talk.answer("again and again")
    for sheet in range(1, 150):
        if sheet % 10 == 0:
            talk.at.sync()
        talk.to_sheet(sheet)
        if sheet == 100:
            talk.world.renew()
    talk.at.sync()
    rows = talk.at.vault.rows("SELECT sheet FROM placement WHERE published ORDER BY sheet")
    sheets = [row[0] for row in rows]
    assert sheets[0] == 10
    assert [57 <= b - a <= 84 for a, b in pairwise(sheets)] == [True, True]
    assert {o.reply_id for o in talk.source.replies(talk.world)} == {replies(talk.at.vault)[0].id}
    talk.world.write(talk.source, "thanks", read=(replies(talk.at.vault)[0].id,))
    talk.world.close()
    talk.at.sync()
    assert replies(talk.at.vault)[0].planned is None or not replies(talk.at.vault)[0].wants_a_place
    assert uploads(talk.at.vault)
    assert not talk.at.vault.rows(
        "SELECT 1 FROM placement p JOIN page_upload u USING (sheet, page, version) WHERE NOT p.published"
    )


def test_after_26_sheets_it_is_given_up(talk: Talk) -> None:
    reply = talk.answer()
    with talk.at.vault.transaction():
        for number in range(MAX_PLACINGS):
            talk.at.vault.do(
                "INSERT INTO placement (sheet, page, version, slot, reply, published) VALUES (?, 0, 1, 0, ?, 1)",
                -3000 + number * 84,
                reply.id,
            )
    (reply,) = replies(talk.at.vault)
    assert reply.published == MAX_PLACINGS == 26
    assert not reply.wants_a_place
    assert talk.at.sync().placed.replies == 0


def test_a_new_reply_takes_the_slot_of_one_that_is_placed_again(talk: Talk) -> None:
    """Both slots of the next sheet are taken by old replies: the new one comes first all the same."""
    old = [talk.answer(f"old {n}") for n in range(2)]
    with talk.at.vault.transaction():
        for number, reply in enumerate(old):
            talk.at.vault.do(
                "INSERT INTO placement (sheet, page, version, slot, reply, published) VALUES (-80, 0, 1, ?, ?, 1)",
                number,
                reply.id,
            )
    talk.at.sync()
    assert [r.planned for r in replies(talk.at.vault)] == [1, 1]
    talk.answer("new")
    talk.at.sync()
    assert sorted(r.planned or 0 for r in replies(talk.at.vault)) == [1, 1, 2]
    assert replies(talk.at.vault)[2].planned == 1


# --- receipts and audit --------------------------------------------------------------------------


def test_every_page_has_a_receipt_that_holds(talk: Talk) -> None:
    key = talk.world.founding.directory.receipt_key
    found = [u for versions in uploads(talk.at.vault).values() for u in versions]
    assert len(found) == 28
    for upload in found:
        assert upload.receipt is not None
        receipt = open_page_receipt(upload.receipt, key)
        assert (receipt.sheet, receipt.page, receipt.version) == (upload.sheet, upload.page, upload.version)
        assert receipt.page_hash == upload.hash


def test_a_receipt_for_something_else_is_a_fault(talk: Talk) -> None:
    forged = PageReceipt("door.example/log", 1, 0, 1, h(b"another page")).sign(ed25519_key(talk.world.keys.receipt))
    for body in (forged, b"", b"nonsense"):
        talk.at.transport.meddle = lambda _m, p, a, body=body: Response(201, body) if "/pages/" in p else a  # type: ignore[misc]  # bound now
        report = talk.at.sync()
        assert len(report.faults) == 28
        assert report.placed.pages == 0


def test_a_server_that_publishes_something_else_is_caught_and_the_reply_comes_again(talk: Talk) -> None:
    talk.answer("suppressed")
    talk.at.sync()
    with talk.world.intake.sql.write() as connection:
        stored_pages.drop_through(connection, 1)  # it forgets our page and fills in noise
    talk.to_sheet(1)
    assert talk.heard() == []
    report = talk.at.sync()
    assert "sheet 1" in report.audit.faults[0]
    assert report.audit.published == 0
    assert replies(talk.at.vault)[0].planned == 2
    talk.to_sheet(2)
    assert talk.heard() == ["suppressed"]


def test_a_server_that_never_took_the_page_is_not_accused(talk: Talk) -> None:
    talk.answer("try again")
    talk.at.transport.before_request = lambda m, _p: _cut(m == "PUT")
    with pytest.raises(NetworkFailed):
        talk.at.sync()
    talk.at.transport.before_request = lambda _m, _p: None
    with talk.world.intake.sql.write() as connection:
        stored_pages.drop_through(connection, 100)
    for versions in uploads(talk.at.vault).values():
        assert versions
    with talk.at.vault.transaction():
        talk.at.vault.do("UPDATE page_upload SET receipt = NULL")
    talk.to_sheet(1)
    report = talk.at.sync()
    assert report.faults == ()
    assert replies(talk.at.vault)[0].planned == 2


def _cut(now: bool) -> None:
    if now:
        raise NetworkFailed("cut")


def test_an_upload_whose_answer_was_lost_is_recognised_in_the_sheet(talk: Talk) -> None:
    """The newest version is out though no receipt for it came: the earlier receipt does not make that a fault."""
    talk.answer("heard or not?")

    def cut(_method: str, path: str) -> None:
        if path.startswith("/v1/pages/"):
            talk.at.transport.fail, talk.at.transport.after = 0, True

    talk.at.transport.before_request = cut
    with pytest.raises(NetworkFailed):
        talk.at.sync()
    talk.at.transport.fail, talk.at.transport.before_request = None, lambda _method, _path: None
    versions = uploads(talk.at.vault)[(1, 0)]
    assert [u.receipt is not None for u in versions] == [True, False]
    talk.to_sheet(1)
    assert talk.heard() == ["heard or not?"]
    report = talk.at.sync()
    assert (report.audit.published, report.faults) == (1, ())
    assert replies(talk.at.vault)[0].last == 1


def test_a_sheet_that_closes_during_the_session_is_planned_anew(talk: Talk) -> None:
    talk.answer("in a hurry")

    talk.at.transport.meddle = talk.close_after_visit
    report = talk.at.sync()
    assert report.faults == ()
    assert replies(talk.at.vault)[0].planned == 2
    assert [u.version for u in uploads(talk.at.vault)[(1, 0)]] != []  # the version that the server has: to be audited
    talk.to_sheet(2)
    assert talk.heard() == ["in a hurry"]
    assert talk.at.sync().faults == ()


def test_a_reply_already_in_the_sheet_that_closes_is_not_sent_twice(talk: Talk) -> None:
    talk.answer("once")
    talk.at.sync()

    talk.at.transport.meddle = talk.close_after_visit
    report = talk.at.sync()
    assert report.faults == ()
    assert replies(talk.at.vault)[0].planned == 1  # the next audit will find it there
    talk.world.close()
    report = talk.at.sync()
    assert report.audit.published == 1
    talk.to_sheet(2)
    assert talk.heard() == ["once"]


def test_a_sheet_called_closed_before_its_time_is_a_fault(talk: Talk) -> None:
    talk.at.transport.meddle = lambda _m, p, a: Response(409, b"closed") if "/pages/20/" in p else a
    report = talk.at.sync()
    assert any("sheet 20" in fault for fault in report.faults)


def test_a_newer_page_on_the_server_is_said_as_such_and_the_sheet_is_not_given_up(talk: Talk) -> None:
    """412, as when a copy of the vault was in use: our version was not taken; the sheet takes the next one."""
    honest = talk.at.transport.meddle
    talk.at.transport.meddle = lambda _m, p, a: Response(412, b"newer") if "/pages/1/" in p else a
    talk.answer("here")
    report = talk.at.sync()
    assert any("another copy of this vault" in fault for fault in report.faults)
    assert not any("not due yet" in fault for fault in report.faults)
    talk.at.transport.meddle = honest
    assert talk.at.sync().faults == ()
    talk.to_sheet(1)
    assert talk.heard() == ["here"]


def test_skipped_sheets_do_not_lose_replies(talk: Talk) -> None:
    """The server stood still for a day: sheets 1 to 3 never came out."""
    talk.answer("patience")
    talk.at.sync()
    talk.to_sheet(4)
    report = talk.at.sync()
    assert report.faults == ()
    assert replies(talk.at.vault)[0].planned == 5
    talk.to_sheet(5)
    assert talk.heard() == ["patience"]


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("every", [2, 4])
def test_a_door_that_skips_sheets_for_ever_silences_no_reply(
    talk: Talk, every: int, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never closes the batch of the sheet for which replies are placed, and is never older than a day."""
    if not guarded:
        monkeypatch.setattr(placing, "skips_sheets", lambda _numbers: False)
    talk.to_sheet(1)
    talk.answer("patience")
    for number in range(1, 5):
        assert talk.at.sync().faults == ()
        talk.to_sheet(1 + every * number)
    assert talk.heard() == (["patience"] if guarded else [])


def test_a_desk_away_longer_than_visit_reaches_back_relies_on_its_receipts(talk: Talk) -> None:
    talk.answer("long ago")
    talk.at.sync()
    for sheet in range(1, 100):
        talk.to_sheet(sheet)
    report = talk.at.sync()
    assert report.audit.unseen >= 1
    assert report.faults == ()
    (reply,) = replies(talk.at.vault)
    assert (reply.published, reply.last) == (1, 1)


def test_pages_follow_when_the_slots_change(talk: Talk) -> None:
    talk.answer("moved")
    talk.at.sync()
    talk.world.renew(policy=replace(talk.world.founding.directory.policy, slots=3))
    talk.to_sheet(1)  # filled by the server: our page has the old size
    assert talk.heard() == []
    report = talk.at.sync()
    assert report.faults == ()
    talk.to_sheet(2)
    assert talk.heard() == ["moved"]
    assert talk.at.sync().audit.published == 1


def test_pages_under_an_older_gen_are_noise_and_placed_again(talk: Talk) -> None:
    talk.answer("under the new keys")
    talk.at.sync()
    desk = talk.world.founding.directory.desks[0]
    talk.world.renew(desks=(replace(desk, gen=2),))
    talk.world.close()
    talk.at.sync()
    talk.to_sheet(1)  # the new notes come with this batch; our pages are under the old ones
    assert talk.heard() == []
    report = talk.at.sync()
    assert report.faults == ()
    assert report.audit.published == 0
    assert replies(talk.at.vault)[0].planned == sheet_of(talk.world.batch) + 1
    talk.to_sheet(2)
    assert talk.heard() == ["under the new keys"]
