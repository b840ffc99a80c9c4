# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking one witness for its cosignature of a checkpoint (c2sp.org/tlog-witness), and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
from socksio import SOCKSError  # comes with httpx[socks]

from latchstring.log.addcheckpoint import AddCheckpoint, parse_size
from latchstring.log.checkpoint import parse_text
from latchstring.log.cosignature import keys_of, witnessed
from latchstring.log.errors import LogError
from latchstring.log.note import parse_note
from latchstring.protocol.constants import VISIT_FRESH_TICKS
from latchstring.protocol.witness import Witness
from latchstring.server.candidate import Candidate
from latchstring.workers.trust import trusted

TRIES: Final = 3  # the size is told once; a second time only when somebody else asked meanwhile
MAX_ANSWER: Final = 64 * 1024
_AHEAD_SECONDS: Final = 300

Post = Callable[[str, bytes], tuple[int, bytes]]
"""(address, body) -> status and body. NoAnswer when there is none."""

Prove = Callable[[int, Candidate], list[bytes]]
"""A consistency proof from a size to the candidate's; LogError when the log was never so long."""


class NoAnswer(Exception):
    """The witness cannot be reached now."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of asking: `lines`, its cosignature lines ("" when it did not cosign), or the `trouble` in words.

    `size`: how long the log is that the witness has seen, where it said so.
    """

    witness: str
    lines: str = field(default="", repr=False)
    trouble: str = ""
    size: int = 0


def ask(witness: Witness, candidate: Candidate, guess: int, post: Post, prove: Prove, now: int) -> Told:
    """Ask one witness, again with the size that it tells. `guess`: the size it saw last, as far as we know.

    Only lines that hold, by every key that the directory names for it, made about `now`, are taken.
    """
    old = min(guess, candidate.size)
    for _ in range(TRIES):
        body = AddCheckpoint(old, tuple(prove(old, candidate)), candidate.checkpoint).encode()
        try:
            status, answer = post(witness.address, body)
        except NoAnswer:
            return Told(witness.name, trouble="does not answer")
        if status == 200:
            return _cosigned(witness, candidate, answer, now)
        if status != 409:
            return Told(witness.name, trouble=_REFUSALS.get(status, f"answers with status {status}"))
        try:
            size = parse_size(answer)
        except LogError:
            return Told(witness.name, trouble="answers something that is no size")
        if size > candidate.size:
            return Told(witness.name, trouble=f"has seen a longer log, of {size} leaves", size=size)
        if size == old:
            return Told(witness.name, trouble=f"has seen another log of {size} leaves", size=size)
        old = size
    return Told(witness.name, trouble="is asked by somebody else all the time", size=old)


_REFUSALS: Final = {
    403: "does not take this log's key: its operator has another one",
    404: "does not know this log: give its operator the log's key, log.vkey",
    422: "says that this is not the log it has seen",
}


def _cosigned(witness: Witness, candidate: Candidate, answer: bytes, now: int) -> Told:
    keys = {(key.name, key.id) for key in keys_of(witness)}
    try:
        whole = parse_note(candidate.checkpoint + answer)
        wanted = [line for line in whole.signatures if (line.name, line.id) in keys]
        text = "".join(line.text() for line in wanted)
        held = witnessed(candidate.checkpoint + text.encode(), [witness])
    except LogError:
        held, text = (), ""
    if not held:
        return Told(witness.name, trouble="answers with cosignatures that do not hold, or not by all of its keys")
    ahead = held[0].time - now  # less than clients allow: what they would refuse must not make the quorum
    if not -max(_AHEAD_SECONDS, VISIT_FRESH_TICKS // 2 * candidate.directory.policy.tick) <= ahead <= _AHEAD_SECONDS:
        return Told(witness.name, trouble="has a clock that is far from this machine's")
    return Told(witness.name, text, size=parse_text(whole.text).size)


def http_post(proxy: str | None, seconds: float) -> Post:
    """Over HTTP or HTTPS; `proxy`: a SOCKS proxy's address. An .onion address without one is not asked for."""

    def post(address: str, body: bytes) -> tuple[int, bytes]:
        try:
            url = httpx.URL(address + "/add-checkpoint")
            if proxy is None and url.host.rstrip(".").endswith(".onion"):  # RFC 7686
                raise NoAnswer
            with (
                httpx.Client(
                    proxy=f"socks5h://{proxy}" if proxy else None,
                    verify=trusted(url),
                    trust_env=False,
                    follow_redirects=False,
                    timeout=seconds,
                    headers={"user-agent": "latchstring", "accept-encoding": "identity"},
                ) as client,
                client.stream("POST", url, content=body, headers={"content-type": "text/plain"}) as answer,
            ):
                got = bytearray()
                for chunk in answer.iter_raw():
                    got += chunk
                    if len(got) > MAX_ANSWER:
                        raise NoAnswer
                return answer.status_code, bytes(got)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, SOCKSError):
            raise NoAnswer from None

    return post
