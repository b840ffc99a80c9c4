# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's questions as a source is asked them at the command line, and their answers as a member reads them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.cli import asking
from latchstring.cli.desk_answers import of_letter, values
from latchstring.desk.answering import Answered
from latchstring.desk.letters import Letter
from latchstring.desk.timeline import Came
from latchstring.protocol import answers as a
from latchstring.protocol import constants as c
from latchstring.protocol.answers import Answer, Answers
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.letter import LetterBody, seal_letter
from latchstring.protocol.questions import Question
from tests.asked import ASKED, MORE, RANK, WHAT, WHEN, WHERE, WHO
from tests.builders import Founding, Stream, found
from tests.desk_world import Source
from tests.unit.cli.test_desk import Desk
from tests.unit.cli.test_source_attach import Person

TOML = 'what = "order"\nwho = ["general", "officer"]\nrank = "Three stars"\nwhere = "Харків"\n'
GIVEN: Mapping[str, Answer] = {"what": "order", "who": ("general", "officer"), "rank": "Three stars", "where": "Харків"}
LONG_TEXT = "Слово " * 200


def _asking(questions: Sequence[Question], attachment: int) -> Founding:
    founding = found(attachment=attachment)
    (desk,) = founding.directory.desks
    return replace(founding, directory=replace(founding.directory, desks=(replace(desk, questions=tuple(questions)),)))


class Asked(Person):
    """Somebody at a door that asks. `said`: what they type at each prompt in turn, then nothing any more."""

    def __init__(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        questions: Sequence[Question] = ASKED,
        attachment: int = c.DEFAULT_ATTACHMENT,
    ) -> None:
        super().__init__(folder, patch, capfd, _asking(questions, attachment))
        self.patch = patch
        patch.setenv("LANG", "en_GB.UTF-8")

    def says(self, *lines: str) -> None:
        left = list(lines)

        class Terminal:
            @staticmethod
            def isatty() -> bool:
                return True

            @staticmethod
            def readline() -> str:
                return f"{left.pop(0)}\n" if left else ""

        self.patch.setattr("sys.stdin", Terminal())

    def write_answers(self, text: str | bytes) -> None:
        (self.folder / "answers.toml").write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Asked:
    return Asked(tmp_path, monkeypatch, capfd)


# --- from a file --------------------------------------------------------------------------------------


def test_answers_from_a_file_travel_in_the_letter(asked: Asked) -> None:
    asked.write_answers(TOML)
    assert '"answers": 4' in asked.write("--answers", "answers.toml", "--json")
    body = asked.arrived()
    assert (body.text, body.answers_in) == ("Look at this.", None)
    assert body.answers == Answers(1, GIVEN)


def test_answers_without_room_travel_beside_the_letter(asked: Asked) -> None:
    asked.write_answers(TOML + f'more = "{"Звідти. " * 100}"\n')
    (asked.folder / "scan.pdf").write_bytes(b"first")
    asked.write("--answers", "answers.toml", "--attach", "scan.pdf")
    body = asked.arrived()
    assert (body.text, body.answers, [a.name for a in body.attachments]) == ("Look at this.", None, ["scan.pdf"])
    assert body.answers_in is not None
    assert Answers.parse(asked.open(body.answers_in)) == Answers(1, {**GIVEN, "more": "Звідти. " * 100})


def test_answers_and_the_list_of_files_both_travel_beside_a_long_letter(asked: Asked) -> None:
    (asked.folder / "letter.txt").write_text("x" * 1200)
    names = [f"{'a' * 90}{n}" for n in range(4)]
    for name in names:
        (asked.folder / name).write_bytes(b"x")
    asked.write_answers(TOML + f'more = "{"y" * 900}"\n')
    asked.write("--answers", "answers.toml", *(part for name in names for part in ("--attach", name)))
    body = asked.arrived()
    assert (body.answers, body.attachments) == (None, ())
    assert body.answers_in is not None
    assert body.listed is not None
    assert Answers.parse(asked.open(body.answers_in)).given["more"] == "y" * 900


def test_the_answers_go_before_the_names_of_files(asked: Asked) -> None:
    """Two that fit alone and not together: the files stay named in the letter, where the desk sees them at once."""
    (asked.folder / "letter.txt").write_text("x" * 1000)
    asked.write_answers(f'what = "other"\nmore = "{"y" * 300}"\n')
    (asked.folder / ("a" * 200)).write_bytes(b"x")
    asked.write("--answers", "answers.toml", "--attach", "a" * 200)
    body = asked.arrived()
    assert (len(body.attachments), body.listed, body.answers, body.answers_in is None) == (1, None, None, False)


