# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's questions with the pages' script in Chromium: asked as the signed directory says, sealed in the page."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from latchstring.client.transport import Response
from latchstring.desk.timeline import Came, all_threads
from latchstring.protocol import constants as c
from latchstring.protocol.answers import Answer
from latchstring.protocol.questions import Kind, Question
from latchstring.server.api import Request
from latchstring.site.settings import Plain, Settings
from tests.asked import ASKED, MORE, WHAT, WHEN, WHERE, WHO
from tests.attached import bring, listed, saved
from tests.browser.keys import Keys
from tests.browser.person import Person, delivered
from tests.browser.serving import ServedDoor
from tests.world.world import Desk, World

NO_DATE = "This is no date. Write a year (2024), a month (2024-05) or a day (2024-05-31). The year comes first."
INSISTS = "The desk insists on an answer here. Without it your letter cannot go to this desk."
CHANGED = "The desk has changed what it asks. Look through the questions once more."


def asks(door: ServedDoor, *questions: Question, **policy: int) -> int:
    """The desk `news` asks this from now on, `legal` nothing; the directory's number."""
    with door.lock:
        now = door.world.founding.directory
        desks = tuple(replace(desk, questions=questions if desk.id == "news" else ()) for desk in now.desks)
        door.world.renew(desks=desks, policy=replace(now.policy, **policy))
        door.world.close()
        return door.world.founding.directory.seq


class Asked(Person):
    """Somebody who writes to a desk that asks."""

    def begins(self, text: str = "the letter", desk: str = "news", path: str = "/en/write") -> None:
        """Up to what the desk asks."""
        self.open(path)
        self.writes(text, desk)

    def chooses(self, *names: str) -> None:
        for name in names:
            self.page.get_by_label(name, exact=True).check()

    def fills(self, **fields: str) -> None:
        for name, text in fields.items():
            self.page.locator(f'[name="q-{name}"]').fill(text)

    def names(self) -> list[str]:
        """Of the fields on this page."""
        found = self.page.eval_on_selector_all('main [name^="q-"]', "all => all.map((one) => one.name)")
        return list(dict.fromkeys(found))

    def stands(self, name: str, text: str) -> None:
        expect(self.page.locator(f'[name="q-{name}"]')).to_have_value(text)

    def is_told(self, field: str, sentence: str) -> None:
        """Above, by a link to the field, and beside the field."""
        link = self.page.locator("#errors a", has_text=sentence)
        expect(link).to_have_count(1)
        expect(self.page.locator(f"#{field}-error")).to_have_text(sentence)
        link.click()
        expect(self.page.locator(f"#{field}")).to_be_focused()

    def sends(self) -> None:
        """From the files on."""
        self.heading("Files, if you like")
        self.page.get_by_role("button", name="Go on").click()
        self.press("I have them in mind")
        self.press("Send without the check")

    def sent(self) -> list[str]:
        """What left this device, but for names of chunks."""
        left = [one for one in self.posted if not one.startswith(("GET ", "HEAD "))]
        return [re.sub("[0-9a-f]{64}", "*", one) for one in left]

    def sets_clock(self) -> None:
        """To the door's time."""
        self.page.clock.set_system_time(datetime.fromtimestamp(self.door.world.now, UTC))


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Asked]:
    asks(door, *ASKED)
    one = Asked(chromium, door)
    yield one
    one.context.close()


def came(door: ServedDoor, desk: Desk) -> Came:
    """The one letter, as the desk reads it."""
    delivered(door, desk)
    if listed(desk):
        bring(desk)
    (one,) = [item for thread in all_threads(desk.vault) for item in thread.in_order() if isinstance(item, Came)]
    return one


def answers(one: Came) -> dict[str, tuple[str, Answer]]:
    """By id: the question as the desk reads it, and the answer."""
    return {a.id: (a.question.titles["en"] if a.question else "", a.answer) for a in one.answers}


def text_of(one: Came) -> str:
    return one.letter.body.text if one.letter.body else ""


