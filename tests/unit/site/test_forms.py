# SPDX-License-Identifier: AGPL-3.0-or-later
"""What rides in forms: forged, stale, moved to another page or language, and bodies that are no forms."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.attachment import Attachment
from latchstring.site import forms as module
from latchstring.site.forms import LIFE, MOST_FIELDS, BadForm, Forged, Forms, Stale, clean, parse_form
from latchstring.site.spent import Spent
from tests.builders import Stream

FILE = Attachment(bytes(16), bytes(32), 7, bytes(32), "план.pdf")


def forms(at: int = 1000, key: bytes = bytes(32)) -> Forms:
    return Forms(key, Stream(f"forms {at}"), lambda: at)


def full(made: Forms) -> str:
    state = replace(
        made.new(),
        desk="news",
        text="секрет",
        bits=bytes(13),
        known=True,
        letter=b"x" * 4096,
        files=(FILE,),
        answers={"news": {"what": "order", "who": ("general", "officer")}, "legal": {}},
        asked=bytes(8),
        step=3,
    )
    return made.seal(state, "write", "ru")


def test_what_goes_in_comes_out() -> None:
    state = forms().open(full(forms()), "write", "ru")
    assert (state.desk, state.text, state.known, state.files) == ("news", "секрет", True, (FILE,))
    assert (state.given, state.asked, state.step) == ({"what": "order", "who": ("general", "officer")}, bytes(8), 3)


def test_nothing_of_it_can_be_read() -> None:
    token = full(forms())
    raw = base64.urlsafe_b64decode(token)
    assert "секрет".encode() not in raw
    assert b"news" not in raw


@pytest.mark.parametrize(("page", "code"), [("return", "ru"), ("write", "en")])
def test_a_form_counts_on_its_page_and_in_its_language_alone(page: str, code: str) -> None:
    with pytest.raises(Forged):
        forms().open(full(forms()), page, code)


def test_another_run_does_not_take_it() -> None:
    with pytest.raises(Forged):
        forms(key=bytes([1] * 32)).open(full(forms()), "write", "ru")


def test_one_bit_more_is_noticed() -> None:
    raw = bytearray(base64.urlsafe_b64decode(full(forms())))
    for at in (0, 11, 12, 40, len(raw) - 1):
        changed = bytearray(raw)
        changed[at] ^= 1
        with pytest.raises(Forged):
            forms().open(base64.urlsafe_b64encode(changed).decode(), "write", "ru")


@given(st.text(max_size=200))
def test_anything_else_is_forged(token: str) -> None:
    with pytest.raises(Forged):
        forms().open(token, "write", "ru")


def test_an_hour_and_not_more() -> None:
    token = full(forms(1000))
    assert forms(1000 + LIFE).open(token, "write", "ru").text == "секрет"
    with pytest.raises(Stale) as stale:
        forms(1001 + LIFE).open(token, "write", "ru")
    assert stale.value.state.text == "секрет"


def test_tokens_are_of_few_lengths() -> None:
    made = forms()
    lengths = {len(made.seal(replace(made.new(), text="a" * n), "write", "en")) for n in range(0, 700, 50)}
    assert len(lengths) == 1


def test_what_was_used_is_known_for_an_hour() -> None:
    spent = Spent()
    spent.add(b"a", 1000)
    assert spent.was(b"a", 1000 + LIFE)
    assert not spent.was(b"a", 1001 + LIFE)
    assert not spent.was(b"b", 1000)
    spent.add(b"b", 5000)
    assert len(spent._marks) == 1, "old marks are dropped"


def test_a_body_of_too_many_fields_or_of_no_text() -> None:
    assert parse_form(b"a=1&a=2&b=") == {"a": "2", "b": ""}
    with pytest.raises(BadForm):
        parse_form(b"&".join(b"f%d=1" % i for i in range(10_000)))
    with pytest.raises(BadForm):
        parse_form(b"a=%ff")
    with pytest.raises(BadForm):
        parse_form(b"a=\xff")
    assert len(parse_form(b"&".join(b"f%d=1" % i for i in range(MOST_FIELDS)))) == MOST_FIELDS


def test_text_is_what_a_person_meant() -> None:
    assert clean("a\r\nb\rc\x00\x7f\x1b[2Jd\te") == "a\nb\nc[2Jd\te"


@given(st.binary(max_size=300))
def test_any_body_is_a_form_or_none(body: bytes) -> None:
    try:
        fields = parse_form(body)
    except BadForm:
        return
    assert all("\x00" not in value for value in fields.values())


def test_a_form_that_is_not_bound_could_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that binds it, broken: what the test above refuses would be taken."""
    monkeypatch.setattr(module, "_bound", lambda _page, _code: b"")
    assert forms().open(full(forms()), "return", "en").text == "секрет"
