# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies that are withdrawn: never out, or not out again."""

from pathlib import Path

import pytest

from latchstring.desk.errors import VaultError
from latchstring.desk.facts import Reader, apply_facts
from latchstring.desk.outbox import waiting
from latchstring.desk.replies import replies
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.timeline import Stage, stage_of
from latchstring.desk.vault import Vault, open_vault
from latchstring.desk.withdrawal import withdraw
from latchstring.protocol import constants as c
from latchstring.protocol.memo import MemoBody
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Desk, Source, World, open_door

SESSION = 24  # sheets between two sessions: six days


def talk(folder: Path) -> tuple[World, Desk, Source]:
    """A desk whose answer to a first letter waits for the coming sheet."""
    world, desks = open_door(folder)
    desk, source = desks["news"], Source(world, "anna")
    source.write("I shall be away for long")
    world.close()
    desk.sync()
    desk.show(source)
    desk.answer(source, "we shall be here")
    desk.sync()
    return world, desk, source


def pass_sheets(world: World, desk: Desk, until: int) -> None:
    """Every sheet up to this one closes; the desk comes every six days, the organisation renews the directory."""
    for sheet in range(c.sheet_of(world.batch) + 1, until + 1):
        if world.founding.directory.expires - sheet * c.TICKS_PER_SHEET < 20 * c.TICKS_PER_DAY:
            world.renew()
        world.close(sheet * c.TICKS_PER_SHEET)
        if sheet % SESSION == 0:
            desk.sync()


def test_a_reply_that_is_withdrawn_in_time_never_comes_out(tmp_path: Path) -> None:
    world, desk, source = talk(tmp_path)
    (reply,) = replies(desk.vault)
    assert withdraw(desk.vault, reply.id)
    assert not withdraw(desk.vault, reply.id)
    desk.sync()
    pass_sheets(world, desk, 30)
    assert source.heard() == []
    (reply,) = replies(desk.vault)
    assert (reply.withdrawn, reply.published) == (True, 0)
    assert stage_of(reply, world.policy).stage is Stage.WITHDRAWN


def test_what_was_published_stays_and_is_not_placed_again(tmp_path: Path) -> None:
    world, desk, source = talk(tmp_path)
    pass_sheets(world, desk, 24)
    (reply,) = replies(desk.vault)
    withdraw(desk.vault, reply.id)
    assert source.heard() == ["we shall be here"]
    pass_sheets(world, desk, 24 + c.SHEETS_KEPT)
    assert source.heard() == []
    (reply,) = replies(desk.vault)
    assert reply.published == 1
    assert stage_of(reply, world.policy).stage is Stage.WITHDRAWN


def test_a_withdrawal_is_heard_by_the_others_whatever_the_order(tmp_path: Path) -> None:
    world, desk, _ = talk(tmp_path)
    (reply,) = replies(desk.vault)
    (tmp_path / "there").mkdir()
    there = desk.copy(world, tmp_path / "there")
    withdraw(desk.vault, reply.id)
    facts = tuple(w.fact for w in waiting(desk.vault, "withdraw"))
    assert facts == ({"kind": "withdraw", "reply": reply.id},)
    reader = Reader(world.door, "news", "news-1")
    with there.vault.transaction():
        unknown = {"kind": "withdraw", "reply": bytes(16)}  # its reply is still to be heard of
        bad = {"kind": "withdraw", "reply": bytes(15)}
        memo = MemoBody("news-1", (*facts, *facts, unknown, bad))
        taken = apply_facts(there.vault, FACT_KINDS, reader, memo, world.batch, 0)
    assert (taken.applied, taken.malformed) == (3, 1)
    assert replies(there.vault)[0].withdrawn


class Failing(Vault):
    """The next commit fails, before or after it is stored."""

    stored = False

    def _commit(self) -> None:
        if self.stored:
            super()._commit()
        raise VaultError("The disk with the vault is full.", "")


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
def test_a_withdrawal_whose_write_fails_is_whole_or_nothing(tmp_path: Path, stored: bool) -> None:
    _, desk, _ = talk(tmp_path)
    (reply,) = replies(desk.vault)
    desk.vault.__class__ = Failing
    assert isinstance(desk.vault, Failing)
    desk.vault.stored = stored
    with pytest.raises(VaultError):
        withdraw(desk.vault, reply.id)
    desk.vault.close()
    desk.vault = open_vault(desk.path, VAULT_PASSPHRASE, CHEAP)
    assert replies(desk.vault)[0].withdrawn is stored
    assert bool(waiting(desk.vault, "withdraw")) is stored
    assert withdraw(desk.vault, reply.id) is not stored
