# SPDX-License-Identifier: AGPL-3.0-or-later
"""P7 for people who keep no pin: a fork of the log is seen by its witnesses.

| Attacker            | Holds                                           | Tries                                      |
|---------------------|-------------------------------------------------|--------------------------------------------|
| server              | the log's key, and every note that true members | another log, complete and fresh, for one   |
|                     | and the organisation ever signed                | person: a letter dropped, a batch withheld |
| with some witnesses | the same, and cosignatures of whoever helps     | the same                                   |
| with 2Q - N of them | the same, and who of the others sees which log  | the same: the limit, and it is shown       |

Four witnesses, three must cosign. A server that shows the honest ones different logs from the beginning needs two who
sign both; once they have seen the true one, it needs three.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from latchstring.client import visit as checks
from latchstring.client.visit import SENTENCE, VisitRefused
from latchstring.log.checkpoint import open_checkpoint
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.visit import encode_visit, parse_visit
from latchstring.witness import rule
from tests.builders import found
from tests.faults import Core, letter
from tests.witnessed import Network, names, with_witnesses
from tests.world.world import Source, World


@dataclass
class Scene:
    """A door with four witnesses; the true log goes on to the witnesses, `fork` is the server's second one."""

    true: World
    fork: World
    network: Network

    def cosigned(self, world: World) -> bytes:
        """/visit of one of the logs, with all the cosignatures that the server gets for it."""
        candidate = world.core.publisher.candidate
        assert candidate is not None
        self.network.now = world.now
        note = self.network.gather(world.core.publisher)
        assert note is not None
        return encode_visit(replace(candidate.visit, checkpoint=note))

    def shown(self, raw: bytes) -> Source:
        """Somebody new, without a pin, to whom the server shows this file."""
        person = Source(self.true, "newcomer")
        person.wire.meddle = lambda request, answer: replace(answer, body=raw) if request.path == "/visit" else answer
        return person


def make_scene(seen: bool = True) -> Scene:
    """Ten batches cosigned by all; then the server goes two ways with the same store. `seen`: the witnesses saw the
    true one already."""
    core = Core.make(letters=2, slots=1, queue=8)
    world = object.__new__(World)
    made = with_witnesses(found("door", ("news",), 600, letters=2, slots=1, queue=8), 4, 3)
    core.founding = made
    core.restart()
    core.publisher.start()
    network = Network(core.keys.verifier(made.directory.origin), 4)
    world.core, world.up, world.traffic, world.late = core, True, [], []
    world.now = made.directory.policy.closes_at(0)
    world.start()
    core.post_directory(0)
    scene = Scene(world, world, network)
    for batch in range(10):
        if batch == 1:
            core.post_notes(1, 0)
        advance(scene, world, batch)
    fork = world.copy()
    fork.core.send(10, 77)  # what the newcomer's log holds and the true one does not
    for batch in range(10, 13):
        if seen:
            advance(scene, world, batch)
        else:
            world.now = world.policy.closes_at(batch) + 1
            world.core.publisher.close(batch, world.core.random)
    for batch in range(10, 13):
        fork.now = fork.policy.closes_at(batch) + 1
        fork.core.publisher.close(batch, fork.core.random)
    scene.fork = fork
    return scene


def advance(scene: Scene, world: World, batch: int) -> None:
    """One batch of the true log, seen by every witness that is honest."""
    world.now = world.policy.closes_at(batch) + 1
    world.core.publisher.close(batch, world.core.random)
    assert scene.network.release(world.core.publisher, world.now)


@pytest.fixture
def scene() -> Scene:
    return make_scene()


def collude(scene: Scene, who: Sequence[str]) -> None:
    for name in who:
        scene.network.forgetful(name)


def refused(scene: Scene, raw: bytes) -> str:
    with pytest.raises(VisitRefused) as caught:
        scene.shown(raw).look()
    assert str(caught.value) == SENTENCE
    return caught.value.reason


def is_the_fork(scene: Scene, raw: bytes) -> bool:
    """Fresh, complete, signed by everybody who must: only the log is another one."""
    visit, true = parse_visit(raw), parse_visit(scene.true.core.public.get("visit"))
    key = scene.network.key
    return (
        open_checkpoint(visit.checkpoint, key).size == open_checkpoint(true.checkpoint, key).size
        and visit.entries[:-12] != true.entries
        and visit.directories == true.directories
        and visit.manifest != true.manifest
    )


def test_the_true_log_is_taken_by_anybody(scene: Scene) -> None:
    seen = scene.shown(scene.true.core.public.get("visit")).look()
    assert [w.name for w in seen.cosigned] == names(4)
    assert seen.note("news") is not None


