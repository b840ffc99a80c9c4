# SPDX-License-Identifier: AGPL-3.0-or-later
"""Root rotation at the server: taken with a directory of the new keys or not at all, logged before it, kept."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchstring.client.visit import check_visit
from latchstring.log.verify import verify_log
from latchstring.protocol import constants as c
from latchstring.protocol.directory import SignedDirectory
from latchstring.protocol.encoding import decode_cbor, encode_cbor, lp
from latchstring.protocol.entry import Kind
from latchstring.protocol.root_note import RootChain, rotate
from latchstring.protocol.visit import parse_visit
from latchstring.server import accept
from latchstring.server.accept import Refusal, Refused, accept_directory
from latchstring.server.api import Api, Request
from latchstring.server.publisher import Publisher
from latchstring.store import notes
from latchstring.store.sql import StoreError, StoreFailed
from tests.builders import Founding, found, rotated, successor
from tests.faults import Core, check_published

FATES = pytest.mark.parametrize("stored", [False, True], ids=["fails-not-stored", "fails-but-stored"])


def refused(core: Core, act: Callable[[], object], why: Refusal) -> None:
    rows = core.sql.dump()
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.why is why
    assert core.sql.dump() == rows, "a refusal keeps nothing"


def stored_kinds(core: Core) -> list[str]:
    with core.sql.read() as connection:
        return [row.kind for row in notes.waiting(connection)]


def take(core: Core, founding: Founding) -> SignedDirectory:
    return accept_directory(core.intake, founding.posted, core.at(core.batch))


def test_a_rotation_is_logged_before_the_directory_of_its_keys_and_acts_with_it() -> None:
    core = Core.opened()
    core.founding = rotated(core.founding)
    take(core, core.founding)
    core.close(32)
    listed = decode_cbor(core.public.get("keynotes/32"))
    assert isinstance(listed, list)
    assert [kind for kind, _ in listed] == ["root", "directory"]
    visit = parse_visit(core.public.get("visit"))
    assert visit.roots == core.founding.rotations
    seen = check_visit(core.public.get("visit"), core.founding.door.__eq__, core.at(32), None)
    assert (seen.roots.number, seen.directory.seq, seen.directory.door) == (1, 2, core.founding.door)
    check_published(core)
    report = verify_log(core.public.files.__getitem__, door=core.founding.door)
    assert (report.fault, report.rotations, report.directories) == (None, 1, 2)


def test_directories_before_and_after_in_one_batch_keep_their_order() -> None:
    core = Core.opened()
    for number in range(4):
        old = core.founding
        core.founding = rotated(old, f"roots {number}") if number % 2 else successor(old)
        take(core, core.founding)
    core.close(32)
    listed = decode_cbor(core.public.get("keynotes/32"))
    assert isinstance(listed, list)
    assert [kind for kind, _ in listed] == ["directory", "root", "directory", "directory", "root", "directory"]
    check_published(core)
    assert verify_log(core.public.files.__getitem__).ok


def test_a_spare_is_good_after_other_directories() -> None:
    """Made at the founding; three directories later it is the emergency for which it was kept."""
    core = Core.opened()
    spare = rotated(core.founding, "spare")
    for batch in (32, 33, 34):
        core.founding = successor(core.founding, expires=core.founding.directory.expires + batch)
        take(core, core.founding)
        core.close(batch)
    core.founding = replace(successor(core.founding), root=spare.root, rotations=spare.rotations)
    take(core, core.founding)
    core.close(35)
    check_published(core)
    assert check_visit(core.public.get("visit"), core.founding.door.__eq__, core.at(35), None).roots.number == 1


def test_what_old_roots_sign_is_refused_at_once_and_later() -> None:
    core = Core.opened()
    before, spare = core.founding, rotated(core.founding, "spare")
    after = rotated(before, "first")
    take(core, after)
    late = replace(successor(after), root=before.root, rotations=())
    second = replace(successor(after), root=spare.root, rotations=spare.rotations)
    for closed in (False, True):
        if closed:
            core.close(32)
        refused(core, lambda: accept_directory(core.intake, before.signed, core.at(32)), Refusal.OLD_ROOTS)
        refused(core, lambda: take(core, second), Refusal.OLD_ROOTS)
        refused(core, lambda: take(core, late), Refusal.OLD_ROOTS)
    take(core, after)
    assert stored_kinds(core) == []


def test_a_rotation_is_taken_with_a_directory_that_counts_or_not_at_all() -> None:
    core = Core.opened()
    after = rotated(core.founding)
    of_others = rotated(found("another door"))
    alone = after.rotations[0]
    by_old = lp("directory-rooted", encode_cbor([alone]), successor(core.founding).signed)
    for raw in (alone, by_old, of_others.posted, after.signed, lp("directory-rooted", encode_cbor([alone]), b"")):
        refused(core, lambda raw=raw: accept_directory(core.intake, raw, core.at(31)), Refusal.NOT_THIS_DOOR)  # type: ignore[misc]  # a default binds the loop's value
    jumped = replace(after, directory=replace(after.directory, seq=3))
    refused(core, lambda: take(core, jumped), Refusal.NOT_NEXT)
    too_long = replace(after, directory=replace(after.directory, expires=94 * c.TICKS_PER_DAY + 31))
    refused(core, lambda: take(core, too_long), Refusal.EXPIRY)


def test_the_same_may_be_sent_again() -> None:
    core = Core.opened()
    after = rotated(core.founding)
    raw = after.posted
    for _ in range(2):
        accept_directory(core.intake, raw, core.at(31))
        assert stored_kinds(core) == ["root", "directory"]
    core.close(32)
    accept_directory(core.intake, raw, core.at(32))
    assert stored_kinds(core) == []


@FATES
def test_taking_it(stored: bool) -> None:
    core = Core.opened()
    core.founding = rotated(core.founding)
    raw = core.founding.posted
    core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        accept_directory(core.intake, raw, core.at(31))
    assert stored_kinds(core) == (["root", "directory"] if stored else [])
    accept_directory(core.intake, raw, core.at(31))
    assert stored_kinds(core) == ["root", "directory"]
    core.close(32)
    check_published(core)


@FATES
@pytest.mark.parametrize("write", range(1, 5))
def test_closing_its_batch(stored: bool, write: int) -> None:
    core = Core.opened()
    core.founding = rotated(core.founding)
    take(core, core.founding)
    core.fuse.arm(write, stored)
    with pytest.raises(StoreFailed):
        core.close(32)
    core.restart()
    core.publisher.start()
    core.close(32)
    check_published(core)
    assert verify_log(core.public.files.__getitem__).rotations == 1


def test_a_new_process_goes_on_under_the_new_roots_and_pruning_keeps_them() -> None:
    core = Core.opened()
    core.founding = rotated(core.founding)
    take(core, core.founding)
    core.close(32)
    core.publisher.close(60 * 144 - 1, core.random)
    core.publisher.close(60 * 144 + 1, core.random)
    core.restart()
    core.publisher.start()
    core.founding = successor(core.founding, expires=120 * 144)
    take(core, core.founding)
    core.publisher.close(60 * 144 + 2, core.random)
    assert parse_visit(core.public.get("visit")).roots == core.founding.rotations
    assert verify_log(core.public.files.__getitem__).ok


def test_a_store_with_a_rotation_alone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core.opened()
    after = rotated(core.founding)
    with core.sql.write() as connection:
        notes.add(connection, Kind.ROOT, after.roots.head, after.rotations[0], "", 0)
    published = dict(core.public.files)
    with pytest.raises(StoreError, match="without its directory"):
        core.close(32)
    assert core.public.files == published


def test_without_the_check_an_old_root_would_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: the chain of whoever posts is believed."""
    core = Core.opened()
    before = core.founding
    take(core, rotated(before, "first"))
    core.close(32)
    theirs = replace(successor(rotated(before, "first")), root=before.root, rotations=())
    with pytest.raises(Refused):
        take(core, theirs)
    monkeypatch.setattr(accept, "current_roots", lambda *_args, **_more: RootChain(before.door))
    monkeypatch.setattr(accept, "check_successor", lambda *_: None)
    monkeypatch.setattr(accept, "current_directory", lambda *_args, **_more: before.opened)
    take(core, theirs)


