# SPDX-License-Identifier: AGPL-3.0-or-later
"""The draft: what is written is read again, what is wrong is named, and what follows from it is a right directory."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latchstring.org import draft as drafts
from latchstring.org.asking import read_questions, render_question
from latchstring.org.draft import Draft, add_card, draft_of, format_draft, new_draft, next_directory, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.tomlfile import MAX_FILE, read_toml, text_of
from latchstring.protocol import constants as c
from latchstring.protocol.directory import (
    Desk,
    Directory,
    Member,
    Policy,
    SignedDirectory,
    check_directory,
    check_successor,
    open_directory,
    sign_directory,
)
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.primitives import ed25519_public, x25519_public
from latchstring.protocol.questions import Condition, check_questions
from latchstring.protocol.root import Door
from latchstring.protocol.site_key import SiteKey
from tests.asked import ASKED, question_lists
from tests.builders import STARTED, Founding, Stream, found

FOUNDING: Founding = found(desks=("news", "ombudsman"))
DRAFT: Draft = draft_of(FOUNDING.directory)
TEXT: str = format_draft(DRAFT)
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "organisation.md"


def member(name: str, seed: str = "") -> Member:
    """A member whose keys follow from name and seed."""
    random = Stream(name + seed)
    return Member(name, ed25519_public(random(32)), x25519_public(random(32)))


def member_card(desk: str, who: Member) -> str:
    """As 'desk init --card' writes it."""
    lines = {"desk": desk, "id": who.id, "sign": who.sign_key.hex(), "request": who.request_key.hex()}
    return "[member]\n" + "".join(f'{name} = "{value}"\n' for name, value in lines.items())


def signed(directory: Directory) -> SignedDirectory:
    """Through the real signing and checking."""
    return open_directory(sign_directory(directory, FOUNDING.root), FOUNDING.door)


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)
names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
languages = st.dictionaries(st.sampled_from(["en", "uk", "ru", "zh-Hant", "ckb"]), texts, max_size=4)
keys = st.binary(min_size=32, max_size=32)
signing_keys = keys.map(ed25519_public)
members = st.builds(Member, names, signing_keys, keys)
desks = st.builds(
    Desk,
    names,
    st.just(1),
    languages,
    languages,
    st.lists(members, min_size=1, max_size=3).map(tuple),
    question_lists(),
)
policies = st.builds(
    Policy,
    tick=st.integers(1, 86_400),
    started=st.integers(1, 253_402_300_799),
    letters=st.integers(1, 4096),
    queue=st.integers(1, 1_000_000),
    slots=st.integers(1, 4096),
    erase_days=st.integers(c.MIN_ERASE_DAYS, 28),
    answer_days=st.integers(1, 366),
    attachment=st.integers(0, c.MAX_ATTACHMENT),
)
any_draft = st.builds(
    Draft,
    door=keys,
    valid_days=st.integers(1, c.MAX_EXPIRY_DAYS),
    policy=policies,
    addresses=st.lists(texts.map("http://a/{}".format), max_size=4).map(tuple),
    origin=texts,
    log_key=signing_keys,
    receipt_key=signing_keys,
    request_key=keys,
    desks=st.lists(desks, min_size=1, max_size=3).map(tuple),
    site=st.none() | st.builds(SiteKey, signing_keys, st.integers(1, 1000)),
)


@given(any_draft)
@example(replace(DRAFT, desks=(replace(DRAFT.desks[0], greetings={"en": 'a\r\nb\n"""\\ \t\x7f'}),)))
def test_what_is_written_is_read_again(draft: Draft) -> None:
    text = format_draft(draft)
    assert parse_draft(text) == draft
    assert format_draft(parse_draft(text)) == text


def test_a_directory_comes_back_from_the_draft_made_of_it() -> None:
    now = STARTED + 1234
    again = next_directory(parse_draft(TEXT), None, now)
    expires = FOUNDING.directory.policy.batch_at(now) + 60 * 144
    assert again == replace(FOUNDING.directory, issued=expires - 60 * 144, expires=expires)


def test_expiry_counts_days_from_now_as_a_batch_number() -> None:
    for days in (1, 60, 92):
        directory = next_directory(replace(DRAFT, valid_days=days), None, STARTED + 600 * 1000 + 599)
        assert directory.expires == 1000 + days * 144
    assert next_directory(replace(DRAFT, valid_days=1), None, STARTED - 10**6).expires == 144


@given(st.text(max_size=300))
@example("[" * 3000)
@example("a = " + "9" * 5000)
@example("a = " + "[" * 2000)
@example("a.b = 1\na = 2")
def test_arbitrary_text_ends_in_the_documented_error(text: str) -> None:
    for use in (parse_draft, lambda t: add_card(TEXT, t), lambda t: add_card(t, TEXT)):
        with pytest.raises(OrgError):
            use(text)