def test_a_fork_by_the_log_key_under_the_true_members_notes_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = scene.cosigned(scene.fork)
    assert is_the_fork(scene, raw)
    assert "cosigned by 0 of" in refused(scene, raw)
    monkeypatch.setattr(checks, "quorum_of", lambda *_: ())  # a client without the check of the quorum
    monkeypatch.setattr(checks, "check_fresh", lambda *_: None)
    assert scene.shown(raw).look().manifest_raw == parse_visit(raw).manifest


def test_honest_witnesses_that_believed_proofs_would_be_led_along(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands between a fork and its cosignatures is that they compare."""
    monkeypatch.setattr(rule, "verify_consistency", lambda *_: None)
    for batch in (13, 14):
        scene.fork.now = scene.fork.policy.closes_at(batch) + 1
        scene.fork.core.publisher.close(batch, scene.fork.core.random)
    raw = scene.cosigned(scene.fork)
    assert scene.shown(raw).look().manifest_raw == parse_visit(raw).manifest
    monkeypatch.undo()


@pytest.mark.parametrize("helpers", [["w1.example"], ["w4.example"], names(2)], ids=["one", "the last", "two of four"])
def test_a_minority_that_helps_is_not_enough(scene: Scene, helpers: list[str]) -> None:
    collude(scene, helpers)
    raw = scene.cosigned(scene.fork)
    assert is_the_fork(scene, raw)
    assert f"cosigned by {len(helpers)} of" in refused(scene, raw)


def test_a_quorum_that_helps_is_the_limit(scene: Scene) -> None:
    """Shown, not hidden: whoever names the witnesses chooses whom everybody trusts not to help the server together."""
    collude(scene, names(3))
    raw = scene.cosigned(scene.fork)
    assert scene.shown(raw).look().manifest_raw == parse_visit(raw).manifest
    pin = scene.shown(scene.true.core.public.get("visit")).look().pin
    with pytest.raises(VisitRefused):  # a pin of the true log sees it all the same
        scene.shown(raw).look(pin)


def test_cosignatures_of_the_true_log_cannot_be_moved(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has them all, for every batch."""
    candidate = scene.fork.core.publisher.candidate
    assert candidate is not None
    lines = scene.true.core.public.get("checkpoint").split(b"\n\n", 1)[1].split(b"\n", 1)[1]
    raw = encode_visit(replace(candidate.visit, checkpoint=candidate.checkpoint + lines))
    assert "does not hold" in refused(scene, raw)
    monkeypatch.setattr("latchstring.log.cosignature.cosigned_at", lambda *_: scene.true.now)
    assert scene.shown(raw).look().manifest_raw == parse_visit(raw).manifest


def test_an_old_log_with_fresh_cosignatures_and_a_fresh_one_with_old(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Withholding for more than a day is seen by the age of the batch, a fork kept ready by that of cosignatures."""
    raw = scene.true.core.public.get("visit")
    scene.true.now += 145 * 600
    with pytest.raises(checks.ClockOff):
        scene.shown(raw).look()

    collude(scene, names(3))
    candidate = scene.fork.core.publisher.candidate
    assert candidate is not None
    scene.network.now = scene.fork.now - 2 * 86_400  # from when three colluded; they do not any more
    note = scene.network.gather(scene.fork.core.publisher)
    assert note is not None
    scene.true.now = scene.fork.now
    stale = encode_visit(replace(candidate.visit, checkpoint=note))
    assert "within a day" in refused(scene, stale)
    monkeypatch.setattr(checks, "check_fresh", lambda *_: None)
    assert scene.shown(stale).look().manifest_raw == parse_visit(stale).manifest


@pytest.mark.parametrize("helpers", [1, 2])
def test_witnesses_that_are_shown_different_logs(helpers: int) -> None:
    """The server chooses what each honest one sees. With one helper, one of the logs gets its three; with two, both."""
    scene = make_scene(seen=False)
    collude(scene, names(helpers))
    honest = names(4)[helpers:]
    good = 0
    for world, sees in ((scene.fork, honest[: len(honest) // 2]), (scene.true, honest[len(honest) // 2 :])):
        scene.network.down = set(honest) - set(sees)
        raw = scene.cosigned(world)
        if raw.count(b"\xe2\x80\x94 w") == 2 * 3:
            scene.shown(raw).look()
            good += 1
        else:
            assert "cosigned by 2 of" in refused(scene, raw)
    assert good == helpers


def test_a_letter_in_the_fork_alone_is_what_is_at_stake(scene: Scene) -> None:
    """What the newcomer would have been told: that a letter is in the log which the desk never sees there."""
    leaf = entry(Kind.LETTER, letter(77))
    fork = scene.fork.core.publisher.candidate
    assert fork is not None
    assert leaf in fork.visit.entries
    assert leaf not in parse_visit(scene.true.core.public.get("visit")).entries