def test_every_kind_forward_and_back_to_a_desk_that_reads_the_answers(
    person: Asked, door: ServedDoor, news: Desk
) -> None:
    person.begins("мій лист")
    person.heading("The desk asks")
    assert person.names() == ["q-what"]
    person.press("Go on")
    person.is_told("q-what", INSISTS)
    person.chooses("An order that was given")
    person.press("Go on")
    assert person.names() == ["q-who.general", "q-who.officer", "q-when"]
    person.chooses("A general", "An officer")
    person.fills(when="2024-13")
    person.press("Go on")
    person.is_told("q-when", NO_DATE)
    person.stands("when", "2024-13")
    person.fills(when=" 2024/5 ")
    person.press("Go on")
    assert person.names() == ["q-rank", "q-where", "q-more"]
    person.fills(rank=" ", where="x" * (c.ANSWER_LINE + 1), more="Я там був.\n<b>Так</b>.")
    person.press("Go on")
    person.is_told("q-rank", INSISTS)
    person.is_told("q-where", "This answer is too long. Shorten it, and say the rest in your letter.")
    person.fills(where="Запоріжжя")
    person.press("Back")
    person.stands("when", "2024-05")
    expect(person.page.get_by_label("An officer")).to_be_checked()
    person.page.get_by_label("A general").uncheck()
    person.press("Go on")
    assert person.names() == ["q-where", "q-more"], "nobody asks for a rank now"
    person.stands("where", "Запоріжжя")
    person.press("Back")
    person.chooses("A general")
    person.press("Back")
    expect(person.page.get_by_label("An order that was given")).to_be_checked()
    person.press("Back")
    expect(person.page.get_by_role("textbox", name="Your letter")).to_have_value("мій лист")
    for _ in range(3):
        person.press("Go on")
    person.fills(rank="Майор")
    person.press("Go on")
    words = person.takes_words()
    person.heading("Your letter is in")
    person.left_nothing("мій лист", "Майор", "general", "Запоріжжя", words)
    assert person.sent() == ["POST /v1/letters"]
    assert not {x.path for x in door.world.traffic if x.who == "the pages"} - {"/visit", "/checkpoint"}
    one = came(door, news)
    assert text_of(one) == "мій лист"
    assert answers(one) == {
        "what": ("What is it about?", "order"),
        "who": ("Who gave it?", ("general", "officer")),
        "when": ("When was it?", "2024-05"),
        "rank": ("Of which rank?", "Майор"),
        "where": ("Where was it?", "Запоріжжя"),
        "more": ("How do you know?", "Я там був.\n<b>Так</b>."),
    }
    assert one.letter.body is not None
    assert one.letter.body.answers is not None
    assert one.letter.body.answers.asked == door.world.founding.directory.seq


def test_what_is_left_empty_is_no_answer(person: Asked, door: ServedDoor, news: Desk) -> None:
    asks(door, replace(WHAT, needed=False), replace(WHERE, step=1))
    person.begins()
    person.chooses("Something else")
    person.chooses("No answer")
    person.press("Go on")
    person.sends()
    person.heading("Your letter is in")
    one = came(door, news)
    assert one.letter.body is not None
    assert (answers(one), one.letter.body.answers) == ({}, None)


