# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page's half of the protocol, in Node: its own tests over `tests/vectors`, and where it must agree with Python."""

import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latchstring.client.text import one_line
from latchstring.protocol import constants
from latchstring.protocol.answers import Answer, Answers, check, kept, shown
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, h
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, parse_in_any
from latchstring.protocol.questions import Kind, Question, decode_questions, encode_questions
from latchstring.protocol.wordlist import CODES, every, fold, of_code
from latchstring.site.languages import LANGUAGES
from latchstring.site.pages.questions import as_date
from latchstring.source import acts as source_acts
from latchstring.source.composing import compose, send_beside
from latchstring.source.thread import Reply
from latchstring.source.upload import ENDINGS, Content, numbered, placeholder
from tests.asked import question_lists
from tests.browser.peer import NODE, Peer, Thrown, packed
from tests.builders import Stream, unfolding

LARGE = re.compile(r"^meta-(hostile|pdf)")


def test_it_keeps_to_its_types(node: Path) -> None:
    said = subprocess.run(
        [NODE, "node_modules/typescript/bin/tsc", "--noEmit"], cwd=node, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("hostile", [False, pytest.param(True, marks=pytest.mark.matrix)])
def test_its_own_tests(compiled: Path, hostile: bool) -> None:
    """`hostile`: those over large and hostile files, which are most of the work."""
    files = sorted(str(path) for path in compiled.glob("*.test.js") if bool(LARGE.search(path.name)) is hostile)
    assert len(files) >= 3
    said = subprocess.run([NODE, "--test", *files], capture_output=True, text=True)
    failed = [part for part in said.stdout.split("# Subtest: ") if "not ok" in part]
    assert said.returncode == 0, "\n".join(failed)[:8000] or said.stdout[-4000:]


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


def _given(questions: Sequence[Question], dice: random.Random) -> dict[str, Answer]:
    """Answers of all kinds, most of which fit."""
    given: dict[str, Answer] = {}
    for question in questions:
        ids = [choice.id for choice in question.choices] + ["other"]
        texts = ["x", "2024-02-30", "2024-05", "0000", "  ", "\x1c", "ж" * 301, "я" * 4001, *ids]
        several: list[Answer] = [(), tuple(ids[:-1]), (ids[0], ids[0]), (ids[0],)]
        if dice.random() < 0.8:
            given[question.id] = dice.choice(several if question.kind is Kind.SEVERAL else texts)
    return given | ({"gone": "x"} if dice.random() < 0.1 else {})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(question_lists().filter(bool), st.randoms(use_true_random=False))
def test_questions_and_answers_are_understood_alike(
    peer: Peer, questions: tuple[Question, ...], dice: random.Random
) -> None:
    """Which apply, which answers are kept, what is wrong with them; and which questions no directory may hold."""
    answers, raw = _given(questions, dice), encode_cbor(encode_questions(questions))
    assert peer.ask("questions", raw=raw, given=answers) == {
        "ids": [question.id for question in questions],
        "shown": [question.id for question in shown(questions, answers)],
        "kept": list(kept(questions, answers)),
        "problems": [[problem.question, problem.what] for problem in check(questions, answers)],
    }
    broken = bytearray(raw)
    broken[dice.randrange(1, len(broken))] ^= 1 << dice.randrange(8)  # a list it stays, which the directory sees to
    try:
        read = [q.id for q in decode_questions(cast(list[object], decode_cbor(bytes(broken))))]
    except ProtocolError:
        read = None
    said = peer.ask("questions", raw=bytes(broken), given={})
    assert (said and said["ids"]) == read


def _stored(content: Content, name: str) -> Attachment:
    return replace(placeholder(content.size, name), id=b"\xff" * 16, hash=h(content.read(content.size)))


def test_dates_and_the_texts_of_questions_are_shown_alike(peer: Peer) -> None:
    dice = random.Random(19)
    zeros = [0x30, 0x660, 0x6F0, 0x966, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7F6]  # some rows of ten digits
    typed = ["", "2024", "2024-5", "2024/05/3", "2024.12.31", "31.5.2024", "last May", "²024", "2024-123", "2024 - 5"]
    typed += [
        "5/6/2024",
        "5/2024",
        "5/31/2024",
        "31.2.2024",
        "31.5/2024",
        "1.2.3.2024",
        "٣١/٥/٢٠٢٤",
        "5\u200f/6\u200f/2024",
        "31-5-2024",
        "0.2024",
    ]
    for zero in zeros:
        typed.append(
            "".join(chr(zero + int(d)) if d.isdigit() else d for d in f"{dice.randrange(1000, 9999)}-{zero % 13}")
        )
    for code in LANGUAGES:
        assert peer.ask("dates", typed=typed, language=code) == [as_date(one, code) for one in typed]
    names = [f"a.{ending}" for ending in ENDINGS] + [f"a.{ending.upper()}" for ending in ENDINGS]
    names += [
        "Meeting with A.Petrova",
        "report.anna.smith",
        "a.Amr",
        "a.jpg\n",
        "a.m\u212av",
        ".pdf",
        "pdf",
        "a.tar.gz",
        "",
        "a.",
    ]
    assert set(peer.ask("endings")) == ENDINGS
    assert peer.ask("numbered", names=names) == [numbered(n, name) for n, name in enumerate(names, 1)]
    signs = "aжا😀 \n\t\u200c\u200d\u202e\u2066\u2028\x1f\x85\xa0\ufeff\ue000\u0301\u3000"
    texts = ["".join(dice.choice(signs) for _ in range(dice.randrange(40))) for _ in range(300)]
    assert peer.ask("lines", texts=texts, width=30) == [one_line(text, 30) for text in texts]


Written = tuple[
    str, list[tuple[int, str]], dict[str, Answer], int, int
]  # text, files, answers, replies read, most beside


def _written(dice: random.Random) -> Written:
    """Something short or long, with files and answers, at a door that takes small files, large ones or none."""
    kind = dice.choice(["", "слово ", "a word ", "😀 ", "x" * 90 + " "])
    text = kind * dice.choice([1, 20, 100, 150, 200, 300, 5000])
    text = text[: dice.randrange(len(text) + 1)] if dice.random() < 0.5 else text
    many = range(dice.choice([0, 0, 1, 9, 65]))
    files = [(dice.choice([0, 300, 10**9]), "n" * dice.choice([1, 30, 255])) for _ in many]
    answers: dict[str, Answer] = {f"q{n}": "ж" * dice.randrange(1, 700) for n in range(dice.choice([0, 0, 1, 5]))}
    return text, files, answers, dice.choice([0, 3, 20]), dice.choice([0, 10**4, 10**9])


def _laid_out(
    text: str, sizes: list[tuple[int, str]], given: dict[str, Answer], read: int, most: int
) -> LetterBody | str:
    """As it would be sent, or why not."""
    files = tuple(replace(placeholder(*one), id=bytes([n]) * 16) for n, one in enumerate(sizes))
    answers = Answers(300, given) if given else None
    replies = tuple(Reply(bytes([n]) * 16, 0, "", (), False) for n in range(read))
    try:
        body = compose(text, "uk", replies, files, answers, most)
    except source_acts.TooLong:
        return "too-long"
    except source_acts.CannotWrite:
        return "empty"
    return send_beside(body, text, files, answers, _stored)


def test_letters_and_what_goes_beside_them_are_laid_out_alike(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short and long ones with files, answers and replies that were read: the same bytes, or refused alike."""
    monkeypatch.setattr(source_acts, "WAY", "page")
    dice, seen = random.Random(17), Counter[str]()
    for _ in range(400):
        text, files, answers, read, most = written = _written(dice)
        body = _laid_out(*written)
        try:
            said = peer.ask("letter", text=text, files=files, answers=answers or None, asked=300, read=read, most=most)
        except Thrown as thrown:
            said = thrown.why
        assert said == (body if isinstance(body, str) else body.encode().hex())
        if isinstance(body, str):
            seen[body] += 1
            continue
        seen.update(part for part in ("listed", "answers", "answers_in") if getattr(body, part) is not None)
        seen["whole" if body.text == text else "beginning"] += 1
        seen["read"] += bool(body.read)
    wanted = ("too-long", "empty", "listed", "answers", "answers_in", "whole", "beginning", "read")
    assert min(seen[part] for part in wanted) >= 10, seen


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
    for page in dice.choices([*CODES, "xx"], k=8):
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
                                  "structures", "attachment", "doorwords", "questions", "visit", "roots", "cosignature",
                                  "cosigned", "signing_keys"])  # fmt: skip
def test_every_vector_that_concerns_a_source_is_read_there(name: str, node: Path) -> None:
    tests = "".join(path.read_text() for path in sorted((node / "test").glob("*.test.ts")))
    assert f'vectors("{name}")' in tests
