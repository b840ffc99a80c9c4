# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every list that ships: its rules, the words that may have been meant, passphrases typed in any of the languages."""

import random
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, generate, parse_in_any, parse_passphrase
from latchstring.protocol.wordlist import CODES, LANGUAGES, WordList, every, fold, load, make_list, of_code
from tests.builders import slips_of

LISTS = {language: load(language) for language in LANGUAGES}
BITS = st.integers(0, 2**100 - 1).map(lambda n: n.to_bytes(13, "big"))
LETTERS = {
    "english": "abcdefghijklmnopqrstuvwxyz",
    "russian": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "ukrainian": "абвгдеєжзиіїйклмнопрстуфхцчшщьюя",
    "french": "abcdefghijklmnopqrstuvwxyzàâçèéêëîïôöùûüœ",
    "spanish": "abcdefghijklmnopqrstuvwxyzáéíñóúü",
    "arabic": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",
}
"""What a list's words may be written with."""


def _close(words: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs that are one slip apart, as words are compared. Such two share what a letter less leaves of them."""
    near, plain = defaultdict(set), [fold(word) for word in words]
    for word in plain:
        for rest in (word, *(word[:i] + word[i + 1 :] for i in range(len(word)))):
            near[rest].add(word)
    letters = "".join(sorted(set("".join(plain))))
    pairs = {pair for group in near.values() for pair in combinations(sorted(group), 2)}
    return sorted((a, b) for a, b in pairs if b in slips_of(a, letters))


def _slips(word: str, language: str) -> list[str]:
    """Everything one slip away that is not the word without a mark."""
    return sorted(slip for slip in slips_of(word, LETTERS[language]) if fold(slip) != fold(word))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_a_slip_of_another(language: str) -> None:
    assert _close(LISTS[language].words) == []


@pytest.mark.parametrize("spoil", [lambda w: w[:-1], lambda w: w[1] + w[0] + w[2:], lambda w: w + w[0]])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_that_is_a_slip_of_another_would_be_noticed(language: str, spoil: Callable[[str], str]) -> None:
    words = LISTS[language].words
    long = next(w for w in words[700:] if len(w) == 8 and w[0] != w[1])
    assert _close([*words, spoil(long)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_are_of_their_language(language: str) -> None:
    assert set("".join(LISTS[language].words)) <= set(LETTERS[language])
    assert all(len(fold(word)) >= 4 for word in LISTS[language].words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_found_however_their_letters_come(language: str) -> None:
    words = LISTS[language]
    for number in range(0, 2048, 7):
        word = words.words[number]
        for form in (word.upper(), word.title(), unicodedata.normalize("NFD", word), fold(word), f" {word}\n"):
            assert words.find(form) == number


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("ёлка", "елка"),
        ("чайник", "чаиник"),
        ("їжак", "іжак"),
        ("ґудзик", "гудзик"),
        ("garçon", "garcon"),
        ("cœur", "coeur"),
        ("niño", "nino"),
        ("أرنب", "ارنب"),
        ("مدرسة", "مدرسه"),
        ("مقهى", "مقهي"),
        ("بئر", "بير"),
        ("كتاب", "كِتَـــاب"),
        ("كرسي", "کرسی"),
    ],
)
def test_a_mark_that_is_left_out_changes_nothing(word: str, typed: str) -> None:
    """Letters that people write for each other, and what no list's two words may differ by."""
    assert fold(word) == fold(typed)


@pytest.mark.parametrize("language", LANGUAGES)
def test_how_often_the_right_word_is_near(language: str) -> None:
    """Of 40 slips of one letter nearly all bring the right word first, and all but a few within three."""
    r, words = random.Random(5), LISTS[language]
    first = third = 0
    for _ in range(40):
        word = r.choice(words.words)
        near = words.near(r.choice(_slips(word, language)))
        first += near[:1] == (word,)
        third += word in near
    print(f"{language}: the right word came first for {first}, within three for {third} of 40 slips")
    assert first >= 36
    assert third >= 39


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_slip_in_a_passphrase_is_named_and_mended_on_a_page_in_any_language(language: str) -> None:
    r, words = random.Random(7), LISTS[language]
    first = 0
    for turn in range(12):
        ten = list(generate(r.randbytes).words(words))
        place, page = r.randrange(10), LANGUAGES[turn % len(LANGUAGES)]
        typed = r.choice(_slips(ten[place], language))
        with pytest.raises(MistypedPassphrase) as caught:
            parse_in_any(" ".join([*ten[:place], typed, *ten[place + 1 :]]), every(LISTS[page]))
        slips = caught.value.slips
        assert [(s.place, s.why) for s in slips] == [(place + 1, "unknown")]
        first += slips[0].meant[:1] == (ten[place],)
    print(f"{language}: the right word came first for {first} of 12 slips")
    assert first >= 11


@given(BITS)
def test_all_lists_spell_the_same_bits_and_are_read_whatever_the_page(bits: bytes) -> None:
    for words in LISTS.values():
        text = " ".join(Passphrase(bits).words(words))
        for page in LISTS.values():
            assert parse_in_any(text, (page, *LISTS.values())).bits == bits


@given(st.text(max_size=100), st.sampled_from(LANGUAGES))
def test_any_text_gives_the_documented_error(text: str, page: str) -> None:
    with pytest.raises(MistypedPassphrase) as caught:
        parse_in_any(text, (LISTS[page], *LISTS.values()))
    assert caught.value.sentences()


def test_a_slip_is_told_of_the_list_that_knows_most_words() -> None:
    ten = Passphrase(bytes(13)).words(LISTS["russian"])
    with pytest.raises(MistypedPassphrase) as caught:
        parse_in_any(" ".join(["abacus", *ten[1:]]), every(LISTS["english"]))
    assert [(slip.place, slip.typed) for slip in caught.value.slips] == [(1, "abacus")]
    with pytest.raises(MistypedPassphrase) as caught:
        parse_in_any("", every(LISTS["russian"]))
    assert caught.value.count == 0


def test_words_that_two_lists_know_are_read_in_the_one_whose_check_holds() -> None:
    """The list that is asked first has all ten words too, at other numbers."""
    words = LISTS["english"]
    other = WordList("other", words.words, {fold(w): (n + 5) % 2048 for n, w in enumerate(words.words)})
    bits = generate(random.Random(3).randbytes).bits
    text = " ".join(Passphrase(bits).words(words))
    assert parse_in_any(text, (other, words)).bits == bits
    with pytest.raises(MistypedPassphrase):
        parse_passphrase(text, other)


def test_how_likely_words_are_taken_for_another_languages() -> None:
    """Ten words that two lists share, and a check of ten bits that holds in the wrong one."""
    for a, b in combinations(LANGUAGES, 2):
        shared = {fold(w) for w in LISTS[a].words} & {fold(w) for w in LISTS[b].words}
        chance = (len(shared) / 2048) ** 10 / 1024
        print(f"{a} and {b} share {len(shared)} words: {chance:.0e} of passphrases are taken for the other's")
        assert chance < 1e-8


def test_no_list_no_answer() -> None:
    with pytest.raises(ValueError, match="no list"):
        parse_in_any("a", ())


def test_each_list_comes_once_the_asked_one_first() -> None:
    for words in LISTS.values():
        assert [one.language for one in every(words)] == [
            words.language,
            *(x for x in LANGUAGES if x != words.language),
        ]
    assert [of_code(code).language for code in (*CODES, "xx")] == [*LANGUAGES, "english"]
    assert sorted(CODES) == sorted(set(CODES))


def test_two_words_alike_but_for_a_mark_are_refused() -> None:
    words = list(LISTS["russian"].words)
    place = next(i for i, w in enumerate(words) if "ё" in w[:4])
    words[(place + 1) % 2048] = words[place].replace("ё", "е")
    with pytest.raises(ValueError, match="alike"):
        make_list("russian", tuple(sorted(words)))
