# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mirror: what is new is fetched, all is verified first, nothing is replaced otherwise, and a fork leaves a proof."""

from collections.abc import Callable

import pytest

from latchstring.log.fork import check_fork
from latchstring.log.mirror import Forked, Update, prepare, same_log
from latchstring.log.verify import Fault, verify_log
from latchstring.store.objects import MemoryObjects
from tests.faults import Core


class Copy:
    """A mirror of a server's core, and what it fetched."""

    def __init__(self, core: Core) -> None:
        self.core, self.objects, self.fetched = core, MemoryObjects(), list[str]()
        self.key = core.keys.verifier(core.founding.directory.origin)

    def source(self, path: str) -> bytes:
        self.fetched.append(path)
        return self.core.public.get(path)

    def prepare(self, source: Callable[[str], bytes] | None = None) -> Update:
        self.fetched = []
        return prepare(source or self.source, self.objects.get, self.key, self.core.founding.door)

    def write(self, update: Update, upto: int | None = None) -> None:
        """As the command does; `upto`: the machine stops after so many files."""
        for path, body in list(update.files.items())[:upto]:
            self.objects.put(path, body)
        if upto is None:
            for folder in update.folders_gone:
                for path in list(self.objects.paths(folder)):
                    self.objects.delete(path)
            for path in update.strangers(list(self.objects.paths(""))):
                self.objects.delete(path)

    def update(self) -> Update:
        update = self.prepare()
        self.write(update)
        return update


@pytest.fixture
def copy() -> Copy:
    core = Core.opened(letters=20, queue=40)
    for batch in range(32, 40):
        core.send(batch - 1, batch)
        core.close(batch)
    return Copy(core)


def grow(core: Core, *batches: int) -> None:
    for batch in batches:
        core.send(batch - 1, batch)
        core.close(batch)


def test_a_copy_is_the_log_and_verifies_by_itself(copy: Copy) -> None:
    copy.update()
    report = verify_log(copy.objects.get, copy.key)
    assert report.ok, report.fault
    published = {p: b for p, b in copy.core.public.files.items() if ".p/" not in p}
    assert {p: b for p, b in copy.objects.files.items() if ".p/" not in p} == published


def test_what_is_there_is_not_fetched_again(copy: Copy) -> None:
    copy.update()
    whole = len(copy.fetched)
    grow(copy.core, 40, 41)
    update = copy.update()
    assert update.before < update.size
    assert len(copy.fetched) < whole / 2
    assert not [p for p in copy.fetched if p.startswith(("tile/0", "tile/1"))]  # made, not fetched
    assert verify_log(copy.objects.get, copy.key).ok
    grow(copy.core, *range(42, 60))
    copy.update()
    assert verify_log(copy.objects.get, copy.key).ok
    full = [p for p in copy.objects.files if ".p/" in p and p.rpartition(".p/")[0] in copy.objects.files]
    assert full == []


def test_up_to_date_is_up_to_date(copy: Copy) -> None:
    copy.update()
    before = dict(copy.objects.files)
    assert copy.update().size == copy.prepare().before
    assert copy.objects.files == before


@pytest.mark.parametrize("upto", [0, 1, 3, 8, 20, -2, -1])
def test_stopped_while_writing(copy: Copy, upto: int) -> None:
    """Whoever reads sees the old log or the new one, and the next run goes on."""
    copy.update()
    grow(copy.core, *range(40, 54))
    old = copy.objects.get("checkpoint")
    copy.write(copy.prepare(), upto)
    assert (copy.objects.get("checkpoint") == old) is (upto != -1)
    copy.update()
    assert verify_log(copy.objects.get, copy.key).ok


def spoil(copy: Copy, path: str) -> Callable[[str], bytes]:
    """The source with one bit of one file changed."""

    def source(wanted: str) -> bytes:
        raw = bytearray(copy.core.public.get(wanted))
        if wanted == path:
            raw[len(raw) // 2] ^= 1
        return bytes(raw)

    return source


@pytest.mark.parametrize("kind", ["manifests/", "keynotes/", "sheets/", "tile/entries/"])
def test_anything_that_is_not_as_it_must_be_replaces_nothing(copy: Copy, kind: str) -> None:
    paths = [p for p in copy.core.public.files if p.startswith(kind)]
    size = verify_log(copy.core.public.get).size
    paths = [p for p in paths if ".p/" not in p or p.endswith(f".p/{size % 256}")]
    if kind == "manifests/":
        paths = paths[:-1]  # the newest is in /visit, and taken from there
    assert paths
    for path in paths[-2:]:
        with pytest.raises(Fault):
            copy.prepare(spoil(copy, path))
        with pytest.raises(Fault):
            copy.prepare(lambda wanted, path=path: b"" if wanted == path else copy.core.public.get(wanted))  # type: ignore[misc]
    assert copy.objects.files == {}


def test_what_the_log_does_not_account_for_is_not_copied(copy: Copy) -> None:
    """A mirror serves under the door's name: nobody may put anything there."""
    junk = {f"keynotes/{n}" for n in range(30, 40)} - set(copy.core.public.files)
    assert len(junk) > 5

    def source(path: str) -> bytes:
        return b"not of this log" if path in junk else copy.core.public.get(path)

    assert not junk & set(copy.prepare(source).files)
    copy.objects.files[min(junk)] = copy.objects.files["sheets/7"] = b"what an earlier version took"
    copy.write(copy.prepare(source))
    assert {p: b for p, b in copy.objects.files.items() if ".p/" not in p} == {
        p: b for p, b in copy.core.public.files.items() if ".p/" not in p
    }
    assert verify_log(copy.objects.get, copy.key).ok


def test_another_doors_log_is_none(copy: Copy) -> None:
    other = Copy(copy.core)
    other.key = type(other.key)("other.example/log", other.key.public)
    with pytest.raises(Fault):
        other.prepare()


def forked(copy: Copy) -> tuple[Core, Core]:
    """The server goes two ways from here."""
    fork = copy.core.copy()
    fork.restart()
    fork.publisher.start()
    grow(copy.core, 40, 41)
    fork.send(39, 999)
    fork.close(40)
    return copy.core, fork


@pytest.mark.parametrize("further", [(), (41,), (41, 42, 43)], ids=["shorter", "as long", "longer"])
def test_a_source_that_forks_is_found_out_with_a_proof(copy: Copy, further: tuple[int, ...]) -> None:
    true, fork = forked(copy)
    copy.update()
    grow(fork, *further)
    before = dict(copy.objects.files)
    with pytest.raises(Forked) as caught:
        copy.prepare(fork.public.get)
    check_fork(caught.value.fork, copy.key)
    assert copy.objects.files == before
    with pytest.raises(Forked):
        same_log(
            true.public.get("checkpoint"), fork.public.get("checkpoint"), copy.key, true.public.get, fork.public.get
        )


def test_a_source_that_is_behind_is_no_fork(copy: Copy) -> None:
    older = copy.core.copy()
    grow(copy.core, 40)
    copy.update()
    with pytest.raises(Fault, match="behind"):
        copy.prepare(older.public.get)
    same_log(
        copy.core.public.get("checkpoint"), older.public.get("checkpoint"), copy.key, copy.core.public.get,
        older.public.get,
    )  # fmt: skip


def test_a_damaged_copy_says_so(copy: Copy) -> None:
    copy.update()
    for path in [p for p in copy.objects.files if p.startswith("tile/0")]:
        copy.objects.files[path] = bytes(len(copy.objects.files[path]))
    grow(copy.core, 40)
    with pytest.raises(Fault):
        copy.prepare()
