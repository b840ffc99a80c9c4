# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sending an attachment: read, sealed and sent chunk by chunk, resumed after a cut. Nothing is kept on the device.

What an upload needs to go on (id, key, token, the chunk that is under way) lives in this process alone: a program that
is ended begins anew, with a new id and key, and the server drops what came of the old one.
"""

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Final, Protocol

from latchstring.client.transport import NetworkFailed, Response, Transport
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import MAX_NAME, Ask, Attachment, Sealer, chunk_name, parse_admitted
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.knock import HEADER, NO_KNOCK, Knock
from latchstring.source.acts import AGAIN, CannotWrite

TRIES: Final = 8  # of one request in a row, before the person is asked
ASKS: Final = 3  # for room: a server without any has none for hours

_ENDINGS: Final = (
    "jpg jpeg png webp gif heic heif avif bmp tif tiff svg dng pdf djvu epub doc docx docm xls xlsx xlsm ppt "
    "pptx odt ods odp odg pages numbers key rtf txt csv tsv log html htm mht mhtml xml json eml msg mbox pst "
    "ics vcf zip rar 7z tar gz tgz bz2 xz mp3 m4a aac wav ogg oga opus flac amr wma mp4 m4v mov avi mkv webm "
    "3gp mpg mpeg wmv db sqlite sqlite3 mdb accdb sql exe apk asc gpg p7m"
)
ENDINGS: Final = frozenset(_ENDINGS.split())
"""Of names of files: kinds that people know. The pages' script has the same."""

Pause = Callable[[int], None]
"""Waits before try number n of one request."""

Sent = Callable[[int, int], None]
"""Progress: bytes that are stored, of how many."""


class Cut(Exception):
    """The network or the server failed for long. What is stored stays: `run` goes on from there."""


class Content(Protocol):
    """Bytes to attach, read once from front to back."""

    size: int
    """How many there are."""

    def read(self, count: int) -> bytes:
        """The next `count`; CannotWrite when they are not there as they were."""

    def end(self) -> None:
        """CannotWrite unless everything is as it was at the start."""


class Bytes:
    """Content in memory: the list of other attachments."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self.size = len(data)

    def read(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def end(self) -> None:
        pass  # memory stays as it is


@dataclass(frozen=True, slots=True)
class Mark:
    """By which a change of a file shows."""

    size: int
    changed: int  # nanoseconds
    inode: int


class OpenFile:
    """A file of this device, watched while it is read. CannotWrite when it cannot be, or changes."""

    def __init__(self, path: Path) -> None:
        self._shown = path.name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not keep us waiting
        except OSError:
            raise CannotWrite(
                f"The file '{self._shown}' cannot be read. Check its name and that you may read it; nothing was sent."
            ) from None
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            raise CannotWrite(f"'{self._shown}' is not a file. Name files one by one; nothing was sent.")
        self._file: BinaryIO = os.fdopen(handle, "rb", buffering=0)
        self.mark = self._now()
        self.size = self.mark.size

    def _now(self) -> Mark:
        found = os.fstat(self._file.fileno())
        return Mark(found.st_size, found.st_mtime_ns, found.st_ino)

    def read(self, count: int) -> bytes:
        data = bytearray()
        try:
            while len(data) < count and (some := self._file.read(count - len(data))):
                data += some
        except OSError:
            raise CannotWrite(
                f"The file '{self._shown}' could not be read to its end. The letter was not sent; copy the file "
                "somewhere else and try again."
            ) from None
        if len(data) != count:
            self._changed()
        self.end()
        return bytes(data)

    def end(self) -> None:
        self.same_as(self.mark)

    def same_as(self, mark: Mark) -> None:
        """CannotWrite unless it is as it was when `mark` was taken."""
        if self._now() != mark:
            self._changed()

    def _changed(self) -> None:
        raise CannotWrite(
            f"The file '{self._shown}' changed while it was being sent, so what arrived is not one file. The letter "
            "was not sent. Close the program that writes it, then send again."
        )

    def __enter__(self) -> "OpenFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def name_of(path: PurePath) -> str:
    """A file's own name, without its folders, as text that a letter can hold."""
    return path.name.encode("utf-8", "replace").decode("utf-8")[:MAX_NAME]


def numbered(number: int, name: str) -> str:
    """A number in place of a file's name, and its ending where that is a kind that people know: after the last
    dot there may be a name, too ("Meeting with A.Petrova"). "Amr" is one, "amr" and "AMR" are a kind."""
    _, dot, ending = name.rpartition(".")
    known = dot and ending.lower() in ENDINGS and re.fullmatch("[a-z0-9]+|[A-Z0-9]+", ending)
    return f"{number}.{ending}" if known else str(number)


