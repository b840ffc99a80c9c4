# SPDX-License-Identifier: AGPL-3.0-or-later
"""P7: everyone is shown the same, current keys.

| Attacker            | Holds                      | Tries                                                            |
|---------------------|----------------------------|------------------------------------------------------------------|
| server              | its three keys, its disk   | keys of its own; another root; a directory that it changed;      |
|                     |                            | notes of another day, gen, desk or door; another sheet; a        |
|                     |                            | manifest that hides a newer one                                  |
| server, to a client | the same                   | an older /visit, a fork, an older directory                      |
| that pins           |                            |                                                                  |
| mirror              | what is published, no key  | changed leaves, a checkpoint of its own                          |

Every attempt ends in the one same sentence, at the source and at the desk, and nothing is sent. Each runs again
against a client that lacks exactly the check in question, and then succeeds.

What a client without memory cannot see when the directory names no witnesses, as here: a fork that is complete, fresh
and signed by the true members. What is left of it there is the age of the newest batch, a day at most. With witnesses
it is seen: `test_p07_witnesses.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from latchstring.client import visit as checks
from latchstring.client.visit import SENTENCE, ClockOff, VisitRefused
from latchstring.desk.identity import pinned
from latchstring.log.checkpoint import Checkpoint, open_checkpoint, parse_text
from latchstring.protocol.directory import SignedDirectory, directory_hash, encode_directory, open_directory
from latchstring.protocol.encoding import lp, parse_lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote, EpochSignature, OpenEpoch
from latchstring.protocol.letter import open_letter
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.sheet import make_sheet, parse_sheet
from latchstring.protocol.visit import Visit, encode_visit, parse_visit
from tests.adversary.tools import MALLORY, Anything, Stage, naming, own_epoch, reforge
from tests.builders import Stream
from tests.world.world import World

Weaken = Callable[[pytest.MonkeyPatch, Stage], None]


@dataclass(frozen=True)
class Attack:
    """`forge`: the /visit that is served, and the epoch that the attacker hopes for, if it is his own.

    `weaken`: takes away the one check that stands against it. `pins`: only a client that pins can see it.
    """

    name: str
    forge: Callable[[Stage], tuple[bytes, OpenEpoch | None]]
    weaken: Weaken
    pins: bool = False


# --- keys that are not the desk's ----------------------------------------------------------------


def another_root(stage: Stage) -> tuple[bytes, None]:
    other = World("legal", "news", seed="mallory's door")
    other.core.random = Stream("other")
    for batch in (0, 145):
        other.close(batch)
    return other.core.public.get("visit"), None


def no_door_check(patch: pytest.MonkeyPatch, stage: Stage) -> None:
    patch.setattr(stage.world, "is_door", lambda _door: True)


def changed_directory(stage: Stage) -> tuple[bytes, OpenEpoch]:
    """The true signatures under a body that names the attacker's key for the member."""
    old = stage.world.founding.opened
    desks = tuple(
        replace(desk, members=(replace(desk.members[0], sign_key=ed25519_public(MALLORY)),), gen=2)
        if desk.id == "news"
        else desk
        for desk in old.directory.desks
    )
    logged = open_directory(parse_visit(stage.raw).directories[0], None)
    body = encode_directory(replace(old.directory, seq=2, previous=logged.hash, desks=desks))
    signed = lp("directory-signed", body, *parse_lp("directory-signed", 5, logged.raw)[1:])
    epoch, carried = own_epoch(stage.world.door, 1, gen=2)
    visit = parse_visit(stage.raw)
    hashed = directory_hash(body)
    return reforge(
        stage.world,
        stage.raw,
        manifest=lambda m: replace(naming(news=epoch.note.hash)(m), directory=hashed),
        append=[entry(Kind.DIRECTORY, signed)],
        directories=(*visit.directories, signed),
        epochs=(*visit.epochs, carried),
    ), epoch


