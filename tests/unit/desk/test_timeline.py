# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which threads are shown beside one."""

from pathlib import Path

from latchstring.desk.facts import At
from latchstring.desk.letters import threads
from latchstring.desk.linking import link
from latchstring.desk.timeline import threads_of, with_linked
from tests.desk_world import Source, World, open_desk


def test_a_linked_thread_of_which_no_letter_is_here_is_left_out(tmp_path: Path) -> None:
    """Another member may link one whose letters have not come to this vault yet."""
    world = World()
    at = open_desk(world, tmp_path)
    for seed in ("a", "b", "c"):
        world.write(Source(world, seed), f"from {seed}")
        world.close()
    at.sync()
    one, other, apart = threads(at.vault)
    link(at.vault, one, other, At(world.batch, 0, 0))
    link(at.vault, one, b"x" * 32, At(world.batch, 0, 0))
    (thread,) = threads_of(at.vault, (one,))
    assert set(thread.linked) == {other, b"x" * 32}
    assert [shown.id for shown in with_linked(at.vault, thread)] == [one, other]
    assert apart in threads(at.vault)
    at.vault.close()
