# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's questions without JavaScript: pages of them forward and back, errors beside the field, nothing is lost."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol.answers import check, is_date, kept, shown
from latchstring.protocol.passphrase import generate
from latchstring.protocol.questions import Kind, Question
from latchstring.protocol.wordlist import load
from latchstring.site import acts, uploading
from latchstring.site.forms import LIFE
from latchstring.site.languages import LANGUAGES
from latchstring.site.pages import questions as module
from latchstring.site.pages.scripted import of_questions
from latchstring.site.settings import Settings
from latchstring.site.texts import Texts
from tests.asked import ASKED, WHAT, WHERE, question_lists
from tests.builders import Stream
from tests.unit.site.conftest import Pages
from tests.world.world import World

OTHER = Question("what", Kind.TEXT, {"en": "What do you need?"})
INSISTS = "The desk insists on an answer here"


class Asked(Pages):
    """The pages of a door whose desk `news` asks six questions on three pages, `legal` one."""

    def __init__(self, world: World, key: bytes = bytes(32)) -> None:
        super().__init__(world, Settings(), key)
        self.ask(ASKED)

    def ask(self, questions: Sequence[Question], **policy: int) -> None:
        """The directory in force asks this."""
        directory = self.world.founding.directory
        desks = tuple(replace(d, questions=tuple(questions) if d.id == "news" else (OTHER,)) for d in directory.desks)
        self.world.renew(desks=desks, policy=replace(directory.policy, **policy))
        self.world.close()

    def write(self, path: str = "/en/write", desk: str = "news") -> None:
        """Up to the first page of questions."""
        self.browser.get(path)
        self.browser.press("text", desk=desk, text="мой текст")

    @property
    def fields(self) -> dict[str, str]:
        return self.browser.forms()[0].fields

    def names(self) -> set[str]:
        """Of the fields that this page has, ticked or not."""
        return set(re.findall(r'name="(q-[^"]*)"', self.browser.text))