def no_root_signatures(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr("latchstring.protocol.root.RootPublic.verify", lambda *_: True)


def own_keys(stage: Stage) -> tuple[bytes, OpenEpoch]:
    """The attacker's epoch under the member's name."""
    epoch, carried = own_epoch(stage.world.door, 1)
    epochs = (*parse_visit(stage.raw).epochs, carried)
    return reforge(stage.world, stage.raw, manifest=naming(news=epoch.note.hash), epochs=epochs), epoch


def no_note_signatures(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr(EpochSignature, "holds", lambda *_: True)


def unsigned_keys(stage: Stage) -> tuple[bytes, OpenEpoch]:
    epoch, (raw, _) = own_epoch(stage.world.door, 1)
    epochs = (*parse_visit(stage.raw).epochs, (raw, ()))
    return reforge(stage.world, stage.raw, manifest=naming(news=epoch.note.hash), epochs=epochs), epoch


def no_validity(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr(checks, "is_valid", lambda *_: True)


# --- true notes in the wrong place ---------------------------------------------------------------


def another_day(stage: Stage) -> tuple[bytes, None]:
    """Yesterday's key: the attacker hopes to seize the desk before it is erased."""
    visit = parse_visit(stage.raw)
    yesterday = next(
        n for n in map(EpochNote.parse, (raw for raw, _ in visit.epochs)) if (n.desk, n.day) == ("news", 0)
    )
    return reforge(stage.world, stage.raw, manifest=naming(news=yesterday.hash)), None


def another_door(stage: Stage) -> tuple[bytes, OpenEpoch]:
    """A note that the same member signed for another door, where the attacker learned its secret."""
    other = World("legal", "news", seed="other")
    seed = stage.world.founding.member("news").sign_seed
    epoch, carried = own_epoch(other.door, 1, sign_seed=seed)
    epochs = (*parse_visit(stage.raw).epochs, carried)
    return reforge(stage.world, stage.raw, manifest=naming(news=epoch.note.hash), epochs=epochs), epoch


def believing(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    def notes(visit: Visit, *_: object) -> dict[bytes, EpochNote]:
        return {note.hash: note for note in (EpochNote.parse(raw) for raw, _ in visit.epochs)}

    patch.setattr(checks, "_notes", notes)


def another_desk(stage: Stage) -> tuple[bytes, None]:
    """The lawyers' key under the newsroom's name."""
    legal = Manifest.parse(parse_visit(stage.raw).manifest).note("legal")
    assert legal is not None
    return reforge(stage.world, stage.raw, manifest=naming(news=legal)), None


def older_gen(stage: Stage) -> tuple[bytes, None]:
    """A member was removed; the key that they know is named all the same."""
    world = stage.world
    before = parse_visit(stage.raw)
    old = Manifest.parse(before.manifest).note("news")
    assert old is not None
    world.renew(desks=tuple(replace(d, gen=2) if d.id == "news" else d for d in world.founding.directory.desks))
    for _ in range(2):
        world.close()
        stage.desk.sync()
    raw = world.core.public.get("visit")
    merged = dict(before.epochs) | dict(parse_visit(raw).epochs)
    return reforge(world, raw, manifest=naming(news=old), epochs=tuple(merged.items())), None


# --- pieces that the manifest does not name -------------------------------------------------------


def older_directory(stage: Stage) -> tuple[bytes, None]:
    """The newest directory is left out; the manifest still names it."""
    world = stage.world
    first = parse_visit(stage.raw).directories[0]
    world.renew()
    world.close()
    return reforge(world, world.core.public.get("visit"), directories=(first,)), None


def whatever_directory(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    real = checks._directories

    def directories(visit: Visit, roots: RootChain) -> tuple[dict[bytes, SignedDirectory], SignedDirectory]:
        by_hash, newest = real(visit, roots)
        newest = replace(newest, hash=Manifest.parse(visit.manifest).directory)
        return by_hash | {newest.hash: newest}, newest

    patch.setattr(checks, "_directories", directories)


def hidden_manifest(stage: Stage) -> tuple[bytes, None]:
    """The log has gone on, with a new directory; the client is shown the manifest before it as the newest."""
    world, before = stage.world, parse_visit(stage.raw)
    world.renew()
    world.close()
    after = parse_visit(world.core.public.get("visit"))
    shown = replace(
        after,
        manifest=before.manifest,
        directories=before.directories,
        sheets=before.sheets,
        epochs=before.epochs,
    )
    return encode_visit(shown), None


def no_last_leaf(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr(checks, "entry", lambda *_: Anything())


def another_sheet(stage: Stage) -> tuple[bytes, None]:
    visit = parse_visit(stage.raw)
    sheet = parse_sheet(visit.sheets[-1])
    pages = [bytes(len(page)) for page in sheet.pages]
    changed = make_sheet(sheet.n, sheet.close, sheet.directory, sheet.heads, pages)
    return reforge(stage.world, stage.raw, sheets=(*visit.sheets[:-1], changed.raw)), None


def no_sheet_index(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr(checks, "sheet_index_hash", lambda *_: Anything())


def log_of_a_mirror(stage: Stage) -> tuple[bytes, None]:
    """Somebody without the log's key signs a log of their own."""
    return reforge(stage.world, stage.raw, manifest=naming(), log_seed=MALLORY), None


def no_checkpoint_signature(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    def unsigned(raw: bytes, _key: object) -> Checkpoint:
        return parse_text(raw.split(b"\n\n")[0].decode() + "\n")

    patch.setattr(checks, "open_checkpoint", unsigned)


def other_leaves(stage: Stage) -> tuple[bytes, None]:
    """The true checkpoint over leaves that a mirror changed, so that the newest manifest is another."""
    forged = parse_visit(reforge(stage.world, stage.raw, manifest=lambda m: replace(m, pack=bytes(32))))
    return encode_visit(replace(forged, checkpoint=parse_visit(stage.raw).checkpoint)), None


def no_root(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr(checks, "open_checkpoint", lambda raw, key: replace(open_checkpoint(raw, key), root=Anything()))


# --- against a memory ----------------------------------------------------------------------------


def older_visit(stage: Stage) -> tuple[bytes, None]:
    older = stage.raw
    stage.world.close()
    stage.desk.sync()
    return older, None


def fork_at_the_pin(stage: Stage) -> tuple[bytes, None]:
    return reforge(stage.world, stage.raw, manifest=lambda m: replace(m, pack=bytes(32))), None


def fork_before_the_pin(stage: Stage) -> tuple[bytes, None]:
    """The log has grown, but a leaf that was there has become another: a letter dropped after its receipt."""
    stage.world.close()
    visit = parse_visit(stage.world.core.public.get("visit"))
    entries = (*visit.entries[:-12], bytes(32), *visit.entries[-11:])
    return reforge(stage.world, stage.world.core.public.get("visit"), entries=entries), None


def rollback_of_the_directory(stage: Stage) -> tuple[bytes, None]:
    """A log that never saw the second directory, grown past the pin."""
    before = stage.raw
    stage.world.renew()
    stage.world.close()
    stage.desk.sync()
    batch = stage.world.batch
    return reforge(
        stage.world, before, manifest=lambda m: replace(m, n=batch + 1), append=[bytes([i]) * 32 for i in range(20)]
    ), None


def no_pin(patch: pytest.MonkeyPatch, _stage: Stage) -> None:
    patch.setattr(checks, "_follows", lambda *_: None)


ATTACKS = (
    Attack("another root", another_root, no_door_check),
    Attack("a changed directory", changed_directory, no_root_signatures),
    Attack("the server's own keys", own_keys, no_note_signatures),
    Attack("keys that nobody signed", unsigned_keys, no_validity),
    Attack("another day's note", another_day, believing),
    Attack("another door's note", another_door, believing),
    Attack("another desk's note", another_desk, no_validity),
    Attack("an older gen's note", older_gen, no_validity),
    Attack("an older directory", older_directory, whatever_directory),
    Attack("a manifest that hides a newer one", hidden_manifest, no_last_leaf),
    Attack("another sheet", another_sheet, no_sheet_index),
    Attack("a mirror's own log", log_of_a_mirror, no_checkpoint_signature),
    Attack("other leaves", other_leaves, no_root),
    Attack("an older /visit", older_visit, no_pin, pins=True),
    Attack("a fork at the pin", fork_at_the_pin, no_pin, pins=True),
    Attack("a fork before the pin", fork_before_the_pin, no_pin, pins=True),
    Attack("a directory rolled back", rollback_of_the_directory, no_pin, pins=True),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_refused_with_one_sentence_and_nothing_is_sent(
    stage: Stage, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = stage.source.look().pin if attack.pins else None
    raw, epoch = attack.forge(stage)
    if attack.pins:
        pin = stage.source.look(pin).pin
    stage.serve(raw)
    known = pinned(stage.desk.vault)
    before = len(stage.world.traffic)
    with pytest.raises(VisitRefused) as at_source:
        stage.source.look(pin)
    with pytest.raises(VisitRefused) as at_desk:
        stage.desk.sync()
    assert str(at_source.value) == str(at_desk.value) == SENTENCE
    assert {crossing.shape for crossing in stage.world.traffic[before:]} == {("GET", "/visit", 0)}
    assert pinned(stage.desk.vault) == known

    attack.weaken(monkeypatch, stage)  # without that one check the same attack succeeds
    seen = stage.source.look(pin)
    assert seen.manifest_raw == parse_visit(raw).manifest
    if epoch is not None:
        assert seen.note("news") == epoch.note


@pytest.mark.parametrize(("forge", "weaken"), [(changed_directory, no_root_signatures), (own_keys, no_note_signatures)])
def test_what_is_at_stake_the_server_reads_the_letter(
    stage: Stage,
    forge: Callable[[Stage], tuple[bytes, OpenEpoch]],
    weaken: Weaken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw, epoch = forge(stage)
    stage.serve(raw)
    with pytest.raises(VisitRefused):
        stage.source.write("for the newsroom alone", tell=False)
    weaken(monkeypatch, stage)
    stage.source.write("for the newsroom alone", tell=False)
    posted = [crossing.body for crossing in stage.world.traffic if crossing.path == "/v1/letters"][-1]
    letter = open_letter(epoch, posted)
    assert letter.body is not None
    assert letter.body.text == "for the newsroom alone"


def test_a_client_without_memory_is_never_held_more_than_a_day_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped clock at the server (or a mirror): the source sees the age, in words that do not accuse anybody."""
    older = stage.raw
    stage.world.close(stage.world.batch + 143)
    stage.serve(older)
    stage.source.look()
    stage.world.close(stage.world.batch + 2)
    with pytest.raises(ClockOff):
        stage.source.look()
    monkeypatch.setattr("latchstring.protocol.constants.VISIT_FRESH_TICKS", 10_000)  # without the check of age
    assert stage.source.look().manifest_raw == parse_visit(older).manifest


def test_everyone_downloads_the_same_bytes(stage: Stage) -> None:
    """Source and desk, with a pin and without, are given one file: there is nothing to choose it by."""
    stage.source.look()
    stage.desk.sync()
    answers = {c.answer for c in stage.world.traffic if c.path == "/visit" and c.at == stage.world.now}
    assert len(answers) == 1
