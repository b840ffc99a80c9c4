# SPDX-License-Identifier: AGPL-3.0-or-later
"""P9: only the same source continues a thread, only a present member replies, nothing is accepted twice.

| Attacker            | Holds                                         | Tries                                         |
|---------------------|-----------------------------------------------|-----------------------------------------------|
| outsider            | all that is public, a thread's pk_S, A, psk   | a letter in the source's name                 |
| outsider with a     | pk_S, A and the X25519 secret ss, not psk     | a letter in the source's name, a reply in the |
| quantum computer    |                                               | desk's                                        |
| server              | all letters that ever came, all pages         | the same letter again; a reply at another     |
|                     |                                               | place, or again when it is forgotten          |
| insider of one desk | that desk's plaintexts and thread keys        | the letter at another desk, door or epoch;    |
|                     |                                               | another desk's pages                          |
| former member, with | old epochs and thread keys, old pages, the    | pages under the old directory                 |
| and without server  | server's keys                                 |                                               |
| listener on the     | members' signed requests                      | the same requests again, or changed           |
| line                |                                               |                                               |
"""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete

from latchstring.client.transport import Response
from latchstring.client.visit import VisitRefused
from latchstring.desk.identity import identity
from latchstring.desk.letters import keep_letter, letters
from latchstring.desk.line import Line
from latchstring.desk.opening import Opened
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.vault import Vault
from latchstring.protocol import letter as letter_module
from latchstring.protocol import pair as pair_module
from latchstring.protocol import reply as reply_module
from latchstring.protocol import request as request_module
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import h, lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote, OpenEpoch
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import LetterBody, frame_letter, letter_info, open_letter, seal_letter
from latchstring.protocol.pair import Pair, pair_of_desk
from latchstring.protocol.primitives import mac, x25519, x25519_public
from latchstring.protocol.reply import Place, ReplyBody, seal_reply
from latchstring.protocol.request import Asked, sign_request
from latchstring.protocol.root import Door
from latchstring.protocol.sheet import make_sheet, noise_page, parse_sheet, sheet_index_hash
from latchstring.protocol.source_keys import ThreadKeys
from latchstring.protocol.visit import parse_visit
from latchstring.server import api as api_module
from latchstring.server.api import Request
from latchstring.store import pages as stored_pages
from latchstring.store import tables
from tests.adversary.tools import MALLORY, Stage, reforge
from tests.builders import MemberKeys, Stream
from tests.world.world import AUTHORITY, World

NEWS_PAGE = 1  # the desks' pages are in the order of the directory: legal, news


def news_note(stage: Stage) -> EpochNote:
    note = stage.source.look().note("news")
    assert note is not None
    return note


def post(world: World, letter: bytes) -> None:
    assert world.answer(Request("POST", "/v1/letters", body=letter)).status == 201


def letters_mac_off(patch: pytest.MonkeyPatch) -> None:
    """A desk that does not look at a letter's MAC."""
    patch.setattr(letter_module, "same", lambda *_: True)


def prk_without_psk(patch: pytest.MonkeyPatch) -> None:
    """Keys that rest on X25519 alone."""

    def pair(shared: bytes, keys: ThreadKeys, note: EpochNote) -> Pair:
        context = h(lp("pair-ctx", note.door, note.desk, note.hash, keys.dh, keys.seal_key.raw))
        return Pair(note, keys, mac(bytes(32), shared), context)

    patch.setattr(pair_module, "_pair", pair)


# --- a letter in the source's name ---------------------------------------------------------------


def forged_letter(note: EpochNote, keys: ThreadKeys, shared: bytes, text: str) -> bytes:
    """As somebody makes it who believes `shared` to be the thread's X25519 secret."""
    pair = pair_module._pair(shared, keys, note)
    plain = frame_letter(pair, Stream(text)(16), LetterBody("en", "client", text).encode())
    return note.seal_key.seal(plain, letter_info(note))


