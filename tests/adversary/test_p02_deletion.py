# SPDX-License-Identifier: AGPL-3.0-or-later
"""P2: a letter that the desk has deleted cannot be recovered, W after its day, from desk machines that have run since
plus everything the server ever held.

| Attacker        | Holds                                                     | Tries                                  |
|-----------------|-----------------------------------------------------------|----------------------------------------|
| a state after a | the vault's file, its journal and its passphrase; all     | the text in the file, in its gaps and  |
| raid            | that the server stores or ever handed out; all that       | free pages; every key that is left, on |
|                 | crossed the line                                          | every letter that ever was             |

The promise begins W after the letter's day: before that the desk keeps the day's key, and the attack succeeds. It is
about machines that have run: one that lay in a drawer still has what it had.
"""

import pytest

from latchstring.desk import secrets as desk_secrets
from latchstring.desk import sync as desk_sync
from latchstring.desk.deletion import delete_letters
from latchstring.desk.letters import letters
from latchstring.desk.scrub import scrub
from latchstring.desk.secrets import EpochSecret, epoch_secrets
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import LONE_ERASE_DAYS, TICKS_PER_DAY
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import open_letter
from tests.adversary.tools import Stage
from tests.vaults import everything

TEXT = "they burn the papers on Friday"


def written_and_deleted(stage: Stage) -> int:
    """The desk reads a letter and deletes it; the day of its key."""
    stage.source.write(TEXT, tell=False)
    stage.world.close()
    stage.desk.sync()
    (letter,) = [x for x in letters(stage.desk.vault) if x.body and x.body.text == TEXT]
    delete_letters(stage.desk.vault, [letter.msg_id], stage.world.batch)
    scrub(stage.desk.vault, lambda *_: None)
    return letter.day


def recovered(stage: Stage) -> bool:
    """Everything the attacker holds, tried in every way."""
    if TEXT.encode() in everything(stage.desk):
        return True
    epochs = [secret.open() for secret in epoch_secrets(stage.desk.vault)]
    return any(_opens(epochs, x.body) for x in stage.world.traffic if x.path == "/v1/letters")


def _opens(epochs: list[OpenEpoch], sealed: bytes) -> bool:
    for epoch in epochs:
        try:
            body = open_letter(epoch, sealed).body
        except (NotOurs, ProtocolError):
            continue
        if body is not None and body.text == TEXT:
            return True
    return False


def to_day(stage: Stage, day: int) -> None:
    """The machine runs: a session every five days."""
    while stage.world.batch < day * TICKS_PER_DAY:
        stage.world.close(min(day * TICKS_PER_DAY, stage.world.batch + 5 * TICKS_PER_DAY))
        stage.desk.sync()


def test_w_after_its_day_nothing_gives_a_deleted_letter_back(stage: Stage) -> None:
    day = written_and_deleted(stage)
    assert recovered(stage), "before that time the day's key opens what the server kept"
    to_day(stage, day + LONE_ERASE_DAYS - 1)
    assert recovered(stage)
    to_day(stage, day + LONE_ERASE_DAYS)
    assert not recovered(stage)


def test_a_letter_that_was_not_deleted_is_there(stage: Stage) -> None:
    """The search finds what is to be found."""
    stage.source.write(TEXT, tell=False)
    stage.world.close()
    stage.desk.sync()
    to_day(stage, 20)
    assert recovered(stage)


def test_a_machine_that_keeps_its_keys_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: keys are not erased on their day."""
    monkeypatch.setattr(desk_sync, "erase_before", lambda _vault, _day: ())
    day = written_and_deleted(stage)
    to_day(stage, day + LONE_ERASE_DAYS)
    assert recovered(stage)


def test_keys_that_are_deleted_but_not_erased_are_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other broken variant: the row is gone, its bytes are not."""
    secret: list[EpochSecret] = []

    def carelessly(vault: Vault, day: int) -> tuple[int, ...]:
        secret.extend(s for s in epoch_secrets(vault) if s.day < day)
        vault._db.execute("PRAGMA secure_delete = OFF")
        with vault.transaction():
            vault.do("DELETE FROM secret WHERE day < ?", day)
        return ()

    monkeypatch.setattr(desk_sync, "erase_before", carelessly)
    monkeypatch.setattr(desk_sync, "scrub", lambda *_: False)
    day = written_and_deleted(stage)
    to_day(stage, day + LONE_ERASE_DAYS)
    raw = everything(stage.desk)
    assert any(s.secret in raw for s in secret if s.day == day)
    assert desk_secrets.erase_before is not carelessly


def test_a_deletion_that_leaves_traces_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third broken variant: deleted, not overwritten, not written anew."""
    monkeypatch.setattr("latchstring.desk.deletion.owe", lambda _vault: None)
    stage.desk.vault._db.execute("PRAGMA secure_delete = OFF")
    day = written_and_deleted(stage)
    to_day(stage, day + LONE_ERASE_DAYS)
    assert recovered(stage)
