# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the manifest names in `/visit`: sheets and epoch notes, each in its one place, under the directory in force."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchstring.protocol.directory import NO_HASH, Member
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote, EpochSignature
from latchstring.protocol.primitives import ed25519_public, x25519_public
from latchstring.protocol.sheet import Sheet, make_sheet, sheet_index_hash
from latchstring.protocol.visit import encode_visit
from tests.builders import Founding, Stream, found, successor
from tests.visits import (
    BATCH,
    FOUNDING,
    MALLORY,
    PARTS,
    SECOND,
    Parts,
    changed,
    check,
    epoch_of,
    make_sheets,
    refusal,
    signed,
    two_directories,
)

SHEETS = PARTS.sheets
OTHER = make_sheets(FOUNDING, lambda n, page, _epoch: Stream(f"other {n} {page}")(16 + 3 * 3072))


@pytest.mark.parametrize(
    "raws",
    [
        (SHEETS[0].raw, OTHER[1].raw),
        (SHEETS[1].raw,),
        (SHEETS[0].raw,),
        (),
        (SHEETS[1].raw, SHEETS[0].raw),
        (SHEETS[0].raw, SHEETS[0].raw),
        (*(s.raw for s in SHEETS), SHEETS[1].raw),
    ],
    ids=["another", "first missing", "last missing", "none", "swapped", "one twice", "one more"],
)
def test_the_sheets_are_those_that_the_manifest_names(raws: tuple[bytes, ...]) -> None:
    visit = replace(PARTS.visit, sheets=raws)
    assert refusal(encode_visit(visit)) == "the sheets are not those that the manifest names"


def test_a_cut_sheet() -> None:
    for raw in (SHEETS[1].raw[:-1], SHEETS[1].raw + b"\0", b""):
        refusal(encode_visit(replace(PARTS.visit, sheets=(SHEETS[0].raw, raw))))


HEADS, PAGES = SHEETS[1].heads, SHEETS[1].pages
NOT_AS = "a sheet that is not as its directory says"


@pytest.mark.parametrize(
    ("sheet", "reason"),
    [
        (make_sheet(8, 288, bytes(32), HEADS, PAGES), "a sheet's directory is missing"),
        (make_sheet(8, 288, FOUNDING.opened.hash, HEADS[:1], PAGES[:1]), NOT_AS),
        (make_sheet(8, 288, FOUNDING.opened.hash, (*HEADS, HEADS[1]), (*PAGES, PAGES[1])), NOT_AS),
        (make_sheet(8, 288, FOUNDING.opened.hash, HEADS[::-1], PAGES), NOT_AS),
        (make_sheet(8, 287, FOUNDING.opened.hash, HEADS, PAGES), NOT_AS),
        (make_sheet(8, 324, FOUNDING.opened.hash, HEADS, PAGES), NOT_AS),
        (
            make_sheet(
                8, 288, FOUNDING.opened.hash, [replace(k, slots=2) for k in HEADS], [p[: 16 + 2 * 3072] for p in PAGES]
            ),
            NOT_AS,
        ),
    ],
    ids=["directory", "a page less", "a page more", "owners swapped", "closed before", "closed after", "slots"],
)
def test_a_sheet_is_as_its_directory_says(sheet: Sheet, reason: str) -> None:
    assert refusal(PARTS.with_sheets(SHEETS[0], sheet).raw) == reason


def under(directory: bytes, sheet: int = 8) -> Sheet:
    """A sheet that names this directory."""
    made = SHEETS[sheet - 7]
    return make_sheet(made.n, made.close, directory, made.heads, made.pages)


NOT_IN_FORCE = "a sheet under another directory than the one in force"


def with_leaves(parts: Parts, sheets: tuple[Sheet, ...], leaves: tuple[bytes, ...]) -> bytes:
    """`parts` with these sheets, and these leaves before the manifest."""
    index = sheet_index_hash([(s.n, s.hash) for s in sheets])
    return replace(
        parts, sheets=sheets, manifest=replace(parts.manifest, sheets=index), before=(bytes(32), *leaves)
    ).raw


