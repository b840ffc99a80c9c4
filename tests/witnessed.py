# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door whose log has witnesses, in one process: what their operators could see, and what a server could try."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from latchstring.log.addcheckpoint import parse_add_checkpoint
from latchstring.log.checkpoint import open_checkpoint, parse_text
from latchstring.log.note import VerifierKey, parse_note
from latchstring.server.asking import NoAnswer, ask
from latchstring.server.candidate import Candidate
from latchstring.server.publisher import Publisher
from latchstring.witness.rule import Answer, WitnessOfLogs
from tests.builders import Founding
from tests.witnesses import MemoryStates, as_named, cosigner


def with_witnesses(founding: Founding, count: int, quorum: int) -> Founding:
    """The same organisation, its directory naming witnesses w1.example, w2.example, ..."""
    named = tuple(as_named(cosigner(name)) for name in names(count))
    return replace(founding, directory=replace(founding.directory, witnesses=named, quorum=quorum))


def names(count: int) -> list[str]:
    return [f"w{i}.example" for i in range(1, count + 1)]


@dataclass
class Network:
    """Witnesses by address; those `down` do not answer. `now`: their clock, Unix seconds."""

    key: VerifierKey
    count: int
    now: int = 0
    down: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    witnesses: dict[str, WitnessOfLogs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in names(self.count):
            self.witnesses[name] = WitnessOfLogs(cosigner(name), {self.key.name: self.key}, MemoryStates())

    def forgetful(self, name: str) -> None:
        """This one signs whatever it is asked: it knows of nothing before, each time."""
        self.witnesses[name] = Forgetful(name, self.key)

    def post(self, address: str, body: bytes) -> tuple[int, bytes]:
        """As `asking.http_post` gives it."""
        name = address.removeprefix("http://")
        self.asked.append(name)
        if name in self.down:
            raise NoAnswer
        answer = self.witnesses[name].add_checkpoint(body, self.now)
        return answer.status, answer.body

    def gather(self, publisher: Publisher, candidate: Candidate | None = None) -> bytes | None:
        """Ask all once; the cosigned checkpoint of the candidate, as far as there are cosignatures."""
        candidate = candidate or publisher.candidate
        if candidate is None:
            return None
        told = [ask(w, candidate, 0, self.post, publisher.prove, self.now) for w in candidate.directory.witnesses]
        return candidate.checkpoint + "".join(t.lines for t in told).encode()

    def release(self, publisher: Publisher, now: int) -> bool:
        """Ask all about what waits, and publish it if they are enough."""
        self.now = now
        candidate = publisher.candidate
        cosigned = self.gather(publisher)
        return candidate is not None and cosigned is not None and publisher.release(candidate, cosigned)


class Forgetful(WitnessOfLogs):
    """A colluding witness: it cosigns whatever the log's key has signed."""

    def __init__(self, name: str, key: VerifierKey) -> None:
        self._name, self._key = name, key

    def add_checkpoint(self, raw: bytes, now: int) -> Answer:
        note = parse_add_checkpoint(raw).checkpoint
        return Answer(200, cosigner(self._name).cosign(open_checkpoint(note, self._key), now).encode())


def cosign(note: bytes, who: Sequence[str], now: int) -> bytes:
    """`note` with the cosignatures of these, whatever they have seen: for tests of those who check."""
    checkpoint = parse_text(parse_note(note).text)
    return note + "".join(cosigner(name).cosign(checkpoint, now) for name in who).encode()
