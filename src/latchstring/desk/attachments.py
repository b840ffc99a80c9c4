# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments of letters at a desk: which there are, how far they have come, and opening one into a file.

What a letter names is looked for among the fetched chunks; nothing here asks the server for anything.
"""

import errno
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from latchstring.client.newfile import new_file
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.errors import DeskError
from latchstring.desk.letters import Letter, letters
from latchstring.desk.pieces import Pieces
from latchstring.desk.search import index_letter
from latchstring.desk.vault import Vault
from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import (
    MAX_LIST,
    Attachment,
    Opener,
    parse_list,
)
from latchstring.protocol.constants import ATTACHMENT_CHUNK, MAX_ANSWERS
from latchstring.protocol.encoding import ProtocolError, encode_cbor, h
from latchstring.protocol.primitives import same

LEAST_DIGITS: Final = 4
LIST: Final = 0  # number of what is not a file of the source's: the list of attachments, and the answers
ANSWERS: Final = -1
_AS: Final = {LIST: b"list", ANSWERS: b"answers"}  # no CBOR of an attachment begins so
Progress = Callable[[int, int | None], None]


class State(StrEnum):
    """How far one has come. Values are what the vault keeps."""

    HERE = "here"  # all of it, and its ciphertext is the one that the letter names
    COMING = "coming"
    DROPPED = "dropped"  # the server has parts of it no more, and they did not come
    WRONG = "wrong"  # all of it came, and it does not verify


@dataclass(frozen=True, slots=True)
class Item:
    """One attachment of a letter. `number`: from 1 within the letter, in the order the source gave; LIST for the list
    of attachments that a letter could not name itself, ANSWERS for answers that it could not hold, while they cannot
    be read."""

    letter: Letter = field(repr=False)
    number: int
    attachment: Attachment
    state: State
    missing: int  # chunks, from the first that is not here


def items(vault: Vault, folder: ChunkFolder) -> tuple[Item, ...]:
    """The attachments of all letters, in the order of the log. Reads no chunk but those of lists."""
    return _items(vault, Pieces(folder))


def _items(vault: Vault, pieces: Pieces) -> tuple[Item, ...]:
    states = _states(vault)
    return tuple(item for letter in letters(vault) for item in _of_letter(letter, pieces, states))


def _of_letter(letter: Letter, pieces: Pieces, states: dict[bytes, State]) -> Iterator[Item]:
    body = letter.body
    if body is None:
        return
    named = body.attachments
    if body.answers_in is not None and letter.beside is None:
        yield _item(letter, ANSWERS, body.answers_in, pieces, states)
    if body.listed is not None:
        found = _item(letter, LIST, body.listed, pieces, states)
        inside = _read_list(body.listed, pieces.folder) if found.state is State.HERE else None
        if inside is None:
            yield found
            return
        named = inside
    for number, attachment in enumerate(named, 1):
        yield _item(letter, number, attachment, pieces, states)


def _item(letter: Letter, number: int, attachment: Attachment, pieces: Pieces, states: dict[bytes, State]) -> Item:
    missing = attachment.chunks - pieces.begun(attachment)
    state = states.get(_key(attachment, number), State.COMING)
    if missing and state is not State.DROPPED:
        state = State.COMING
    return Item(letter, number, attachment, state, missing)


def _key(attachment: Attachment, number: int) -> bytes:
    """What the vault calls it: all that a letter says of it, for two letters may say different things of one id, and
    whether as a file, as a list or as answers: one may be good as this and not as that."""
    return h(_AS.get(number, b"") + encode_cbor(attachment.as_item()))


def _states(vault: Vault) -> dict[bytes, State]:
    return {row[0]: State(row[1]) for row in vault.rows("SELECT name, state FROM attachment_state")}


def _read_list(listed: Attachment, folder: ChunkFolder) -> tuple[Attachment, ...] | None:
    """What a list attachment names; None when it is none."""
    if listed.size > MAX_LIST:
        return None
    try:
        return parse_list(b"".join(_plain(listed, folder)))
    except (ProtocolError, DeskError):
        return None


def _read_answers(beside: Attachment, folder: ChunkFolder) -> Answers | None:
    """The answers that an attachment holds; None when it holds none."""
    if beside.size > MAX_ANSWERS:
        return None
    try:
        return Answers.parse(b"".join(_plain(beside, folder)))
    except (ProtocolError, DeskError):
        return None


def _plain(attachment: Attachment, folder: ChunkFolder) -> Iterator[bytes]:
    """The file's bytes, chunk by chunk; the last has come only when all of it verifies. ProtocolError, DeskError."""
    opener = Opener(attachment)
    for name in attachment.chunk_names():
        sealed = folder.get(name)
        if sealed is None:
            raise DeskError("Parts of it are not here.", "Sync again; 'desk attachments' says how far it has come.")
        yield opener.open(sealed)
    opener.done()


def names_of_all(found: tuple[Item, ...]) -> frozenset[bytes]:
    """The names of all chunks that letters name, those of lists too: what must not be dropped. After a `review`: what
    will never come whole is of no use, and may be of any size."""
    largest: dict[bytes, Attachment] = {}
    for item in found:
        if item.state is not State.DROPPED:
            for named in (item.attachment, _listed(item.letter)):
                if named is not None and (named.id not in largest or named.chunks > largest[named.id].chunks):
                    largest[named.id] = named
    return frozenset(name for named in largest.values() for name in named.chunk_names())


def _listed(letter: Letter) -> Attachment | None:
    return letter.body.listed if letter.body is not None else None