def test_a_sheet_closed_under_the_directory_in_force() -> None:
    """A server that lets a removed member's pages count: the sheet after the second directory names the first."""
    parts = two_directories()
    first, second = (entry(Kind.DIRECTORY, raw) for raw in parts.directories)
    late, early = under(SECOND.opened.hash), SHEETS[1]
    leaf = {s.hash: entry(Kind.SHEET, s.raw) for s in (*SHEETS, late)}

    def file(sheet: Sheet, *leaves: bytes) -> bytes:
        return with_leaves(parts, (SHEETS[0], sheet), (first, leaf[SHEETS[0].hash], *leaves))

    assert check(file(late, second, leaf[late.hash])).manifest.n == BATCH
    assert check(file(early, leaf[early.hash], second)).manifest.n == BATCH
    assert refusal(file(early, second, leaf[early.hash])) == NOT_IN_FORCE
    assert refusal(file(late, leaf[late.hash], second)) == NOT_IN_FORCE
    # a leaf that the server logs twice does not change what was in force
    assert refusal(file(early, second, leaf[early.hash], second)) == NOT_IN_FORCE
    assert refusal(file(early, leaf[early.hash], second, leaf[early.hash])) == NOT_IN_FORCE


def test_directories_of_older_sheets_do_not_go_back() -> None:
    parts = two_directories()
    sheets = (under(SECOND.opened.hash, 7), SHEETS[1])
    assert refusal(with_leaves(parts, sheets, ())) == NOT_IN_FORCE
    assert check(with_leaves(parts, (SHEETS[0], under(SECOND.opened.hash)), ())).manifest.n == BATCH


# --- epoch notes ----------------------------------------------------------------------------------

MISSING, UNSIGNED = "an epoch that is missing or not its day's", "an epoch that its desk did not sign"
TODAY = epoch_of(FOUNDING, "news", 2)


def with_epochs(change: Callable[[bytes, tuple[bytes, ...]], tuple[bytes, tuple[bytes, ...]] | None]) -> bytes:
    """The note of today's news changed, or left out."""
    new = [change(*e) if e[0] == TODAY.note.raw else e for e in PARTS.epochs]
    return replace(PARTS, epochs=tuple(e for e in new if e is not None)).raw


def signature(member: str = "news-1", seed: bytes | None = None, digest: bytes = TODAY.note.hash) -> bytes:
    return EpochSignature.make(digest, member, seed or FOUNDING.member("news").sign_seed).raw


@pytest.mark.parametrize(
    "signatures",
    [
        (),
        (signature(seed=MALLORY),),
        (signature("legal-1", FOUNDING.member("legal").sign_seed),),
        (signature("legal-1"),),
        (signature("news-2"),),
        (signature(digest=bytes(32)),),
        (signature(digest=epoch_of(FOUNDING, "news", 1).note.hash),),
    ],
    ids=["none", "a stranger's", "another desk's", "another's name", "nobody's", "of nothing", "of another note"],
)
def test_an_epoch_that_its_desk_did_not_sign(signatures: tuple[bytes, ...]) -> None:
    assert refusal(with_epochs(lambda raw, _: (raw, signatures))) == UNSIGNED


def test_signatures_that_are_none() -> None:
    refusal(with_epochs(lambda raw, _: (raw, (b"signature",))))
    assert check(with_epochs(lambda raw, s: (raw, (signature(seed=MALLORY), *s)))).note("news") == TODAY.note


def test_a_missing_or_changed_note() -> None:
    assert refusal(with_epochs(lambda _raw, _s: None)) == MISSING
    assert refusal(with_epochs(lambda raw, s: (changed(raw), s))) == MISSING
    refusal(with_epochs(lambda raw, s: (raw[:-1], s)))
    assert refusal(replace(PARTS, epochs=PARTS.epochs[2:]).raw) == MISSING  # a sheet's, not the manifest's


def naming(epoch: EpochNote | None, seed: bytes | None = None) -> bytes:
    """The manifest names another epoch for the newsroom, signed by its member."""
    assert epoch is not None
    carried = (epoch.raw, (signature(seed=seed, digest=epoch.hash),))
    return replace(PARTS.naming(news=epoch.hash), epochs=(*PARTS.epochs, carried)).raw


