# SPDX-License-Identifier: AGPL-3.0-or-later
"""Places that the oldest loses to whoever comes."""

import asyncio

import pytest

from latchstring.workers.slots import Slots


async def holder(slots: Slots, name: str, ended: list[str], until: asyncio.Event) -> None:
    try:
        async with slots.hold():
            await until.wait()
    except TimeoutError:
        ended.append(name)


def test_the_oldest_gives_way_and_there_are_never_more() -> None:
    async def scene() -> None:
        slots, ended, until = Slots(3, 100), list[str](), asyncio.Event()
        tasks = []
        for name in "abcde":
            tasks.append(asyncio.create_task(holder(slots, name, ended, until)))
            await asyncio.sleep(0)
            assert slots.taken <= 3
        await asyncio.sleep(0.01)
        assert ended == ["a", "b"]
        until.set()
        await asyncio.gather(*tasks)
        assert (slots.taken, ended) == (0, ["a", "b"])

    asyncio.run(scene())


def test_none_gives_way_when_none_is_held() -> None:
    assert not Slots(3, 100).give_way()


def test_time_is_over_for_everyone_in_the_end() -> None:
    async def scene() -> None:
        slots = Slots(3, 0.01)
        with pytest.raises(TimeoutError):
            async with slots.hold():
                await asyncio.Event().wait()
        assert slots.taken == 0

    asyncio.run(scene())


def test_an_error_or_a_hang_up_frees_the_place() -> None:
    async def scene() -> None:
        slots = Slots(1, 100)
        with pytest.raises(ValueError):
            async with slots.hold():
                raise ValueError
        task = asyncio.create_task(holder(slots, "x", [], asyncio.Event()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert slots.taken == 0

    asyncio.run(scene())
