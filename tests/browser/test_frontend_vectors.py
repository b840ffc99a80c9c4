# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page's half of the protocol, in Node: its own tests over `tests/vectors`, and where it must agree with Python."""

import json
import random
import subprocess
from pathlib import Path

import pytest

from latchstring.protocol import constants
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, parse_in_any
from latchstring.protocol.wordlist import CODES, every, fold, of_code
from tests.browser.peer import NODE, Peer, packed
from tests.builders import Stream, unfolding


def test_it_keeps_to_its_types(node: Path) -> None:
    said = subprocess.run(
        [NODE, "node_modules/typescript/bin/tsc", "--noEmit"], cwd=node, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout


def test_its_own_tests(compiled: Path) -> None:
    files = sorted(str(path) for path in compiled.glob("*.test.js"))
    assert len(files) >= 2
    said = subprocess.run([NODE, "--test", *files], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-4000:]


def test_no_package_runs_a_script_but_esbuild(node: Path) -> None:
    packages = json.loads((node / "package-lock.json").read_text())["packages"]
    assert {name for name, p in packages.items() if p.get("hasInstallScript")} == {"node_modules/esbuild"}
    assert all(p["integrity"].startswith("sha512-") for name, p in packages.items() if name)


def test_its_figures_are_those_of_the_protocol(peer: Peer) -> None:
    figures = peer.ask("constants")
    assert len(figures) > 50
    prefix = figures.pop("LP_PREFIX")
    assert prefix.encode() == constants.LP_PREFIX
    assert figures == {name: getattr(constants, name) for name in figures}


def _cbor_of(raw: bytes) -> bytes | None:
    try:
        return encode_cbor(decode_cbor(raw))
    except ProtocolError:
        return None


def test_cbor_is_taken_and_refused_alike(peer: Peer) -> None:
    """Changed, cut and made-up bytes: both readers say the same of each."""
    dice = random.Random(7)
    seeds = [
        encode_cbor({"a": [1, -1, 2**63, None, True], "text": "слово", "b": {"x": b"\0" * 300, "y": []}}),
        encode_cbor([[0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53, 2**64 - 1, -(2**63)]]),
        unfolding(3, 5),
    ]
    cases = [bytes(dice.randrange(256) for _ in range(dice.randrange(12))) for _ in range(400)]
    for seed in seeds:
        cases += [seed, seed[:-1], seed + b"\0"]
        for _ in range(300):
            raw = bytearray(seed)
            raw[dice.randrange(len(raw))] = dice.randrange(256)
            cases.append(bytes(raw))
    said = [(raw, peer.ask("cbor", raw=raw)) for raw in cases]
    expected = [(raw, None if (value := _cbor_of(raw)) is None else packed(value)) for raw in cases]
    assert said == expected
    assert 20 < sum(value is not None for _, value in expected) < len(cases)


def test_it_has_the_same_lists(peer: Peer) -> None:
    assert peer.ask("codes") == CODES


@pytest.mark.parametrize("code", CODES)
def test_mistyped_words_are_understood_alike(peer: Peer, code: str) -> None:
    dice, words = random.Random(11), of_code(code)
    letters = sorted(set("".join(words.words)))
    typed = ["", "a", "éclair", "ABACUS", "straße", "ςigma", "ꙮлка", "Ґудзик", "їжа", "Œuf", "ٱلكِتابـــة", "یک"]
    for word in dice.sample(words.words, 20):
        at = dice.randrange(len(word))
        typed += [word[:at] + word[at + 1 :], word[:at] + dice.choice(letters) + word[at:], word[:4], word.upper()]
    assert peer.ask("near", words=typed, code=code) == [list(words.near(word)) for word in typed]
    assert peer.ask("fold", words=typed) == [fold(word) for word in typed]


@pytest.mark.parametrize("code", CODES)
def test_slips_in_a_passphrase_are_told_alike(peer: Peer, code: str) -> None:
    """On a page in another language than the words'."""
    dice, words, stream = random.Random(13), of_code(code), Stream("slips")
    for page in dice.choices([*CODES, "xx"], k=20):
        raw = stream(13)
        ten = list(Passphrase(bytes([raw[0] & 15]) + raw[1:]).words(words))
        place = dice.randrange(10)
        match dice.randrange(5):
            case 0:
                ten[place] = ten[place][1:] + ten[place][0]
            case 1:
                ten[place] = dice.choice(words.words)
            case 2:
                ten[place - 1], ten[place] = ten[place], ten[place - 1]
            case 3:
                del ten[place]
        text = dice.choice([" ", ", ", "\n", " - "]).join(ten)
        try:
            expected: object = parse_in_any(text, every(of_code(page))).bits.hex()
        except MistypedPassphrase as slip:
            expected = [[s.place, s.why, s.typed, list(s.meant)] for s in slip.slips]
        assert peer.ask("passphrase", text=text, code=page) == expected


@pytest.mark.parametrize("name", ["encoding", "keys", "passphrase", "sealed", "change", "sealed_change", "knocks",
                                  "structures", "attachment", "doorwords"])  # fmt: skip
def test_every_vector_that_concerns_a_source_is_read_there(name: str, node: Path) -> None:
    tests = "".join(path.read_text() for path in sorted((node / "test").glob("*.test.ts")))
    assert f'vectors("{name}")' in tests
