# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of 'latchstring source write --attach': looked at before anything is sent, then sent one by one."""

import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from latchstring.cli import ui
from latchstring.client.text import one_line
from latchstring.client.transport import HttpTransport
from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.constants import MAX_LISTED
from latchstring.protocol.knock import Knock
from latchstring.protocol.letter import LetterBody
from latchstring.source import acts
from latchstring.source.composing import WHOLE, send_beside
from latchstring.source.upload import Content, Cut, Mark, OpenFile, Upload, check_size, name_of, numbered, placeholder

_BESIDE: Final = {WHOLE: "Your letter", "answers": "Your answers", "list": "Their list"}


@dataclass(frozen=True)
class File:
    """A file that was looked at, and the name that it gets."""

    path: Path = field(repr=False)
    mark: Mark
    name: str = field(repr=False)


@dataclass(frozen=True)
class Files:
    """Files that can be read and are small enough. They are closed: there may be more than can be open at one time."""

    contents: tuple[File, ...]

    def drafts(self) -> tuple[Attachment, ...]:
        """As large in the letter as they will be."""
        return tuple(placeholder(file.mark.size, file.name) for file in self.contents)


def look_at_files(paths: Sequence[Path], limit: int, nameless: bool) -> Files:
    """Look at them all; CannotWrite names the first that cannot be sent. `limit`: the door's, in bytes."""
    if len(paths) > MAX_LISTED:
        raise acts.CannotWrite(
            f"A letter can have {MAX_LISTED} attachments. Pack the files into one, such as a zip; nothing was sent."
        )
    contents = []
    for number, path in enumerate(paths, 1):
        with OpenFile(path) as content:
            check_size(content.size, path.name, limit)
            name = numbered(number, name_of(path)) if nameless else name_of(path)
            contents.append(File(path, content.mark, name))
    if contents:
        ui.say("Files go as they are: with what is hidden inside them (author, device, place).", "yellow")
    if contents and not nameless:
        ui.say("Their names go along, sealed too; --nameless sends numbers instead.")
    return Files(tuple(contents))


def send_files(
    body: LetterBody,
    text: str,
    files: Files,
    another: Callable[[], HttpTransport],
    knocks: Sequence[Knock] = (),
    answers: Answers | None = None,
) -> LetterBody:
    """Send every file over a line of its own, and so what the letter has no room for of its text and answers; the
    letter's body with what it has to say of them.

    CannotWrite when one is not taken: the letter must not be sent then.
    """
    sent = []
    for number, file in enumerate(files.contents, 1):
        with OpenFile(file.path) as content:
            content.same_as(file.mark)
            sent.append(_send_one(content, file.name, f"File {number} of {len(files.contents)}", another, knocks))
    return send_beside(
        body,
        text,
        tuple(sent),
        answers,
        lambda content, name: _send_one(content, name, _BESIDE[name], another, knocks),
    )


def _goes_on(trouble: str) -> bool:
    """Does the person want to try further? Nobody can be asked when the letter came through standard input."""
    return sys.stdin.isatty() and not ui.ask(f"{trouble} Go on from where it stopped? [Y/n]").lower().startswith("n")


def _send_one(
    content: Content, name: str, what: str, another: Callable[[], HttpTransport], knocks: Sequence[Knock]
) -> Attachment:
    upload = Upload(content, name, secrets.token_bytes, knocks)

    def pause(attempt: int) -> None:
        seconds = min(120, 5 * 2**attempt) + secrets.randbelow(5)
        ui.countdown(time.time() + seconds, f"{what}: the line is cut; what arrived stays. Going on")

    with another() as line:
        while True:
            try:
                with ui.downloading(f"{what}: {one_line(name, 30)}") as progress:
                    return upload.run(line, pause, progress)
            except Cut as cut:
                if not _goes_on(str(cut)):
                    raise acts.CannotWrite(
                        f"{what} did not arrive whole, and the letter was not sent. {cut} Nothing was kept on this "
                        "device: when you run the command again, the files are sent from their beginning."
                    ) from None
