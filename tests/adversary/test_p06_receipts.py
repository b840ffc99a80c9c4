# SPDX-License-Identifier: AGPL-3.0-or-later
"""P6: after a receipt, dropping a letter is provable by whoever kept the receipt.

| Attacker        | Holds                                 | Tries                                                     |
|-----------------|---------------------------------------|-----------------------------------------------------------|
| server          | its store and keys; it gave a receipt | to drop the letter, to log it late, to skip batches, to   |
|                 |                                       | hide behind a new receipt key                             |
| a false accuser | receipts and logs of others, no key   | to show a promise as broken that was kept, or never given |

Whoever judges is a third person, with the receipt and the log as anyone fetches it.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import delete, update

from latchstring.log import receipts as judging
from latchstring.log import verify as verifying
from latchstring.log.receipts import Judged, Verdict, judge
from latchstring.log.verify import Examined, examine
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.primitives import ed25519_key, ed25519_public
from latchstring.protocol.receipt import Receipt, open_receipt
from latchstring.store.tables import letters
from tests.adversary.tools import Anything
from tests.builders import Stream
from tests.faults import letter
from tests.world.world import Source, World, open_door


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made, _ = open_door(tmp_path_factory.mktemp("door"), letters=2, queue=4)
    return made


def log_of(world: World) -> Examined:
    """As the third person fetches and verifies it."""
    log = examine(world.core.public.get, world.core.keys.verifier(world.founding.directory.origin), world.door)
    assert log.report.ok, log.report.fault
    return log


def written(world: World) -> bytes:
    """A source writes and keeps the receipt on purpose."""
    return Source(world, "a").write("what I saw").receipt_raw


def promised(world: World, raw: bytes) -> int:
    return open_receipt(raw, world.core.keys.receipt_public).publish_by


def close_through(world: World, batch: int) -> None:
    while world.batch < batch:
        world.close()


def drop(world: World, raw: bytes) -> None:
    """The server forgets a letter that it acknowledged."""
    leaf = open_receipt(raw, world.core.keys.receipt_public).leaf
    with world.core.sql.write() as connection:
        assert connection.execute(delete(letters).where(letters.c.leaf == leaf)).rowcount == 1


def test_an_honest_server_keeps_its_promise_and_it_is_seen(world: World) -> None:
    raw = written(world)
    assert judge(raw, log_of(world)).verdict is Verdict.NOT_DUE
    world.close()
    judged = judge(raw, log_of(world))
    assert (judged.verdict, judged.batch) == (Verdict.KEPT, world.batch)
    close_through(world, promised(world, raw) + 1)
    assert judge(raw, log_of(world)).verdict is Verdict.KEPT


def test_a_dropped_letter_is_a_broken_promise(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = written(world)
    drop(world, raw)
    close_through(world, promised(world, raw) - 1)
    assert judge(raw, log_of(world)).verdict is Verdict.NOT_DUE
    close_through(world, promised(world, raw))
    judged = judge(raw, log_of(world))
    assert (judged.verdict, judged.due) == (Verdict.MISSING, promised(world, raw))

    # Broken on purpose: a judge that asks only for a leaf of the promised batch, whatever it is, sees nothing.
    log = log_of(world)
    leaf = next(e for e in log.entries if e != judged.receipt.leaf)
    monkeypatch.setattr(judging, "open_any", lambda *_: replace(judged.receipt, leaf=leaf))
    assert judge(raw, log).verdict is Verdict.KEPT


def test_a_letter_logged_late_is_a_broken_promise(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = written(world)
    by, leaf = promised(world, raw), open_receipt(raw, world.core.keys.receipt_public).leaf
    with world.core.sql.write() as connection:  # it hides the letter and brings it back once it is asked for
        connection.execute(update(letters).where(letters.c.leaf == leaf).values(batch=0))
    close_through(world, by)
    assert judge(raw, log_of(world)).verdict is Verdict.MISSING
    with world.core.sql.write() as connection:
        connection.execute(update(letters).where(letters.c.leaf == leaf).values(batch=None))
    world.close()
    judged = judge(raw, log_of(world))
    assert (judged.verdict, judged.batch, judged.due) == (Verdict.LATE, by + 1, by)

    monkeypatch.setattr(judging, "next", lambda *_: None, raising=False)  # a judge that does not look at the batch
    assert judge(raw, log_of(world)).verdict is Verdict.KEPT


def test_batches_that_are_skipped_are_no_way_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The promise is the first batch of that number or a higher one."""
    raw = written(world)
    drop(world, raw)
    by = promised(world, raw)
    world.close(by + 50)
    log = log_of(world)
    assert judge(raw, log).verdict is Verdict.MISSING
    # broken: a judge that waits for the very batch that was named waits for ever
    monkeypatch.setattr(judging, "next", lambda numbers, _: by if by in set(numbers) else None, raising=False)
    assert judge(raw, log).verdict is Verdict.NOT_DUE


def test_a_new_receipt_key_is_no_way_out(world: World) -> None:
    """The old key stands in a directory that the roots signed and the log holds."""
    raw = written(world)
    by = promised(world, raw)
    drop(world, raw)
    other = Stream("another receipt key")(32)
    world.core.founding = replace(world.founding, receipt_seed=other)
    world.renew(receipt_key=ed25519_public(other))
    close_through(world, by)
    log = log_of(world)
    assert judge(raw, log).verdict is Verdict.MISSING
    with pytest.raises(ProtocolError):  # broken: a judge that knows the newest directory's key alone
        judge(raw, replace(log, receipt_keys=frozenset({ed25519_public(other)})))


def accuse(world: World, forge: Callable[[Receipt], bytes]) -> Judged:
    receipt = Receipt(world.founding.directory.origin, entry(Kind.LETTER, letter(5)), 1)
    return judge(forge(receipt), log_of(world))


def test_nobody_can_accuse_without_a_receipt_of_the_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = written(world)
    close_through(world, promised(world, raw))
    signed = Receipt.sign

    def own_key(receipt: Receipt) -> bytes:
        return signed(receipt, ed25519_key(Stream("mallory")(32)))

    def moved_signature(receipt: Receipt) -> bytes:
        return own_key(receipt)[:-64] + raw[-64:]

    def another_log(receipt: Receipt) -> bytes:
        """The same server's key for another log: its promise there is not one here."""
        return signed(replace(receipt, origin="other.example/log"), ed25519_key(world.founding.receipt_seed))

    for forge in (own_key, moved_signature, another_log, lambda _receipt: b"", lambda _receipt: raw[:-1]):
        with pytest.raises(ProtocolError):
            accuse(world, forge)
    monkeypatch.setattr("latchstring.protocol.receipt.ed25519_verify", lambda *_: True)
    assert accuse(world, own_key).verdict is Verdict.MISSING  # without the signature's check anybody accuses anybody


def test_a_log_that_does_not_verify_judges_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that leaves a letter out would make a kept promise look broken: its copy does not verify."""
    raw = written(world)
    close_through(world, promised(world, raw))
    leaf = open_receipt(raw, world.core.keys.receipt_public).leaf

    def meddling(path: str) -> bytes:
        return world.core.public.get(path).replace(leaf, bytes(32))

    def examined() -> Examined:
        return examine(meddling, world.core.keys.verifier(world.founding.directory.origin), world.door)

    log = examined()
    assert not log.report.ok
    assert log.batches == ()
    # broken: entries are taken as they come; then the honest server is accused
    monkeypatch.setattr(verifying, "_tile", lambda *_: None)
    monkeypatch.setattr(verifying, "root_of_runs", lambda _runs: Anything())
    assert judge(raw, examined()).verdict is Verdict.MISSING