@pytest.fixture
def pages(open_world: World, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setattr(acts, "PAUSE", 0.0)
    monkeypatch.setattr(uploading, "_PAUSE", 0.0)
    return Asked(open_world)


def test_forward_by_what_was_answered_and_back_with_all_of_it(pages: Asked) -> None:
    pages.write()
    assert pages.names() == {"q-what"}
    pages.browser.press("answers", q_what="order")
    assert pages.names() == {"q-who.general", "q-who.officer", "q-when"}
    pages.browser.press("answers", **{"q-who.general": "1", "q-when": "2024/5"})
    assert pages.names() == {"q-rank", "q-where", "q-more"}
    pages.browser.press("earlier", q_where="Харків", q_rank="")
    assert pages.fields["q-when"] == "2024-05"
    assert pages.fields["q-who.general"] == "1"
    form = pages.browser.forms()[0]
    assert "q-who.officer" not in form.fields
    del form.fields["q-who.general"]  # the box is unticked: nobody asks for a rank then
    pages.browser.post(form.action, urlencode({**form.fields, "do": "answers"}).encode())
    assert pages.names() == {"q-where", "q-more"}
    assert pages.fields["q-where"] == "Харків"
    assert "Files, if you like" in pages.browser.press("answers").text
    pages.browser.press("back")
    assert pages.fields["text"] == "мой текст"
    pages.browser.press("text", desk="news")
    assert pages.fields["q-what"] == "order"


def test_another_choice_leaves_a_page_out(pages: Asked) -> None:
    pages.ask((WHAT, replace(ASKED[1], step=2), replace(WHERE, step=3)))
    pages.write()
    pages.browser.press("answers", q_what="money")
    assert pages.names() == {"q-where"}
    pages.browser.press("earlier")
    assert pages.names() == {"q-what"}
    pages.browser.press("earlier")
    assert pages.fields["text"] == "мой текст"


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("q-rank", " ", INSISTS),
        ("q-rank", "x" * (c.ANSWER_LINE + 1), "This answer is too long"),
        ("q-more", "ж" * (c.ANSWER_LONG + 1), "This answer is too long"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_stays_in_it(
    pages: Asked, field: str, typed: str, said: str
) -> None:
    pages.write()
    pages.browser.press("answers", q_what="order")
    pages.browser.press("answers", **{"q-who.general": "1"})
    answer = pages.browser.press("answers", **{"q-rank": "Colonel", "q-where": "Харків", field: typed})
    assert answer.status == 422
    assert f'href="#{field}"' in answer.text
    assert re.search(rf'<p class="error" id="{field}-error">{said}', answer.text)
    assert re.search(
        rf'id="{field}"[^>]*aria-invalid="true" aria-describedby="{field}-error {field}-hint"', answer.text
    )
    assert pages.fields[field] == typed.strip()
    assert pages.fields["q-where"] == "Харків"
    pages.browser.press("earlier")
    pages.browser.press("earlier")
    pages.browser.press("earlier")
    assert pages.fields["text"] == "мой текст"
    assert pages.browser.press("text", desk="news").status == 200, "it stops no other page"


def test_a_date_that_is_none(pages: Asked) -> None:
    pages.write()
    pages.browser.press("answers", q_what="order")
    assert 'id="q-when-error">This is no date' in pages.browser.press("answers", q_when="2024-13").text
    assert pages.fields["q-when"] == "2024-13"


def test_a_choice_that_nobody_offers(pages: Asked) -> None:
    pages.write()
    assert 'id="q-what-error">This is not one of the choices' in pages.browser.press("answers", q_what="<b>").text
    assert "<b>" not in pages.browser.text.replace("<bdi", "")


def test_what_the_desk_insists_on_is_asked_before_anything_goes(pages: Asked) -> None:
    pages.write()
    assert 'id="q-what-error">' + INSISTS in pages.browser.press("answers").text
    state = pages.fields["state"]
    pages.browser.post("/en/write", f"do=words&state={state}".encode())  # past the page, as no button of it does
    pages.browser.press("practise")
    pages.browser.press("unchecked")
    assert INSISTS in pages.browser.text
    assert not [x for x in pages.world.traffic if x.method == "POST" and x.path == "/v1/letters"]


def test_one_desk_does_not_get_what_another_was_told(pages: Asked) -> None:
    pages.write()
    pages.browser.press("answers", q_what="order")
    pages.browser.press("earlier")
    pages.browser.press("earlier")
    pages.browser.press("text", desk="legal")
    assert pages.fields["q-what"] == ""
    pages.browser.press("answers", q_what="advice")
    assert "Files, if you like" in pages.browser.text
    pages.browser.press("back")
    pages.browser.press("text", desk="news")
    assert pages.fields["q-what"] == "order", "and what was typed for the first is still there"


def test_questions_in_the_language_of_the_page_or_in_one_they_have(pages: Asked) -> None:
    pages.write("/uk/write")
    assert '<bdi lang="uk">Про що йдеться?</bdi>' in pages.browser.text
    pages.browser.press("answers", q_what="order")
    assert '<bdi lang="en">An officer</bdi>' in pages.browser.text, "that choice has no Ukrainian"
    pages.write("/ar/write")
    assert '<bdi lang="en">What is it about?</bdi>' in pages.browser.text


def test_after_an_hour_answers_come_back(pages: Asked) -> None:
    pages.write()
    pages.browser.press("answers", q_what="order")
    pages.ahead = LIFE + 1
    pages.browser.press("answers", q_when="2024")
    assert "More than an hour has passed" in pages.browser.text
    assert pages.fields["text"] == "мой текст"
    assert "q-what" in pages.browser.press("text", desk="news").text
    assert pages.fields["q-what"] == "order"
    pages.browser.press("answers")
    assert pages.fields["q-when"] == "2024"


def test_after_a_new_start_the_answers_of_the_page_come_back(pages: Asked, open_world: World) -> None:
    pages.write()
    again = Asked(open_world, bytes([1] * 32))
    again.browser.page = pages.browser.page
    again.browser.press("answers", q_what="money")
    assert "Write your letter once more" in again.browser.text
    assert '"news" checked' in again.browser.text
    again.browser.press("text", desk="news", text="again")
    assert again.fields["q-what"] == "money"


def test_while_too_many_are_at_it_answers_are_kept(pages: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    pages.write()
    with monkeypatch.context() as full:
        full.setattr(acts, "WORKING", 0)
        full.setattr(acts, "WAITING", 0)
        assert pages.browser.press("answers", q_what="order").status == 503
        assert "Many people are here" in pages.browser.text
    pages.browser.press("answers")
    assert pages.names() == {"q-who.general", "q-who.officer", "q-when"}


def test_questions_that_changed_are_shown_once_more(pages: Asked) -> None:
    pages.write()
    pages.browser.press("answers", q_what="money")
    pages.browser.press("answers", q_when="2024")
    pages.browser.press("answers", q_where="Харків")
    pages.browser.press("words")
    pages.browser.press("practise")
    pages.ask((replace(WHAT, choices=WHAT.choices[1:]), replace(WHERE, step=2, titles={"en": "In which town?"})))
    pages.ahead = 700  # the door is looked at again
    asked = len(pages.world.traffic)
    pages.browser.press("unchecked")
    assert "The desk has changed what it asks" in pages.browser.text
    assert pages.fields["q-what"] == "money"
    assert not [x for x in pages.world.traffic[asked:] if x.method == "POST"]
    pages.browser.press("answers")
    assert "In which town?" in pages.browser.text
    assert pages.fields["q-where"] == "Харків"
    assert "Files, if you like" in pages.browser.press("answers").text


def test_without_attachments_all_must_fit_the_letter(pages: Asked) -> None:
    pages.ask((replace(ASKED[5], step=1),), attachment=0)
    pages.write()
    pages.browser.press("answers", q_more="ж" * 1000)
    assert 'id="questions-error">Your letter and your answers are too long together' in pages.browser.text
    assert pages.fields["q-more"] == "ж" * 1000
    assert 'class="words large"' in pages.browser.press("answers", q_more="ж" * 100).text


def test_who_comes_back_is_not_asked_again(pages: Asked) -> None:
    pages.browser.get("/en/return")
    pages.browser.press("open", words=" ".join(generate(Stream("somebody")).words(load())))
    pages.browser.press("more")
    pages.browser.press("text", desk="news", text="more")
    assert "Files, if you like" in pages.browser.text


def test_a_page_of_many_questions_is_one_that_browsers_can_send(pages: Asked) -> None:
    ids = [f"c{n}" for n in range(c.MAX_CHOICES)]
    choices = tuple(replace(WHAT.choices[0], id=i, titles={"en": "x"}) for i in ids)
    many = tuple(
        Question(f"n{n}", Kind.SEVERAL, {"en": "?"}, choices=choices) for n in range(c.MAX_DESK_QUESTIONS // 640)
    )
    pages.ask(many)
    pages.write()
    everything = {f"q-{q.id}.{i}": "1" for q in many for i in ids}
    assert len(everything) > 1500
    assert "Files, if you like" in pages.browser.press("answers", **everything).text


@given(question_lists(), st.data())
def test_forward_asks_what_applies_and_back_the_same(questions: tuple[Question, ...], data: st.DataObject) -> None:
    """Whatever is asked and answered: going on shows each question that applies once, in order; going back reverses."""
    answers: dict[str, str | tuple[str, ...]] = {}
    step, seen, steps = 0, [], []
    while step := module.step_after(questions, answers, step):
        page = module.on_step(questions, answers, step)
        fields: dict[str, str] = {}
        for question in page:
            for choice in question.choices:
                if data.draw(st.booleans()):
                    name = f"q-{question.id}"
                    fields |= {f"{name}.{choice.id}": "1"} if question.kind is Kind.SEVERAL else {name: choice.id}
        answers |= module.typed(page, fields, "en")
        seen += list(page)
        steps.append(step)
    assert tuple(seen) == shown(questions, answers)
    back, step = [], c.MAX_QUESTIONS + 1
    while step := module.step_before(questions, answers, step):
        back.append(step)
    assert back == steps[::-1]
    assert (module.first_wrong(questions, answers) == 0) == (not check(questions, kept(questions, answers)))


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(
    ("typed", "date"),
    [
        ("2024", "2024"), (" 2024-5 ", "2024-05"), ("2024/05/3", "2024-05-03"), ("2024.12.31", "2024-12-31"),
        ("٢٠٢٤-٠٥", "2024-05"), ("last May", None), ("2024-13", None), ("²024", None), ("31-5-2024", None),
        ("31.5.24", None),
    ],
)  # fmt: skip
def test_dates_as_they_are_typed(typed: str, date: str | None, code: str) -> None:
    found = module.as_date(typed, code)
    assert found == date if date else not is_date(found)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(
    ("typed", "date"),
    [
        ("31.5.2024", "2024-05-31"), ("05.06.2024", "2024-06-05"), ("31/5/2024", "2024-05-31"),
        ("5/6/2024", "2024-06-05"),
        ("5.2024", "2024-05"), (" 05/2024", "2024-05"), ("٣١/٥/٢٠٢٤", "2024-05-31"),
        ("5\u200f/6\u200f/2024", "2024-06-05"), ("29.2.2024", "2024-02-29"),
    ],
)  # fmt: skip
def test_the_day_comes_first_where_it_can_mean_nothing_else(typed: str, date: str, code: str) -> None:
    found = module.as_date(typed, code)
    assert found == date if code != "en" else not is_date(found)


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_hint_says_every_form_that_is_understood(pages: Asked, code: str) -> None:
    """And none that is not: each of its examples is a date, as it stands there, in the page's own language."""
    hint = module.date_hint(Texts.load(code))
    pages.write(f"/{code}/write")
    pages.browser.press("answers", q_what="order")
    assert hint in html.unescape(pages.browser.text), "without a script"
    assert of_questions(Texts.load(code))["answer-date"] == hint, "with it"
    assert untrue(hint, code) == []
    assert untrue(module.no_date(Texts.load(code)), code) == [], "what is said when it is none of them"


def untrue(hint: str, code: str) -> list[str]:
    """What is wrong with the examples of a hint."""
    examples = re.findall(r"\d[\d./-]*\d", hint)
    wrong = [one for one in examples if not is_date(module.as_date(one, code))]
    forms = ["2024", "2024-05", "2024-05-31", *(["2024-05-31"] if code != "en" else [])]
    return wrong or ([] if [module.as_date(one, code) for one in examples] == forms else ["a form is missing"])


def test_a_hint_that_promises_too_much_or_too_little_would_be_noticed() -> None:
    forms = "2024, 2024-05, 2024-05-31"
    assert untrue(f"{forms}, 31/05/2024.", "en") == ["31/05/2024"]
    assert untrue(f"{forms}, 05/31/2024.", "fr") == ["05/31/2024"]
    assert untrue(f"{forms}.", "ru") == ["a form is missing"]


@pytest.mark.parametrize("typed", ["5/31/2024", "29.2.2023", "13.2024", "0.5.2024", "1.2.3.2024"])
def test_what_is_no_date_stays_as_it_was_typed(typed: str) -> None:
    assert module.as_date(typed, "fr") == typed
    assert not is_date(typed)


def test_a_date_is_kept_as_letters_have_it(pages: Asked) -> None:
    pages.write("/ru/write")
    pages.browser.press("answers", q_what="order")
    pages.browser.press("answers", q_when="31.5.2024")
    pages.browser.press("earlier")
    assert pages.fields["q-when"] == "2024-05-31"
