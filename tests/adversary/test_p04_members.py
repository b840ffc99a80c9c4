# SPDX-License-Identifier: AGPL-3.0-or-later
"""P4 at a desk of three, with attachments, a former member, and a vault that was seized.

| Attacker               | Holds                                       | Tries                                         |
|------------------------|---------------------------------------------|-----------------------------------------------|
| server                 | every member's requests, in their order     | to tell who reads, saves files, answers, or   |
|                        |                                             | places an absent member's answers, from who   |
|                        |                                             | does nothing                                  |
| former member with the | all keys of their vault; all sheets         | to tell answers from filler in sheets of      |
| server                 |                                             | after the removal                             |
| whoever seized a vault | the vault, its passphrase, its live epochs; | the same in all sheets, of a thread that the  |
|                        | all sheets                                  | desk deleted                                  |

Whoever has a vault has the answers to the threads in it, and a former member those of their time: P4 says nothing of
those. When memos go out is tried in `test_p06_members_audit.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from latchstring.desk import deletion, fetching
from latchstring.desk.deletion import delete_thread
from latchstring.desk.facts import At, Reader, Told, apply_fact
from latchstring.desk.letters import thread_keys, threads
from latchstring.desk.marks import add_note, assign
from latchstring.desk.outbox import waiting
from latchstring.desk.replies import write_reply
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.shared import FACT_KINDS
from latchstring.protocol import constants as c
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.memo import Fact
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.reply import Place, reply_tag
from latchstring.protocol.sheet import Sheet, parse_sheet
from latchstring.protocol.source_keys import ThreadKeys
from tests.adversary.test_p04_reading_tells_nothing import sparing
from tests.adversary.test_p09_members import Former, old_secret_again
from tests.attached import bring, listed, saved, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage, World

Seen = tuple[str, str, int, int, tuple[str, ...], int, int]


@dataclass(frozen=True)
class Days:
    """What the server saw of three days, request by request in their order, and how many replies sources found."""

    seen: list[Seen]
    heard: int


def act(one: Desk, two: Desk, sources: Sequence[Source], day: int, folder: Path) -> None:
    """What people do at two of the three vaults; the third does nothing. Randomness of its own: sessions draw the same
    whether anybody acts or not."""
    acts = Stream(f"acts of day {day}")
    for desk, source in ((one, sources[0]), (two, sources[1]), (two, sources[0])):
        thread = desk.thread(source)
        desk.show(source)
        write_reply(desk.vault, thread, f"answer of day {day} " * 20, desk.world.now, acts)
        add_note(desk.vault, thread, "to be checked", desk.world.now, acts)
        assign(desk.vault, thread, two.member)
    for item in listed(two):
        assert saved(two, item, folder / "saved")


def days(three: TeamStage, folder: Path, busy: bool, fetch: Callable[[Desk], object] = bring) -> Days:
    """Three days of a desk with two sources, who send two files each; everybody synchronises once a day."""
    world, team = three.world, list(three.team.values())
    sources = [Source(world, name) for name in "ab"]
    for source in sources:
        write_with(source, "hello", ("paper", Stream(source.name)(300_000)), ("picture", bytes(1000)))
    for day in (1, 2, 3):
        for quarter in range(4):
            world.close(144 * day + 36 * quarter)
        for desk in team:
            desk.sync()
            fetch(desk)
        if busy and day < 3:
            act(team[0], team[1], sources, day, folder)
    seen = [
        (x.method, x.path, len(x.query), len(x.body), tuple(name for name, _ in x.headers), x.status, len(x.answer))
        for x in world.traffic
        if x.who == "desk news"
    ]
    for quarter in range(4):
        world.close(144 * 4 + 36 * quarter)
    return Days(seen, sum(len(source.heard()) for source in sources))


Make = Callable[[str], TeamStage]


def test_a_desk_that_reads_and_answers_looks_like_one_that_does_not(again: Make, tmp_path: Path) -> None:
    quiet, busy = days(again("quiet"), tmp_path, False), days(again("busy"), tmp_path, True)
    assert (quiet.heard, busy.heard) == (0, 6)
    assert any(path.startswith("/v1/attachments/") for _, path, *_ in quiet.seen)
    assert busy.seen == quiet.seen


def test_a_desk_that_fetches_what_somebody_opened_is_told(again: Make, tmp_path: Path) -> None:
    """The broken variant: a member's program saves itself the files of letters that nobody at it has opened."""
    names = fetching.list_names

    def lazily(desk: Desk) -> None:
        opened = {n for item in listed(desk) if item.letter.opened for n in item.attachment.chunk_names()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fetching, "list_names", lambda line: tuple(n for n in names(line) if n in opened))
            bring(desk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.adversary.test_p04_members.saved", lambda *_: b"when it is here")
        quiet, busy = days(again("quiet"), tmp_path, False, lazily), days(again("busy"), tmp_path, True, lazily)
    assert busy.seen != quiet.seen


# --- an absent member's answers ----------------------------------------------------------------------

ANSWER = "come to the mill at noon"


def hear(desk: Desk, by: str, fact: Fact, place: int) -> None:
    """As a memo of another member brings it."""
    told = Told(At(desk.world.batch, place, 0), by, Reader(desk.world.door, "news", desk.member))
    with desk.vault.transaction():
        assert apply_fact(desk.vault, FACT_KINDS, told, fact).applied == 1


def absence(three: TeamStage, answered: bool) -> Days:
    """Two members come by on two days. The third has gone; `answered`: they left an answer, which one of the two has
    taken over."""
    world, (one, two, gone) = three.world, three.team.values()
    source = Source(world, "a")
    source.write("hello")
    world.close()
    for desk in three.team.values():
        desk.sync()
    if answered:
        reply = gone.answer(source, ANSWER)
        (told,) = (item.fact for item in waiting(gone.vault, "reply"))
        for desk in (one, two):
            hear(desk, gone.member, told, 0)
            hear(desk, two.member, {"kind": "take", "what": reply.id, "turn": 1}, 1)
    world.traffic.clear()
    for day in (1, 2):
        for quarter in range(4):
            world.close(144 * day + 36 * quarter)
        for desk in (one, two):
            assert desk.sync().faults == ()
    seen = [
        (x.method, x.path, len(x.query), len(x.body), tuple(name for name, _ in x.headers), x.status, len(x.answer))
        for x in world.traffic
    ]
    world.close(144 * 3)
    return Days(seen, source.heard().count(ANSWER))


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("broken", [False, True])
def test_who_places_an_absent_member_s_answers_looks_like_who_places_none(
    again: Make, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """`broken`: pages in which nothing is are spared."""
    if broken:
        sparing(monkeypatch)
    nothing, something = absence(again("nothing"), False), absence(again("something"), True)
    assert (nothing.heard, something.heard) == (0, 1)
    assert (something.seen == nothing.seen) is not broken


# --- whoever has keys --------------------------------------------------------------------------------


def sheets_of(world: World, since: int = 0) -> list[Sheet]:
    """All that were ever published, from number `since` on."""
    sheets = (parse_sheet(world.core.public.get(path)) for path in world.core.public.paths("sheets"))
    return [sheet for sheet in sheets if sheet.n >= since]


def by_tag(epochs: Sequence[OpenEpoch], keys: Sequence[ThreadKeys], sheets: Sequence[Sheet]) -> set[tuple[int, ...]]:
    """Slots (sheet, page, slot) that are an answer to one of these threads under one of these epochs."""
    tags = [pair_of_desk(epoch, thread).key("tag") for epoch in epochs for thread in keys]
    return {
        (sheet.n, page, number)
        for sheet in sheets
        for page, head in enumerate(sheet.heads)
        for number in range(head.slots)
        for tag in tags
        if sheet.slot(page, number)[: c.TAG_SIZE] == reply_tag(tag, Place(sheet.n, page, sheet.r(page), number))
    }


def publish(desk: Desk, *sources: Source) -> int:
    """Answers to these are placed, and out; the first sheet that may hold one."""
    first = c.sheet_of(desk.world.batch) + 1
    for source in sources:
        desk.answer(source, ANSWER)
    desk.sync()
    for n in range(first, first + len(sources)):
        desk.world.close(n * c.TICKS_PER_SHEET)
    assert all(source.heard() == [ANSWER] for source in sources)
    return first


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("broken", [False, True])
def test_a_former_member_with_the_server_tells_no_answer_of_later_from_filler(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """They have the source's keys, and every epoch of before. `broken`: the epochs of afterwards come of a secret that
    they know."""
    former = Former(three)
    keys = [thread_keys(former.desk.vault, former.desk.thread(former.source))]
    with monkeypatch.context() as patch:
        if broken:
            old_secret_again(patch, former.secrets[0].secret)
        former.removed()
    former.stayed[0].sync()
    first = publish(former.stayed[0], former.source)
    assert bool(by_tag(former.epochs(), keys, sheets_of(former.world, first))) is broken


def told_by(seized: Desk) -> set[tuple[int, ...]]:
    """What the vault says itself of where answers are, and what its keys tell."""
    epochs = [secret.open() for secret in epoch_secrets(seized.vault)]
    keys = [ThreadKeys.parse(*row) for row in seized.vault.rows("SELECT seal_key, dh, psk FROM thread")]
    said = seized.vault.rows("SELECT sheet, page, slot FROM placement WHERE published")
    return {*said} | by_tag(epochs, keys, sheets_of(seized.world))


@pytest.mark.usefixtures("few_pages")
@pytest.mark.parametrize("broken", [False, True])
def test_of_a_deleted_thread_a_seized_vault_tells_no_answer_from_filler(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """On the same day, with every key of the day: of two answers that are out, only the one to the thread that stays.
    `broken`: a deleted thread's keys are left."""
    world, seized = three.world, three.team["news-1"]
    gone, stays = Source(world, "gone"), Source(world, "stays")
    for source in (gone, stays):
        source.write("hello")
    world.close()
    seized.sync()
    publish(seized, gone, stays)
    seized.sync()
    assert len(told_by(seized)) == 2
    if broken:
        monkeypatch.setattr(deletion, "_forget", lambda *_: 0)
    delete_thread(seized.vault, seized.thread(gone), world.batch)
    assert threads(seized.vault) == (seized.thread(stays),)
    assert len(told_by(seized)) == (2 if broken else 1)
