# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every endpoint as a function: which status and sentence each request gets, and what members alone may do."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.primitives import x25519_public
from latchstring.protocol.receipt import open_page_receipt, open_receipt
from latchstring.protocol.request import Asked, request_key_of_member, sign_request
from latchstring.protocol.sheet import page_size
from latchstring.server.accept import Refusal
from latchstring.server.api import MAX_KEY_NOTES, MAX_PAGE, TROUBLE, Answer, Api, Cache, Request, body_limit
from tests.builders import Stream, successor
from tests.faults import Core, letter

HOST = "door.example"
OPENED = Core.opened(30)
PAGE = bytes(page_size(OPENED.founding.directory.policy.slots))


class Side:
    """A server's endpoints, and a member who signs requests to them."""

    def __init__(self, core: Core) -> None:
        self.core, self.api = core, Api(core.intake, core.shelves)
        self.now = core.at(31) + 1
        self.nonces = Stream("nonces")

    def ask(
        self, method: str, path: str, body: bytes = b"", query: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        return self.api.handle(Request(method, path, query, headers or {}, body), HOST, self.now)

    def sign(self, method: str, path: str, body: bytes = b"", query: str = "") -> dict[str, str]:
        founding = self.core.founding
        seed = founding.member("news").request_seed
        key = request_key_of_member(founding.directory.origin, seed, x25519_public(founding.request_seed))
        return sign_request(Asked(method, HOST, path, query, body), key, "news-1", self.now, self.nonces(24))

    def member(self, method: str, path: str, body: bytes = b"", query: str = "") -> Answer:
        return self.ask(method, path, body, query, self.sign(method, path, body, query))


@pytest.fixture
def side() -> Side:
    return Side(OPENED.copy())


def said(answer: Answer) -> tuple[int, str]:
    assert answer.kind == "text/plain; charset=utf-8"
    assert answer.cache is Cache.NEVER
    assert answer.body.endswith(b"\n")
    return answer.status, answer.body.decode().strip()


# --- what anyone may do --------------------------------------------------------------------------


def test_a_letter_and_the_same_again(side: Side) -> None:
    first = side.ask("POST", "/v1/letters", letter(1))
    assert first.status == 201
    assert open_receipt(first.body, side.core.keys.receipt_public).publish_by == 36
    assert side.ask("POST", "/v1/letters", letter(1)) == first
    with_words = side.ask("POST", "/v1/letters", letter(1), "a=b", {"cookie": "x", "range": "bytes=0-1"})
    assert with_words == first


def test_letters_that_are_not_taken(side: Side) -> None:
    assert said(side.ask("POST", "/v1/letters", bytes(4095))) == (400, Refusal.LETTER_SIZE.value)
    assert said(side.ask("POST", "/v1/letters")) == (400, Refusal.LETTER_SIZE.value)
    assert said(side.ask("POST", "/v1/letters", bytes(4097)))[0] == 413
    for number in range(3):
        assert side.ask("POST", "/v1/letters", letter(number)).status == 201
    assert said(side.ask("POST", "/v1/letters", letter(9))) == (503, Refusal.FULL.value)
    assert side.ask("POST", "/v1/letters", letter(2)).status == 201


def test_before_the_founding_and_after_the_expiry(side: Side) -> None:
    young = Side(Core.make())
    young.core.publisher.start()
    assert said(young.ask("POST", "/v1/letters", letter(1))) == (503, Refusal.NOT_OPEN.value)
    assert said(young.member("GET", "/v1/packs/0")) == (503, Refusal.NOT_OPEN.value)
    side.now = side.core.at(side.core.founding.directory.expires)
    assert said(side.ask("POST", "/v1/letters", letter(1))) == (503, Refusal.EXPIRED.value)


def test_a_directory(side: Side) -> None:
    founding = side.core.founding
    second = successor(founding, expires=61 * 144)
    assert said(side.ask("POST", "/v1/directory", second.signed))[0] == 201
    assert said(side.ask("POST", "/v1/directory", second.signed))[0] == 201
    assert said(side.ask("POST", "/v1/directory", founding.signed)) == (409, Refusal.NOT_NEXT.value)
    assert said(side.ask("POST", "/v1/directory", successor(second, expires=1).signed)) == (409, Refusal.EXPIRY.value)
    assert said(side.ask("POST", "/v1/directory", Core.make().founding.signed[:-1] + b"x")) == (
        403,
        Refusal.NOT_THIS_DOOR.value,
    )
    assert said(side.ask("POST", "/v1/directory"))[0] == 403
    assert said(side.ask("POST", "/v1/directory", bytes(body_limit("POST", "/v1/directory") + 1)))[0] == 413


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/letters", "POST"),
        ("PUT", "/v1/letters", "POST"),
        ("GET", "/v1/directory", "POST"),
        ("GET", "/v1/keynotes", "POST"),
        ("POST", "/v1/pages/1/0", "PUT"),
        ("GET", "/v1/pages/1/0", "PUT"),
        ("POST", "/v1/packs/30", "GET"),
        ("HEAD", "/v1/packs/30", "GET"),
        ("POST", "/visit", "GET, HEAD"),
        ("OPTIONS", "/checkpoint", "GET, HEAD"),
    ],
)
def test_methods_that_are_not_for_it(side: Side, method: str, path: str, allow: str) -> None:
    answer = side.ask(method, path)
    assert said(answer) == (405, "That cannot be done here.")
    assert answer.allow == allow


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/visit", "application/octet-stream", Cache.NEVER),
        ("/checkpoint", "text/plain; charset=utf-8", Cache.NEVER),
        ("/log.vkey", "text/plain; charset=utf-8", Cache.ALWAYS),
        ("/manifests/31", "application/octet-stream", Cache.ALWAYS),
        ("/tile/0/000.p/9", "application/octet-stream", Cache.ALWAYS),
        ("/sheets/999999999999999999", "application/octet-stream", Cache.ALWAYS),
    ],
)
def test_published_files_by_name(side: Side, path: str, kind: str, cache: Cache) -> None:
    answer = side.ask("GET", path, headers={"range": "bytes=0-9", "if-none-match": "*"})
    assert (answer.status, answer.file, answer.kind, answer.cache) == (200, path[1:], kind, cache)


