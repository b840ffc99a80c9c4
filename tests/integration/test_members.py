# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two members of one desk with real vaults, a real server and sockets: what one does, the other sees."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.demo.door import PASSPHRASE, DemoDoor, found, free_port, wait_for
from latchstring.desk.identity import identity, keep_identity, new_identity
from latchstring.desk.letters import letters, mark_opened
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.promises import evidence
from latchstring.desk.replies import write_reply
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.vault import Vault, create_vault
from latchstring.org.rootfile import unlock_root
from latchstring.protocol.directory import Member, open_directory, sign_directory
from latchstring.protocol.passphrase import generate
from latchstring.source import acts
from tests.desk_world import CHEAP

DESK, TICK = "newsroom", 2


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), TICK, 0, cost=CHEAP)
    try:
        yield made
    finally:
        made.stop()


def session(door: DemoDoor, vault: Vault) -> SyncReport:
    with door.transport() as transport:
        return synchronise(
            vault,
            transport,
            lambda d: d == door.door,
            lambda: int(time.time()),
            secrets.token_bytes,
            memos=door.transport,
        )


def test_two_members_share_what_they_do(door: DemoDoor, tmp_path: Path) -> None:
    vaults: dict[str, Vault] = {}
    members = []
    for name in ("anna", "ben"):
        who = new_identity(door.link, DESK, name, (door.address,), secrets.token_bytes)
        vaults[name] = create_vault(tmp_path / f"{name}.vault", PASSPHRASE, secrets.token_bytes, CHEAP)
        keep_identity(vaults[name], who)
        members.append(Member(name, who.sign_public, who.request_public))
    anna, ben = vaults["anna"], vaults["ben"]
    first = door.directory
    desks = tuple(replace(d, members=tuple(members)) if d.id == DESK else d for d in first.desks)
    pages = tuple(replace(p, member="anna") if p.desk == DESK else p for p in first.pages)
    both = replace(first, desks=desks, pages=pages)  # the door's first directory, before anybody has seen one
    root = unlock_root((door.folder / "root.key").read_bytes(), PASSPHRASE)
    signed = sign_directory(both, root)
    assert open_directory(signed, None).directory.desk(DESK) is not None
    with door.transport() as transport:
        assert transport.request("POST", "/v1/directory", body=signed).status == 201
    door.wait_batch(0)

    def all_sessions() -> list[SyncReport]:
        return [session(door, vault) for vault in (anna, ben)]

    wait_for(lambda: all(r.desk_open for r in all_sessions()) or None, 120, "the desk to open")
    visit = door.visit()
    keys = acts.keys_for(generate(secrets.token_bytes).bits, visit, DESK)
    msg_id = secrets.token_bytes(16)
    letter = acts.seal(visit, keys, acts.compose("hello", "en", ()), msg_id)
    with door.transport() as transport:
        sent = acts.send(transport, visit, letter, msg_id, lambda _attempt: None)
    door.wait_leaf(sent.leaf)
    wait_for(lambda: all(letters(v) for v in (anna, ben) if session(door, v)) or None, 60, "both to have the letter")

    thread = letters(anna)[0].thread
    mark_opened(anna, (letters(anna)[0].number,))
    write_reply(anna, thread, "from anna", int(time.time()), secrets.token_bytes)
    add_note(anna, thread, "be kind", int(time.time()), secrets.token_bytes)
    assign(ben, thread, "anna")

    def told() -> bool | None:
        reports = all_sessions()
        assert not any(report.faults for report in reports)
        for vault in (anna, ben):
            given = assignments(vault, identity(vault).member).get(thread)
            said = notes(vault, thread, identity(vault).member)
            if given is None or given.pending or not said or said[0].pending or not shared_replies(vault):
                return None
        return True

    wait_for(told, 180, "both to know what the other did")
    for vault in (anna, ben):
        assert assignments(vault, identity(vault).member)[thread].member == "anna"
        assert [(n.text, n.author) for n in notes(vault, thread, identity(vault).member)] == [("be kind", "anna")]
        assert [(r.author, r.body.text) for r in shared_replies(vault)] == [("anna", "from anna")]
        assert letters(vault)[0].acked
        assert evidence(vault) == ()
        vault.close()