def test_where_no_attachments_are_taken_too_much_is_said_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(tmp_path, monkeypatch, capfd, attachment=0)
    asked.write_answers(f'what = "other"\nmore = "{LONG_TEXT}"\n')
    assert "too long" in asked.write("--answers", "answers.toml", code=1)
    assert asked.letters_sent() == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('where = "here"', "Question 'what': The desk insists on an answer."),
        ('what = "war"', "Question 'what': That is not one of the choices."),
        ('what = ["order"]', "Question 'what': That is not one of the choices."),
        ('what = "order"\nwho = "general"', "Question 'who': That is not one of the choices."),
        ('what = "other"\nwhen = "yesterday"', "Question 'when': That is no date."),
        (f'what = "other"\nwhere = "{"x" * 301}"', "Question 'where': The answer is too long"),
        ('what = "other"\ncolour = "red"', "Question 'colour': The desk does not ask this."),
        ('what = "order"\nwho = ["general"]', "Question 'rank': The desk insists"),
        ("what = 5", "is not a text"),
        ("what = [1]", "is not a text"),
        ('"\\u001b[31m" = 5', "<U+001B>[31m"),
        ("what", "not TOML"),
        (b"\xff", "not TOML"),
        ("[" * 200_000, "not TOML"),
        ("# " + "x" * (1 << 21), "not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_and_nothing_is_sent(asked: Asked, text: str | bytes, sentence: str) -> None:
    asked.write_answers(text)
    said = asked.write("--answers", "answers.toml", code=1)
    assert sentence in said
    assert "Nothing was sent" in said
    assert asked.letters_sent() == 0


def test_a_file_that_is_not_there(asked: Asked) -> None:
    assert "cannot be read" in asked.write("--answers", "nothing.toml", code=1)


def test_an_answer_to_what_does_not_apply_is_left_out(asked: Asked) -> None:
    asked.write_answers('what = "money"\nwho = ["general"]\nrank = "Major"\n')
    asked.write("--answers", "answers.toml")
    assert asked.arrived().answers == Answers(1, {"what": "money"})


def test_letter_and_answers_may_be_answers_alone(asked: Asked) -> None:
    (asked.folder / "letter.txt").write_text("")
    asked.write_answers(TOML)
    asked.write("--answers", "answers.toml")
    assert asked.arrived().text == ""
    asked.write_answers("")
    assert "insists" in asked.write("--answers", "answers.toml", code=1)


# --- typed --------------------------------------------------------------------------------------------


def test_questions_are_asked_one_after_the_other(asked: Asked) -> None:
    asked.says("1", "2, 1", "2024-05", "Three stars", "Харків", "I was there.", "I saw it.", "")
    said = asked.write()
    asked_for = [said.index(q.titles["en"]) for q in (WHAT, WHO, WHEN, RANK, WHERE, MORE)]
    assert asked_for == sorted(asked_for)
    assert "6 questions at most" in said
    assert "1. An order that was given" in said
    assert "The nearest one will do." in said
    body = asked.arrived()
    assert body.answers is not None
    assert body.answers.given == {
        "what": "order",
        "who": ("officer", "general"),
        "when": "2024-05",
        "rank": "Three stars",
        "where": "Харків",
        "more": "I was there.\nI saw it.",
    }


def test_enter_skips_and_conditions_spare_questions(asked: Asked) -> None:
    asked.says("other")
    said = asked.write()
    assert WHO.titles["en"] not in said
    assert RANK.titles["en"] not in said
    assert asked.arrived().answers == Answers(1, {"what": "other"})


def test_a_slip_is_asked_again_and_given_up_in_the_end(asked: Asked) -> None:
    asked.says("7", "war", "2", "yesterday", "the day before", "in May", "here", "")
    said = asked.write()
    assert said.count("That is not one of the choices.") == 2
    assert said.count("That is no date.") == asking.TRIES
    assert "Skipped." in said
    assert asked.arrived().answers == Answers(1, {"what": "money", "where": "here"})


def test_what_the_desk_insists_on_ends_the_command_when_it_is_not_there(asked: Asked) -> None:
    asked.says("", "", "")
    said = asked.write(code=1)
    assert said.count("The desk insists on an answer.") == asking.TRIES
    assert "Nothing was sent" in said
    assert asked.letters_sent() == 0


def test_without_a_terminal_a_desk_that_insists_is_answered_from_a_file(asked: Asked) -> None:
    said = asked.write(code=1)
    assert "--answers FILE.toml" in said
    assert asked.letters_sent() == 0


def test_questions_are_in_the_persons_language_and_do_nothing_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = replace(WHERE, step=1, titles={"en": "Where?", "uk": "Де?\x1b[2J\u202e"}, help={"uk": "Місто\x1b[2J"})
    asked = Asked(tmp_path, monkeypatch, capfd, (bad,))
    monkeypatch.setenv("LANG", "uk_UA.UTF-8")
    asked.says("Харків")
    said = asked.write()
    assert "Де?<U+001B>[2J<U+202E>" in said
    assert "\x1b[2J" not in said
    assert "\u202e" not in said


def test_who_comes_back_is_not_asked_again(asked: Asked) -> None:
    assert asking.answers_for(asked.world.visit(), "news", None, True) is None
    asked.write_answers('what = "other"')
    given = asking.answers_for(asked.world.visit(), "news", Path("answers.toml"), True)
    assert given == Answers(1, {"what": "other"})


def test_a_desk_that_asks_nothing_says_nothing_of_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(tmp_path, monkeypatch, capfd, ())
    asked.says()
    assert "question" not in asked.write()
    assert asked.arrived().answers is None


# --- read -----------------------------------------------------------------------------------------------


def test_a_member_reads_each_answer_below_its_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANG", "uk_UA.UTF-8")
    desk = Desk(tmp_path, monkeypatch, capfd)
    desk.open()
    asks = replace(desk.world.founding.directory.desks[0], questions=ASKED)
    desk.world.renew(desks=(asks,))
    desk.world.close()
    source, random = Source(desk.world, "a"), Stream("answers")
    seq = desk.world.founding.directory.seq
    answers = Answers(seq, {**GIVEN, "colour": "red\x1b[2J\nand blue"})
    note = desk.world.visit().note("news")
    assert note is not None
    body = LetterBody("uk", "client", "look", answers=answers)
    desk.world.post(seal_letter(source.keys, note, random(16), body))
    desk.world.close()
    desk.type("sync")
    mark = source.keys.thread_keys.thread(desk.world.founding.door, "news").hex()[:8]
    said = desk.type("show", mark)
    lines = [
        "  Про що йдеться?", "    Наказ", "  Хто його віддав?", "    Генерал", "    An officer", "  Of which rank?",
        "    Three stars", "  Де це було?", "    Харків", "  Question 'colour'", "    red<U+001B>[2J", "    and blue",
    ]  # fmt: skip
    assert "\n".join(lines) in said
    (item,) = json.loads(desk.type("show", mark, "--json"))["items"]
    assert [(one["question"], one["answer"]) for one in item["answers"]] == [
        (name, answer if isinstance(answer, str) else list(answer)) for name, answer in answers.given.items()
    ]
    assert item["answers"][0]["titles"] == WHAT.titles
    assert item["answers"][0]["choices"] == {"order": {"en": "An order that was given", "uk": "Наказ"}}
    assert item["answers"][-1]["titles"] is None
    assert mark in desk.type("search", said="генерал\n")
    desk.world.post(seal_letter(source.keys, note, random(16), replace(body, text="")))
    desk.world.close()
    desk.type("sync")
    assert "(answers alone)" in desk.type("inbox")


def _came(body: LetterBody, *answers: Answered) -> Came:
    return Came(Letter(1, bytes(32), bytes(16), 0, 1, True, False, False, False, None, body), 0, answers)


def test_answers_that_are_on_their_way_are_named() -> None:
    coming = Attachment(bytes(16), bytes(32), 9, bytes(32), "answers")
    (line,) = of_letter(_came(LetterBody("en", "client", "look", answers_in=coming)))
    assert "not here yet" in line
    assert of_letter(_came(LetterBody("en", "client", "look"))) == []


@pytest.mark.parametrize("answer", ["nobody", ("nobody", "general")])
def test_a_choice_that_was_not_offered_is_shown_by_its_id(answer: Answer) -> None:
    one = Answered("who", answer, WHO)
    assert "nobody" in "".join(of_letter(_came(LetterBody("en", "client", "look"), one)))
    (value,) = values(_came(LetterBody("en", "client", "look"), one))
    assert value["answer"] == (answer if isinstance(answer, str) else list(answer))


def test_sentences_for_all_that_can_be_wrong() -> None:
    keys = {value for name, value in vars(a).items() if name.isupper() and isinstance(value, str)}
    assert keys == set(asking.WORDS)
    assert c.MAX_QUESTIONS * c.ANSWER_LONG * 4 < asking._LARGEST
