# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passphrases: round trips, every way to type one, and what a slip brings up."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import passphrase as module
from latchstring.protocol.encoding import h, lp
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, generate, parse_passphrase, tokens
from latchstring.protocol.wordlist import WordList, load, make_list
from tests.builders import Stream, slips_of

WORDS = load()
BITS = st.integers(0, 2**100 - 1).map(lambda n: n.to_bytes(13, "big"))


def _mistyped(words: Sequence[str]) -> MistypedPassphrase:
    with pytest.raises(MistypedPassphrase) as caught:
        parse_passphrase(" ".join(words), WORDS)
    return caught.value


def _made(seed: str) -> list[str]:
    return list(generate(Stream(seed)).words(WORDS))


@given(BITS)
def test_round_trip(bits: bytes) -> None:
    words = Passphrase(bits).words(WORDS)
    assert len(words) == 10
    assert parse_passphrase(" ".join(words), WORDS).bits == bits


@given(BITS)
def test_the_layout_of_the_bits(bits: bytes) -> None:
    numbers = [WORDS.words.index(w) for w in Passphrase(bits).words(WORDS)]
    spelled = "".join(f"{n:011b}" for n in numbers)
    assert spelled[:100] == f"{int.from_bytes(bits, 'big'):0100b}"
    assert spelled[100:] == "".join(f"{byte:08b}" for byte in h(lp("passphrase", bits)))[:10]


@given(BITS)
def test_any_list_spells_the_same_bits(bits: bytes) -> None:
    other = _other_list()
    words = Passphrase(bits).words(other)
    assert [other.words.index(w) for w in words] == [WORDS.words.index(w) for w in Passphrase(bits).words(WORDS)]
    assert parse_passphrase(" ".join(words), other).bits == bits


def _other_list() -> WordList:
    letters = "абвгдежзиклмнопр"
    words = (a + b + c + d for a in letters[:8] for b in letters[:8] for c in letters[:8] for d in letters[:4])
    return make_list("other", tuple(sorted(words)))


@given(
    BITS,
    st.sampled_from([", ", "\n", " - ", "-", "  ", "; ", "\u2011", "\u00a0", " / ", "\u3001", "_", ".", "\u200b"]),
    st.booleans(),
    st.sampled_from(["", "{}. ", "{}.", "{}) ", "({}) ", "{}: ", "№{} ", "• "]),
)
def test_in_any_dress(bits: bytes, between: str, upper: bool, numbering: str) -> None:
    words = Passphrase(bits).words(WORDS)
    text = between.join(numbering.format(i) + w for i, w in enumerate(words, 1))
    assert parse_passphrase(text.upper() if upper else text, WORDS).bits == bits


def test_marks_that_are_not_seen_and_digits_in_a_word() -> None:
    assert tokens("\ufeff1. ap\u00adple, «b0at» ¼ ②\u200d") == ["apple", "b0at"]


def test_generated_ones_differ_and_use_every_bit() -> None:
    made = [int.from_bytes(generate(Stream(f"g{i}")).bits, "big") for i in range(300)]
    assert len(set(made)) == 300
    assert all(value < 2**100 for value in made)
    for bit in range(100):
        assert 90 < sum(value >> bit & 1 for value in made) < 210


@pytest.mark.parametrize("size", [0, 12, 14])
def test_randomness_of_the_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="randomness"):
        generate(lambda _: bytes(size))


@pytest.mark.parametrize("bits", [b"", bytes(12), bytes(14), b"\x10" + bytes(12)])
def test_bits_that_are_none_are_refused(bits: bytes) -> None:
    with pytest.raises(ValueError, match="100 bits"):
        Passphrase(bits)


@given(st.text(max_size=200))
def test_any_text_gives_the_documented_error(text: str) -> None:
    with pytest.raises(MistypedPassphrase) as caught:
        parse_passphrase(text, WORDS)
    assert caught.value.sentences()


@given(st.lists(st.sampled_from(WORDS.words) | st.text(max_size=9), max_size=25).map(" ".join))
def test_any_words_give_a_passphrase_or_the_documented_error(text: str) -> None:
    try:
        parsed = parse_passphrase(text, WORDS)
    except MistypedPassphrase as mistyped:
        error = mistyped
    else:
        assert [w.casefold() for w in tokens(text)] == list(parsed.words(WORDS))
        return
    assert error.sentences()
    assert all(1 <= slip.place <= error.count for slip in error.slips)


def test_one_slip_is_named_and_mended() -> None:
    """Of 100 slips of one letter all are seen, and in nearly all the right word comes first at the right place."""
    r = random.Random(7)
    first = 0
    for _ in range(100):
        words = list(generate(r.randbytes).words(WORDS))
        place = r.randrange(10)
        typed = r.choice(sorted(slips_of(words[place])))
        slips = _mistyped([*words[:place], typed, *words[place + 1 :]]).slips
        assert [(s.place, s.why) for s in slips] == [(place + 1, "unknown")]
        first += slips[0].meant[:1] == (words[place],)
    print(f"the right word came first for {first} of 100 slips")
    assert first >= 98