def test_limits_of_bodies() -> None:
    assert body_limit("POST", "/v1/letters") == 4096
    assert body_limit("POST", "/v1/keynotes") == MAX_KEY_NOTES
    assert body_limit("PUT", "/v1/pages/1/0") == MAX_PAGE
    nothing = (
        ("GET", "/v1/letters"),
        ("POST", "/visit"),
        ("PUT", "/v1/letters"),
        ("POST", "/"),
        ("PATCH", "/v1/pages/1"),
    )
    assert {body_limit(*each) for each in nothing} == {0}


# --- what members alone may do -------------------------------------------------------------------

MEMBERS_ONLY: tuple[tuple[str, str, bytes, str], ...] = (
    ("GET", "/v1/packs/30", b"", ""),
    ("POST", "/v1/keynotes", encode_cbor([["epoch", b""]]), ""),
    ("PUT", "/v1/pages/1/0", PAGE, "v=1"),
)


def test_packs(side: Side) -> None:
    answer = side.member("GET", "/v1/packs/30")
    assert (answer.status, answer.body) == (200, side.core.private.get("packs/30"))
    assert said(side.member("GET", "/v1/packs/99"))[0] == 404


def test_pages(side: Side) -> None:
    for version, status in ((5, 201), (5, 201), (4, 412), (6, 201)):
        answer = side.member("PUT", "/v1/pages/1/0", PAGE, f"v={version}")
        assert answer.status == status
        if status == 201:
            receipt = open_page_receipt(answer.body, side.core.keys.receipt_public)
            assert (receipt.sheet, receipt.page, receipt.version) == (1, 0, version)
    assert said(side.member("PUT", "/v1/pages/0/0", PAGE, "v=1")) == (409, Refusal.SHEET_CLOSED.value)
    assert said(side.member("PUT", "/v1/pages/99/0", PAGE, "v=1")) == (400, Refusal.PAGE_FAR.value)
    assert said(side.member("PUT", "/v1/pages/1/0", PAGE[1:], "v=9")) == (400, Refusal.PAGE_SIZE.value)
    assert said(side.member("PUT", "/v1/pages/1/1", PAGE, "v=1")) == (403, Refusal.PAGE_FOREIGN.value)


@pytest.mark.parametrize("query", ["", "v=", "v=01", "v=-1", "v=١", "v=1&v=2", "w=1", "v=1 ", "v=" + "9" * 30])
def test_a_page_needs_its_version(side: Side, query: str) -> None:
    assert said(side.member("PUT", "/v1/pages/1/0", PAGE, query)) == (400, "A page needs its version: ?v=N.")


def test_key_notes(side: Side) -> None:
    posted = side.core.made[30, 1] if (30, 1) in side.core.made else OPENED.made[0, 1]
    assert said(side.member("POST", "/v1/keynotes", posted)) == (201, "Taken.")
    assert said(side.member("POST", "/v1/keynotes", b"notes")) == (400, Refusal.NOTES_BAD.value)


@pytest.mark.parametrize("request_", MEMBERS_ONLY, ids=lambda r: r[1])
def test_a_request_counts_once(side: Side, request_: tuple[str, str, bytes, str]) -> None:
    """A listener sends it again: the nonce is spent, on this worker and on every other."""
    headers = side.sign(*request_)
    first = side.ask(*request_, headers)
    assert first.status != 401
    other = Side(side.core)
    for again in (side, other):
        assert said(again.ask(*request_, headers)) == (401, Refusal.NOT_A_MEMBER.value)