def test_a_note_in_another_place() -> None:
    legal = epoch_of(FOUNDING, "legal", 2).note
    assert refusal(PARTS.naming(news=legal.hash).raw) == UNSIGNED
    assert refusal(PARTS.naming(news=epoch_of(FOUNDING, "news", 1).note.hash).raw) == MISSING
    assert refusal(PARTS.naming(nobody=TODAY.note.hash).raw) == MISSING
    assert refusal(naming(epoch_of(FOUNDING, "news", 3).note)) == MISSING
    assert refusal(naming(epoch_of(FOUNDING, "news", 2, gen=2).note)) == UNSIGNED
    assert refusal(naming(epoch_of(found("another"), "news", 2).note)) == MISSING
    other = epoch_of(FOUNDING, "news", 2, secret="another").note
    assert check(naming(other)).note("news") == other  # her own member signed it: the log shows two, and which is named
    assert refusal(naming(other, MALLORY)) == UNSIGNED


def test_a_sheets_note_of_another_day() -> None:
    heads = [replace(k, note=epoch_of(FOUNDING, k.desk, 1).note.hash) for k in HEADS]
    sheet = make_sheet(8, 288, FOUNDING.opened.hash, heads, PAGES)
    assert refusal(PARTS.with_sheets(SHEETS[0], sheet).raw) == MISSING


def test_a_sheet_of_a_closed_desk_needs_no_note() -> None:
    heads = [replace(k, note=NO_HASH) for k in HEADS]
    sheet = make_sheet(8, 288, FOUNDING.opened.hash, heads, PAGES)
    closed = replace(PARTS.with_sheets(SHEETS[0], sheet))
    closed = replace(closed, manifest=replace(closed.manifest, notes=()))
    assert check(closed.raw).note("news") is None


def replaced_member() -> Founding:
    """The newsroom's member has been replaced by another: gen 2."""
    keys = replace(FOUNDING.member("news"), sign_seed=Stream("new member")(32))
    desks = tuple(replace(d, gen=2, members=(keys.public,)) if d.id == "news" else d for d in FOUNDING.directory.desks)
    members = tuple(keys if m.desk == "news" else m for m in FOUNDING.members)
    return replace(successor(FOUNDING, desks=desks), members=members)


def test_a_removed_members_epoch_is_never_named_again() -> None:
    later = replaced_member()
    parts = two_directories(later)
    assert refusal(parts.raw) == UNSIGNED
    fresh = epoch_of(FOUNDING, "news", 2, gen=2)
    good = replace(parts.naming(news=fresh.note.hash), epochs=(*parts.epochs, signed(later, fresh)))
    assert check(good.raw).note("news") == fresh.note
    assert later.member("news").public.sign_key == ed25519_public(Stream("new member")(32))
    bad = replace(good, epochs=(*parts.epochs, (fresh.note.raw, (signature(digest=fresh.note.hash),))))
    assert refusal(bad.raw) == UNSIGNED


def test_a_desk_of_three_needs_two() -> None:
    seeds = [Stream(f"member {i}")(32) for i in range(2)]
    news = FOUNDING.directory.desks[1]
    more = tuple(Member(f"news-{i + 2}", ed25519_public(seed), x25519_public(seed)) for i, seed in enumerate(seeds))
    desks = (FOUNDING.directory.desks[0], replace(news, members=(*news.members, *more)))
    parts = two_directories(successor(FOUNDING, desks=desks))
    assert refusal(parts.raw) == UNSIGNED
    second = signature("news-2", seeds[0])
    epochs = tuple((raw, (*s, second)) if raw == TODAY.note.raw else (raw, s) for raw, s in parts.epochs)
    assert check(replace(parts, epochs=epochs).raw).note("news") == TODAY.note
    twice = tuple((raw, (*s, *s)) for raw, s in parts.epochs)
    assert refusal(replace(parts, epochs=twice).raw) == UNSIGNED