values = st.recursive(
    st.none().map(lambda _: 0) | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts
    | st.dates() | st.datetimes() | st.times() | keys.map(bytes.hex),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be put in another's place."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


@given(st.data())
@settings(max_examples=150)
def test_any_setting_of_any_type_is_read_or_named(data: st.DataObject) -> None:
    """One setting of a right draft replaced, removed or added to: read, or refused in one printable sentence."""
    table = tomllib.loads(TEXT)
    *way, last = data.draw(st.sampled_from(places(table)))
    holder: Any = table
    for step in way:
        holder = holder[step]
    act = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if act == "replace":
        holder[last] = data.draw(values)
    elif act == "remove" or not isinstance(holder, dict):
        del holder[last]
    else:
        holder[data.draw(texts)] = data.draw(values)
    said = ""
    try:
        check_directory(next_directory(parse_draft(tomli_w.dumps(table)), None, STARTED))
    except OrgError as refused:
        said = str(refused)
    assert (said + " ").isprintable()
    assert len(said) < 300


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.replace("valid_days = 60", "valid_days = 93"), "'valid_days' is not right"),
        (lambda t: t.replace("valid_days = 60", "valid_days = true"), "'valid_days' is not right"),
        (lambda t: t.replace("valid_days = 60\n", ""), "'valid_days' is missing"),
        (lambda t: t.replace("erase_days = 7", "erase_days = 3"), "'policy.erase_days' is not right"),
        (lambda t: t.replace('"http://127', '"127'), "'addresses' is not right"),
        (lambda t: t.replace("tick = 600", 'tick = "600"'), "'policy.tick' is not right"),
        (lambda t: t.replace("queue = 64", "queue = 64\nqeue = 1"), "'policy.qeue' is not a setting"),
        (lambda t: t.replace('id = "ombudsman-1"', "id = 1"), "'desk[2].member[1].id' is not right"),
        (lambda t: t.replace('sign = "', 'sign = "Z', 1), "'desk[1].member[1].sign' is not right"),
        (lambda t: t.replace("[desk.titles]", "[desk.title]", 1), "'desk[1].titles' is missing"),
        (lambda t: t.replace("[[desk.member]]", "[desk.member]", 1), "'desk[1].member' is not right"),
        (lambda t: t.replace("valid_days = 60", "valid_days = 60 days"), "line 10"),
        (lambda t: t.replace("[server]", "[serve]"), "'serve' is not a setting"),
        (lambda t: t[: t.index("[[desk]]")], "There is no desk yet"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[str], str], complaint: str) -> None:
    text = change(TEXT)
    assert text != TEXT
    with pytest.raises(OrgError) as refused:
        parse_draft(text)
    assert complaint in str(refused.value)


OTHER = x25519_public(b"\x03" * 32)


def twice(**other: bytes) -> Draft:
    """The first member once more under another id, with one other key only."""
    desk = DRAFT.desks[0]
    return replace(DRAFT, desks=(replace(desk, members=(*desk.members, replace(desk.members[0], id="b", **other))),))


@pytest.mark.parametrize(
    ("draft", "complaint"),
    [
        (replace(DRAFT, addresses=("not an address",)), "an address is not one"),
        (replace(DRAFT, origin="Door Example"), "the origin is"),
        (replace(DRAFT, request_key=b"\xff" * 32), "not canonical"),
        (replace(DRAFT, desks=(DRAFT.desks[0], DRAFT.desks[0])), "the same id"),
        (replace(DRAFT, desks=(replace(DRAFT.desks[0], members=()),)), "members"),
        (twice(sign_key=b"\x01" * 32), "the same key"),
        (twice(sign_key=bytes(32), request_key=OTHER), "a signing key of small order"),
        (replace(DRAFT, receipt_key=b"\xff" * 32), "a signing key that is not the one encoding of a point"),
        (twice(request_key=x25519_public(b"\x02" * 32)), "the same key"),
        (replace(DRAFT, desks=(replace(DRAFT.desks[0], titles={}),)), "a title"),
        (replace(DRAFT, desks=(replace(DRAFT.desks[0], titles={"English": "x"}),)), "a language is"),
        (replace(DRAFT, policy=replace(DRAFT.policy, letters=65)), "the queue holds"),
    ],
)
def test_a_draft_that_breaks_a_rule_is_not_signed(draft: Draft, complaint: str) -> None:
    with pytest.raises(OrgError, match="cannot be signed") as refused:
        next_directory(draft, None, STARTED)
    assert complaint in str(refused.value)


