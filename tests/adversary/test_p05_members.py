# SPDX-License-Identifier: AGPL-3.0-or-later
"""P5 with several members, attachments, a removal, and a machine that was taken away.

| Attacker                | Holds                                      | Tries                                         |
|-------------------------|--------------------------------------------|-----------------------------------------------|
| outsider, a former      | names and sizes of all published files     | to see when a member was at work, came back,  |
| member among them       | after every batch                          | or handed keys to another; that files came;   |
|                         |                                            | what a member left who was removed            |
| whoever seized a vault  | besides those, a machine that runs no more | to see by the sheets that somebody is missing |

What a seized vault holds tells nothing more of what is published: that has one shape for everybody. Attachments
themselves are seen by the server and by members, as `docs/threat-model.md` says.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from latchstring.desk.marks import add_note, assign
from latchstring.protocol import constants as c
from latchstring.protocol.sheet import PageHead, Sheet, make_sheet
from latchstring.server import batch as batches
from tests.adversary.test_p05_shape import Shape, only_real_letters
from tests.adversary.tools import fewer_pages
from tests.attached import bring, write_with
from tests.builders import Stream
from tests.world.world import Desk, Source, TeamStage, World


def noted(three: TeamStage) -> list[int]:
    """Members come at odd times of two days, one of them with a lost vault: the batches with key notes."""
    world, team = three.world, three.team
    one, two, lost = team.values()
    batches = (20, 50, 90, 144, 150, 200, 288, 300)
    for batch in batches:
        if batch in (50, 200):
            one.sync()
        if batch in (90, 150, 300):
            two.sync()
        if batch == 90:
            _lose_keys(lost)
            lost.sync()
        world.close(batch)
    return [n for n in batches if f"keynotes/{n}" in world.core.public.files]


def _lose_keys(desk: Desk) -> None:
    """As after the vault was put back from a copy: transport keys and epochs are in none."""
    with desk.vault.transaction():
        desk.vault.do("DELETE FROM secret")
        desk.vault.do("DELETE FROM transport_note")


@pytest.mark.parametrize("broken", [False, True])
def test_key_notes_come_with_a_day_s_first_batch(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    if broken:
        monkeypatch.setattr("latchstring.server.publisher.may_log_key_notes", lambda *_: True)
    found = noted(three)
    assert any(n % c.TICKS_PER_DAY for n in found) is broken
    assert ({144, 288} <= set(found)) is not broken


# --- a busy desk -------------------------------------------------------------------------------------

GONE = "news-3"
HOURS = (20, 21, 22, 36, 37, 38, 72, 108, 109)  # batches of a day
BATCHES = (*HOURS, *(c.TICKS_PER_DAY + hour for hour in (0, *HOURS)), 2 * c.TICKS_PER_DAY)
SESSIONS = (21, 36, 108)  # before these batches of a day members come by
REMOVED = c.TICKS_PER_DAY + 37


def act(world: World, desks: Sequence[Desk], batch: int) -> None:
    """Letters with files come, members fetch them, answer, note and tell each other; the one who is to go too."""
    source, acts = Source(world, "a"), Stream(f"acts in {batch}")
    source.random = Stream(f"ids in {batch}")
    if batch % c.TICKS_PER_DAY == HOURS[0]:
        write_with(source, f"letter of {batch}", ("paper", acts(300_000)))
    for desk in desks if batch % c.TICKS_PER_DAY == SESSIONS[1] else ():
        desk.memos = True
        bring(desk)
        desk.show(source)
        desk.answer(source, f"answer of {batch}")
        add_note(desk.vault, desk.thread(source), "to be checked", world.now, acts)
        assign(desk.vault, desk.thread(source), GONE)


def published(three: TeamStage, busy: bool) -> Shape:
    """Sizes of all published files, and of packs, after each batch of two days. On the second a member is removed."""
    world, team = three.world, three.team
    world.renew(policy=replace(world.policy, letters=16, queue=64))  # room for memos beside letters
    seen: Shape = []
    for batch in BATCHES:
        here = [desk for name, desk in team.items() if name != GONE or batch < REMOVED]
        if batch % c.TICKS_PER_DAY in SESSIONS:
            for desk in here:
                desk.sync()
        if batch == REMOVED:
            world.remove_member(GONE)
        if busy:
            act(world, here, batch)
        world.close(batch)
        packs = {path: body for path, body in world.core.private.files.items() if path.startswith("packs/")}
        seen.append({path: len(body) for path, body in sorted({**world.core.public.files, **packs}.items())})
    assert (len(world.core.private.files) > len(packs)) is busy
    assert Source(world, "a").look().note("news") is not None, "open again"
    return seen


def in_the_open(patch: pytest.MonkeyPatch, world: World) -> None:
    """The broken variant: what is attached lies with what everybody may fetch, too."""
    private = world.core.private
    put = private.put

    def everywhere(path: str, data: bytes) -> None:
        put(path, data)
        if path.startswith("attachments/"):
            world.core.public.put(path, data)

    patch.setattr(private, "put", everywhere)


Weaken = Callable[[pytest.MonkeyPatch, World], None]


def real_alone(patch: pytest.MonkeyPatch, _world: World) -> None:
    only_real_letters(patch)


@pytest.fixture(scope="module")
def quiet(first_team: TeamStage, tmp_path_factory: pytest.TempPathFactory) -> Shape:
    """A desk to which nobody writes."""
    with pytest.MonkeyPatch.context() as patch:
        fewer_pages(patch)
        return published(first_team.copy(tmp_path_factory.mktemp("quiet")), busy=False)


@pytest.mark.parametrize("weaken", [None, real_alone, in_the_open])
def test_a_busy_desk_with_files_and_a_removal_looks_like_a_quiet_one(
    quiet: Shape, three: TeamStage, monkeypatch: pytest.MonkeyPatch, weaken: Weaken | None
) -> None:
    fewer_pages(monkeypatch)
    if weaken is not None:
        weaken(monkeypatch, three.world)
    assert (published(three, busy=True) == quiet) is (weaken is None)


# --- a machine that is gone --------------------------------------------------------------------------


def with_holes(patch: pytest.MonkeyPatch) -> None:
    """The broken variant: sheets have the pages that members uploaded, and no others."""

    def there(n: int, close: int, directory: bytes, heads: Sequence[PageHead], pages: Sequence[bytes]) -> Sheet:
        kept = [(head, page) for head, page in zip(heads, pages, strict=True) if page]
        return make_sheet(n, close, directory, [head for head, _ in kept], [page for _, page in kept])

    patch.setattr(batches, "_page", lambda uploaded, _slots, _random: uploaded)
    patch.setattr(batches, "make_sheet", there)


@pytest.mark.parametrize("broken", [False, True])
def test_sheets_keep_their_shape_when_a_machine_was_taken_away(
    three: TeamStage, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Its pages were there for seven days; then the server fills them."""
    if broken:
        with_holes(monkeypatch)
    world, (one, two, _taken) = three.world, three.team.values()
    for n in range(1, c.PAGES_AHEAD + 4):
        world.close(n * c.TICKS_PER_SHEET)
        if n in (12, 24):
            one.sync()
            two.sync()
    sizes = {len(body) for path, body in world.core.public.files.items() if path.startswith("sheets/")}
    assert (len(sizes) == 1) is not broken