def test_an_outsider_with_all_public_keys_of_a_thread_cannot_continue_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pk_S, A and even psk are known; the private a is not."""
    note, keys = news_note(stage), stage.source.keys().thread_keys
    shared = x25519(MALLORY, note.dh)
    post(stage.world, forged_letter(note, keys, shared, "I take it all back"))
    stage.world.close()
    report = stage.desk.sync()
    assert (report.tally.malformed, report.tally.new) == (1, 0)
    letters_mac_off(monkeypatch)
    post(stage.world, forged_letter(note, keys, shared, "I take it all back"))
    stage.world.close()
    stage.desk.sync()
    assert "I take it all back" in stage.desk.texts()
    assert letters(stage.desk.vault, stage.desk.thread(stage.source))[-1].body is not None


def test_who_breaks_x25519_cannot_continue_a_thread_without_psk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    note, source = news_note(stage), stage.source
    shared = x25519(source.keys().dh, note.dh)  # what the quantum computer gives
    guessed = replace(source.keys().thread_keys, psk=bytes(32))
    post(stage.world, forged_letter(note, guessed, shared, "it was all a joke"))
    stage.world.close()
    assert stage.desk.sync().tally.new == 1  # anybody may open a thread: a new one
    thread = stage.desk.thread(source)
    assert [x.body.text for x in letters(stage.desk.vault, thread) if x.body] == ["the first letter"]

    prk_without_psk(monkeypatch)
    monkeypatch.setattr(
        ThreadKeys, "thread", lambda keys, door, desk: h(lp("thread-id", door, desk, keys.seal_key.raw, keys.dh))
    )
    source.write("mine", tell=False)
    post(stage.world, forged_letter(note, guessed, shared, "not mine"))
    stage.world.close()
    stage.desk.sync()
    thread = stage.desk.thread(source)
    assert sorted(x.body.text for x in letters(stage.desk.vault, thread) if x.body) == ["mine", "not mine"]


def test_who_breaks_x25519_cannot_answer_in_the_desks_name_without_psk(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server helps: it publishes the forged page."""
    keys = stage.source.keys()
    guessed = replace(keys.thread_keys, psk=bytes(32))
    for number, broken in enumerate((False, True)):
        if broken:
            prk_without_psk(monkeypatch)
        sheet = stage.world.batch // 36 + 1
        note = news_note(stage)
        shared = x25519(keys.dh, note.dh)
        r = Stream(f"r {number}")(16)
        pair = pair_module._pair(shared, guessed, note)
        page = r + seal_reply(pair, Place(sheet, NEWS_PAGE, r, 0), bytes(16), ReplyBody("come to the bridge"))
        publish(stage, sheet, page)
        assert stage.source.heard() == (["come to the bridge"] if broken else [])


def publish(stage: Stage, sheet: int, page: bytes) -> None:
    """The server puts a page of its choice in the place of the newsroom's and closes the sheet."""
    with stage.world.core.sql.write() as connection:
        mark = stage.world.founding.member("news").public.keys_mark
        stored_pages.put(connection, sheet, NEWS_PAGE, 1 << 60, mark, page)
    stage.world.close(36 * sheet)


# --- the same letter again, or elsewhere ---------------------------------------------------------


def log_again(stage: Stage, letter: bytes) -> None:
    """The server forgets that it had the letter, and takes it again."""
    with stage.world.core.sql.write() as connection:
        connection.execute(delete(tables.letters))
    post(stage.world, letter)
    stage.world.close()


def sent_letters(stage: Stage) -> list[bytes]:
    return [crossing.body for crossing in stage.world.traffic if crossing.path == "/v1/letters"]


def test_a_letter_that_is_logged_again_is_dropped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next batch, within its 72 hours, and after them."""
    stage.source.write("once")
    (letter,) = sent_letters(stage)[-1:]
    stage.world.close()
    stage.desk.sync()
    for batch in (stage.world.batch, 3 * 144, 5 * 144):
        if batch > stage.world.batch:
            stage.world.close(batch)
        log_again(stage, letter)
        assert stage.desk.sync().tally.repeated == 1
    assert stage.desk.texts().count("once") == 1

    fresh = Stream("fresh")

    def keep_all(vault: Vault, letter: Opened, batch: int, place: int) -> bool:
        return keep_letter(vault, replace(letter, msg_id=fresh(16)), batch, place)

    monkeypatch.setattr("latchstring.desk.keeping.keep_letter", keep_all)  # without dropping what was there
    log_again(stage, letter)
    stage.desk.sync()
    assert len([x for x in letters(stage.desk.vault) if x.body and x.body.text == "once"]) == 2


def opened_plaintext(stage: Stage, sealed: bytes) -> bytes:
    """What the newsroom's insider sees of a letter."""
    for secret in epoch_secrets(stage.desk.vault):
        epoch = secret.open()
        try:
            return epoch.open_key.open(sealed, letter_info(epoch.note))
        except NotOurs:
            continue
    raise AssertionError("not the newsroom's")


