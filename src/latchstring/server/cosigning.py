# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking all witnesses in the background, so that a slow or dead one never keeps a batch from closing.

One round at a time: everybody is asked at once about the newest candidate. The round ends when all have answered, when
a quorum has and a moment more is over, or when the time limit is. Then the next round takes what is newest by then.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from latchstring.protocol.witness import Witness
from latchstring.server.asking import Post, Prove, Told, ask
from latchstring.server.candidate import Candidate

ROUND_SECONDS: Final = 40.0
_AGAIN_SECONDS: Final = 20.0  # between rounds about the same candidate; a quarter of a tick when that is less


@dataclass(slots=True)
class _Round:
    candidate: Candidate
    began: float
    told: dict[str, Told] = field(default_factory=dict)


class Cosigning:
    """The rounds. `clock`: Unix seconds; `steady`: seconds that only rise. Called from one thread.

    `grace`: seconds for those who are slower than the quorum; None: a quarter of a tick, two at most.
    """

    def __init__(
        self,
        post: Post,
        prove: Prove,
        clock: Callable[[], float],
        steady: Callable[[], float],
        grace: float | None = None,
    ) -> None:
        self._post, self._prove, self._clock, self._steady, self._grace = post, prove, clock, steady, grace
        self._lock = threading.Lock()
        self._round: _Round | None = None
        self._asked: Candidate | None = None
        self._asked_at = 0.0
        self._busy: set[str] = set()  # witnesses with a question open, perhaps of an earlier round
        self._seen: dict[str, int] = {}  # the size that each saw last
        self.last: dict[str, Told] = {}  # what each said last

    def step(self, newest: Candidate | None) -> tuple[Candidate, bytes] | None:
        """Begin, watch or end a round; a candidate with its cosigned checkpoint when a quorum is there.

        Never waits. `newest`: what is not published yet.
        """
        now = self._steady()
        if self._round is None:
            if newest is not None and (newest is not self._asked or now - self._asked_at >= self._pause(newest)):
                self._begin(newest, now)
            return None
        with self._lock:
            current, told = self._round.candidate, dict(self._round.told)
        lines = [told[w.name].lines for w in current.directory.witnesses if w.name in told and told[w.name].lines]
        enough = len(lines) >= current.directory.quorum
        took = now - self._round.began
        grace = min(2.0, current.directory.policy.tick / 4) if self._grace is None else self._grace
        everybody = len(told) == len(current.directory.witnesses)
        if not (everybody or took > ROUND_SECONDS or (enough and took > grace)):
            return None
        silent = [w.name for w in current.directory.witnesses if w.name not in told]
        self.last |= told | {name: Told(name, trouble="does not answer in time") for name in silent}
        self._round = None
        return (current, current.checkpoint + "".join(lines).encode()) if enough else None

    @property
    def busy(self) -> bool:
        """Is a round open?"""
        return self._round is not None

    def _pause(self, candidate: Candidate) -> float:
        return min(_AGAIN_SECONDS, candidate.directory.policy.tick / 4)

    def _begin(self, candidate: Candidate, now: float) -> None:
        this = self._round = _Round(candidate, now)
        self._asked, self._asked_at = candidate, now
        for witness in candidate.directory.witnesses:
            with self._lock:
                if witness.name in self._busy:
                    this.told[witness.name] = Told(witness.name, trouble="does not answer in time")
                    continue
                self._busy.add(witness.name)
            threading.Thread(target=self._one, args=(this, witness), daemon=True).start()

    def _one(self, this: _Round, witness: Witness) -> None:
        """In a thread of its own: one witness, asked once."""
        try:
            guess = self._seen.get(witness.name, 0)
            told = ask(witness, this.candidate, guess, self._post, self._prove, int(self._clock()))
        except Exception:  # whatever it was, the round must hear of it
            told = Told(witness.name, trouble="could not be asked")
        with self._lock:
            self._busy.discard(witness.name)
            self._seen[witness.name] = told.size
            this.told[witness.name] = told
