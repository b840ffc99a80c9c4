# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a desk asks and what it is answered: shown as it was asked, found by its words, gone with its letter."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.desk import attachments as desk_attachments
from latchstring.desk.answering import Answered, questions_asked
from latchstring.desk.attachments import ANSWERS, State
from latchstring.desk.deletion import delete_letters
from latchstring.desk.errors import VaultError
from latchstring.desk.letters import letters
from latchstring.desk.progress import followed
from latchstring.desk.scrub import scrub
from latchstring.desk.search import search
from latchstring.desk.timeline import Came, all_threads
from latchstring.desk.vault import Vault
from latchstring.protocol.answers import Answer, Answers
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.questions import Question
from latchstring.source.acts import seal, send
from tests.asked import ASKED, WHERE
from tests.attached import bring, listed, upload
from tests.vaults import everything
from tests.world.world import Desk, Source, World, open_door

FATES = pytest.mark.parametrize("stored", [False, True], ids=["fails, not stored", "fails, but stored"])
GIVEN: Mapping[str, Answer] = {"what": "order", "who": ("general", "officer"), "where": "Zaporizhzhia"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Desk]]:
    return open_door(tmp_path_factory.mktemp("door"), "news")


class Scene:
    """An open door that asks nothing yet, and somebody who answers."""

    def __init__(self, world: World, desks: dict[str, Desk], folder: Path) -> None:
        self.world, self.folder = world.copy(), folder
        self.news = desks["news"].copy(self.world, folder)
        self.source = Source(self.world, "a")

    def ask(self, *questions: Question) -> int:
        """The next directory asks this; its number."""
        desk = self.world.founding.directory.desks[0]
        self.world.renew(desks=(replace(desk, questions=questions),))
        self.world.close()
        return self.world.founding.directory.seq

    def write(self, text: str, answers: Answers | None = None, beside: Attachment | None = None) -> bytes:
        """The letter's id, once the desk has it."""
        visit, keys, msg_id = self.source.look(), self.source.keys("news"), self.source.random(16)
        body = LetterBody("en", "client", text, answers=answers, answers_in=beside)
        send(self.source.wire, visit, seal(visit, keys, body, msg_id), msg_id, lambda _n: None)
        self.world.close()
        self.news.sync()
        return msg_id

    def came(self) -> list[Came]:
        """What the thread shows."""
        (thread,) = all_threads(self.news.vault)
        return [item for item in thread.in_order() if isinstance(item, Came)]

    def hits(self, typed: str) -> int:
        return len(search(self.news.vault, typed))


@pytest.fixture
def scene(first: tuple[World, dict[str, Desk]], tmp_path: Path) -> Scene:
    return Scene(*first, tmp_path)


def test_an_answer_stands_beside_its_question_as_it_was_asked(scene: Scene) -> None:
    seq = scene.ask(*ASKED)
    scene.write("look", Answers(seq, GIVEN))
    later = replace(WHERE, step=1, titles={"en": "In which town?"})
    assert scene.ask(later) == seq + 1
    scene.world.close(scene.world.batch + 200)
    scene.write("more", Answers(seq + 1, {"where": "Kherson"}))
    one, two = scene.came()
    assert [(a.id, a.answer) for a in one.answers] == list(GIVEN.items())
    assert one.answers[-1] == Answered("where", "Zaporizhzhia", WHERE)
    assert [choice.titles["en"] for choice in one.answers[1].choices] == ["A general", "An officer"]
    assert two.answers == (Answered("where", "Kherson", later),)
    assert questions_asked(scene.news.vault, seq) == ASKED
    assert questions_asked(scene.news.vault, seq - 1) == ()


def test_questions_that_a_door_takes_back_are_asked_no_more(scene: Scene) -> None:
    seq = scene.ask(*ASKED)
    scene.news.sync()
    assert scene.ask() == seq + 1
    scene.news.sync()
    assert questions_asked(scene.news.vault, seq) == ASKED
    assert questions_asked(scene.news.vault, seq + 1) == questions_asked(scene.news.vault, seq + 9) == ()


def test_a_directory_that_asks_the_same_is_not_kept_again(scene: Scene) -> None:
    seq = scene.ask(*ASKED)
    scene.ask(*ASKED)
    scene.news.sync()
    assert scene.news.vault.rows("SELECT seq FROM asked") == [(seq,)]
    assert questions_asked(scene.news.vault, seq + 1) == ASKED


