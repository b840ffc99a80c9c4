# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source's acts against a door in this process: what is sent, what is believed, what is said."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from latchstring.client.transport import NetworkFailed, Progress, Response
from latchstring.client.visit import VerifiedVisit, check_visit
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.letter import LetterBody, room_left
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import Receipt
from latchstring.server.api import Api, Request
from latchstring.source import acts
from latchstring.source.thread import Reply
from tests.faults import Core

CORE = Core.opened(30)
VISIT: VerifiedVisit = check_visit(CORE.public.get("visit"), lambda _door: True, CORE.at(31), None)
KEYS = acts.keys_for(bytes(13), VISIT, "news")
MSG = bytes(range(16))
LETTER = acts.seal(VISIT, KEYS, acts.compose("hello", "en", ()), MSG)
SEED = CORE.founding.receipt_seed


def receipt(letter: bytes = LETTER, by: int = 33, origin: str = VISIT.directory.origin, seed: bytes = SEED) -> bytes:
    return Receipt(origin, entry(Kind.LETTER, letter), by).sign(ed25519_key(seed))


@dataclass
class Line:
    """Answers in turn; remembers what was asked."""

    answers: list[Response | NetworkFailed]
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    authority: str = "door.example"

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        self.asked.append((method, path, body))
        answer = self.answers.pop(0)
        if isinstance(answer, NetworkFailed):
            raise answer
        return answer


def send(*answers: Response | NetworkFailed) -> tuple[acts.Sent, Line, list[int]]:
    line, pauses = Line(list(answers)), list[int]()
    return acts.send(line, VISIT, LETTER, MSG, pauses.append), line, pauses


def test_a_letter_is_sent_once_and_its_receipt_believed() -> None:
    sent, line, pauses = send(Response(201, receipt()))
    assert line.asked == [("POST", "/v1/letters", LETTER)]
    assert (sent.mark, sent.publish_by, pauses) == (MSG[:8], 33, [])


def test_the_very_same_bytes_are_sent_again() -> None:
    """Full, then cut off before the answer: the third try is the same letter, so that it is taken once."""
    _, line, pauses = send(Response(503, b"full"), NetworkFailed("cut"), Response(201, receipt()))
    assert line.asked == [("POST", "/v1/letters", LETTER)] * 3
    assert pauses == [1, 2]


def test_a_door_that_stays_full_says_so() -> None:
    with pytest.raises(acts.CannotWrite, match="The door is full"):
        send(*[Response(503, b"The door is full just now.")] * 4)


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_trouble_on_the_way_is_tried_again_with_the_same_bytes(status: int) -> None:
    sent, line, _ = send(Response(status, b"Something went wrong."), Response(201, receipt()))
    assert line.asked == [("POST", "/v1/letters", LETTER)] * 2
    assert sent.publish_by == 33


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([Response(503, b"The door is full.")] * 4, "was not taken. The door is full."),
        ([Response(503, b"The door is full.")] * 3 + [NetworkFailed("No answer.")], "not sure"),
        ([NetworkFailed("No answer.")] + [Response(503, b"The door is full.")] * 3, "not sure"),
        ([Response(500, b"Something went wrong.")] * 4, "not sure"),
    ],
    ids=["full", "full, then silent", "silent, then full", "broken"],
)
def test_what_is_said_of_a_letter_without_an_answer(answers: list[Response | NetworkFailed], said: str) -> None:
    """A lost answer may have been a receipt: nobody is told that the letter was not taken."""
    with pytest.raises(acts.CannotWrite, match=said):
        send(*answers)


class Served(Line):
    """The real endpoint behind a line that is cut at each failure in `answers`: before or after the server acted."""

    def __init__(self, api: Api, answers: list[Response | NetworkFailed], after: bool) -> None:
        super().__init__(answers)
        self.api, self.after = api, after

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        failed = bool(self.answers) and isinstance(self.answers.pop(0), NetworkFailed)
        if failed and not self.after:
            raise NetworkFailed("cut before the server heard")
        answer = self.api.handle(Request(method, path, query, {}, body), "door.example", CORE.at(31))
        if failed:
            raise NetworkFailed("cut before the answer came")
        return Response(answer.status, answer.body)


