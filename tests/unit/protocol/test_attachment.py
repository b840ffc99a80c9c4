# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments as bytes: sizes, order, padding, lists, and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol.attachment import (
    MAX_NAME,
    Ask,
    Attachment,
    CiphertextHash,
    Opener,
    Sealer,
    admitted,
    chunk_name,
    chunks_of,
    encode_list,
    encode_names,
    padded,
    parse_admitted,
    parse_item,
    parse_list,
    parse_names,
    plain_size,
)
from latchstring.protocol.encoding import ProtocolError, encode_cbor, lp
from latchstring.protocol.letter import LetterBody, room_left
from tests.builders import Stream

ID, KEY = Stream("id")(16), Stream("key")(32)


def seal(plain: bytes, file_id: bytes = ID, key: bytes = KEY) -> tuple[Attachment, list[bytes]]:
    sealer, at, chunks = Sealer(file_id, key, len(plain)), 0, []
    for _ in range(sealer.chunks):
        chunks.append(sealer.seal(plain[at : at + sealer.needs()]))
        at += plain_size(len(plain), len(chunks) - 1)
    return Attachment(file_id, key, len(plain), sealer.ciphertext_hash(), "a name"), chunks


def open_all(attachment: Attachment, chunks: list[bytes]) -> bytes:
    opener = Opener(attachment)
    plain = b"".join(opener.open(chunk) for chunk in chunks)
    opener.done()
    return plain


FULL = c.ATTACHMENT_PLAIN
SIZES = [0, 1, FULL - 1, FULL, FULL + 1, 2 * FULL, 8 * FULL + 1]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens(size: int) -> None:
    plain = Stream("content")(size)
    attachment, chunks = seal(plain)
    assert {len(chunk) for chunk in chunks} == {c.ATTACHMENT_CHUNK}
    assert len(chunks) == attachment.chunks == chunks_of(size)
    assert open_all(attachment, chunks) == plain


def test_sizes_round_up_by_the_arithmetic_of_the_document() -> None:
    assert [padded(n) for n in (1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 19, 33)] == [
        1, 2, 3, 7, 8, 10, 10, 16, 16, 18, 20, 36,
    ]  # fmt: skip
    assert chunks_of(5 * 10**9) == 19_456
    assert chunks_of(0) == chunks_of(1) == chunks_of(FULL) == 1


@given(st.integers(1, 1 << 40))
@example(1)
def test_padding_costs_an_eighth_at_most_and_is_its_own_padding(n: int) -> None:
    at = padded(n)
    assert n <= at <= n + n // 8 + 1
    assert padded(at) == at
    assert padded(n + 1) >= at


def test_few_sizes_are_left_to_be_seen() -> None:
    sizes = {padded(n) for n in range(1, chunks_of(c.DEFAULT_ATTACHMENT) + 1)}
    assert len(sizes) < 200


def test_a_chunk_opens_at_its_own_place_alone() -> None:
    attachment, chunks = seal(Stream("content")(2 * FULL + 5))
    other, foreign = seal(Stream("another")(2 * FULL + 5), Stream("b")(16), Stream("c")(32))
    for wrong in (
        [chunks[1], chunks[0], chunks[2]],
        [chunks[0], chunks[0], chunks[2]],
        [chunks[0], chunks[1], chunks[1]],
        [chunks[2]],
        [foreign[0]],
        [chunks[0][:-1] + bytes([chunks[0][-1] ^ 1])],
        [chunks[0][:-1]],
        [chunks[0] + b"\0"],
        [],
        chunks[:2],
        [*chunks, chunks[2]],
    ):
        with pytest.raises(ProtocolError):
            open_all(attachment, wrong)
    with pytest.raises(ProtocolError):
        open_all(other, chunks)


def test_id_and_size_are_part_of_the_key() -> None:
    attachment, chunks = seal(b"x" * 10)
    for changed in (replace(attachment, size=9), replace(attachment, id=bytes(16)), replace(attachment, key=bytes(32))):
        with pytest.raises(ProtocolError, match="was changed"):
            Opener(changed).open(chunks[0])


def test_padding_that_is_not_zeros_is_refused() -> None:
    """A sender who writes something behind the end, under the right key and with the right hash."""
    sealer = Sealer(ID, KEY, 10)
    sealed = sealer._cipher.encrypt(bytes(11) + b"\1", bytes(FULL - 1) + b"\1", None)
    digest = CiphertextHash(1)
    digest.add(sealed)
    with pytest.raises(ProtocolError, match="not padded"):
        open_all(Attachment(ID, KEY, 10, digest.value(), ""), [sealed])


def test_the_hash_is_that_of_the_letter() -> None:
    attachment, chunks = seal(b"x" * 10)
    with pytest.raises(ProtocolError, match="not the one that the letter names"):
        open_all(replace(attachment, hash=bytes(32)), chunks)