def test_over_http_it_is_a_post_of_the_directory() -> None:
    core = Core.opened()
    api = Api(core.intake, core.shelves)
    core.founding = rotated(core.founding)
    answer = api.handle(Request("POST", "/v1/directory", body=core.founding.posted), "door.example", core.at(31))
    assert answer.status == 201
    theirs = replace(successor(core.founding), root=Core.make().founding.root, rotations=())
    answer = api.handle(Request("POST", "/v1/directory", body=theirs.posted), "door.example", core.at(31))
    assert (answer.status, b"were replaced" in answer.body) == (403, True)


def test_the_log_of_a_server_that_lets_old_roots_sign_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core.opened()
    before = core.founding
    after = rotated(before)
    take(core, after)
    core.close(32)
    theirs = replace(successor(after), root=before.root)
    with core.sql.write() as connection:
        signed = replace(theirs, rotations=()).signed
        notes.add(connection, Kind.DIRECTORY, bytes(32), signed, "", 0)
    with monkeypatch.context() as patch:
        patch.setattr(RootChain, "number_of", lambda self, _keys: self.number)
        core.close(33)
    report = verify_log(core.public.files.__getitem__)
    assert not report.ok
    assert report.fault is not None
    assert report.fault.startswith("batch 33")


def test_a_rotation_after_a_rotation_may_be_posted_with_one_directory() -> None:
    core = Core.opened()
    first = rotated(core.founding, "first")
    second = rotate(first.roots, first.root, rotated(first, "second").root)
    both = replace(successor(core.founding), root=rotated(first, "second").root, rotations=(*first.rotations, second))
    take(core, both)
    core.founding = both
    core.close(32)
    assert Publisher(core.sql, core.shelves, core.keys, both.door).last_batch() == 32
    check_published(core)
