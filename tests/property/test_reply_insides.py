# SPDX-License-Identifier: AGPL-3.0-or-later
"""A slot under a true tag, sealed to the source's key: whoever holds the epoch can put anything inside. The source's
program says so in its one way, or has a reply; nothing else ever leaves it."""

from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.constants import PAGE_RANDOM, REPLY_ID, REPLY_PLAIN
from latchstring.protocol.encoding import ProtocolError, h, lp
from latchstring.protocol.pair import pair_of_desk, pair_of_source
from latchstring.protocol.primitives import mac
from latchstring.protocol.reply import OpenedReply, Place, ReplyBody, open_reply, reply_tag, seal_reply
from latchstring.protocol.source_keys import source_keys
from tests.builders import Stream, found, make_epoch
from tests.mutations import changed

FOUNDING = found()
RANDOM = Stream("insides of replies")
EPOCH, _ = make_epoch(FOUNDING, "news", 3, RANDOM)
SOURCE = source_keys(RANDOM(32), FOUNDING.door, "news")
PLACE = Place(14, 0, RANDOM(PAGE_RANDOM), 1)
PAIR = pair_of_desk(EPOCH, SOURCE.thread_keys)
BODY = ReplyBody("we have read it", (RANDOM(8),), True)
REPLY = RANDOM(REPLY_ID)
VALID = lp("reply-body", REPLY, BODY.encode())


def slot(plain: bytes) -> bytes:
    """`plain` as the desk would seal it at this place, under the thread's own tag."""
    info = lp("reply", FOUNDING.door, "news", EPOCH.note.hash, PLACE.sheet, PLACE.page, PLACE.r, PLACE.slot)
    return reply_tag(PAIR.key("tag"), PLACE) + SOURCE.thread_keys.seal_key.seal(plain, info)


def with_mac(rest: bytes) -> bytes:
    """`rest` with the true MAC behind it, filled up with zeros."""
    signed = lp("reply-mac", PLACE.sheet, PLACE.page, PLACE.r, PLACE.slot, rest)
    return (rest + mac(PAIR.key("reply"), h(signed))).ljust(REPLY_PLAIN, b"\0")


def opened(plain: bytes) -> OpenedReply | None:
    """What the source finds; None when it is refused in the documented way."""
    try:
        return open_reply(pair_of_source(SOURCE, EPOCH.note), SOURCE.open_key, PLACE, slot(plain))
    except ProtocolError:
        return None


def test_a_slot_made_here_is_what_the_desk_makes() -> None:
    made = seal_reply(PAIR, PLACE, REPLY, BODY)
    assert open_reply(PAIR, SOURCE.open_key, PLACE, made) == opened(with_mac(VALID))
    assert len(made) == len(slot(with_mac(VALID)))


@given(st.binary(max_size=REPLY_PLAIN) | changed(with_mac(VALID)))
def test_an_arbitrary_inside_is_refused_or_a_reply(inside: bytes) -> None:
    """Behind its frame, its MAC or in its padding something is other than it was: then there is no reply."""
    plain = inside[:REPLY_PLAIN].ljust(REPLY_PLAIN, b"\0")
    reply = opened(plain)
    if reply is not None:
        assert plain == with_mac(lp("reply-body", reply.reply_id, reply.cbor))


@given(st.binary(max_size=1700) | changed(BODY.encode()), st.binary(min_size=REPLY_ID, max_size=REPLY_ID))
def test_arbitrary_cbor_under_a_true_mac_is_a_reply_whose_body_may_be_none(cbor: bytes, reply_id: bytes) -> None:
    """What a later version writes, or a member who means harm."""
    reply = opened(with_mac(lp("reply-body", reply_id, cbor)))
    assert reply is not None
    assert (reply.reply_id, reply.cbor) == (reply_id, cbor)
    assert reply.body is None or reply.body.encode() == cbor


@given(changed(VALID))
def test_another_frame_under_a_true_mac_is_refused_or_a_reply(rest: bytes) -> None:
    reply = opened(with_mac(rest))
    if reply is not None:
        assert with_mac(rest) == with_mac(lp("reply-body", reply.reply_id, reply.cbor))
