# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story that the demonstration plays: three people write, two desks answer, each answer is read with nothing but
a passphrase, and the whole log is verified. Each step is checked, and says how long it took."""

import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

from latchstring.demo.door import DemoDoor, DemoFailed, found, free_port, wait_for
from latchstring.desk.attachments import items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.letters import letters, mark_opened
from latchstring.desk.replies import write_reply
from latchstring.log.verify import verify_log
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.constants import ATTACHMENT_PLAIN, TICKS_PER_SHEET
from latchstring.protocol.passphrase import generate, parse_passphrase
from latchstring.protocol.receipt import open_receipt
from latchstring.protocol.wordlist import load
from latchstring.source import acts
from latchstring.source.thread import Reply
from latchstring.source.upload import Bytes, Upload

TICK: Final = 1
WITNESSES: Final = 2
FILE_CHUNKS: Final = 2
LEAD: Final = 34  # ticks from the founding to the first sheet: the desks answer before it closes, on most machines


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story: what was done, how long it took, whether it held, and if not, why."""

    name: str
    seconds: float
    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes. `words` is all that they keep."""

    desk: str
    language: str
    words: str = field(repr=False)


def text_of(name: str) -> str:
    """A sample text that ships with the project."""
    return resources.files("latchstring.demo.letters").joinpath(f"{name}.txt").read_text("utf-8").strip()


def _need(holds: bool, sentence: str) -> None:
    if not holds:
        raise DemoFailed(sentence)


class Story:
    """The steps in their order; each goes on from what those before it came to."""

    def __init__(self, folder: Path, keep: Path | None) -> None:
        self._folder, self._keep = folder, keep
        self._door: DemoDoor | None = None
        words = load()
        self._people = tuple(
            Person(desk, language, " ".join(generate(secrets.token_bytes).words(words)))
            for desk, language in (("newsroom", "en"), ("newsroom", "ru"), ("ombudsman", "uk"))
        )
        self._sent: dict[str, acts.Sent] = {}
        self._file = secrets.token_bytes(ATTACHMENT_PLAIN + 1)  # in two pieces

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """Name and act of each step."""
        return [
            ("Found the organisation and its two desks, start two witnesses and the server", self._found),
            ("The organisation posts its signed directory; the first batch closes", self._post),
            ("Both witnesses have cosigned what everyone fetches", self._cosigned),
            ("The desks publish their keys and open", self._open),
            (
                "Three people write, in English, Russian and Ukrainian; one sends a file along",
                self._write,
            ),
            ("Every letter is in the public log by the batch its receipt names", self._logged),
            ("The desks fetch, open and read the letters", self._read_letters),
            ("The file that came with the first letter is fetched with all others, matched and saved", self._save_file),
            ("The desks answer; the answers wait in the pages of the coming sheet", self._answer),
            ("The sheet closes; each answer is read with nothing but the passphrase", self._read_answers),
            ("A passphrase that was never used opens an empty thread", self._stranger),
            ("The first person writes again; the desk sees that its answer was read", self._again),
            ("Anyone verifies the whole log", self._verify),
            ("The server stops cleanly", self._stop),
        ]

    @property
    def door(self) -> DemoDoor:
        """The door, once it is founded."""
        if self._door is None:
            raise DemoFailed("There is no door.")
        return self._door

    def close(self) -> None:
        """End the server, however far the story came."""
        if self._door is not None:
            self._door.stop()

    def _found(self) -> None:
        self._door = found(self._folder, free_port(), TICK, TICKS_PER_SHEET - LEAD, witnesses=WITNESSES)

    def _post(self) -> None:
        self.door.post_directory()
        visit = self.door.wait_batch(0)
        _need(visit.directory == self.door.directory, "Another directory was published than the one posted.")
        _need(not visit.manifest.notes, "A desk was open before it had made keys.")

    def _cosigned(self) -> None:
        seen = self.door.visit().cosigned
        _need(len(seen) == WITNESSES, f"Cosigned by {len(seen)} of {WITNESSES} witnesses.")
        _need(all(abs(time.time() - w.time) < 60 for w in seen), "A cosignature is of another time.")

    def _open(self) -> None:
        self.door.open_desks()

    def _write(self) -> None:
        for person in self._people:
            files = (self._file,) if person is self._people[0] else ()
            self._sent[person.language] = self._letter(person, text_of(f"{person.desk}.{person.language}"), (), files)

    def _letter(self, person: Person, text: str, read: tuple[Reply, ...], files: tuple[bytes, ...] = ()) -> acts.Sent:
        door, visit, msg_id = self.door, self.door.visit(), secrets.token_bytes(16)
        bits = parse_passphrase(person.words, load()).bits
        keys = acts.keys_for(bits, visit, person.desk)
        sent_files = tuple(self._upload(data) for data in files)
        letter = acts.seal(visit, keys, acts.compose(text, person.language, read, sent_files), msg_id)
        with door.transport() as transport:
            sent = acts.send(transport, visit, letter, msg_id, lambda _attempt: time.sleep(1))
        _need(open_receipt(sent.receipt_raw, visit.directory.receipt_key).leaf == sent.leaf, "A receipt does not hold.")
        return sent

    def _upload(self, data: bytes) -> Attachment:
        upload = Upload(Bytes(data), "scan.pdf", secrets.token_bytes)
        with self.door.transport() as transport:  # a connection of its own
            return upload.run(transport, lambda _attempt: time.sleep(1), lambda _done, _of: None)

    def _save_file(self) -> None:
        saved = self._folder / "scan.pdf"
        for desk in ("newsroom", "ombudsman"):
            fetched = self.door.fetch_attachments(desk)
            _need((fetched.new, fetched.trouble) == (FILE_CHUNKS, ""), f"Desk '{desk}' did not fetch all pieces.")
            _need(fetched.here == (desk == "newsroom"), f"Desk '{desk}' found {fetched.here} files of its letters.")
        with self.door.vault("newsroom") as vault:
            folder = ChunkFolder.of(vault)
            save(items(vault, folder)[0], folder, saved, lambda _done, _of: None)
        _need(saved.read_bytes() == self._file, "The file that was saved is not the one that was sent.")

    def _logged(self) -> None:
        for sent in self._sent.values():
            self.door.wait_leaf(sent.leaf)

    def _read_letters(self) -> None:
        for desk in ("newsroom", "ombudsman"):
            report = self.door.sync(desk)
            _need(not report.faults, f"The desk found a fault: {report.faults[:1]}")
            with self.door.vault(desk) as vault:
                found_texts = {letter.body.text for letter in letters(vault) if letter.body and letter.verified}
            wanted = {text_of(f"{p.desk}.{p.language}") for p in self._people if p.desk == desk}
            _need(found_texts == wanted, f"Desk '{desk}' did not read what was written.")

    def _answer(self) -> None:
        for desk in ("newsroom", "ombudsman"):
            with self.door.vault(desk) as vault:
                for letter in letters(vault):
                    if letter.body is not None:
                        mark_opened(vault, (letter.number,))
                        text = text_of(f"answer.{letter.body.language}")
                        write_reply(vault, letter.thread, text, int(time.time()), secrets.token_bytes)
            report = self.door.sync(desk)
            _need(not report.faults, f"The desk found a fault: {report.faults[:1]}")

    def _reading(self, person: Person) -> Callable[[], tuple[Reply, ...] | None]:
        """Reads a thread, None while it has no replies, as on another machine: with the passphrase's words alone."""
        keys = acts.keys_for(parse_passphrase(person.words, load()).bits, self.door.visit(), person.desk)
        return lambda: acts.read_thread(self.door.visit(), keys) or None

    def _read_answers(self) -> None:
        for person in self._people:
            # in the next sheet, or, if that one was closing when the desk answered, in the one after it
            replies = wait_for(self._reading(person), 90, f"an answer ({person.language})")
            _need(len(replies) == 1, f"{len(replies)} answers instead of one ({person.language}).")
            _need(replies[0].text == text_of(f"answer.{person.language}"), "An answer reads differently.")
            _need(replies[0].acks == (self._sent[person.language].mark,), "An answer does not name the letter.")

    def _stranger(self) -> None:
        unknown = Person("newsroom", "en", " ".join(generate(secrets.token_bytes).words(load())))
        _need(self._reading(unknown)() is None, "A passphrase that was never used found something.")

    def _again(self) -> None:
        person = self._people[0]
        sent = self._letter(person, text_of("again.en"), self._reading(person)() or ())
        self.door.wait_leaf(sent.leaf)
        report = self.door.sync(person.desk)
        _need(report.tally.read == 1, "The desk does not see that its answer was read.")

    def _verify(self) -> None:
        report = verify_log(self.door.log())
        _need(report.ok, f"The log does not verify: {report.fault}")
        _need(len(report.cosigned) == WITNESSES, "The log's checkpoint is not cosigned by both witnesses.")

    def _stop(self) -> None:
        _need(self.door.stop() == 0, "The server did not end cleanly.")
        if self._keep is not None:
            published = self._keep / "published"
            shutil.copytree(self.door.folder / "server" / "published", published, dirs_exist_ok=True)
            shutil.copyfile(published / "log.vkey", self._keep / "log.vkey")


def play(folder: Path, keep: Path | None, begin: Callable[[str], None], tell: Callable[[Step], None]) -> list[Step]:
    """Play the story in `folder`; every step that ran, the last one being the one that failed if any did.

    `begin` hears a step's name when it begins, `tell` the step when it ends. `keep`: where the published log is left.
    """
    told: list[Step] = []
    story = Story(folder, keep)
    try:
        for name, act in story.steps():
            begin(name)
            start = time.monotonic()
            try:
                act()
                told.append(Step(name, time.monotonic() - start, True))
            except Exception as error:  # any failure of any part is the story's to report
                told.append(Step(name, time.monotonic() - start, False, f"{type(error).__name__}: {error}"))
            tell(told[-1])
            if not told[-1].ok:
                break
    finally:
        story.close()
    return told
