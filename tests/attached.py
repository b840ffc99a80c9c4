# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters with attachments in the world of one process: how a source sends them and a desk fetches them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latchstring.desk.attachments import Item, find_item, items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.fetching import DEFAULT_CAP, Fetched, fetch
from latchstring.desk.identity import identity
from latchstring.desk.line import Line
from latchstring.desk.progress import followed
from latchstring.protocol.attachment import Attachment, encode_list
from latchstring.source.acts import Sent, compose, seal, send
from latchstring.source.upload import Bytes, Upload
from tests.world.world import Desk, Source

File = tuple[str, bytes]


def upload(source: Source, name: str, data: bytes) -> Attachment:
    """Send one, as the program does."""
    return Upload(Bytes(data), name, source.random).run(source.wire, lambda _n: None, lambda _done, _of: None)


def write_naming(
    source: Source,
    text: str,
    attachments: Sequence[Attachment] = (),
    listed: Attachment | None = None,
    desk: str = "news",
) -> Sent:
    """Send a letter that says this of attachments, whether true or not."""
    visit, keys, msg_id = source.look(), source.keys(desk), source.random(16)
    body = replace(compose(text, "en", ()), attachments=tuple(attachments), listed=listed)
    return send(source.wire, visit, seal(visit, keys, body, msg_id), msg_id, lambda _n: None)


def write_with(
    source: Source, text: str, *files: File, by_list: bool = False, desk: str = "news"
) -> tuple[Attachment, ...]:
    """Send files, then the letter that names them."""
    sent = tuple(upload(source, name, data) for name, data in files)
    if by_list:
        write_naming(source, text, listed=upload(source, "list", encode_list(sent)), desk=desk)
    else:
        write_naming(source, text, sent, desk=desk)
    return sent


def bring(desk: Desk, cap: int = DEFAULT_CAP) -> Fetched:
    """Fetch as 'desk sync' does after the session."""
    at = followed(desk.vault)
    line = Line.of(desk.wire, desk.clock, desk.random, identity(desk.vault), at.state.directory)
    return fetch(desk.vault, line, at.state.directory.policy, at.batch, cap, lambda _what, _done, _of: None)


def listed(desk: Desk) -> tuple[Item, ...]:
    """As 'desk attachments' lists them."""
    return items(desk.vault, ChunkFolder.of(desk.vault))


def saved(desk: Desk, item: Item, out: Path) -> bytes:
    """As 'desk attachments save' gives it; the file is removed again."""
    folder = ChunkFolder.of(desk.vault)
    save(find_item(listed(desk), item.letter.mark.hex(), item.number), folder, out, lambda _done, _of: None)
    assert out.stat().st_mode & 0o777 == 0o600
    data = out.read_bytes()
    out.unlink()
    return data