@pytest.mark.parametrize("where", ["another desk", "another epoch", "another door"])
def test_a_letter_is_worth_nothing_elsewhere(stage: Stage, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An insider seals the very plaintext again, to a desk, an epoch or a door that it was not written for."""
    plain = opened_plaintext(stage, sent_letters(stage)[0])
    text = "the first letter"

    def graft(plain: bytes) -> int:
        """How many letters the target gained; the plaintext's id is changed where it would count as repeated."""
        world, desk = stage.world, stage.desks["legal" if where == "another desk" else "news"]
        if where == "another door":
            target = OpenEpoch.make(bytes(32), Door(bytes(32)), "news", 1, 1, 1)
            sealed = target.note.seal_key.seal(plain, letter_info(target.note))
            return int(_opens(target, sealed))
        note = stage.source.look().note(desk.name)
        assert note is not None
        assert note.day == 1  # the letter is of day 0
        post(world, note.seal_key.seal(plain, letter_info(note)))
        world.close()
        return desk.sync().tally.new

    assert graft(plain) == 0
    letters_mac_off(monkeypatch)
    at = len(lp("letter-body")) + 4
    assert graft(plain[:at] + Stream("another id")(16) + plain[at + 16 :]) == 1
    assert text.encode() in plain


def _opens(epoch: OpenEpoch, sealed: bytes) -> bool:
    try:
        open_letter(epoch, sealed)
    except ValueError:
        return False
    return True


def test_a_note_that_copies_anothers_key_gets_no_letters(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bent desk publishes the newsroom's P_e as its own, so that letters written to it open at the newsroom."""
    secret = next(s for s in epoch_secrets(stage.desk.vault) if s.day == 1)
    news = secret.open()
    raw = lp("epoch", stage.world.door, "legal", 1, 1, 1, news.note.seal_key.raw, x25519_public(MALLORY))
    copied = EpochNote.parse(raw)

    def written_to_copy() -> bytes:
        return seal_letter(stage.source.keys("legal"), copied, bytes(16), LetterBody("en", "client", "to the lawyers"))

    with pytest.raises(NotOurs):
        open_letter(news, written_to_copy())
    monkeypatch.setattr(letter_module, "letter_info", lambda _note: lp("letter"))  # a seal that names no epoch
    with pytest.raises(ValueError, match="does not hold the thread's keys"):  # it opens; the MAC is the second line
        open_letter(news, written_to_copy())


# --- replies ---------------------------------------------------------------------------------------


def placeless(patch: pytest.MonkeyPatch) -> None:
    """Tags, seals and MACs that do not name their place."""
    nowhere = Place(0, 0, b"", 0)
    tag, info, reply_mac = reply_module.reply_tag, reply_module._info, reply_module._reply_mac
    for module in ("latchstring.protocol.reply", "latchstring.source.thread"):
        patch.setattr(f"{module}.reply_tag", lambda key, _place: tag(key, nowhere))
    patch.setattr(reply_module, "_info", lambda note, _place: info(note, nowhere))
    patch.setattr(reply_module, "_reply_mac", lambda pair, _place, rest: reply_mac(pair, nowhere, rest))


@pytest.mark.parametrize("broken", [False, True])
def test_a_reply_counts_only_at_its_own_place(stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server publishes an old page again when the old sheet has gone: the source would take it for news."""
    if broken:
        placeless(monkeypatch)
    stage.desk.answer(stage.source, "do not go home today")
    stage.desk.sync()
    stage.world.close(180)
    (said,) = stage.source.heard()
    assert said == "do not go home today"
    page = parse_sheet(parse_visit(stage.raw).sheets[-1]).pages[NEWS_PAGE]
    publish(stage, 6, page)
    drop_first = parse_visit(stage.raw)
    sheets = [parse_sheet(raw) for raw in drop_first.sheets[-1:]]  # as when 84 sheets have passed
    index = sheet_index_hash([(sheet.n, sheet.hash) for sheet in sheets])
    aged = reforge(
        stage.world,
        stage.raw,
        manifest=lambda m: replace(m, sheets=index),
        sheets=tuple(sheet.raw for sheet in sheets),
    )
    stage.serve(aged)
    assert stage.source.heard() == (["do not go home today"] if broken else [])


# --- pages and members -----------------------------------------------------------------------------


def line_of(stage: Stage, desk: str, member: MemberKeys | None = None) -> Line:
    """A member's way to sign requests."""
    at = stage.desks[desk]
    who = identity(at.vault)
    if member is not None:
        who = replace(who, member=member.id, sign_seed=member.sign_seed, request_seed=member.request_seed)
    directory = stage.world.founding.directory
    return Line.of(at.wire, at.clock, at.random, who, directory)


def put(line: Line, sheet: int, page: bytes, version: int = 1 << 59) -> Response:
    """The bare answer."""
    path, query = f"/v1/pages/{sheet}/{NEWS_PAGE}", f"v={version}"
    asked = Asked("PUT", AUTHORITY, path, query, page)
    headers = sign_request(asked, line.key, line.member, line.clock(), line.random(24))
    return line.transport.request("PUT", path, query, page, headers)


def test_another_desks_member_cannot_fill_a_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    page = noise_page(1, Stream("noise"))
    assert put(line_of(stage, "legal"), 6, page).status == 403
    real = api_module.Api._member
    monkeypatch.setattr(api_module.Api, "_member", lambda *a: real(*a) and "news-1")  # any member is every member
    assert put(line_of(stage, "legal"), 6, page).status == 201
    stage.world.close(6 * 36)
    assert parse_sheet(parse_visit(stage.raw).sheets[-1]).pages[NEWS_PAGE] == page


def remove_member(stage: Stage, new_id: str = "news-2") -> MemberKeys:
    """The newsroom's member goes, another comes: their keys. The former one's are still in the vault."""
    world, random = stage.world, Stream("new member")
    former = world.founding.member("news")
    new = MemberKeys(new_id, "news", random(32), random(32))
    directory = world.founding.directory
    desks = tuple(replace(d, gen=2, members=(new.public,)) if d.id == "news" else d for d in directory.desks)
    pages = tuple(replace(p, member=new.id) if p.desk == "news" else p for p in directory.pages)
    world.renew(desks=desks, pages=pages)
    world.close()
    assert former.id == "news-1"
    return new


def test_a_former_members_requests_are_refused_and_their_pages_not_published(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = noise_page(1, Stream("former"))
    line = line_of(stage, "news")
    assert put(line, 6, page).status == 201
    assert put(line, 7, page).status == 201
    remove_member(stage)
    assert put(line, 8, page).status == 401
    stage.world.close(6 * 36)
    assert parse_sheet(parse_visit(stage.raw).sheets[-1]).pages[NEWS_PAGE] != page

    def whoever(uploaded: Mapping[int, tuple[str, bytes]], _directory: Directory) -> dict[int, bytes]:
        return {number: body for number, (_, body) in uploaded.items()}

    monkeypatch.setattr("latchstring.server.publisher._owned", whoever)
    stage.world.close(7 * 36)
    assert parse_sheet(parse_visit(stage.raw).sheets[-1]).pages[NEWS_PAGE] == page


@pytest.mark.parametrize("new_id", ["news-2", "news-1"])
def test_a_former_member_cannot_block_the_places_of_the_next(
    stage: Stage, new_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The highest version wins: the former one has uploaded with the highest there is. The id may be the same one,
    with new keys, as after a stolen device."""
    former = line_of(stage, "news")
    for sheet in (6, 7):
        assert put(former, sheet, noise_page(1, Stream("former")), 10**18 - 1).status == 201
    with stage.world.core.sql.read() as connection:
        whose = stored_pages.of_sheet(connection, 7)[NEWS_PAGE][0]
    new = remove_member(stage, new_id)
    page = noise_page(1, Stream("new"))
    assert put(line_of(stage, "news", new), 6, page).status == 201
    real = stored_pages.put

    def placewide(at: Connection, sheet: int, number: int, version: int, _owner: str, body: bytes) -> bool:
        return real(at, sheet, number, version, whose, body)

    with monkeypatch.context() as patch:  # versions that are the place's, whoever uploads
        patch.setattr(stored_pages, "put", placewide)
        assert put(line_of(stage, "news", new), 7, page).status == 412
    stage.world.close(6 * 36)
    assert parse_sheet(parse_visit(stage.raw).sheets[-1]).pages[NEWS_PAGE] == page


def old_directorys_sheet(stage: Stage) -> bytes:
    """A former member and the server: the newest sheet says that the old directory was in force, so that the page
    under the former member's epoch counts."""
    world, vault = stage.world, stage.desk.vault
    keys = stage.source.keys().thread_keys
    before = parse_visit(stage.raw)
    old = parse_sheet(before.sheets[-1])
    epoch = next(s for s in epoch_secrets(vault) if s.day == 1).open()
    remove_member(stage)
    world.close(6 * 36 - 1)
    world.close(6 * 36)
    raw = world.core.public.get("visit")
    visit = parse_visit(raw)
    newest = parse_sheet(visit.sheets[-1])
    r = Stream("r")(16)
    page = r + seal_reply(
        pair_of_desk(epoch, keys), Place(newest.n, NEWS_PAGE, r, 0), bytes(16), ReplyBody("come to the bridge")
    )
    heads = (newest.heads[0], replace(newest.heads[1], note=epoch.note.hash))
    pages = (newest.pages[0], page)
    sheet = make_sheet(newest.n, newest.close, old.directory, heads, pages)
    sheets = (*visit.sheets[:-1], sheet.raw)
    index = sheet_index_hash([(s.n, s.hash) for s in map(parse_sheet, sheets)])
    entries = (*visit.entries[:-2], entry(Kind.SHEET, sheet.raw), visit.entries[-1])
    epochs = tuple((dict(before.epochs) | dict(visit.epochs)).items())
    return reforge(
        world, raw, manifest=lambda m: replace(m, sheets=index), sheets=sheets, epochs=epochs, entries=entries
    )


def test_a_sheet_cannot_go_back_to_the_directory_of_a_former_member(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.serve(old_directorys_sheet(stage))
    with pytest.raises(VisitRefused):
        stage.source.look()
    monkeypatch.setattr("latchstring.client.visit._in_force", lambda *_: None)
    assert stage.source.heard() == ["come to the bridge"]


# --- signed requests -------------------------------------------------------------------------------


def test_a_signed_request_counts_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody listens where the line is not encrypted, and would like the letters' envelopes too."""
    stage.world.close()
    stage.desk.sync()
    heard = [c for c in stage.world.traffic if "/packs/" in c.path and c.status == 200][-1]
    request = Request("GET", heard.path, heard.query, dict(heard.headers))
    assert stage.world.answer(request).status == 401
    monkeypatch.setattr("latchstring.store.guard.spend_nonce", lambda *_: True)
    assert stage.world.answer(request).body == heard.answer
    stage.world.now += 301  # and even so, not for long
    assert stage.world.answer(request).status == 401


@pytest.mark.parametrize("part", ["method", "path", "query", "body", "authority"])
def test_a_signed_request_cannot_be_changed(stage: Stage, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = line_of(stage, "news")
    page, other = noise_page(1, Stream("one")), noise_page(1, Stream("other"))
    path = f"/v1/pages/6/{NEWS_PAGE}"

    def changed(version: int) -> int:
        asked = Asked("PUT", AUTHORITY, path, f"v={version}", page)
        if part == "method":
            asked = replace(asked, method="GET")
        elif part == "path":
            asked = replace(asked, path=f"/v1/pages/7/{NEWS_PAGE}")
        elif part == "query":
            asked = replace(asked, query="v=1")
        elif part == "authority":
            asked = replace(asked, authority="other.example")
        headers = sign_request(asked, line.key, line.member, stage.world.now, line.random(24))
        body = other if part == "body" else page
        return stage.world.answer(Request("PUT", path, f"v={version}", headers, body)).status

    assert changed(1 << 59) == 401
    if part == "body":
        monkeypatch.setattr(request_module, "content_digest", lambda _body: "sha-256=::")
    else:
        monkeypatch.setattr(request_module, "_base", lambda _asked, digest, params: f"{digest}{params}".encode())
    assert changed(2 << 58 | 1) == 201