def test_files_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(OrgError, match="line 3"):
        text_of(b"a = 1\nb = 2\nc = '\xff'\n", "draft")
    with pytest.raises(OrgError, match="longer than any card"):
        text_of(b" " * (MAX_FILE + 1), "card")
    assert text_of("\ufeffa = 1".encode(), "draft") == "a = 1"


# --- cards ---------------------------------------------------------------------------------------


def test_a_door_comes_together_from_its_cards() -> None:
    text = new_draft(FOUNDING.door, 600, STARTED)
    with pytest.raises(OrgError, match="server's card is missing"):
        parse_draft(text)
    d = DRAFT
    text = add_card(
        text,
        f'[server]\norigin = "{d.origin}"\nlog = "{d.log_key.hex()}"\nreceipt = "{d.receipt_key.hex()}"\n'
        f'request = "{d.request_key.hex()}"\n',
    )
    with pytest.raises(OrgError, match="no desk yet"):
        parse_draft(text)
    anna, bea = member("anna"), member("bea")
    for who in (anna, bea):
        text = add_card(text, member_card("war-crimes", who))
    draft = parse_draft(text)
    assert [desk.id for desk in draft.desks] == ["war-crimes"]
    assert draft.desks[0].members == (anna, bea)
    assert draft.desks[0].titles == {"en": "War Crimes"}
    directory = next_directory(draft, None, STARTED)
    assert (directory.policy.slots, len(directory.pages)) == (4, 2)


def test_a_card_keeps_everything_else_and_replaces_its_own_keys() -> None:
    renewed = member("news-1", "renewed")
    draft = parse_draft(add_card(TEXT, member_card("news", renewed)))
    assert draft == replace(DRAFT, desks=(replace(DRAFT.desks[0], members=(renewed,)), DRAFT.desks[1]))
    assert add_card(TEXT, member_card("news", DRAFT.desks[0].members[0])) == TEXT


@pytest.mark.parametrize(
    "card",
    [
        "",
        "a = 1",
        "[member]\n",
        '[member]\nid = "x"\n',
        member_card("news", member("x")) + "extra = 1\n",
        member_card("news", member("x")) + "[other]\n",
        member_card("news", member("x")).replace('desk = "news"', "desk = 3"),
        "[[member]]\n" + member_card("news", member("x")).removeprefix("[member]\n"),
        "server = 3",
        '[server]\norigin = "x"\n',
    ],
)
def test_a_card_that_is_not_one_is_refused(card: str) -> None:
    with pytest.raises(OrgError):
        add_card(TEXT, card)


def test_a_card_cannot_write_to_the_terminal_of_whoever_signs() -> None:
    with pytest.raises(OrgError) as refused:
        add_card(TEXT, member_card("news", member("x")) + '"\\u001b[2J\\u202e" = 1\n')
    assert str(refused.value).isprintable()


# --- what follows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "name"),
    [
        (replace(DRAFT, door=Door(Stream("other")(32))), "door"),
        (replace(DRAFT, policy=replace(DRAFT.policy, tick=601)), "policy.tick"),
        (replace(DRAFT, policy=replace(DRAFT.policy, started=STARTED + 1)), "policy.started"),
        (replace(DRAFT, origin="another.example/log"), "server.origin"),
        (replace(DRAFT, log_key=Stream("log")(32)), "server.log"),
    ],
)
def test_what_is_for_ever_cannot_change(draft: Draft, name: str) -> None:
    with pytest.raises(OrgError, match=f"'{name}' .* never changes"):
        next_directory(draft, FOUNDING.opened, STARTED)


PEOPLE = [member(name, seed) for name in ("anna", "bea", "cyr") for seed in ("", "2")]


def staffed(desk: str) -> st.SearchStrategy[Desk | None]:
    """A desk with some of three people, each with old or new keys, or no such desk."""
    mine = [member(f"{desk}-{m.id}", m.sign_key.hex()) for m in PEOPLE]
    some = st.lists(st.sampled_from(mine), min_size=1, max_size=3, unique_by=lambda m: m.id)
    return st.none() | some.map(lambda chosen: Desk(desk, 1, {"en": desk}, {}, tuple(chosen)))


rosters = st.tuples(staffed("a"), staffed("b")).map(lambda pair: tuple(d for d in pair if d)).filter(bool)


def gens_seen(rosters: list[tuple[Desk, ...]]) -> tuple[list[tuple[str, int]], list[Directory]]:
    """Sign one directory after the other; every change of hands of a desk, with the gen it got."""
    last: SignedDirectory | None = None
    hands: list[tuple[str, int]] = []
    chain = []
    for roster in rosters:
        directory = next_directory(replace(DRAFT, desks=roster), last, STARTED)
        new = signed(directory)
        if last is not None:
            check_successor(last, new)
        for desk in directory.desks:
            before = last.directory.desk(desk.id) if last else None
            if before is None or not set(before.members) <= set(desk.members):
                hands.append((desk.id, desk.gen))
            else:
                assert desk.gen == before.gen
        last = new
        chain.append(directory)
    return hands, chain