def test_answers_that_do_not_fit_go_beside_the_letter_and_a_long_letter_too(
    person: Asked, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    asks(door, replace(MORE, step=1))
    text = "довгий лист " * 300
    person.begins(text)
    person.fills(more="ж" * c.ANSWER_LONG)
    person.press("Go on")
    person.heading("Files, if you like")
    person.sends()
    person.heading("Your letter is in")
    attached = ["POST /v1/attachments", "PUT /v1/attachments/*", "POST /v1/attachments"]  # asked whether all came
    assert person.sent() == [*attached, *attached, "POST /v1/letters"]
    person.left_nothing("довгий", "жжжж")
    one = came(door, news)
    assert one.letter.body is not None
    assert one.letter.body.answers_in is not None
    assert answers(one) == {"more": ("How do you know?", "ж" * c.ANSWER_LONG)}
    assert text_of(one).endswith("→ letter.txt")
    whole = next(item for item in listed(news) if item.attachment.name == "letter.txt")
    assert saved(news, whole, tmp_path / "out").decode() == text


def test_where_nothing_goes_beside_all_must_fit_the_letter(person: Asked, door: ServedDoor, news: Desk) -> None:
    asks(door, replace(MORE, step=1), attachment=0)
    person.begins("ж" * 300)
    person.fills(more="ж" * 1000)
    person.press("Go on")
    person.says("Your letter and your answers are too long together by about")
    person.stands("more", "ж" * 1000)
    person.fills(more="ж" * 100)
    person.press("Go on")
    person.press("I have them in mind")
    person.press("Send without the check")
    person.heading("Your letter is in")
    assert answers(came(door, news)) == {"more": ("How do you know?", "ж" * 100)}


# --- as without the script --------------------------------------------------------------------------------

FORM = """() => {
  const form = document.querySelector('main [name^="q-"]').closest("form").cloneNode(true);
  for (const one of form.querySelectorAll('[type="hidden"], [name="unkept"]')) one.remove();
  for (const one of form.querySelectorAll(".error")) if (!one.textContent) one.remove();
  form.normalize();
  for (const one of form.querySelectorAll("[hidden]")) one.removeAttribute("hidden");
  for (const one of form.querySelectorAll("[checked]")) one.removeAttribute("checked");
  const seen = (node) => node.nodeType === 3 ? node.data.replace(/\\s+/g, " ").trim() : [node.tagName,
    ...[...node.attributes].map(({ name, value }) => `${name}=${value}`).filter((one) => one !== "value=").sort(),
    ...[...node.childNodes].map(seen).filter(String)];
  return [...form.querySelectorAll("fieldset, p:not(.actions):not(.hint), input, textarea")].map(seen).map(String);
}"""
STRANGE = replace(WHAT, needed=False, titles={"fr": "Qui\u202e  est\nlà?"}, help={"uk": "х" * 999, "fr": "non"})


def test_the_same_is_shown_as_without_the_script(chromium: Browser, door: ServedDoor, language: str) -> None:
    """Each kind of field, in the page's language or another; with errors and without."""
    several = replace(WHO, step=1, only_if=None)
    asks(door, STRANGE, several, *(replace(one, step=1, needed=one is WHEN) for one in (WHEN, MORE, WHERE)))
    shown: list[list[list[str]]] = []
    for script in (True, False):
        person = Asked(chromium, door)
        if not script:  # what looks at the page needs JavaScript itself
            person.context.route("**/static/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        person.page.goto(f"{door.address}/{language}/write")
        if script:
            expect(person.page.locator("html")).to_have_attribute("data-page", "ready")
        person.page.locator("#desk-news").check()
        person.page.locator("#text").fill("x")
        person.page.locator('main button[value="text"]').click()
        expect(person.page.locator('[name="q-when"]')).to_be_visible()
        pages = [person.page.evaluate(FORM)]
        person.page.locator('main button[value="answers"]').click()
        expect(person.page.locator("#q-when-error")).to_be_visible()
        pages.append(person.page.evaluate(FORM))
        shown.append(pages)
        person.context.close()
    for scripted, plain in zip(*shown, strict=True):
        for one, other in zip(scripted, plain, strict=True):
            assert one == other
    assert len(shown[0][0]) > 12


# --- what the server must not learn, and must not change ---------------------------------------------------


def test_the_same_is_fetched_whichever_desk_is_chosen(chromium: Browser, door: ServedDoor) -> None:
    """One asks and the other does not: the server must not see from the files which of them is written to."""
    asks(door, *ASKED)
    asked = []
    for desk in ("news", "legal"):
        person = Asked(chromium, door)
        person.begins(desk=desk)
        if desk == "news":
            person.chooses("Something else")
            for _ in range(3):
                person.press("Go on")
        person.sends()
        person.heading("Your letter is in")
        asked.append(sorted(person.posted))
        person.context.close()
    assert asked[0] == asked[1]
    assert "GET /static/questions.js" in asked[0]


def renamed(_request: Request, answer: Response) -> Response:
    """The door's file with another question in it, as long as the true one."""
    return replace(answer, body=answer.body.replace(b"What is it about?", b"What is your name"))


def test_a_question_that_the_organisation_did_not_sign_is_not_asked(person: Asked, door: ServedDoor) -> None:
    true, door.script.meddle = door.script.meddle, renamed
    person.begins("a secret")
    person.heading("That did not work")
    person.says("What the door sends cannot be trusted just now")
    person.says("Nothing was sent.")
    door.script.meddle = true
    person.press("Try again")
    person.heading("The desk asks")
    person.says("What is it about?")
    expect(person.page.get_by_role("main")).not_to_contain_text("your name")
    assert person.sent() == []


def test_a_page_that_says_otherwise_changes_nothing_of_what_is_asked(
    person: Asked, door: ServedDoor, news: Desk
) -> None:
    """It says that no desk asks anything, and puts a question of its own into the step that the script fills."""

    def lie(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace('"asks": true', '"asks": false')
        name = '<p><label for="q-name">Your name</label><input id="q-name" name="q-name"></p>'
        assert '<div class="fields" data-fill="asked"></div>' in body
        body = body.replace(
            '<div class="fields" data-fill="asked"></div>', f'{name}<div class="fields" data-fill="asked"></div>'
        )
        route.fulfill(response=answer, body=body)

    held: list[Route] = []
    person.page.route("**/en/write", lie)
    person.page.route("**/visit", lambda route: held.append(route))
    person.begins()
    person.heading("Files, if you like")
    person.page.get_by_role("button", name="Go on").click()
    person.press("I have them in mind")
    person.press("Send without the check")
    person.says("Fetching what the door has published.")
    for route in held:
        route.continue_()
    person.heading("The desk asks")
    assert person.sent() == [], "it is asked before anything goes"
    expect(person.page.get_by_role("main")).not_to_contain_text(CHANGED)
    person.fills(name="Anna")
    person.press("Go on")
    person.is_told("q-what", INSISTS)
    person.chooses("Something else")
    for _ in range(3):
        person.press("Go on")
    person.heading("Your letter is in")
    assert person.sent() == ["POST /v1/letters"]
    assert answers(came(door, news)) == {"what": ("What is it about?", "other")}, (
        "a name that is not asked goes nowhere"
    )


# --- a directory that changes meanwhile ---------------------------------------------------------------------


def to_the_words(person: Asked) -> None:
    """Answers what ASKED asks, up to the last button."""
    person.chooses("Money that went elsewhere")
    person.press("Go on")
    person.fills(when="2024")
    person.press("Go on")
    person.fills(where="Харків")
    person.press("Go on")
    person.heading("Files, if you like")
    person.page.get_by_role("button", name="Go on").click()
    person.press("I have them in mind")


def later(person: Asked, door: ServedDoor, desk: Desk, *questions: Question) -> int:
    """A day goes by, and the desk asks this: what the page knows is too old to seal by."""
    with door.lock:
        door.world.close(door.world.batch + c.TICKS_PER_DAY)
        desk.sync()
    seq = asks(door, *questions)
    person.sets_clock()
    return seq


def test_questions_that_changed_are_asked_once_more(person: Asked, door: ServedDoor, news: Desk) -> None:
    """One is gone, one has another title and stands elsewhere, a choice is gone: what fits is still there."""
    person.begins()
    to_the_words(person)
    town = replace(WHERE, step=2, titles={"en": "In which town?"})
    seq = later(person, door, news, replace(WHAT, choices=WHAT.choices[1:]), town)
    person.press("Send without the check")
    person.is_told("questions", CHANGED)
    assert person.sent() == []
    expect(person.page.get_by_label("Money that went elsewhere")).to_be_checked()
    person.press("Go on")
    person.says("In which town?")
    person.stands("where", "Харків")
    person.press("Go on")
    person.heading("Your letter is in")
    one = came(door, news)
    assert answers(one) == {"what": ("What is it about?", "money"), "where": ("In which town?", "Харків")}
    assert one.letter.body is not None
    assert one.letter.body.answers is not None
    assert one.letter.body.answers.asked == seq


def test_back_from_questions_that_changed_the_letter_is_there(person: Asked, door: ServedDoor, news: Desk) -> None:
    person.begins("kept")
    to_the_words(person)
    later(person, door, news, WHAT)
    person.press("Send without the check")
    person.says(CHANGED)
    person.press("Back")
    expect(person.page.get_by_role("textbox", name="Your letter")).to_have_value("kept")
    person.press("Go on")
    person.says(CHANGED)
    expect(person.page.get_by_label("Money that went elsewhere")).to_be_checked()


@pytest.mark.parametrize("questions", [ASKED, ()], ids=["the same", "none any more"])
def test_another_directory_that_asks_nothing_new(
    person: Asked, door: ServedDoor, news: Desk, questions: Sequence[Question]
) -> None:
    person.begins()
    to_the_words(person)
    before = door.world.founding.directory.seq
    assert later(person, door, news, *questions) > before
    person.press("Send without the check")
    person.heading("Your letter is in")
    one = came(door, news)
    assert set(answers(one)) == ({"what", "when", "where"} if questions else set())
    assert one.letter.body is not None
    assert one.letter.body.answers is None or one.letter.body.answers.asked == before


def test_a_desk_that_begins_to_ask_is_answered_before_anything_goes(
    chromium: Browser, door: ServedDoor, news: Desk
) -> None:
    person = Asked(chromium, door)
    person.begins()
    person.heading("Files, if you like")
    person.page.get_by_role("button", name="Go on").click()
    person.press("I have them in mind")
    later(person, door, news, *ASKED)
    person.press("Send without the check")
    person.heading("The desk asks")
    expect(person.page.locator("#errors")).to_be_hidden()
    person.press("Back")
    person.press("Go on")
    person.heading("The desk asks")
    to_the_words(person)
    person.press("Send without the check")
    person.heading("Your letter is in")
    assert set(answers(came(door, news))) == {"what", "when", "where"}
    person.context.close()


def test_one_desk_does_not_get_what_another_was_told(person: Asked, door: ServedDoor, tmp_path: Path,
                                                     open_world: tuple[World, dict[str, Desk]]) -> None:  # fmt: skip
    legal = open_world[1]["legal"].copy(door.world, tmp_path)
    person.begins()
    person.chooses("Something else")
    person.press("Back")
    person.writes("for legal", "legal")
    person.sends()
    person.heading("Your letter is in")
    one = came(door, legal)
    assert one.letter.body is not None
    assert (text_of(one), one.letter.body.answers) == ("for legal", None)


# --- bad lines, other doors, other people -------------------------------------------------------------------


def test_what_asks_does_not_come_and_comes(person: Asked) -> None:
    down = [True]
    person.page.route("**/static/questions.js*", lambda route: route.abort() if down[0] else route.continue_())
    person.begins("kept")
    person.heading("That did not work")
    person.says("A part of this page did not come. Try again in a moment.")
    person.press("Back to the letter")
    expect(person.page.get_by_role("textbox", name="Your letter")).to_have_value("kept")
    person.press("Go on")
    person.says("A part of this page did not come.")
    down[0] = False
    person.press("Try again")
    person.heading("The desk asks")
    assert person.sent() == []


def test_while_the_door_is_fetched_one_can_go_back(person: Asked) -> None:
    held: list[Route] = []
    person.page.route("**/visit", lambda route: held.append(route))
    person.begins("kept")
    person.heading("The desk asks")
    person.says("Fetching what the door has published.")
    person.press("Stop")
    expect(person.page.get_by_role("textbox", name="Your letter")).to_have_value("kept")
    person.page.unroute("**/visit")
    person.press("Go on")
    person.says("What is it about?")


def test_a_door_whose_pages_need_the_script(open_world: tuple[World, dict[str, Desk]], quick: None, chromium: Browser,
                                            tmp_path: Path) -> None:  # fmt: skip
    door = ServedDoor(open_world[0].copy(), Settings(plain=Plain.OFF))
    news = open_world[1]["news"].copy(door.world, tmp_path)
    asks(door, WHAT)
    person = Asked(chromium, door)
    person.begins()
    person.chooses("Something else")
    person.press("Go on")
    person.sends()
    person.heading("Your letter is in")
    assert answers(came(door, news)) == {"what": ("What is it about?", "other")}
    person.context.close()
    door.close()


def test_questions_by_keyboard_alone(chromium: Browser, door: ServedDoor, news: Desk) -> None:
    person = Asked(chromium, door, reduced_motion="reduce")
    asks(door, replace(WHAT, choices=WHAT.choices[:2]), WHO, replace(WHEN, kind=Kind.LONG))
    keys, heading = Keys(person.page), person.page.get_by_role("heading", level=1)

    def goes_on() -> None:
        keys.to("Go on")
        person.page.keyboard.press("Enter")

    person.open("/en/write")
    expect(heading).to_be_focused()
    keys.to("Legal")
    person.page.keyboard.press("ArrowDown")
    keys.write("Your letter", "by keys")
    goes_on()
    person.heading("The desk asks")
    expect(heading).to_be_focused()
    goes_on()
    person.says(INSISTS)
    keys.comes("errors")
    person.page.keyboard.press("Tab")
    person.page.keyboard.press("Enter")
    keys.comes("q-what")
    person.page.keyboard.press("Tab")
    person.page.keyboard.press("Space")
    goes_on()
    person.says("Who gave it?")
    expect(heading).to_be_focused()
    keys.to("An officer")
    person.page.keyboard.press("Space")
    keys.write("When was it?", "long ago")
    goes_on()
    person.sends()
    person.heading("Your letter is in")
    given = {name: answer for name, (_, answer) in answers(came(door, news)).items()}
    assert given == {"what": "order", "who": ("officer",), "when": "long ago"}
    person.context.close()