def test_two_slips_are_named_and_mended() -> None:
    r = random.Random(9)
    first = 0
    for _ in range(30):
        words = list(generate(r.randbytes).words(WORDS))
        wrong = list(words)
        places = sorted(r.sample(range(10), 2))
        for place in places:
            wrong[place] = r.choice(sorted(slips_of(words[place])))
        slips = _mistyped(wrong).slips
        assert [s.place for s in slips] == [place + 1 for place in places]
        first += [s.meant[:1] for s in slips] == [(words[place],) for place in places]
    print(f"both right words came first for {first} of 30 pairs of slips")
    assert first >= 27


def _passing(r: random.Random, tries: int) -> int:
    passed = 0
    for _ in range(tries):
        words = list(generate(r.randbytes).words(WORDS))
        place = r.randrange(9)
        words[place] = r.choice([w for w in r.sample(WORDS.words, 2) if w != words[place]])
        try:
            parse_passphrase(" ".join(words), WORDS)
            passed += 1
        except MistypedPassphrase:
            pass  # what is counted is how many are not seen
    return passed


def test_another_word_of_the_list_is_seen_almost_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten check bits: about 1 wrong word in 1024 passes. Without them, every one."""
    monkeypatch.setattr(module, "_misread", lambda *_: ())  # what may have been meant is not asked here
    passed = _passing(random.Random(8), 20_000)
    print(f"{passed} of 20000 wrong words were not seen; about 20 are expected")
    assert 5 <= passed <= 40
    monkeypatch.setattr(module, "_check", lambda _: 0)
    assert _passing(random.Random(8), 50) == 50


def test_a_near_word_of_the_list_is_named() -> None:
    words = _made("near")
    near = next(w for w in WORDS.near(words[6], 12) if w != words[6])
    slips = _mistyped([*words[:6], near, *words[7:]]).slips
    assert any((s.place, s.why) == (7, "check") and words[6] in s.meant for s in slips)


def test_swapped_neighbours_are_named() -> None:
    words = _made("swap")
    words[3], words[4] = words[4], words[3]
    error = _mistyped(words)
    assert (error.slips[0].place, error.slips[0].why, error.slips[0].meant) == (4, "swapped", (words[4],))
    told = error.sentences()
    assert "Every word is in the list" in told[0]
    assert "words 4 and 5 are the wrong way round" in told[1]


@pytest.mark.parametrize(
    ("change", "count", "places"),
    [
        (lambda w: w[:9], 9, []),
        (lambda w: [*w, w[9]], 11, []),
        (lambda w: [], 0, []),
        (lambda w: ["latchstrings", *w], 11, [1]),
        (lambda w: [w[0] + w[1], *w[2:]], 9, [1]),
        (lambda w: ["latchstrings"] * 21, 21, []),
    ],
    ids=["nine", "eleven", "none", "one more", "run together", "far too many"],
)
def test_another_count_is_told(change: Callable[[list[str]], list[str]], count: int, places: list[int]) -> None:
    error = _mistyped(change(_made("count")))
    assert error.count == count
    assert [s.place for s in error.slips] == places
    assert str(count) in error.sentences()[0]


def test_wrong_words_far_from_the_right_ones_cannot_be_placed() -> None:
    words = _made("far")
    for a in WORDS.words:
        error = _mistyped([a, WORDS.words[7], a, *words[3:]])
        if not error.slips:
            assert "cannot be seen which" in error.sentences()[0]
            return
    pytest.fail("every one of 2048 passphrases with three wrong words had a near one")


def test_the_error_names_no_word() -> None:
    words = _made("leak")
    for error in (_mistyped(["latchstrings", *words[1:]]), _mistyped([words[1], words[0], *words[2:]])):
        for text in (str(error), repr(error), repr(error.slips)):
            assert not any(word in text for word in (*words, "latchstrings"))
    assert not {token.casefold() for token in tokens(str(error))} & set(WORDS.words)
    assert "latchstrings" in " ".join(_mistyped(["latchstrings", *words[1:]]).sentences())


def test_what_is_shown_holds_no_control_characters() -> None:
    told = _mistyped(["\x1b[2J\x07latch\x9bstrings", *_made("esc")[1:]]).sentences()
    assert all(sentence.isprintable() for sentence in told)


def test_it_hides_in_repr() -> None:
    made = generate(Stream("r"))
    assert made.bits.hex() not in repr(made)
    assert repr(made.bits) not in repr(made)