def test_without_the_nonce_the_replay_would_be_taken(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = side.sign("GET", "/v1/packs/30")
    monkeypatch.setattr("latchstring.store.guard.spend_nonce", lambda *_: True)
    assert side.ask("GET", "/v1/packs/30", headers=headers).status == 200
    assert side.ask("GET", "/v1/packs/30", headers=headers).status == 200


Change = Callable[[Side, dict[str, str]], Answer]
CHANGES: dict[str, Change] = {
    "unsigned": lambda s, _: s.ask("GET", "/v1/packs/30"),
    "another path": lambda s, h: s.ask("GET", "/v1/packs/31", headers=h),
    "a query": lambda s, h: s.ask("GET", "/v1/packs/30", query="x", headers=h),
    "another host": lambda s, h: s.api.handle(Request("GET", "/v1/packs/30", "", h), "other.example", s.now),
    "a name that is none": lambda s, h: s.ask(
        "GET", "/v1/packs/30", headers={k: v.replace("news-1", "news-9") for k, v in h.items()}
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_request_that_is_not_as_it_was_signed(side: Side, name: str) -> None:
    headers = side.sign("GET", "/v1/packs/30")
    assert said(CHANGES[name](side, headers)) == (401, Refusal.NOT_A_MEMBER.value)
    assert side.ask("GET", "/v1/packs/30", headers=headers).status == 200  # a refused one spends nothing


@pytest.mark.parametrize("off", [-301, 301, 10**9])
def test_a_request_of_another_time(side: Side, off: int) -> None:
    headers = side.sign("GET", "/v1/packs/30")
    side.now += off
    assert said(side.ask("GET", "/v1/packs/30", headers=headers)) == (401, Refusal.NOT_A_MEMBER.value)


def test_a_removed_member_is_none(side: Side) -> None:
    core = side.core
    desk = core.founding.directory.desks[0]
    stranger = Stream("stranger")(32)
    member = desk.members[0].__class__("news-2", desk.members[0].sign_key, x25519_public(stranger))
    pages = tuple(owner.__class__("news", "news-2") for owner in core.founding.directory.pages)
    old = core.founding
    new = successor(old, desks=(desk.__class__("news", 2, desk.titles, desk.greetings, (member,)),), pages=pages)
    assert side.member("GET", "/v1/packs/30").status == 200
    assert side.ask("POST", "/v1/directory", new.signed).status == 201
    core.close(32)
    assert said(side.member("GET", "/v1/packs/30")) == (401, Refusal.NOT_A_MEMBER.value)


# --- trouble, and anything at all ----------------------------------------------------------------


WRITES: tuple[tuple[str, str, bytes, str, int], ...] = (
    ("POST", "/v1/letters", letter(1), "", 1),
    ("POST", "/v1/directory", successor(OPENED.founding, expires=61 * 144).signed, "", 1),
    (*MEMBERS_ONLY[2], 1),  # the nonce
    (*MEMBERS_ONLY[2], 2),  # the page
    ("POST", "/v1/keynotes", OPENED.made[0, 1], "", 1),
    ("POST", "/v1/keynotes", OPENED.made[0, 1], "", 2),
)


@pytest.mark.parametrize("stored", [False, True], ids=["fails and is not stored", "fails but is stored"])
@pytest.mark.parametrize("write", WRITES, ids=lambda w: f"{w[1]} {w[4]}")
def test_a_store_in_trouble_says_send_the_same_again(
    side: Side, write: tuple[str, str, bytes, str, int], stored: bool
) -> None:
    method, path, body, query, failing = write

    def ask() -> Answer:  # a member signs anew each time
        signed = side.sign(method, path, body, query) if path in ("/v1/keynotes", "/v1/pages/1/0") else {}
        return side.ask(method, path, body, query, signed)

    side.core.fuse.arm(failing, stored)
    assert ask() == TROUBLE
    side.core.fuse.disarm()
    assert ask().status == 201
    assert b"never taken twice" in TROUBLE.body
    assert TROUBLE.status == 500  # 503 is for what was not taken; here nobody can say


LATIN = st.text(st.characters(max_codepoint=255), max_size=60)
DOCUMENTED = {200, 201, 400, 401, 403, 404, 405, 409, 412, 413, 429, 500, 503}


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "", "get", "\0"]),
    st.sampled_from(["/v1/letters", "/v1/directory", "/v1/keynotes", "/v1/pages/1/0", "/v1/packs/30", "/visit", ""])
    | st.text(max_size=50),
    LATIN | st.just("v=1"),
    st.dictionaries(st.sampled_from(["signature", "signature-input", "content-digest"]), LATIN),
    st.binary(max_size=5000),
    LATIN,
)
def test_any_request_gets_a_documented_answer(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, authority: str
) -> None:
    answer = ANYONE.api.handle(Request(method, path, query, headers, body), authority, ANYONE.now)
    assert answer.status in DOCUMENTED
    assert (answer.file is None) or answer.status == 200


@given(st.sampled_from(MEMBERS_ONLY), st.binary(max_size=400), st.text("v=0123456789", max_size=6))
def test_whatever_a_member_sends(request_: tuple[str, str, bytes, str], body: bytes, query: str) -> None:
    """A member's machine in the wrong hands: refused or taken, never a crash."""
    method, path, _, _ = request_
    body = b"" if method == "GET" else body
    assert ANYONE.member(method, path, body, query).status in DOCUMENTED


ANYONE = Side(OPENED.copy())
