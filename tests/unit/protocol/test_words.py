# SPDX-License-Identifier: AGPL-3.0-or-later
"""Word lists, passphrases and door words."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.doorwords import door_words, format_link, parse_door
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, _of_numbers, generate, parse_passphrase
from latchstring.protocol.wordlist import BadWordList, load, make_list
from tests.builders import Stream

WORDS = load()
BITS = st.integers(0, 2**100 - 1).map(lambda n: n.to_bytes(13, "big"))


def _slips(word: str) -> set[str]:
    letters = string.ascii_lowercase
    cut = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    out = {a + b[1:] for a, b in cut if b} | {a + x + b[1:] for a, b in cut if b for x in letters}
    out |= {a + x + b for a, b in cut for x in letters} | {a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1}
    return out - {word}


def test_no_english_word_is_a_slip_of_another() -> None:
    every = set(WORDS.words)
    assert not [(w, s) for w in WORDS.words for s in _slips(w) & every]


def _broken(change: dict[int, str]) -> tuple[str, ...]:
    return tuple(sorted(change.get(i, w) for i, w in enumerate(WORDS.words)))


@pytest.mark.parametrize(
    "words",
    [
        WORDS.words[:-1],
        (*WORDS.words, "zzzz"),
        _broken({5: WORDS.words[6]}),
        _broken({5: WORDS.words[6][:4] + "qq"}),
        _broken({5: "a-b-c"}),
        _broken({5: "toolongaword"}),
        tuple(reversed(WORDS.words)),
    ],
    ids=["too few", "too many", "twice", "same four letters", "not letters", "too long", "out of order"],
)
def test_bad_lists_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(BadWordList):
        make_list("bad", words)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(BadWordList):
        load("klingon")


@given(BITS)
def test_passphrases_round_trip(bits: bytes) -> None:
    words = Passphrase(bits).words(WORDS)
    assert len(words) == 10
    assert parse_passphrase(" ".join(words), WORDS).bits == bits


@given(BITS, st.sampled_from([", ", "\n", " - ", "-", "  ", "; "]), st.booleans(), st.booleans())
def test_passphrases_in_any_dress(bits: bytes, between: str, upper: bool, numbered: bool) -> None:
    words = Passphrase(bits).words(WORDS)
    text = between.join(f"{i}. {w}" if numbered and between != "-" else w for i, w in enumerate(words, 1))
    assert parse_passphrase(text.upper() if upper else text, WORDS).bits == bits


def test_generated_passphrases_differ_and_use_every_bit() -> None:
    made = [int.from_bytes(generate(Stream(f"g{i}")).bits, "big") for i in range(300)]
    assert len(set(made)) == 300
    assert all(value < 2**100 for value in made)
    for bit in range(100):
        assert 90 < sum(value >> bit & 1 for value in made) < 210


@given(st.text(max_size=200))
def test_any_text_gives_the_documented_error(text: str) -> None:
    with pytest.raises(MistypedPassphrase):
        parse_passphrase(text, WORDS)


def test_one_slip_is_named_and_mended() -> None:
    """Of 200 slips of one letter all are seen, and in nearly all the right word comes first at the right place."""
    r = random.Random(7)
    first = 0
    for _ in range(200):
        passphrase = generate(r.randbytes)
        words = list(passphrase.words(WORDS))
        place = r.randrange(10)
        typed = r.choice(sorted(_slips(words[place])))
        wrong = [*words[:place], typed, *words[place + 1 :]]
        with pytest.raises(MistypedPassphrase) as caught:
            parse_passphrase(" ".join(wrong), WORDS)
        slips = [s for s in caught.value.slips if s.place == place + 1]
        first += bool(slips and slips[0].meant[:1] == (words[place],))
    print(f"the right word came first in {first} of 200 slips")
    assert first >= 190


def test_a_wrong_word_of_the_list_is_seen_almost_always() -> None:
    """Ten check bits: about 1 wrong word in 1024 passes. Of 20,000 here about 20 may."""
    r = random.Random(8)
    passed = 0
    for _ in range(20_000):
        numbers = [r.randrange(2048) for _ in range(10)]
        passed += _of_numbers(numbers) is not None
    assert 5 <= passed <= 45


def test_swapped_neighbours_are_named() -> None:
    words = list(generate(Stream("swap")).words(WORDS))
    words[3], words[4] = words[4], words[3]
    with pytest.raises(MistypedPassphrase) as caught:
        parse_passphrase(" ".join(words), WORDS)
    assert any(s.place == 4 and s.meant == (words[4],) for s in caught.value.slips)


def test_the_error_names_no_word() -> None:
    words = list(generate(Stream("leak")).words(WORDS))
    with pytest.raises(MistypedPassphrase) as caught:
        parse_passphrase(" ".join(["latchstrings", *words[1:]]), WORDS)
    for text in (str(caught.value), repr(caught.value), repr(caught.value.slips)):
        assert not any(word in text for word in [*words, "latchstrings"])
    assert "latchstrings" in " ".join(caught.value.sentences())


def test_a_passphrase_hides_in_repr() -> None:
    assert generate(Stream("r")).bits.hex() not in repr(generate(Stream("r")))


@given(
    st.binary(min_size=32, max_size=32),
    st.lists(st.sampled_from(["http://a.onion", "https://b.example/?x=1&y"]), max_size=3),
)
def test_doors_round_trip(door: bytes, addresses: list[str]) -> None:
    assert parse_door(" ".join(door_words(door, WORDS)), WORDS).matches(door)
    link = parse_door(format_link(door, tuple(addresses)), WORDS)
    assert (link.door, link.addresses) == (door, tuple(addresses))
    assert link.matches(door)
    assert not link.matches(door[:31] + bytes([door[31] ^ 1]))


def test_a_wrong_door_word_is_named_by_place() -> None:
    door = Stream("door")(32)
    words = list(door_words(door, WORDS))
    words[6] = next(w for w in WORDS.words if w != words[6])
    name = parse_door(" ".join(words), WORDS)
    assert not name.matches(door)
    assert name.differing(door) == (7,)


@given(st.text(max_size=150))
def test_any_text_is_no_door(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_door(text, WORDS)


@pytest.mark.parametrize("rest", ["00", "0" * 64 + "?to=x", "G" * 64])
def test_broken_links(rest: str) -> None:
    with pytest.raises(ProtocolError):
        parse_door("latchstring:v1:" + rest, WORDS)
