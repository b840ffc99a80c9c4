# SPDX-License-Identifier: AGPL-3.0-or-later
"""The project's vectors: what the code makes is what the files say, and what must be refused is."""

from typing import Any

import pytest

from latchstring.protocol.answers import Answers, check, kept, shown
from latchstring.protocol.attachment import Ask, Attachment, Opener, Sealer, parse_admitted, parse_list, parse_names
from latchstring.protocol.directory import decode_directory, encode_directory, open_directory
from latchstring.protocol.doorwords import parse_door
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote, EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.letter import LetterBody, letter_info, open_letter
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.memo import MemoBody, frame_memo, open_memo
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.passphrase import MistypedPassphrase, parse_passphrase
from latchstring.protocol.questions import decode_questions, encode_questions
from latchstring.protocol.receipt import open_page_receipt, open_receipt
from latchstring.protocol.reply import Place, open_reply
from latchstring.protocol.request import Asked, verify_request
from latchstring.protocol.root import Door, RootPublic
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.rooted import open_rooted
from latchstring.protocol.site_manifest import open_site
from latchstring.protocol.source_keys import source_keys
from latchstring.protocol.wordlist import LANGUAGES, load
from tests.vectors.make import FIXED, content, load_vectors
from tests.vectors.sitevectors import example


@pytest.mark.parametrize("name", sorted(FIXED))
def test_the_code_makes_what_the_file_says(name: str) -> None:
    assert FIXED[name]() == load_vectors(name)


@pytest.mark.parametrize("case", load_vectors("encoding")["cbor_refused"], ids=lambda c: str(c["why"]))
def test_cbor_that_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        decode_cbor(bytes.fromhex(case["bytes"]))


@pytest.mark.parametrize("raw", load_vectors("encoding")["cbor"])
def test_cbor_that_is_accepted(raw: str) -> None:
    assert encode_cbor(decode_cbor(bytes.fromhex(raw))).hex() == raw


@pytest.mark.parametrize("case", load_vectors("passphrase")["cases"], ids=lambda c: str(c["bits"]))
def test_passphrases(case: dict[str, Any]) -> None:
    assert parse_passphrase(" ".join(case["words"]), load()).bits.hex() == case["bits"]


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_same_passphrases_in_another_language(language: str) -> None:
    v = load_vectors("passphrase")
    for words, case in zip(v["other_languages"][language]["words"], v["cases"], strict=True):
        assert parse_passphrase(" ".join(words), load(language)).bits.hex() == case["bits"]


@pytest.mark.parametrize("case", load_vectors("passphrase")["also_read"], ids=lambda c: str(c["how"]))
def test_passphrases_in_another_dress(case: dict[str, Any]) -> None:
    assert parse_passphrase(case["text"], load()).bits.hex() == load_vectors("passphrase")["cases"][2]["bits"]


@pytest.mark.parametrize("case", load_vectors("passphrase")["refused"], ids=lambda c: str(c["why"]))
def test_passphrases_refused(case: dict[str, Any]) -> None:
    with pytest.raises(MistypedPassphrase):
        parse_passphrase(" ".join(case["words"]), load())


@pytest.mark.parametrize("case", load_vectors("doorwords")["cases"], ids=lambda c: str(c["door"])[:8])
def test_doors(case: dict[str, Any]) -> None:
    door = bytes.fromhex(case["door"])
    assert parse_door(" ".join(case["words"]), load()).matches(door)
    link = parse_door(case["link"], load())
    assert (link.door, list(link.addresses)) == (door, case["addresses"])


@pytest.mark.parametrize("case", load_vectors("doorwords")["differ"], ids=lambda c: str(c["why"]))
def test_doors_that_differ(case: dict[str, Any]) -> None:
    name = parse_door(" ".join(case["words"]), load())
    assert not name.matches(bytes.fromhex(case["door"]))
    assert list(name.differing(bytes.fromhex(case["door"]))) == case["places"]


