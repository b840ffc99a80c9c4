# SPDX-License-Identifier: AGPL-3.0-or-later
"""Word lists: what is a list, finding a word, and the words that may have been meant (by the English one)."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.wordlist import BadWordList, fold, load, make_list

WORDS = load()


def test_english_words_are_short_and_lower_case() -> None:
    assert all(4 <= len(w) <= 8 and set(w) <= set(string.ascii_lowercase) for w in WORDS.words)


def _broken(change: dict[int, str]) -> tuple[str, ...]:
    return tuple(sorted(change.get(i, w) for i, w in enumerate(WORDS.words)))


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (WORDS.words[:-1], "words and not"),
        ((*WORDS.words, "zzzz"), "words and not"),
        (_broken({5: WORDS.words[6]}), "alike"),
        (_broken({5: WORDS.words[6][:4] + "qq"}), "begin with the same"),
        (_broken({5: "a-b-c"}), "3 to 8 letters"),
        (_broken({5: "toolongaword"}), "3 to 8 letters"),
        (_broken({5: "ab"}), "3 to 8 letters"),
        (_broken({5: "qe\u0301qe"}), "3 to 8 letters"),
        (_broken({5: "qqqQ"}), "capital"),
        (tuple(reversed(WORDS.words)), "not in order"),
    ],
    ids=["few", "many", "twice", "four letters", "not letters", "too long", "too short", "not NFC", "capital", "order"],
)
def test_bad_lists_are_refused(words: tuple[str, ...], rule: str) -> None:
    with pytest.raises(BadWordList, match=rule):
        make_list("bad", words)


def test_words_alike_but_for_a_mark_are_refused() -> None:
    place = next(i for i, w in enumerate(WORDS.words) if w.endswith("e"))
    with pytest.raises(BadWordList, match="alike"):
        make_list("bad", _broken({place + 1: WORDS.words[place][:-1] + "é"}))


def test_an_english_list_keeps_to_a_to_z() -> None:
    words = _broken({5: "їжак"})
    assert make_list("another", words).find("ЇЖАК") == words.index("їжак")
    with pytest.raises(BadWordList, match="a to z"):
        make_list("english", words)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(BadWordList):
        load("klingon")


@given(
    st.sampled_from(WORDS.words), st.sampled_from([str.upper, str.title, lambda w: f" {w}\t", lambda w: w + "\u0301"])
)
def test_words_are_found_in_any_form(word: str, dress: object) -> None:
    assert callable(dress)
    assert WORDS.find(dress(word)) == WORDS.words.index(word)
    assert WORDS.find("".join(chr(ord(ch) + 0xFEE0) for ch in word)) == WORDS.words.index(word)


@given(st.sampled_from(WORDS.words), st.sampled_from(["", "q", "zz", "qxz"]))
def test_four_letters_find_nothing_but_come_first(word: str, end: str) -> None:
    typed = word[:4] + end
    if typed != word:
        assert WORDS.find(typed) is None
        assert word == WORDS.near(typed)[0]


@given(st.text(max_size=30))
def test_near_gives_a_few_words_of_the_list(typed: str) -> None:
    near = WORDS.near(typed, 5)
    assert len(near) == len(set(near)) <= 5
    assert set(near) <= set(WORDS.words)
    assert bool(near) <= bool(fold(typed.strip()))