def test_a_sealer_takes_each_chunk_once_and_whole() -> None:
    sealer = Sealer(ID, KEY, FULL + 3)
    with pytest.raises(ProtocolError):
        sealer.seal(b"short")
    with pytest.raises(ProtocolError):
        sealer.ciphertext_hash()
    sealer.seal(bytes(FULL))
    with pytest.raises(ProtocolError):
        sealer.seal(b"four")
    sealer.seal(b"123")
    with pytest.raises(ProtocolError):
        sealer.seal(b"")
    with pytest.raises(ProtocolError):
        Sealer(ID, KEY, c.MAX_ATTACHMENT + 1)


def test_names_are_unlike_and_follow_from_the_id() -> None:
    attachment, _ = seal(Stream("content")(2 * FULL))
    assert attachment.chunk_names() == (chunk_name(ID, 0), chunk_name(ID, 1))
    assert chunk_name(ID, 0) != chunk_name(Stream("other")(16), 0)


# --- what a letter says ------------------------------------------------------------------------------


def some(count: int, name: str = "scan.pdf") -> tuple[Attachment, ...]:
    return tuple(Attachment(Stream(f"i{n}")(16), KEY, n, bytes(32), name) for n in range(count))


def test_a_letter_names_several() -> None:
    body = LetterBody("en", "client", "look", attachments=some(3))
    assert LetterBody.parse(body.encode()) == body
    listed = LetterBody("en", "client", "look", listed=some(1)[0])
    assert LetterBody.parse(listed.encode()) == listed


def test_eight_fit_beside_a_few_words() -> None:
    assert room_left(LetterBody("en", "client", "", attachments=some(8))) > 500
    with pytest.raises(ProtocolError, match="too long"):
        LetterBody("en", "client", "", attachments=some(20)).encode()


def test_attachments_are_named_in_one_way_only() -> None:
    item = some(1)[0].as_item()
    head = {"kind": "letter", "lang": "en", "way": "client", "text": "", "read": []}
    wrong: tuple[dict[str, object], ...] = (
        {"attachments": []},
        {"attachments": [item], "list": item},
        {"attachments": [item, item]},
        {"attachments": [item[:4]]},
        {"list": None},
        {"attachments": {"a": item}},
    )
    for extra in wrong:
        with pytest.raises(ProtocolError):
            LetterBody.parse(encode_cbor({**head, **extra}))
    with pytest.raises(ProtocolError):
        LetterBody("en", "client", "", attachments=some(1), listed=some(1)[0]).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"id": bytes(15)},
        {"key": bytes(31)},
        {"size": -1},
        {"size": c.MAX_ATTACHMENT + 1},
        {"size": True},
        {"hash": b""},
        {"name": "x" * (MAX_NAME + 1)},
    ],
)
def test_items_that_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        replace(some(1)[0], **change).as_item()  # type: ignore[arg-type]  # wrong on purpose


def test_a_thousand_fit_a_list_and_no_more() -> None:
    many = some(c.MAX_LISTED, "n" * 200)
    assert parse_list(encode_list(many)) == many
    for wrong in (some(c.MAX_LISTED + 1), (), some(1) * 2, some(c.MAX_LISTED, "ж" * MAX_NAME)):
        with pytest.raises(ProtocolError):
            encode_list(wrong)
    with pytest.raises(ProtocolError):
        parse_list(encode_cbor([[1]]))
    with pytest.raises(ProtocolError):
        parse_list(encode_cbor({}))
    with pytest.raises(ProtocolError):
        parse_item(None)


# --- admission ---------------------------------------------------------------------------------------


def test_an_ask_comes_back_and_takes_padded_sizes_alone() -> None:
    for ask in (Ask(KEY, 1), Ask(KEY, 10)):
        assert Ask.parse(ask.encode()) == ask
    for wrong in (Ask(KEY, 0), Ask(KEY, 9), Ask(KEY[:-1], 1), Ask(KEY, 1 << 40)):
        with pytest.raises(ProtocolError):
            wrong.encode()


def test_answers_come_back() -> None:
    assert parse_admitted(admitted(7)) == 7
    assert parse_names(encode_names(9, [KEY, bytes(32)])) == (9, (KEY, bytes(32)))
    for raw in (lp("attachment-names", 9, bytes(31)), b"", lp("attachment-admitted", 9)):
        with pytest.raises(ProtocolError):
            parse_names(raw)


def test_nothing_secret_in_a_repr() -> None:
    attachment, _ = seal(b"x")
    for value in (attachment, Ask(KEY, 1)):
        assert KEY.hex() not in repr(value)
        assert repr(KEY) not in repr(value)
        assert "a name" not in repr(value)