@pytest.mark.parametrize("case", load_vectors("doorwords")["refused_words"], ids=lambda c: str(c["why"]))
def test_door_words_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        parse_door(" ".join(case["words"]), load())


@pytest.mark.parametrize("case", load_vectors("doorwords")["refused_links"], ids=lambda c: str(c["why"]))
def test_door_links_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        parse_door(case["link"], load())


def _epoch() -> OpenEpoch:
    v = load_vectors("keys")["epoch"]
    return OpenEpoch.of_note(bytes.fromhex(v["secret"]), EpochNote.parse(bytes.fromhex(v["note"])))


def test_the_sealed_letter_opens() -> None:
    v, source = load_vectors("sealed")["letter"], load_vectors("keys")["source"]
    opened = open_letter(_epoch(), bytes.fromhex(v["sealed"]))
    assert (opened.msg_id.hex(), opened.cbor.hex(), opened.thread.hex()) == (v["msg_id"], v["cbor"], source["thread"])
    assert opened.body is not None
    assert opened.body.text == "Мене ніхто не змушував."


@pytest.mark.parametrize("at", [0, 1119, 1120, 4095])
def test_the_sealed_letter_changed_anywhere_does_not_open(at: int) -> None:
    raw = bytearray.fromhex(load_vectors("sealed")["letter"]["sealed"])
    raw[at] ^= 1
    with pytest.raises(NotOurs):
        open_letter(_epoch(), bytes(raw))


def test_the_sealed_change_opens_and_names_the_new_keys() -> None:
    v, source = load_vectors("change"), load_vectors("keys")["source"]
    raw = bytes.fromhex(load_vectors("sealed_change")["sealed"])
    opened = open_letter(_epoch(), raw)
    assert (opened.msg_id.hex(), opened.cbor.hex(), opened.thread.hex()) == (v["msg_id"], v["cbor"], source["thread"])
    assert opened.body is None
    assert opened.change is not None
    assert opened.change.c0.hex() == source["c0"]
    assert opened.change.keys.thread(_epoch().note.door, "news").hex() == v["new"]["thread"]
    assert _epoch().open_key.open(raw, letter_info(_epoch().note)).hex() == v["plaintext"]


def test_the_sealed_memos_open() -> None:
    v = load_vectors("memos")
    opened = open_memo(_epoch(), bytes.fromhex(v["sealed"]))
    assert (opened.msg_id.hex(), opened.cbor.hex()) == (v["msg_id"], v["cbor"])
    assert opened.body is not None
    assert opened.body.encode().hex() == v["cbor"]
    assert frame_memo(_epoch(), opened.msg_id, opened.cbor).hex() == v["plaintext"]
    assert open_memo(_epoch(), bytes.fromhex(v["dummy"])).body == MemoBody("anna")


