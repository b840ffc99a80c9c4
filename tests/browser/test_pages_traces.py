# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an ordinary browser leaves on the disk of somebody who wrote, without JavaScript and (with --matrix) with the
pages' script: its whole profile is searched after it was closed."""

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import CHROMIUM, FLAGS, MISSING, ten_words
from tests.browser.serving import ServedDoor

LETTER = "The mayor took ferry tickets."
UNSENT = "Nobody saw the harbour burn."
FILE = "harbour-master.txt"
LINE = "what the harbour master said"


def visit(door: ServedDoor, profile: Path, folder: Path, script: bool = False, body: str = "", also: str = "") -> str:
    """Write a letter with a file, then begin another and leave; the ten words. `body`: what is taken out of pages;
    `also`: a script beside theirs."""
    assert CHROMIUM is not None
    chosen = folder / FILE
    chosen.write_text(LINE)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=[*FLAGS, "--headless=new"],  # the older way keeps no session
            ignore_default_args=["--headless", "--headless=old"],
            java_script_enabled=script,
        )
        page = context.pages[0]
        page.add_init_script(also)
        page.clock.set_system_time(datetime.fromtimestamp(door.world.now, UTC))
        if body:
            page.route(
                re.compile(r"/en/"),
                lambda route: route.fulfill(response=(answer := route.fetch()), body=re.sub(body, "", answer.text())),
            )
        page.goto(f"{door.address}/en/write")
        page.get_by_role("radio", name="news").check()
        page.get_by_role("textbox", name="Your letter").fill(LETTER)
        page.get_by_role("button", name="Go on").click()
        page.locator("main #file").set_input_files(chosen)
        page.get_by_role("button", name="Send it as it is" if script else "Add this file").click()
        if script:
            page.get_by_role("button", name=f"Leave out {FILE}").wait_for()
        page.get_by_role("button", name="Go on").click()
        words = ten_words(page)
        page.get_by_role("button", name="I have them in mind").click()
        page.get_by_role("textbox", name="Ten words").fill(words)
        page.get_by_role("button", name="Check and send").click()
        page.get_by_role("heading", name="Your letter is in").wait_for()
        page.goto(f"{door.address}/en/return")
        page.get_by_role("textbox", name="Ten words").fill(words)
        page.get_by_role("button", name="Open my thread").click()
        page.get_by_role("button", name="Write again").click()
        page.get_by_role("textbox", name="Your letter").fill(UNSENT)
        page.wait_for_timeout(3500)  # a session is written every 2.5 s
        context.close()
    return words


def left(profile: Path, words: str, folder: Path) -> set[str]:
    """What of it can be found in the files of the profile, however it is spelled there."""
    looked_for = {
        "letter": LETTER,
        "unsent letter": UNSENT,
        "words": words,
        "two words": " ".join(words.split()[3:5]),
        "file": LINE,
        "file's path": str(folder / FILE),
    }
    found = set()
    raw = [file.read_bytes() for file in profile.rglob("*") if file.is_file() and not file.is_symlink()]
    assert len(raw) > 10
    for what, text in looked_for.items():
        spelled = [one.encode(code) for one in (text, quote(text), quote_plus(text)) for code in ("utf-8", "utf-16-le")]
        if any(one in data for one in spelled for data in raw):
            found.add(what)
    return found


@pytest.fixture(autouse=True)
def there() -> None:
    if CHROMIUM is None:
        pytest.skip(MISSING)


def test_nothing_of_a_letter_or_the_words_is_left_on_the_disk(door: ServedDoor, tmp_path: Path) -> None:
    words = visit(door, tmp_path / "profile", tmp_path)
    # a file's path stays: the page says so, and docs/threat-model.md
    assert left(tmp_path / "profile", words, tmp_path) == {"file's path"}


def test_forms_as_browsers_take_them_would_leave_all_of_it(door: ServedDoor, tmp_path: Path) -> None:
    """Without the field that tells Chromium to keep nothing."""
    words = visit(door, tmp_path / "profile", tmp_path, body=r'<input type="password"[^>]*>')
    assert left(tmp_path / "profile", words, tmp_path) >= {"letter", "words", "two words", "file's path"}


@pytest.mark.matrix
def test_with_the_script_nothing_at_all_is_left(door: ServedDoor, tmp_path: Path) -> None:
    words = visit(door, tmp_path / "profile", tmp_path, script=True)
    assert left(tmp_path / "profile", words, tmp_path) == set()


@pytest.mark.matrix
def test_a_draft_that_a_script_keeps_would_be_found(door: ServedDoor, tmp_path: Path) -> None:
    """Broken on purpose: as many pages do, so that nothing is lost when the window is closed. What stood in the field
    at the end is there; of what stood there before, as much as Chromium had written by then."""
    keeps = 'addEventListener("input", ({ target }) => localStorage.setItem(target.id, target.value), true)'
    words = visit(door, tmp_path / "profile", tmp_path, script=True, also=keeps)
    assert "unsent letter" in left(tmp_path / "profile", words, tmp_path)