def placeholder(size: int, name: str) -> Attachment:
    """As large in a letter as the attachment will be, to see beforehand whether it fits."""
    return Attachment(bytes(c.ATTACHMENT_ID), bytes(c.SYM_KEY), size, bytes(c.HASH_SIZE), name)


class Upload:
    """One attachment on its way, under a fresh id, key and token."""

    def __init__(
        self, content: Content, name: str, random: Callable[[int], bytes], knocks: Sequence[Knock] = ()
    ) -> None:
        """`knocks`: used in turn when the server has no room left that is open to all."""
        self._content, self._name, self._knocks = content, name, knocks
        self._id, self._key, self._token = random(c.ATTACHMENT_ID), random(c.SYM_KEY), random(c.SYM_KEY)
        self._sealer = Sealer(self._id, self._key, content.size)
        self._admitted = False
        self._under_way: bytes | None = None  # sealed once: it is sent again as it is
        self.stored = 0

    @property
    def chunks(self) -> int:
        """How many there are to store."""
        return self._sealer.chunks

    def run(self, transport: Transport, pause: Pause, progress: Sent) -> Attachment:
        """Send what is left; what the letter has to say of it.

        Cut when the line stays dead: call again, with the same or another transport. CannotWrite when the server
        refuses, or the file changed: then this upload is over.
        """
        if not self._admitted:
            self._ask(transport, pause)
            self._admitted = True
        while self.stored < self.chunks:
            if self._under_way is None:
                self._under_way = self._sealer.seal(self._content.read(self._sealer.needs()))
            self._put(transport, pause, self._under_way)
            self._under_way = None
            self.stored += 1
            progress(self.stored * c.ATTACHMENT_CHUNK, self.chunks * c.ATTACHMENT_CHUNK)
        self._content.end()
        if self._ask(transport, pause):
            raise CannotWrite(
                "The server lost a part of what it had taken. The letter was not sent; send it and its files again."
            )
        return Attachment(self._id, self._key, self._content.size, self._sealer.ciphertext_hash(), self._name)

    def _ask(self, transport: Transport, pause: Pause) -> int:
        """Ask for room, or what is still to come; the same bytes every time."""
        raw = Ask(self._token, self.chunks).encode()

        def post(head: str) -> Response:
            return transport.request("POST", "/v1/attachments", body=raw, headers={HEADER: head})

        def attempt() -> Response:
            full = post(NO_KNOCK)
            for knock in self._knocks if full.status == 503 else ():
                answer = post(knock.header())
                if answer.status != 409:
                    return answer
            return full

        answer = _again(attempt, pause, ASKS)
        if answer.status != 201:
            raise _refused(answer)
        try:
            return parse_admitted(answer.body)
        except ProtocolError:
            raise CannotWrite("The server answered as no door does. The letter was not sent.") from None

    def _put(self, transport: Transport, pause: Pause, sealed: bytes) -> None:
        path = f"/v1/attachments/{chunk_name(self._id, self.stored).hex()}"
        headers = {"authorization": f"Bearer {self._token.hex()}"}
        unsure = False

        def attempt() -> Response:
            nonlocal unsure
            if unsure and transport.request("HEAD", path).status == 200:
                return Response(201, b"")  # it had arrived: only the answer was lost
            unsure = True
            return transport.request("PUT", path, body=sealed, headers=headers)

        answer = _again(attempt, pause)
        if answer.status != 201:
            raise _refused(answer)


def _again(attempt: Callable[[], Response], pause: Pause, tries: int = TRIES) -> Response:
    """Until there is an answer that trying again would not change. Cut after too many."""
    trouble = ""
    for number in range(tries):
        if number:
            pause(number)
        try:
            answer = attempt()
        except NetworkFailed as failed:
            trouble = str(failed)
            continue
        if answer.status not in (*AGAIN, 429, 507):
            return answer
        trouble = answer.sentence()
    raise Cut(trouble)


def _refused(answer: Response) -> CannotWrite:
    return CannotWrite(f"The attachment was not taken, and the letter was not sent. {answer.sentence()}".strip())


def check_size(size: int, name: str, limit: int) -> None:
    """CannotWrite when a door whose limit is that many bytes takes no such file."""
    if not limit:
        raise CannotWrite("This door takes no attachments. Write the letter without; nothing was sent.")
    if not size:
        raise CannotWrite(f"The file '{name}' is empty. Check that it is the right one; nothing was sent.")
    if size > limit:
        raise CannotWrite(
            f"The file '{name}' has {size:,} bytes, and this door takes at most {limit:,}. Send parts of it; nothing "
            "was sent."
        )