@pytest.mark.parametrize("case", load_vectors("memos")["refused"], ids=lambda c: str(c["why"]))
def test_memos_that_are_not_read(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        MemoBody.parse(bytes.fromhex(case["cbor"]))


def test_the_sealed_reply_opens_at_its_place_alone() -> None:
    v, s = load_vectors("sealed")["reply"], load_vectors("keys")["source"]
    keys = source_keys(bytes.fromhex(s["seed"]), Door(bytes.fromhex(s["door"])), s["desk"])
    pair = pair_of_source(keys, _epoch().note)
    raw, r = bytes.fromhex(v["sealed"]), bytes.fromhex(v["r"])
    opened = open_reply(pair, keys.open_key, Place(v["sheet"], v["page"], r, v["slot"]), raw)
    assert (opened.reply_id.hex(), opened.cbor.hex()) == (v["reply_id"], v["cbor"])
    for other in (Place(6, 1, r, 2), Place(5, 0, r, 2), Place(5, 1, bytes(16), 2), Place(5, 1, r, 3)):
        with pytest.raises(ProtocolError):
            open_reply(pair, keys.open_key, other, raw)


def test_wrap_transport_and_directory() -> None:
    v, k = load_vectors("sealed"), load_vectors("keys")
    transport = TransportNote.parse(bytes.fromhex(v["transport"]["note"]))
    assert transport.holds(bytes.fromhex(k["signer"]))
    key = OpenKey.from_secret(bytes.fromhex(v["transport"]["secret"]))
    assert Wrap.parse(bytes.fromhex(v["wrap"])).open(_epoch().note, key) == _epoch()
    assert EpochSignature.parse(bytes.fromhex(k["signature"])).holds(bytes.fromhex(k["signer"]))
    signed = open_directory(bytes.fromhex(v["directory"]), Door(bytes.fromhex(k["source"]["door"])))
    assert signed.directory.seq == 1


def test_a_root_rotation_and_the_directory_that_goes_with_it() -> None:
    v = load_vectors("roots")
    door, raw = Door(bytes.fromhex(v["door"])), bytes.fromhex(v["note"])
    assert RootPublic(*(bytes.fromhex(v["founding"][half]) for half in ("ed25519", "mldsa"))).door() == door
    chain = RootChain(door).then(raw)
    assert chain.head.hex() == v["hash"]
    assert entry(Kind.ROOT, raw).hex() == v["entry"]
    rooted = open_rooted(bytes.fromhex(v["posted"]), door)
    assert (rooted.roots, rooted.signed.hash.hex(), rooted.signed.root) == (chain, v["directory_hash"], 1)
    for case in v["refused"]:
        with pytest.raises(ProtocolError):
            RootChain(door).then(bytes.fromhex(case["note"]))


def test_structures() -> None:
    v = load_vectors("structures")
    assert Manifest.parse(bytes.fromhex(v["manifest"])).encode().hex() == v["manifest"]
    key = bytes.fromhex(v["receipt_key"])
    assert open_receipt(bytes.fromhex(v["receipt"]), key).publish_by == 40
    assert open_page_receipt(bytes.fromhex(v["page_receipt"]), key).version == 9
    q = v["request"]
    asked = Asked(q["method"], q["authority"], q["path"], q["query"], bytes.fromhex(q["body"]))
    signer = verify_request(asked, q["headers"], lambda _m: bytes.fromhex(q["key"]), q["created"] + 300)
    assert signer.member == q["member"]


def test_attachments_open_again_from_what_the_letter_says() -> None:
    v = load_vectors("attachment")
    for case in v["sealed"]:
        sealer = Sealer(bytes.fromhex(v["id"]), bytes.fromhex(v["key"]), case["size"])
        opener = Opener(Attachment(bytes.fromhex(v["id"]), bytes.fromhex(v["key"]), case["size"],
                                   bytes.fromhex(case["hash"]), ""))  # fmt: skip
        plain, at, out = content(case["size"]), 0, b""
        for _ in case["chunks"]:
            end = at + sealer.needs()
            out += opener.open(sealer.seal(plain[at:end]))
            at = end
        opener.done()
        assert out == plain


def test_attachment_structures() -> None:
    v = load_vectors("attachment")
    body = LetterBody.parse(bytes.fromhex(v["letter_cbor"]))
    assert [a.name for a in body.attachments] == ["кошторис.pdf"]
    assert LetterBody.parse(bytes.fromhex(v["letter_with_list_cbor"])).listed == body.attachments[0]
    assert parse_list(bytes.fromhex(v["list"]))[0] == body.attachments[0]
    assert Ask.parse(bytes.fromhex(v["ask"])) == Ask(bytes(range(32)), 10)
    assert parse_admitted(bytes.fromhex(v["admitted"])) == 10
    assert parse_names(bytes.fromhex(v["names_answer"])) == (9, (b"\x0e" * 32, b"\x0f" * 32))


Q = load_vectors("questions")


def test_a_directory_with_questions_and_a_site_comes_back() -> None:
    raw = bytes.fromhex(Q["directory_body"])
    directory = decode_directory(raw)
    assert encode_directory(directory) == raw
    assert encode_cbor(encode_questions(directory.desks[0].questions)).hex() == Q["questions"]
    assert directory.site is not None
    assert (directory.site.key, directory.site.least) == (bytes(range(32)), 3)


def test_a_directory_without_them_has_the_bytes_that_it_had() -> None:
    plain = bytes.fromhex(load_vectors("structures")["directory_body"])
    assert b"questions" not in plain
    assert b"site" not in plain
    assert encode_directory(decode_directory(plain)) == plain


@pytest.mark.parametrize("case", Q["refused"], ids=lambda c: str(c["why"]))
def test_questions_that_are_refused(case: dict[str, str]) -> None:
    items = decode_cbor(bytes.fromhex(case["questions"]))
    assert isinstance(items, list)
    with pytest.raises(ProtocolError):
        decode_questions(items)
    body = decode_cbor(bytes.fromhex(Q["directory_body"]))
    assert isinstance(body, dict)
    body["desks"][0]["questions"] = items
    with pytest.raises(ProtocolError):
        decode_directory(encode_cbor(body))


@pytest.mark.parametrize("case", Q["cases"], ids=lambda c: ",".join(c["given"]) or "nothing")
def test_which_questions_apply_and_what_is_wrong(case: dict[str, Any]) -> None:
    items = decode_cbor(bytes.fromhex(Q["questions"]))
    assert isinstance(items, list)
    asked = decode_questions(items)
    given = {name: answer if isinstance(answer, str) else tuple(answer) for name, answer in case["given"].items()}
    assert [q.id for q in shown(asked, given)] == case["shown"]
    assert list(kept(asked, given)) == case["kept"]
    assert [[p.question, p.what] for p in check(asked, given)] == case["problems"]


def test_letters_with_answers() -> None:
    answers = Answers.parse(bytes.fromhex(Q["answers"]))
    assert answers.given["who"] == ("general", "officer")
    assert LetterBody.parse(bytes.fromhex(Q["letter_cbor"])).answers == answers
    beside = LetterBody.parse(bytes.fromhex(Q["letter_with_answers_beside_cbor"]))
    assert (beside.answers, beside.answers_in) == (
        None,
        LetterBody.parse(bytes.fromhex(load_vectors("attachment")["letter_cbor"])).attachments[0],
    )


@pytest.mark.parametrize("case", Q["refused_answers"], ids=lambda c: str(c["why"]))
def test_answers_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        Answers.parse(bytes.fromhex(case["answers"]))
    body = decode_cbor(bytes.fromhex(Q["letter_cbor"]))
    assert isinstance(body, dict)
    body["answers"] = decode_cbor(bytes.fromhex(case["answers"]))
    with pytest.raises(ProtocolError):
        LetterBody.parse(encode_cbor(body))


def test_answers_in_two_ways_are_refused() -> None:
    body = decode_cbor(bytes.fromhex(Q["letter_cbor"]))
    other = decode_cbor(bytes.fromhex(Q["letter_with_answers_beside_cbor"]))
    assert isinstance(body, dict)
    assert isinstance(other, dict)
    with pytest.raises(ProtocolError):
        LetterBody.parse(encode_cbor({**body, **other}))


W = load_vectors("site")


def test_a_signed_list_of_pages_comes_back() -> None:
    key = bytes.fromhex(W["key"])
    manifest = open_site(bytes.fromhex(W["signed"]), key)
    assert manifest == example()
    assert [item.path for item in manifest.items] == [item["path"] for item in W["items"]]
    assert manifest.sign(bytes.fromhex(W["seed"])).hex() == W["signed"]
    before = manifest.items[0]
    assert before.body(False) != before.body(True)
    assert manifest.items[1].body(False) is None
    assert manifest.items[2].body(False) == manifest.items[2].body(True)


@pytest.mark.parametrize("case", W["refused"], ids=lambda c: str(c["why"]))
def test_lists_of_pages_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        open_site(bytes.fromhex(case["signed"]), bytes.fromhex(W["key"]))