@given(st.lists(rosters, min_size=1, max_size=6))
@settings(max_examples=40)
def test_every_directory_follows_and_no_gen_comes_twice(chain: list[tuple[Desk, ...]]) -> None:
    hands, directories = gens_seen(chain)
    assert len(hands) == len(set(hands))
    assert [d.seq for d in directories] == list(range(1, len(chain) + 1))
    assert all(d.policy.slots * len(d.pages) <= max(DRAFT.policy.slots, len(d.pages)) for d in directories)


def test_a_desk_that_comes_back_with_its_old_gen_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With gens counted up from 1 for each desk, a member who left would hold the keys of the desk that came back."""
    anna, bea = (replace(m, id=f"a-{m.id}") for m in PEOPLE[:4:2])
    chain = [
        (Desk("a", 1, {"en": "a"}, {}, (anna, bea)), DRAFT.desks[0]),
        (DRAFT.desks[0],),
        (Desk("a", 1, {"en": "a"}, {}, (anna,)), DRAFT.desks[0]),
    ]
    hands, _ = gens_seen(chain)
    assert len(hands) == len(set(hands))

    def counted(desk: Desk, old: Directory | None, seq: int) -> int:
        before = old.desk(desk.id) if old else None
        if before is None:
            return 1
        return before.gen + (not set(before.members) <= set(desk.members))

    monkeypatch.setattr(drafts, "_gen", counted)
    with pytest.raises(ProtocolError, match="gen"):
        gens_seen(chain)


def test_what_a_desk_asks_is_written_in_the_draft_and_asked_in_the_directory() -> None:
    asking = replace(DRAFT, desks=(replace(DRAFT.desks[0], questions=ASKED), DRAFT.desks[1]))
    text = format_draft(asking)
    assert '[desk.question.only_if]\nquestion = "what"\nchosen = [' in text
    directory = signed(next_directory(parse_draft(text), None, STARTED)).directory
    assert [desk.questions for desk in directory.desks] == [ASKED, ()]
    assert parse_draft(format_draft(draft_of(directory))).desks[0].questions == ASKED


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ('kind = "place"', 'kind = "map"', "There are: text, long, one, several, date, place"),
        ("needed = true", 'needed = "yes"', "'desk[1].question[1].needed' is not right: it must be true or false"),
        ('question = "what"', 'question = "when"', "'who' depends on one that is not a choice in an earlier step"),
        ('question = "what"', 'question = "how"', "'who' depends on one that is not a choice in an earlier step"),
        ("step = 3", "step = 4", "the steps of the questions are 1, 2, 3"),
        ('id = "where"', 'colour = "red"\nid = "where"', "'desk[1].question[5].colour' is not a setting"),
        ('id = "where"', 'id = "when"', "two questions have the same id"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(was: str, becomes: str, named: str) -> None:
    text = format_draft(replace(DRAFT, desks=(replace(DRAFT.desks[0], questions=ASKED),)))
    assert was in text
    with pytest.raises(OrgError, match=re.escape(named)):
        next_directory(parse_draft(text.replace(was, becomes)), None, STARTED)


def test_the_guides_example_is_one() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    (desk,) = read_toml(example, "draft").tables("desk")
    questions = read_questions(desk)
    check_questions(questions)
    assert [(q.id, q.step) for q in questions] == [("what", 1), ("when", 2)]
    assert questions[1].only_if == Condition("what", ("order",))
    text = TEXT.replace("[[desk.member]]", "".join(map(render_question, questions)) + "[[desk.member]]", 1)
    assert next_directory(parse_draft(text), None, STARTED).desks[0].questions == questions


def test_the_card_of_the_pages_goes_into_the_draft_and_numbers_go_on() -> None:
    card = f'[site]\nkey = "{"11" * 32}"\n'
    first = add_card(TEXT, card)
    assert parse_draft(first).site == SiteKey(b"\x11" * 32, 1)
    raised = first.replace("least = 1", "least = 7")
    other = parse_draft(add_card(raised, card.replace("11", "22"))).site
    assert other == SiteKey(b"\x22" * 32, 7)
    directory = signed(next_directory(parse_draft(raised), None, STARTED)).directory
    assert directory.site == SiteKey(b"\x11" * 32, 7)


def test_a_key_that_signs_something_else_does_not_sign_pages() -> None:
    for key in (DRAFT.log_key, DRAFT.receipt_key, DRAFT.desks[0].members[0].sign_key):
        with pytest.raises(OrgError, match="the site's key signs something else too"):
            next_directory(replace(DRAFT, site=SiteKey(key)), None, STARTED)