def review(vault: Vault, folder: ChunkFolder, listed: Set[bytes]) -> tuple[Item, ...]:
    """Verify what has come whole, and find what will not come: not here, and not `listed` by the server any more.

    The letter is sent when all is stored, so what its letter's session does not list is gone. Opens its own
    transactions.
    """
    pieces = Pieces(folder, listed)
    while True:
        states, changed = _states(vault), False
        for item in _items(vault, pieces):
            state = _judge(item, states.get(_key(item.attachment, item.number)), pieces)
            if state is not None:
                _keep_state(vault, item, state)
                changed = changed or item.number == LIST  # a list that can be read now names more
        if not changed:
            found = _items(vault, pieces)
            return _items(vault, pieces) if _keep_answers(vault, folder, found) else found


def _keep_answers(vault: Vault, folder: ChunkFolder, found: Sequence[Item]) -> bool:
    """Take answers that came beside their letters into the vault, where they stay as long as the letter, and are found.
    Were there any?

    Opens its own transactions.
    """
    arrived = [item for item in found if item.number == ANSWERS and item.state is State.HERE]
    for item in arrived:
        if item.letter.body is not None:
            answers = _read_answers(item.attachment, folder)
            if answers is not None:
                with vault.transaction():
                    vault.do("UPDATE letter SET answers = ? WHERE number = ?", answers.encode(), item.letter.number)
                    index_letter(vault, item.letter.thread, item.letter.msg_id, item.letter.body)
    return bool(arrived)


def _judge(item: Item, known: State | None, pieces: Pieces) -> State | None:
    """The new state, None when it stays as `known`."""
    if item.missing:
        state = State.DROPPED if pieces.is_gone(item.attachment) else State.COMING
    elif known in (State.HERE, State.WRONG):
        return None
    else:
        state = State.HERE if _verifies(item, pieces) else State.WRONG
    return state if state is not (known or State.COMING) else None


def _verifies(item: Item, pieces: Pieces) -> bool:
    """Is the ciphertext the one that the letter names, and can it be opened as it says?"""
    attachment, folder = item.attachment, pieces.folder
    digest = pieces.digest(attachment)
    if digest is None or not same(digest, attachment.hash):
        return False
    if item.number == ANSWERS:
        return _read_answers(attachment, folder) is not None
    return item.number != LIST or _read_list(attachment, folder) is not None


def _keep_state(vault: Vault, item: Item, state: State) -> None:
    with vault.transaction():
        vault.do(
            "INSERT INTO attachment_state (name, state) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            _key(item.attachment, item.number),
            state.value,
        )


def forget_states(vault: Vault, found: tuple[Item, ...]) -> None:
    """Drop what is kept of attachments whose letters are gone. Opens its own transaction."""
    kept = {_key(item.attachment, item.number) for item in found}
    kept |= {
        _key(i.letter.body.listed, LIST)
        for i in found
        if i.letter.body is not None and i.letter.body.listed is not None
    }
    gone = [name for name in _states(vault) if name not in kept]
    if gone:
        with vault.transaction():
            for name in gone:
                vault.do("DELETE FROM attachment_state WHERE name = ?", name)


# --- saving --------------------------------------------------------------------------------------


def find_item(found: tuple[Item, ...], mark: str, number: int) -> Item:
    """The attachment of that number, of the letter whose mark begins so. DeskError when there is none, or several."""
    wanted = "".join(mark.split()).lower()
    if len(wanted) < LEAST_DIGITS:
        raise DeskError("That is too short to name a letter.", "Give at least four digits of its mark.")
    matching = [item for item in found if item.letter.mark.hex().startswith(wanted)]
    if not matching:
        raise DeskError("No letter with an attachment is named so.", "See 'latchstring desk attachments'.")
    if len({item.letter.number for item in matching}) > 1:
        raise DeskError("More than one letter is named so.", "Give more digits of its mark.")
    for item in matching:
        if item.number == number > 0:
            return item
    if any(item.number == LIST for item in matching):
        raise DeskError(
            "The list of this letter's attachments is not here yet.",
            "Sync again; 'desk attachments' says how far it is.",
        )
    files = sum(item.number > 0 for item in matching)
    raise DeskError(
        "The letter has no attachment of that number.", f"It has {files}: see 'latchstring desk attachments'."
    )


def save(item: Item, folder: ChunkFolder, out: Path, progress: Progress) -> None:
    """Open an attachment into a new file for its owner alone. DeskError otherwise, and no file is left; none bears
    that name before all of it verifies.

    Its name plays no part in where it goes.
    """
    if item.state is State.COMING:
        raise DeskError("It has not come whole yet.", "Sync again, then save it.")
    if item.state is State.DROPPED:
        raise DeskError("The server dropped it before it was fetched.", "Ask the source to send it again.")
    try:
        with new_file(out) as target:
            for number, plain in enumerate(_plain(item.attachment, folder), 1):
                target.write(plain)
                progress(number * ATTACHMENT_CHUNK, item.attachment.chunks * ATTACHMENT_CHUNK)
    except FileExistsError:
        raise DeskError("There is something of that name already; it was not touched.", "Choose another.") from None
    except ProtocolError:
        raise DeskError(
            "What came is not what the letter names: it was changed, or is another file.",
            "Nothing was saved. Ask the source to send it again; the server may be at fault: tell the organisation.",
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise DeskError(
                "The disk did not take the whole file.", "Nothing was saved. Make room, then try again."
            ) from None
        raise DeskError("The file cannot be made there.", "Check the folder and your rights in it.") from None
