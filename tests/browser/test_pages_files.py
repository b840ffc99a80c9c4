# SPDX-License-Identifier: AGPL-3.0-or-later
"""Before a file goes, the page's script says what is in it, in Chromium; what the desk gets is what was chosen then."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Route, expect

from tests import attached
from tests.browser.documents import docx, packed
from tests.browser.pdf_eyes import rendered, secrets
from tests.browser.pdfs import document, written
from tests.browser.person import Person, delivered
from tests.browser.photographs import exif, opened, picture, pixels, saved
from tests.browser.serving import ServedDoor
from tests.world.world import Desk

PHOTO = saved(picture(), "JPEG", exif=exif(1))
PAGELESS = b"%PDF-1.4\n1 0 obj\n<< /Author (Anna Kovalenko) >>\nendobj\ntrailer\n<< /Info 1 0 R >>\n%%EOF\n"
META = "**/static/meta.js"
FIRST, LEFT, NOTHING = (
    "What this file says",
    "What is left in the copy",
    "Nothing was found that says something about you.",
)


@pytest.fixture
def person(chromium: Browser, door: ServedDoor) -> Iterator[Person]:
    """At the files of a letter."""
    one = Person(chromium, door)
    one.open("/en/write")
    one.writes("See what goes along.")
    yield one
    one.context.close()


def choose(person: Person, *files: tuple[str, bytes]) -> None:
    person.heading("Files, if you like")
    payloads = [FilePayload(name=name, mimeType="application/octet-stream", buffer=raw) for name, raw in files]
    person.page.get_by_label("Files").set_input_files(payloads)


def arrived(person: Person, door: ServedDoor, desk: Desk, folder: Path) -> list[tuple[str, bytes]]:
    """Send the letter; what the desk saves of it."""
    person.takes_words()
    person.heading("Your letter is in")
    delivered(door, desk)
    attached.bring(desk)
    items = attached.listed(desk)
    return [(one.attachment.name, attached.saved(desk, one, folder / str(n))) for n, one in enumerate(items)]


def test_a_photograph_without_what_it_said(person: Person, door: ServedDoor, news: Desk, tmp_path: Path) -> None:
    assert "GET /static/meta.js" not in person.posted, "it is loaded when a file is chosen"
    choose(person, ("Anna's house.jpg", PHOTO))
    person.heading(FIRST)
    for said in ("Place, as numbers on a map", "50.45010, -30.52340", "Name of a person", "Anna Kovalenko", "SN-0042"):
        person.says(said)
    assert person.posted.count("GET /static/meta.js") == 1
    person.press("Remove")
    person.heading(LEFT)
    person.says(NOTHING)
    person.page.get_by_label("Send a number in place of its name").check()
    person.press("Send the copy")
    person.says("1.jpg")
    ((name, raw),) = arrived(person, door, news, tmp_path)
    assert name == "1.jpg"
    assert b"Exif" not in raw
    assert not opened(raw).getexif()
    assert pixels(raw) == pixels(PHOTO)
    person.left_nothing("Anna", "50.45010", "SN-0042")


def test_a_photograph_as_it_is(person: Person, door: ServedDoor, news: Desk, tmp_path: Path) -> None:
    choose(person, ("house.jpg", PHOTO))
    person.says("50.45010, -30.52340")
    person.press("Send it as it is")
    assert arrived(person, door, news, tmp_path) == [("house.jpg", PHOTO)]


@pytest.mark.parametrize("broken", ["throw new Error('no')", "export const read = () => { throw 1 }", None])
def test_when_nothing_can_be_looked_at_it_can_go_all_the_same(
    broken: str | None, person: Person, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    """A bundle that fails, or does not come."""
    kind = {"content-type": "text/javascript", "cross-origin-embedder-policy": "require-corp"}
    person.context.route(META, lambda r: r.fulfill(body=broken, headers=kind) if broken else r.abort())
    choose(person, ("house.jpg", PHOTO))
    person.says("What is hidden in this file was not looked at.")
    expect(person.page.get_by_role("main")).not_to_contain_text("Nothing was found")
    expect(person.page.get_by_role("button", name="Remove", exact=True)).to_have_count(0)
    person.press("Send it as it is")
    if broken is None:
        person.says("house.jpg")
        return
    assert arrived(person, door, news, tmp_path) == [("house.jpg", PHOTO)]


def test_enter_on_a_box_sends_no_file(person: Person) -> None:
    """While it is looked into, where nothing can be removed, and where something can. Enter on a button presses it."""
    held: list[Route] = []
    person.context.route(META + "*", lambda route: held.append(route))

    def pressed_on_the_box(heading: str) -> None:
        box = person.page.get_by_label("Send a number in place of its name")
        box.focus()
        was = box.is_checked()
        person.page.keyboard.press("Enter")
        person.page.keyboard.press("Space")
        person.page.keyboard.press("Enter")
        person.page.wait_for_timeout(200)
        person.heading(heading)
        assert box.is_checked() is not was

    choose(person, ("by-anna.txt", b"by Anna"))
    person.says("Looking into it, here on your device.")
    pressed_on_the_box(FIRST)
    held[0].continue_()
    person.says("Nothing in it was looked at")
    pressed_on_the_box(FIRST)
    person.press("Leave out")
    choose(person, ("house.jpg", PHOTO))
    person.says("50.45010, -30.52340")
    pressed_on_the_box(FIRST)
    person.page.get_by_role("button", name="Remove", exact=True).focus()
    person.page.keyboard.press("Enter")
    person.heading(LEFT)
    pressed_on_the_box(LEFT)


def test_what_looks_into_files_is_fetched_again_for_whoever_tries_again(person: Person) -> None:
    """The answer for all files is not "again", and holds from then on."""
    down = [True]
    person.context.route(META + "*", lambda route: route.abort() if down[0] else route.continue_())
    choose(person, ("house.jpg", PHOTO), ("plan.jpg", PHOTO))
    person.says("What is hidden in this file was not looked at.")
    person.page.get_by_label("Do the same with the files after this one").check()
    person.press("Try again")
    person.says("What is hidden in this file was not looked at.")
    down[0] = False
    person.press("Try again")
    person.says("50.45010, -30.52340")
    person.press("Remove")
    person.heading("Files, if you like")
    person.says("plan.jpg")


def test_nobody_has_to_wait_for_what_does_not_come(person: Person) -> None:
    person.context.route(META, lambda _route: None)
    choose(person, ("house.jpg", PHOTO))
    person.says("Looking into it, here on your device.")
    person.press("Leave out")
    person.heading("Files, if you like")
    expect(person.page.get_by_role("main")).not_to_contain_text("house.jpg")


def test_a_pdf_without_what_it_said(person: Person, door: ServedDoor, news: Desk, tmp_path: Path) -> None:
    raw = written(document())
    choose(person, ("plan.pdf", raw))
    person.says("Ministry of Works")
    person.press("Remove")
    person.heading(LEFT)
    for said in ("Comments or changes, with names", "In it, but not shown", "1 layer", "Shown in part only", "1 page"):
        person.says(said)
    expect(person.page.get_by_role("main")).not_to_contain_text("Ministry of Works")
    person.press("Send the copy")
    ((name, clean),) = arrived(person, door, news, tmp_path)
    assert name == "plan.pdf"
    assert rendered(clean) == rendered(raw)
    assert secrets(clean) == []


def test_where_nothing_can_be_removed_it_is_said_why_and_what_to_do(person: Person) -> None:
    for name, raw, said in (
        ("a.pdf", PAGELESS, ("Anna Kovalenko",)),
        (
            "a.txt",
            b"by Anna",
            ("Nothing in it was looked at", "This kind of file is not known here.", "ask the desk how"),
        ),
        (
            "IMG_0042.HEIC",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            (
                "Nothing in it was looked at",
                "HEIC, as iPhones make it",
                "usually say where and when they were taken",
                "a screenshot",
            ),
        ),
        ("a.jpg", PHOTO[:300], ("These parts of it were not looked at", "It is damaged, or built in an unusual way.")),
    ):
        choose(person, (name, raw))
        person.heading(FIRST)
        for text in said:
            person.says(text)
        expect(person.page.get_by_role("main")).not_to_contain_text(NOTHING)
        if name not in ("a.txt", "IMG_0042.HEIC"):
            person.press("Remove")
            person.says("From this file nothing can be removed here.")
            person.says("ask the desk how" if name == "a.jpg" else "pictures of its pages")
        expect(person.page.get_by_role("button", name="Remove", exact=True)).to_have_count(0)
        person.press("Leave out")


def test_nothing_found_and_what_is_left(person: Person) -> None:
    choose(person, ("plain.jpg", saved(picture(), "JPEG")))
    person.heading(FIRST)
    person.says(NOTHING)
    person.says("was not looked at")
    person.press("Leave out")
    choose(person, ("a.docx", packed(docx())))
    person.says("Ministry of Works")
    person.press("Remove")
    person.heading(LEFT)
    person.says("Comments or changes, with names")
    expect(person.page.get_by_role("main")).not_to_contain_text("Ministry of Works")
    expect(person.page.get_by_role("main")).not_to_contain_text(NOTHING)


def test_the_same_for_all_but_not_unseen(person: Person, door: ServedDoor, news: Desk, tmp_path: Path) -> None:
    """One answer cleans them all; what cannot be cleaned is asked about, and that answer is its own."""
    choose(person, ("1.jpg", PHOTO), ("2.txt", b"by Anna"), ("3.jpg", PHOTO))
    person.says("File 1 of 3")
    person.page.get_by_label("Do the same with the files after this one").check()
    person.press("Remove")
    person.says("File 2 of 3")
    person.says("Nothing in it was looked at, and nothing can be removed here.")
    person.press("Send it as it is")
    got = arrived(person, door, news, tmp_path)
    assert [name for name, _ in got] == ["1.jpg", "2.txt", "3.jpg"]
    assert [b"Exif" in raw for _, raw in got] == [False, False, False]
    assert got[1][1] == b"by Anna"


def test_a_copy_that_is_none_would_be_noticed(person: Person, door: ServedDoor, news: Desk, tmp_path: Path) -> None:
    lie = """import * as real from "/static/meta.js?real";
      export const { read, LIMIT } = real, remove = async (blob) => ({ ...(await real.remove(blob)), blob });"""
    kind = {"content-type": "text/javascript", "cross-origin-embedder-policy": "require-corp"}
    person.context.route(META, lambda r: r.fulfill(body=lie, headers=kind))
    choose(person, ("house.jpg", PHOTO))
    person.press("Remove")
    person.heading(LEFT)
    person.press("Send the copy")
    assert arrived(person, door, news, tmp_path) == [("house.jpg", PHOTO)]


TOLD = {
    "ru": ("1 мая 2024", "1 вставка", "1 удаление", "1 примечание", "2 часа", "сохранён 7 раз", "16 Б"),
    "ar": ("إضافة واحدة", "عملية حذف واحدة", "تعليق واحد", "ساعتان", "حُفظ"),
}


@pytest.mark.parametrize("code", TOLD)
def test_what_is_found_is_told_in_the_persons_language_and_quotes_stay(
    code: str, chromium: Browser, door: ServedDoor
) -> None:
    """All that is ours to say is said in it, to the last letter; what the file has stays as it has it, kept apart."""
    one = Person(chromium, door)
    one.open(f"/{code}/write")
    one.page.locator("#desk-news").check()
    one.page.locator("#text").fill("?")
    one.page.locator("button[value=text]").click()
    found = []
    for name, raw in (("a.docx", packed(docx())), ("a.jpg", PHOTO + b"ftypmp42 of Anna")):
        payload = FilePayload(name=name, mimeType="application/octet-stream", buffer=raw)
        one.page.locator("#file").set_input_files([payload])
        expect(one.page.locator("dl.facts")).to_be_visible(timeout=30_000)
        quoted = one.page.locator("dl.facts bdi[data-if=value]").all_inner_texts()
        assert {"Anna Kovalenko"} <= set(quoted)
        assert not any(quote.startswith("2024") for quote in quoted)
        found += one.page.locator("dl.facts bdi[data-if=said]").all_inner_texts()
        one.page.locator("button[value=out]").click()
    assert [said for said in found if re.search("[A-Za-z]", said.replace("UTC", ""))] == []
    said = " ".join(" ".join(found).split())
    assert [words for words in TOLD[code] if words not in said] == []
    one.context.close()


def test_a_name_that_turns_itself_around_is_shown_as_it_is_spelled(
    person: Person, door: ServedDoor, news: Desk, tmp_path: Path
) -> None:
    """As "scan exe.pdf" it would look like another kind of file. It goes as it is."""
    choose(person, ("scan\u202efdp.exe", b"MZ"), ("empty\u202efdp.exe", b""))
    person.says("scan<U+202E>fdp.exe")
    person.press("Send it as it is")
    person.says("empty<U+202E>fdp.exe")
    person.page.get_by_role("button", name="Leave out scan<U+202E>fdp.exe").wait_for()
    assert "\u202e" not in person.page.get_by_role("main").inner_text()
    assert [name for name, _ in arrived(person, door, news, tmp_path)] == ["scan\u202efdp.exe"]
