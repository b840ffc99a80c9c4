# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server in a folder of this machine, with everything but processes: for tests of what lies on disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from latchstring.protocol.receipt import Receipt, open_receipt
from latchstring.server.accept import (
    DirectoryCache,
    Refusal,
    accept_directory,
    accept_key_notes,
    accept_letters,
)
from latchstring.server.config import Config, format_config
from latchstring.server.keys import ServerKeys, save_keys
from latchstring.server.setup import Parts, open_parts
from tests.builders import Founding, Stream, found, make_epoch
from tests.chaos.examine import Outcome, examine
from tests.faults import cbor_notes, letter


def no_step(_what: str, _done: int, _of: int) -> None:
    """Progress that nobody looks at."""


@dataclass
class ServerSite:
    """One server's data folder; receipts and checkpoints that clients hold."""

    config: Config
    founding: Founding
    receipts: list[bytes] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)

    @classmethod
    def make(cls, data: Path, seed: str = "site", **policy: int) -> "ServerSite":
        """Keys and configuration, nothing posted yet."""
        founding = found(seed, ("news",), 600, **{"letters": 2, "slots": 1, "queue": 40, **policy})
        config = Config(data, founding.door, founding.directory.origin)
        data.mkdir(parents=True)
        site = cls(config, founding)
        save_keys(config.keys_file, site.keys)
        site.file.write_text(format_config(config))
        return site

    @classmethod
    def opened(cls, data: Path, seed: str = "site", **policy: int) -> "ServerSite":
        """Directory logged in batch 30, the desk open in 31, three letters waiting after 33."""
        site = cls.make(data, seed, **policy)
        site.post_directory()
        site.close(30)
        site.post_notes(0)
        site.close(31)
        site.send(1, 2, 3, 4, 5, 6, 7)
        site.close(32, 33)
        return site

    def copy(self, data: Path) -> "ServerSite":
        """The same server in another folder."""
        shutil.copytree(self.config.data, data)
        other = ServerSite(replace(self.config, data=data), self.founding, [*self.receipts], [*self.seen])
        other.file.write_text(format_config(other.config))
        return other

    @property
    def keys(self) -> ServerKeys:
        return ServerKeys(self.founding.log_seed, self.founding.receipt_seed, self.founding.request_seed)

    @property
    def file(self) -> Path:
        return self.config.data / "server.toml"

    @property
    def published(self) -> Path:
        return self.config.published

    def read(self, path: str) -> bytes:
        """A published file, as a mirror gives it: KeyError when there is none."""
        try:
            return (self.published / path).read_bytes()
        except OSError:
            raise KeyError(path) from None

    def at(self, batch: int) -> int:
        return self.founding.directory.policy.closes_at(batch)

    @contextmanager
    def parts(self) -> Iterator[Parts]:
        parts = open_parts(self.config)
        try:
            yield parts
        finally:
            parts.sql.close()

    def post_directory(self) -> None:
        with self.parts() as parts:
            accept_directory(parts.intake, self.founding.posted, self.at(30))

    def post_notes(self, day: int, batch: int = 30) -> None:
        _, posted = make_epoch(self.founding, "news", day, Stream(f"site epoch {day}"))
        with self.parts() as parts:
            accept_key_notes(parts.intake, "news-1", cbor_notes(posted), self.at(batch))

    def send(self, *numbers: int, batch: int = 31) -> list[bytes | Refusal]:
        """Post letters; receipts are kept as their senders keep them."""
        with self.parts() as parts:
            cache = DirectoryCache()
            outcomes = accept_letters(parts.intake, cache, [letter(i) for i in numbers], self.at(batch))
        self.receipts += [o for o in outcomes if isinstance(o, bytes) and o not in self.receipts]
        return outcomes

    def close(self, *batches: int) -> None:
        """A new publisher starts and closes these batches."""
        with self.parts() as parts:
            publisher = parts.publisher()
            publisher.start()
            for batch in batches:
                publisher.run_due(self.at(batch), Stream(f"close {batch}"))
                self.seen.append(self.read("checkpoint"))

    def examine(self) -> Outcome:
        """What is left of everything that was promised: see `tests/chaos/examine.py`."""
        with self.parts() as parts:
            return examine(
                parts.public.get,
                parts.private.get,
                self.receipts,
                self.seen,
                self.keys.verifier(self.founding.directory.origin),
                self.keys.receipt_public,
            )

    def receipt(self, number: int) -> Receipt:
        return open_receipt(self.receipts[number], self.keys.receipt_public)

    def batch_end(self) -> int:
        """The last batch that a receipt names."""
        return max(open_receipt(raw, self.keys.receipt_public).publish_by for raw in self.receipts)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


__all__ = ["ServerSite", "no_step", "tree"]