@pytest.mark.parametrize("after", [False, True], ids=["fails and is not stored", "fails but is stored"])
def test_a_cut_line_and_the_letter_is_in_the_log_once(after: bool) -> None:
    core = CORE.copy()
    line = Served(Api(core.intake, core.shelves), [NetworkFailed("")] * 3, after)
    sent = acts.send(line, VISIT, LETTER, MSG, lambda _attempt: None)
    core.restart()
    core.publisher.start()
    for batch in (32, 33, 34):
        core.close(batch)
    packs = b"".join(core.private.get(f"packs/{n}") for n in (32, 33, 34))
    assert packs.count(LETTER) == 1
    seen = check_visit(core.public.get("visit"), lambda _door: True, core.at(34), VISIT.pin)
    assert seen.has_leaf(sent.leaf)
    assert sent.publish_by <= 36


def test_a_server_that_refuses_is_not_asked_again() -> None:
    line = Line([Response(400, b"No.")])
    with pytest.raises(acts.CannotWrite, match=r"was not taken\. No\."):
        acts.send(line, VISIT, LETTER, MSG, lambda _attempt: None)
    assert len(line.asked) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"thanks",
        receipt()[:-1],
        receipt(letter=bytes(4096)),
        receipt(origin="another.example/log"),
        receipt(seed=bytes(32)),
        receipt(by=31),
        receipt(by=100_000),
    ],
    ids=["empty", "words", "cut", "another letter", "another log", "another key", "past", "far future"],
)
def test_what_is_not_a_receipt_is_not_believed(raw: bytes) -> None:
    with pytest.raises(acts.CannotWrite, match="without a valid receipt"):
        send(Response(201, raw))


def test_control_characters_of_a_refusal_never_reach_the_terminal() -> None:
    with pytest.raises(acts.CannotWrite) as caught:
        send(Response(400, b"\x1b[31mred\x07 \xe2\x80\xaeevil"))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["", "   ", "\n\t\n"])
def test_an_empty_letter_is_refused_kindly(text: str) -> None:
    with pytest.raises(acts.CannotWrite, match="empty"):
        acts.compose(text, "en", ())


@pytest.mark.parametrize("unit", ["x", "ї", "😀"])
def test_too_long_says_by_how_many_bytes(unit: str) -> None:
    room = room_left(LetterBody("en", acts.WAY, unit * 300)) // len(unit.encode())
    fits = unit * (300 + room)
    acts.compose(fits, "en", ())
    with pytest.raises(acts.TooLong) as caught:
        acts.compose(fits + unit * 10, "en", ())
    assert 0 < caught.value.over <= 10 * len(unit.encode())


def test_what_was_read_gives_way_to_what_is_said() -> None:
    replies = tuple(Reply(bytes([i]) * 16, 0, "", (), False) for i in range(10))
    room = room_left(LetterBody("en", acts.WAY, "x" * 300)) - 3 * 17
    body = acts.compose("x" * (300 + room), "en", replies)
    assert 0 < len(body.read) < 10
    assert body.read[-1] == replies[-1].id


def test_control_characters_are_kept_as_they_were_written() -> None:
    assert acts.compose("a\x00b\x1b[31m\u202e", "en", ()).text == "a\x00b\x1b[31m\u202e"


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(acts.CannotWrite, match="not text"):
        acts.compose("\ud800", "en", ())


def test_no_letter_to_a_closed_desk_or_an_expired_door() -> None:
    body = acts.compose("hello", "en", ())
    closed = replace(VISIT, manifest=replace(VISIT.manifest, notes=()))
    with pytest.raises(acts.CannotWrite, match="takes no letters"):
        acts.seal(closed, KEYS, body, MSG)
    with pytest.raises(acts.CannotWrite, match="out of date"):
        acts.seal(replace(VISIT, expired=True), KEYS, body, MSG)


def test_any_passphrase_opens_a_thread() -> None:
    for bits in (bytes(13), bytes(12) + b"\1"):
        assert acts.read_thread(VISIT, acts.keys_for(bits, VISIT, "news")) == ()


def test_a_copy_of_a_day_ago_is_fetched_again_before_sealing() -> None:
    policy = VISIT.directory.policy
    assert not acts.too_old_to_seal(VISIT, policy.closes_at(VISIT.manifest.n + 143))
    assert acts.too_old_to_seal(VISIT, policy.closes_at(VISIT.manifest.n + 144))
