# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages by real processes: beside the store, and alone on another port; several workers, one run's forms."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from latchstring.demo.door import DemoDoor, free_port, wait_for
from latchstring.desk.letters import letters
from tests.demo_door import running
from tests.reader import Forms, multipart, multipart_kind


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoDoor]:
    with running(tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture(scope="module")
def alone(door: DemoDoor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `site run`."""
    port = free_port()
    command = [sys.executable, "-m", "latchstring", "site", "run", "--door", door.link, "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("site"), stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}"), 30, "the pages to be served")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def _answers(address: str) -> bool | None:
    try:
        return httpx.get(f"{address}/en/", trust_env=False).status_code == 200 or None
    except httpx.HTTPError:
        return None


def press(address: str, html: str, button: str, **fields: str) -> str:
    """What comes then."""
    form = next(form for form in Forms(html).forms if button in form.buttons)
    answer = httpx.post(
        address + form.action, data={**form.fields, **fields, "do": button}, trust_env=False, timeout=60
    )
    return answer.text


def practising(address: str, text: str, file: bytes) -> tuple[str, str]:
    """Write by the pages, each step on a connection of its own, by whichever worker; the page that asks for the ten
    words, and those."""
    html = press(address, httpx.get(f"{address}/en/write", trust_env=False).text, "text", desk="newsroom", text=text)
    form = next(form for form in Forms(html).forms if form.file)
    body = multipart(form.fields, "a.bin", file)
    html = httpx.post(
        address + form.action, content=body, headers={"content-type": multipart_kind()}, trust_env=False
    ).text
    assert "a.bin" in html
    html = press(address, html, "words")
    words = re.search(r'<ol class="words large"[^>]*>(.*?)</ol>', html, re.S)
    assert words is not None
    typed = " ".join(re.findall(r"<li>([^<]*)</li>", words[1]))
    return press(address, html, "practise"), typed


def write(address: str, text: str, file: bytes) -> str:
    """What the last page says."""
    html, words = practising(address, text, file)
    return press(address, html, "send", words=words)


def test_many_presses_at_one_instant_by_several_workers_are_one_letter(door: DemoDoor, alone: str) -> None:
    html, words = practising(alone, "pressed by a shaking hand", bytes(10))
    with ThreadPoolExecutor(8) as hands:
        said = list(hands.map(lambda _: press(alone, html, "send", words=words), range(8)))
    for page in said:
        assert "Your letter is in" in page or "This was done already" in page
    assert sum("Your letter is in" in page for page in said) > 1, "at once, or nothing is tried here"

    def arrived() -> list[str] | None:
        door.sync("newsroom")
        with door.vault("newsroom") as vault:
            return [x.body.text for x in letters(vault) if x.body and "shaking" in x.body.text] or None

    assert len(wait_for(arrived, 60, "the letter at the desk")) == 1
    door.wait_batch(door.visit().manifest.n + 2)
    assert len(arrived() or []) == 1


def test_a_letter_by_either_address(door: DemoDoor, alone: str) -> None:
    before = httpx.get(f"{door.address}/checkpoint", trust_env=False)
    assert before.headers["content-type"] != "text/html; charset=utf-8", "the store's own addresses are untouched"
    assert httpx.get(f"{alone}/checkpoint", trust_env=False).status_code == 404
    visits = [httpx.get(f"{address}/visit", trust_env=False) for address in (door.address, alone)]
    assert visits[0].content[:4] == visits[1].content[:4]
    kept = [visit.headers["cache-control"] for visit in visits]
    assert kept == ["no-store", "no-store"], "which batch was the newest tells when somebody came"
    assert "Your letter is in" in write(door.address, "beside", bytes(600_000))
    assert "Your letter is in" in write(alone, "alone", bytes(10))
    assert "The door is open" in httpx.get(f"{alone}/en/status", trust_env=False).text

    def arrived() -> bool | None:
        door.sync("newsroom")
        with door.vault("newsroom") as vault:
            texts = {x.body.text for x in letters(vault) if x.body}
        return {"beside", "alone"} <= texts or None

    wait_for(arrived, 60, "both letters at the desk")


def test_what_no_browser_sends_is_refused_at_either_address(door: DemoDoor, alone: str) -> None:
    """`tests/integration/test_edge.py` says what."""
    for address in (door.address, alone):
        long = httpx.get(f"{address}/en/", headers={"x-long": "a" * 20_000}, trust_env=False)
        chunked = httpx.post(f"{address}/en/write", content=iter([b"do=decoy"]), trust_env=False)
        assert (long.status_code, chunked.status_code) == (431, 411)


def command(door: DemoDoor, *args: str) -> subprocess.CompletedProcess[str]:
    """A command of the organisation's, in the door's folder, with the demonstration's passphrase."""
    with (door.folder / "passphrase.txt").open("rb") as passphrase:
        fd = passphrase.fileno()
        words = [sys.executable, "-m", "latchstring", *args]
        if args[:2] != ("site", "verify"):
            words += ["--passphrase-fd", str(fd)]
        return subprocess.run(words, cwd=door.folder, pass_fds=(fd,), capture_output=True, text=True)


def test_pages_are_signed_by_the_organisation_and_compared_from_the_outside(door: DemoDoor, alone: str) -> None:
    signing = ("org", "directory", "sign", "directory.toml", "--previous", "directory.signed", "--out", "next.signed")
    for step in (
        ("site", "key"),
        (*signing, "--add", "site-card.toml", "--yes", "--post", door.address),
        ("site", "sign", "--directory", "next.signed"),
    ):
        done = command(door, *step)
        assert done.returncode == 0, done.stderr
    door.wait_batch(door.visit().manifest.n + 2)
    good = command(door, "site", "verify", door.address, "--door", door.link, "--json")
    assert good.returncode == 0, good.stdout + good.stderr
    assert json.loads(good.stdout)["differences"] == []
    unsigned = command(door, "site", "verify", alone, "--door", door.link)
    assert unsigned.returncode == 3
    assert "serves no signed list" in unsigned.stderr
    (door.folder / "site.toml").write_text('[site]\nname = "Another"\n')
    assert command(door, "site", "sign", "--directory", "next.signed").returncode == 0
    wrong = command(door, "site", "verify", door.address, "--door", door.link)
    assert wrong.returncode == 3, "the server still runs with what it read at its start"
    assert "/en/about: its bytes are not those that were signed" in wrong.stdout
