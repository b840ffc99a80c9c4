# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page's tests over `tests/vectors` again, from the same sources, in the browsers themselves: under the pages' own
policy, each by the name that it has in Node."""

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from latchstring.site.headers import ALWAYS
from tests.browser.firefox import opened
from tests.browser.peer import FRONTEND, NODE

VECTORS: Final = FRONTEND.parent / "tests/vectors"
WORDS: Final = FRONTEND.parent / "src/latchstring/protocol/words"
FILES: Final = tuple(sorted(p.name for p in FRONTEND.glob("test/*.test.ts") if 'vectors("' in p.read_text()))
DONE: Final = "All have run"
PAGE: Final = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>Vectors</title><script src="/files.js"></script>'
    b'<script src="/tests.js" defer></script><main><h1></h1><output></output></main></html>'
)


def vectors() -> dict[str, Any]:
    """Every file of vectors, by its name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in VECTORS.glob("*.json")}


@dataclass
class Served:
    """The page with its script on loopback; `files` are what the tests read."""

    script: bytes = field(repr=False)
    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict, repr=False)

    def hand_over(self, read: Mapping[str, object]) -> None:
        """These vectors, and the word lists as they are."""
        texts = {name: json.dumps(value) for name, value in read.items()}
        texts |= {path.name: path.read_text("utf-8") for path in WORDS.glob("*.txt")}
        self.files = {
            "/": PAGE,
            "/tests.js": self.script,
            "/files.js": f"globalThis.FILES = {json.dumps(texts)};".encode(),
        }


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            body = served.files.get(self.path)
            self.send_response(200 if body is not None else 404)
            kind = "text/javascript" if self.path.endswith(".js") else "text/html"
            for name, value in (*ALWAYS, ("content-type", kind), ("content-length", str(len(body or b"")))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body or b"")

    return Handler


@pytest.fixture(scope="module")
def served(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The tests that read vectors, made ready for a page."""
    out = tmp_path_factory.mktemp("vectors")
    subprocess.run([NODE, "test.mjs", "--browser", str(out), *FILES], cwd=node, check=True)
    page = Served((out / "tests.js").read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(page))
    page.address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield page
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def in_node(compiled: Path) -> list[str]:
    """The names of these tests as Node has run them."""
    files = [str(compiled / name.replace(".ts", ".js")) for name in FILES]
    said = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", *files], capture_output=True, text=True, check=True
    ).stdout
    names = [re.sub(r"\\(.)", r"\1", name) for name in re.findall(r"^ *ok \d+ - (.+)$", said, re.M)]
    return sorted(name for name in names if not name.endswith(".test.js"))  # as some name the files too


@pytest.fixture
def seen(chromium: Browser, served: Served) -> Callable[[Mapping[str, object]], dict[str, str | None]]:
    """What Chromium says to these vectors: each test's name, and what was wrong with it or None."""

    def run(read: Mapping[str, object]) -> dict[str, str | None]:
        served.hand_over(read)
        page = chromium.new_page()
        page.goto(served.address)
        expect(page.locator("h1")).to_have_text(DONE, timeout=120_000)
        text = page.locator("output").inner_text()
        page.close()
        return outcome(text)

    return run


def outcome(text: str) -> dict[str, str | None]:
    """What the page wrote down. No two tests have one name."""
    results = json.loads(text)
    by_name = {one["name"]: one["error"] for one in results}
    assert len(by_name) == len(results)
    return by_name


def test_the_vectors_hold_in_chromium(
    seen: Callable[[Mapping[str, object]], dict[str, str | None]], in_node: list[str]
) -> None:
    assert len(FILES) >= 5
    assert len(in_node) > 60
    said = seen(vectors())
    assert sorted(said) == in_node
    assert {name: error for name, error in said.items() if error} == {}


@pytest.mark.matrix
def test_the_vectors_hold_in_firefox(served: Served, in_node: list[str], tmp_path: Path) -> None:
    served.hand_over(vectors())
    with opened(tmp_path, script=True) as browser:
        browser.go(served.address)
        browser.wait_for(DONE, seconds=120)
        said = outcome(browser.text("output"))
    assert sorted(said) == in_node
    assert {name: error for name, error in said.items() if error} == {}


FLIPPED: Final[tuple[tuple[str, tuple[str | int, ...], str], ...]] = (
    ("keys", ("source", "seed"), "Argon2id in WebAssembly and in plain JavaScript give the seed of the vectors"),
    ("keys", ("signature",), "an epoch and what a thread has with it"),
    ("sealed", ("letter", "sealed"), "a letter's plaintext is that of the vectors, and Python's seal opens"),
    ("sealed", ("reply", "sealed"), "a reply opens at its place alone"),
    ("sealed_change", ("sealed",), "a change of the passphrase"),
    ("passphrase", ("cases", 0, "bits"), "passphrases, both ways"),
    ("doorwords", ("cases", 0, "door"), "a door's twelve words"),
    ("knocks", ("knocks", 0, "value"), "knocks"),
    ("structures", ("receipt",), "receipts, entries and a manifest"),
    ("attachment", ("sealed", 0, "hash"), "attachments are sealed to the bytes of the vectors"),
    ("questions", ("answers",), "answers in a letter and beside it"),
    ("visit", ("bytes",), "a visit"),
    ("roots", ("note",), "a root rotation, and those that must be refused"),
    ("cosignature", ("mldsa_message",), "cosignatures, by Ed25519 and ML-DSA-44"),
    ("encoding", ("lp", 0, "bytes"), "LP is what the vectors say, and reads back"),
)


def flipped(read: dict[str, Any], file: str, place: tuple[str | int, ...]) -> None:
    """One bit in the middle of a value there."""
    *path, last = place
    at = read[f"{file}.json"]
    for key in path:
        at = at[key]
    raw = bytearray.fromhex(at[last])
    raw[len(raw) // 2 - 1] ^= 1
    at[last] = raw.hex()


def test_a_flipped_byte_is_noticed_there(seen: Callable[[Mapping[str, object]], dict[str, str | None]]) -> None:
    """One in each file that the tests read: the test that it concerns fails, and all the others still run."""
    read = deepcopy(vectors())
    for file, place, _ in FLIPPED:
        flipped(read, file, place)
    said = seen(read)
    assert [name for _, _, name in FLIPPED if not said[name]] == []
    assert any(error is None for error in said.values())