def test_what_was_never_asked_is_shown_under_its_id(scene: Scene) -> None:
    """By a source with another program, or asked before this vault was made."""
    seq = scene.ask(*ASKED)
    scene.write("look", Answers(seq, {"colour": "red", "where": "here", "who": ("nobody",)}))
    scene.write("look", Answers(seq - 1, {"where": "there"}))
    one, two = scene.came()
    assert [(a.id, a.question is not None, a.choices) for a in one.answers] == [
        ("who", True, ()),
        ("where", True, ()),
        ("colour", False, ()),
    ]
    assert two.answers == (Answered("where", "there", None),)
    assert [scene.hits(word) for word in ("red", "nobody", "there")] == [1, 1, 1]


def test_answers_are_found_by_their_words_and_by_the_titles_of_choices(scene: Scene) -> None:
    seq = scene.ask(*ASKED)
    scene.write("look", Answers(seq, GIVEN))
    assert [scene.hits(word) for word in ("zapor", "генерал", "officer", "look", "money")] == [1, 1, 1, 1, 0]


def test_a_letter_may_be_answers_alone(scene: Scene) -> None:
    scene.write("", Answers(scene.ask(*ASKED), GIVEN))
    (one,) = scene.came()
    assert len(one.answers) == 3


# --- answers that a letter has no room for ---------------------------------------------------------

LONG: Mapping[str, Answer] = {"what": "order", "more": "Waldhorn " * 400}


def _beside(scene: Scene, raw: bytes | None = None) -> bytes:
    answers = Answers(scene.ask(*ASKED), LONG)
    return scene.write("look", beside=upload(scene.source, "answers", raw or answers.encode()))


def test_answers_beside_a_letter_come_into_the_vault(scene: Scene) -> None:
    _beside(scene)
    assert [(i.number, i.state) for i in listed(scene.news)] == [(ANSWERS, State.COMING)]
    assert (scene.came()[0].answers, scene.hits("waldhorn")) == ((), 0)
    bring(scene.news)
    assert [a.id for a in scene.came()[0].answers] == ["what", "more"]
    assert (scene.hits("waldhorn"), scene.hits("look"), listed(scene.news)) == (1, 1, ())
    bring(scene.news)
    assert scene.news.vault.rows("SELECT count(*) FROM attachment_state") == [(0,)]


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense", encode_cbor([1, {}]), encode_cbor([1, {"where": "x" * 4001}]), bytes(300_000)]
)
def test_what_is_no_answers_is_said_and_the_letter_can_be_read(scene: Scene, raw: bytes) -> None:
    scene.ask(*ASKED)
    scene.write("look", beside=upload(scene.source, "answers", raw))
    bring(scene.news)
    assert [(i.number, i.state) for i in listed(scene.news)] == [(ANSWERS, State.WRONG)]
    assert (scene.news.texts(), scene.came()[0].answers) == (["look"], ())


class Failing(Vault):
    """One commit fails, before or after it is stored."""

    left = 0
    stored = False

    def _commit(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.stored:
            raise VaultError("The disk with the vault is full.", "")
        super()._commit()
        if self.left == 0:
            raise VaultError("The answer of the disk was lost.", "")


@FATES
@pytest.mark.parametrize("at", [1, 2])
def test_answers_that_the_vault_does_not_take(scene: Scene, at: int, stored: bool) -> None:
    """At 1 the state fails, at 2 the answers."""
    _beside(scene)
    vault = scene.news.vault
    vault.__class__ = Failing
    assert isinstance(vault, Failing)
    vault.left, vault.stored = at, stored
    with pytest.raises(VaultError):
        bring(scene.news)
    assert bool(scene.came()[0].answers) == bool(scene.hits("waldhorn")) == (at == 2 and stored)
    bring(scene.news)
    assert len(scene.came()[0].answers) == 2
    assert scene.hits("waldhorn") == 1


@pytest.mark.parametrize("beside", [False, True])
def test_answers_are_gone_with_their_letter(scene: Scene, beside: bool) -> None:
    if beside:
        msg_id = _beside(scene)
        bring(scene.news)
    else:
        msg_id = scene.write("look", Answers(scene.ask(*ASKED), {"more": "Waldhorn"}))
    assert scene.hits("waldhorn") == 1
    assert b"aldhorn" in everything(scene.news)
    delete_letters(scene.news.vault, (msg_id,), followed(scene.news.vault).batch)
    scrub(scene.news.vault, lambda _what, _done, _of: None)
    assert (scene.hits("waldhorn"), letters(scene.news.vault)) == (0, ())
    assert b"aldhorn" not in everything(scene.news)
    assert questions_asked(scene.news.vault, 2) == ASKED, "what was asked is public"


def test_answers_that_are_never_taken_in_would_be_noticed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that only verifies them."""
    _beside(scene)
    monkeypatch.setattr(desk_attachments, "_keep_answers", lambda _vault, _folder, _found: False)
    bring(scene.news)
    assert (scene.came()[0].answers, scene.hits("waldhorn")) == ((), 0)
