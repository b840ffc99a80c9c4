# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the project's own vectors: `python -m tests.vectors.make` writes them, a test compares.

Seals and ML-DSA signatures are random, so what holds them is made once and kept: delete its file to make it anew.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from latchstring.protocol.answers import Answer, Answers, check, kept, shown
from latchstring.protocol.attachment import (
    Ask,
    Attachment,
    Sealer,
    admitted,
    chunk_name,
    chunks_of,
    encode_list,
    encode_names,
    padded,
)
from latchstring.protocol.change import ChangeBody
from latchstring.protocol.closing import Closing
from latchstring.protocol.constants import (
    ANSWER_LONG,
    ATTACHMENT_PLAIN,
    DOOR_WORDS,
    MAX_ALL_QUESTIONS,
    MAX_CHOICES,
    MAX_DESK_QUESTIONS,
    MAX_QUESTIONS,
)
from latchstring.protocol.directory import encode_directory, sign_directory
from latchstring.protocol.doorwords import door_words, format_link
from latchstring.protocol.encoding import encode_cbor, h, lp, parse_lp
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.knock import HEADER, NO_KNOCK, dummy, entry_of, knocks_of, make_list
from latchstring.protocol.letter import LetterBody, frame_change, frame_letter, seal_change, seal_letter
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.memo import MemoBody, frame_memo, seal_memo
from latchstring.protocol.pair import pair_of_desk, pair_of_source
from latchstring.protocol.passphrase import Passphrase, generate
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.questions import HELP, TITLE, encode_questions
from latchstring.protocol.receipt import PageReceipt, Receipt
from latchstring.protocol.reply import Place, ReplyBody, reply_tag, seal_reply
from latchstring.protocol.request import Asked, request_key_of_member, sign_request
from latchstring.protocol.root import RootKeys
from latchstring.protocol.sheet import PageHead, make_sheet
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.source_keys import SourceKeys, seed_of, source_keys
from latchstring.protocol.wordlist import LANGUAGES, WordList, load
from tests.asked import ASKED
from tests.builders import Stream, found, rotated
from tests.vectors.factvectors import facts
from tests.vectors.filevectors import files, filler, locked, published, visit
from tests.vectors.logvectors import cosignature, cosigned, proofs
from tests.vectors.signingvectors import signing_keys
from tests.vectors.sitevectors import site
from tests.vectors.statevectors import states

HERE = Path(__file__).parent
Vectors = dict[str, Any]


def _source() -> tuple[SourceKeys, OpenEpoch]:
    founding = found("vectors")
    seed = seed_of(generate(Stream("vector-source")).bits, founding.door)
    epoch = OpenEpoch.make(Stream("vector-epoch")(32), founding.door, "news", 1, 1, 3)
    return source_keys(seed, founding.door, "news"), epoch


def encoding() -> Vectors:
    lps: list[tuple[str, list[bytes | int | str]]] = [
        ("empty", []),
        ("two", [b"\x00\x01", 7]),
        ("text", ["стіл", 2**63 - 1, b""]),
    ]
    good: list[object] = [0, 23, 24, 2**32, -1, b"\x01", "ї", [], {"b": 1, "a": [True, False, None]}, {"aa": 1, "b": 2}]
    bad = {
        "a number longer than it need be": "1817",
        "keys out of order": "a2616201616101",
        "a key twice": "a2616101616102",
        "an indefinite length": "9f01ff",
        "a tag": "c11a514b67b0",
        "a float": "f93c00",
        "undefined": "f7",
        "bytes left over": "0101",
        "cut short": "4401",
        "a key that is not text": "a10101",
        "half a character": "63eda080",
        "nothing": "",
    }
    return {
        "lp": [
            {"label": label, "fields": [f if isinstance(f, int) else {"hex": _b(f).hex()} for f in fields],
             "bytes": lp(label, *fields).hex()}
            for label, fields in lps
        ],
        "cbor": [encode_cbor(value).hex() for value in good],
        "cbor_refused": [{"why": why, "bytes": raw} for why, raw in bad.items()],
    }  # fmt: skip


def _b(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _list_hash(words: WordList) -> str:
    return h("".join(f"{word}\n" for word in words.words).encode()).hex()


def passphrase() -> Vectors:
    words = load()
    made = [Passphrase(bytes(13)), Passphrase(b"\x0f" + b"\xff" * 12)]
    made += [generate(Stream(f"passphrase-{i}")) for i in range(4)]
    cases = [{"bits": p.bits.hex(), "words": list(p.words(words))} for p in made]
    good = list(made[2].words(words))
    last = words.words.index(good[9])
    checked = words.words[last ^ 1]  # the last ten bits are the check
    return {
        "language": "english",
        "list_sha256": _list_hash(words),
        "cases": cases,
        "other_languages": {
            language: {"list_sha256": _list_hash(words), "words": [list(p.words(words)) for p in made]}
            for language in LANGUAGES[1:]
            for words in [load(language)]
        },
        "also_read": [
            {"how": "numbered, a line each", "text": "".join(f"{i}. {w}\n" for i, w in enumerate(good, 1))},
            {"how": "numbered without spaces", "text": "".join(f"{i}){w}\n" for i, w in enumerate(good, 1))},
            {"how": "hyphens", "text": "-".join(good)},
            {"how": "commas, in capitals", "text": ", ".join(good).upper()},
            {"how": "full-width letters", "text": " ".join("".join(chr(ord(c) + 0xFEE0) for c in w) for w in good)},
            {
                "how": "soft hyphens and a byte order mark",
                "text": "\ufeff" + " ".join(f"{w[:2]}\u00ad{w[2:]}" for w in good),
            },
        ],
        "refused": [
            {"why": "two words swapped", "words": [good[1], good[0], *good[2:]]},
            {"why": "a check bit changed", "words": [*good[:9], checked]},
            {"why": "another word of the list", "words": [*good[:4], words.words[0], *good[5:]]},
            {"why": "nine words", "words": good[:9]},
            {"why": "eleven words", "words": [*good, good[9]]},
            {"why": "no words", "words": []},
            {"why": "a word that is not in the list", "words": ["latchstrings", *good[1:]]},
            {"why": "four letters of a word and another end", "words": [*good[:2], good[2][:4] + "zzz", *good[3:]]},
            {"why": "four letters of a word alone", "words": [*good[:2], good[2][:4], *good[3:]]},
        ],
    }


def doorwords() -> Vectors:
    words = load()
    door = found("vectors").door
    spelled, link = list(door_words(door, words)), format_link(door)
    other = words.words[words.words.index(spelled[6]) ^ 1]
    bad_links = {
        "63 digits": link[:-1],
        "65 digits": link + "0",
        "capital digits": link[:15] + link[15:].upper(),
        "a name in capitals": link.upper(),
        "another version": link.replace(":v1:", ":v2:"),
        "a key that is not at": link + "?to=http%3A%2F%2Fa.example",
        "an empty address": link + "?at=",
        "a query without an address": link + "?",
        "an ampersand at the end": link + "?at=a.example&",
        "a broken escape": link + "?at=a%2",
        "an address that is not UTF-8": link + "?at=a%FF",
        "an address with a line break": link + "?at=a%0Ab",
        "a fragment": link + "#a",
    }
    return {
        "count": DOOR_WORDS,
        "cases": [
            {"door": d.hex(), "words": list(door_words(d, words)), "addresses": at, "link": format_link(d, tuple(at))}
            for d, at in (
                (bytes(32), ["http://a.example"]),
                (bytes([255]) * 32, ["https://b.example/?x=1&y=%", "http://їжак.example"]),
                (door, []),
            )
        ],
        "differ": [
            {"why": "the seventh word", "door": door.hex(), "words": [*spelled[:6], other, *spelled[7:]],
             "places": [7]},
            {"why": "the first two swapped", "door": door.hex(), "words": [spelled[1], spelled[0], *spelled[2:]],
             "places": [1, 2]},
        ],
        "refused_words": [
            {"why": "eleven words", "words": spelled[:11]},
            {"why": "thirteen words", "words": [*spelled, spelled[0]]},
            {"why": "a word that is not in the list", "words": ["latchstrings", *spelled[1:]]},
        ],
        "refused_links": [{"why": why, "link": text} for why, text in bad_links.items()],
    }  # fmt: skip


def keys() -> Vectors:
    source, epoch = _source()
    founding = found("vectors")
    pair = pair_of_source(source, epoch.note)
    member = founding.member("news")
    return {
        "source": {
            "door": founding.door.hex(),
            "bits": generate(Stream("vector-source")).bits.hex(),
            "seed": seed_of(generate(Stream("vector-source")).bits, founding.door).hex(),
            "desk": "news",
            "pk_S": source.open_key.public.hex(),
            "A": source.thread_keys.dh.hex(),
            "c0": source.c0.hex(),
            "psk": source.psk.hex(),
            "thread": source.thread_keys.thread(founding.door, "news").hex(),
        },
        "epoch": {"secret": epoch.secret.hex(), "note": epoch.note.raw.hex(), "hash": epoch.note.hash.hex(),
                  "desk_key": epoch.desk_key.hex()},
        "signature": EpochSignature.make(epoch.note.hash, member.id, member.sign_seed).raw.hex(),
        "signer": member.public.sign_key.hex(),
        "pair": {use: pair.key(use).hex() for use in ("letter", "reply", "tag", "knock")},
        "tag": reply_tag(pair.key("tag"), Place(5, 1, bytes(range(16)), 2)).hex(),
    }  # fmt: skip


def knocks() -> Vectors:
    source, epoch = _source()
    four = knocks_of(pair_of_source(source, epoch.note))
    salt, value = b"\x0d" * 32, four[0].value
    lists = {
        "nobody is known": make_list(epoch, [], 40),
        "the source is known": make_list(epoch, [source.thread_keys], 41),
    }
    return {
        "header": HEADER,
        "none": NO_KNOCK,
        "knocks": [{"c": number, "value": knock.value.hex(), "header": knock.header()}
                   for number, knock in enumerate(four)],
        "dummies": [dummy(epoch, i).value.hex() for i in (0, 1, 251, 255)],
        "entry": {"salt": salt.hex(), "value": value.hex(), "entry": entry_of(salt, value).hex()},
        "lists": [
            {"what": what, "version": made.version, "salt": made.salt.hex(), "raw": made.raw.hex()}
            for what, made in lists.items()
        ],
    }  # fmt: skip


def structures() -> Vectors:
    founding = found("vectors")
    manifest = Manifest(37, 36, 800, b"\1" * 32, b"\2" * 32, (("news", b"\3" * 32),), b"\4" * 32, b"\5" * 32)
    receipt, page = Receipt("door.example/log", b"\6" * 32, 40), PageReceipt("door.example/log", 3, 0, 9, b"\7" * 32)
    sheet = make_sheet(1, 36, b"\2" * 32, [PageHead(1, "news", b"\3" * 32)], [b"\x08" * (16 + 3072)])
    member = founding.member("news")
    key = request_key_of_member("door.example/log", member.request_seed, founding.directory.request_key)
    asked = Asked("PUT", "door.example", "/v1/pages/3/0", "v=9", b"body")
    return {
        "directory_body": encode_directory(founding.directory).hex(),
        "closing_directory_body": encode_directory(
            replace(founding.directory, closed=Closing({"en": "Thank you.", "uk": "Дякуємо."}, ("https://example.org",)))
        ).hex(),
        "manifest": manifest.encode().hex(),
        "entries": {kind.value: entry(kind, b"bytes").hex() for kind in Kind},
        "receipt": receipt.sign(ed25519_key(founding.receipt_seed)).hex(),
        "page_receipt": page.sign(ed25519_key(founding.receipt_seed)).hex(),
        "receipt_key": founding.directory.receipt_key.hex(),
        "sheet_hash": sheet.hash.hex(),
        "request": {
            "key": key.hex(), "method": asked.method, "authority": asked.authority, "path": asked.path,
            "query": asked.query, "body": asked.body.hex(), "member": member.id, "created": 1_700_000_000,
            "nonce": bytes(range(24)).hex(),
            "headers": sign_request(asked, key, member.id, 1_700_000_000, bytes(range(24))),
        },
    }  # fmt: skip


def content(size: int) -> bytes:
    """Byte i is i mod 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def _sealed_file(size: int) -> tuple[Attachment, list[bytes]]:
    file_id, key = bytes(range(16)), bytes(range(32))
    sealer, plain, at, chunks = Sealer(file_id, key, size), content(size), 0, []
    for _ in range(sealer.chunks):
        end = at + sealer.needs()
        chunks.append(sealer.seal(plain[at:end]))
        at = end
    return Attachment(file_id, key, size, sealer.ciphertext_hash(), "кошторис.pdf"), chunks


def attachment() -> Vectors:
    sizes = (0, 1, ATTACHMENT_PLAIN, ATTACHMENT_PLAIN + 1, 8 * ATTACHMENT_PLAIN + 1)
    first = _sealed_file(sizes[1])[0]
    body = LetterBody("uk", "client", "Дивіться.", attachments=(first,))
    return {
        "content": "byte i is i mod 251",
        "id": bytes(range(16)).hex(),
        "key": bytes(range(32)).hex(),
        "padded": [[n, padded(n)] for n in (1, 2, 7, 8, 9, 15, 17, 100, 4097, 19_075)],
        "chunks_of": [[size, chunks_of(size)] for size in (*sizes, 10**6, 5 * 10**9, 10**12)],
        "names": [chunk_name(bytes(range(16)), n).hex() for n in (0, 1, 2**32)],
        "sealed": [
            {"size": size, "chunks": [h(chunk).hex() for chunk in chunks], "hash": made.hash.hex(),
             "first_bytes": chunks[0][:32].hex(), "last_bytes": chunks[-1][-32:].hex()}
            for size in sizes
            for made, chunks in [_sealed_file(size)]
        ],
        "letter_cbor": body.encode().hex(),
        "letter_with_list_cbor": LetterBody("uk", "client", "Дивіться.", listed=first).encode().hex(),
        "list": encode_list((first, Attachment(bytes(16), bytes(32), 7, bytes(32), "b"))).hex(),
        "ask": Ask(bytes(range(32)), 10).encode().hex(),
        "admitted": admitted(10).hex(),
        "names_answer": encode_names(9, [b"\x0e" * 32, b"\x0f" * 32]).hex(),
    }  # fmt: skip


def _changed(position: int, **changes: object) -> list[object]:
    """The questions as CBOR has them, one of them with other values; None takes one away."""
    items: list[object] = []
    for i, item in enumerate(encode_questions(ASKED)):
        assert isinstance(item, dict)
        value = {**item, **{name.strip("_"): given for name, given in changes.items()}} if i == position else item
        items.append({name: given for name, given in value.items() if given is not None})
    return items


def _many(count: int, characters: int) -> list[object]:
    """So many questions with titles of so many characters."""
    return [{"id": f"q{n}", "kind": "text", "step": 1, "titles": {"en": "x" * characters}} for n in range(count)]


def refused_questions() -> dict[str, list[object]]:
    """Lists of questions that no directory may hold, by reason."""
    choice: list[object] = ["order", {"en": "An order"}]
    return {
        "no list of maps": [7],
        "a key that is not known": _changed(0, colour="red"),
        "a kind that is not known": _changed(4, kind="map"),
        "an id in capitals": _changed(4, id="Where"),
        "an id twice": _changed(4, id="when"),
        "no title": _changed(4, titles={}),
        "an empty title": _changed(4, titles={"en": " "}),
        "a title that is too long": _changed(4, titles={"en": "x" * (TITLE + 1)}),
        "a help that is too long": _changed(4, help={"en": "x" * (HELP + 1)}),
        "a language that is none": _changed(4, titles={"EN": "Where?"}),
        "an empty help": _changed(4, help={}),
        "needed, and not": _changed(4, needed=False),
        "needed, as a number": _changed(4, needed=1),
        "a first step that is not 1": [{**item, "step": 2} for item in _many(1, 3) if isinstance(item, dict)],
        "a step left out": _changed(5, step=5),
        "a step back": _changed(4, step=1),
        "step 0": _changed(0, step=0),
        "one choice": _changed(0, choices=[choice]),
        "no choices": _changed(0, choices=None),
        "choices of a text": _changed(4, choices=[choice, ["money", {"en": "Money"}]]),
        "a choice twice": _changed(0, choices=[choice, choice]),
        "a choice without a title": _changed(0, choices=[choice, ["money", {}]]),
        "too many choices": _changed(0, choices=[[f"c{n}", {"en": "x"}] for n in range(MAX_CHOICES + 1)]),
        "a condition on itself": _changed(1, if_=["who", ["general"]]),
        "two conditions in a circle": _changed(0, if_=["who", ["general"]]),
        "a condition on one of the same step": _changed(2, if_=["who", ["general"]]),
        "a condition on one that is not there": _changed(1, if_=["how", ["order"]]),
        "a condition on a text": _changed(4, if_=["when", ["2024"]]),
        "a condition on a choice that is not there": _changed(1, if_=["what", ["murder"]]),
        "a condition on no choice": _changed(1, if_=["what", []]),
        "a condition on a choice twice": _changed(1, if_=["what", ["order", "order"]]),
        "too many": _many(MAX_QUESTIONS + 1, 3),
        "too long together": [{**_dict(q), "help": {"en": "x" * HELP}} for q in _many(MAX_QUESTIONS, TITLE)],
    }  # fmt: skip


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def questions() -> Vectors:
    """A directory that asks and names who signs its pages; letters that answer; what must be refused."""
    d = found("vectors").directory
    asking = replace(d, desks=(replace(d.desks[0], questions=ASKED),), site=SiteKey(bytes(range(32)), 3))
    given: dict[str, Answer] = {
        "what": "order", "who": ("general", "officer"), "when": "2024-05", "rank": "Майор",
        "where": "Запоріжжя", "more": "Я там був.",
    }  # fmt: skip
    answers = Answers(7, given)
    file = _sealed_file(1)[0]
    cases: list[dict[str, Answer]] = [
        {},
        given,
        {"what": "order"},
        {"what": "money", "who": ("general",), "rank": "x"},
        {"what": "order", "who": ("officer",), "rank": "x"},
        {"what": "order", "who": ("general",)},
        {"what": "murder", "when": "2023-02-29"},
        {"what": "other", "when": "2024-02-29", "where": "x" * 301, "more": "x" * 4000},
        {"what": "other", "more": "x" * 4001, "how": "x"},
        {"what": "order", "who": ("general", "general"), "when": "24-05", "rank": " "},
    ]
    bad: dict[str, object] = {
        "no list": {"what": "order"},
        "seq 0": [0, {"what": "order"}],
        "no answer": [7, {}],
        "an empty answer": [7, {"what": ""}],
        "no choice": [7, {"who": []}],
        "a choice twice": [7, {"who": ["general", "general"]}],
        "a choice that cannot be": [7, {"who": ["A general"]}],
        "a number": [7, {"what": 1}],
        "a question that cannot be": [7, {"What": "order"}],
        "a text that is too long": [7, {"more": "x" * (ANSWER_LONG + 1)}],
        "too many": [7, {f"q{n}": "x" for n in range(MAX_QUESTIONS + 1)}],
        "a third item": [7, {"what": "order"}, 1],
    }
    return {
        "directory_body": encode_directory(asking).hex(),
        "limits": {"desk": MAX_DESK_QUESTIONS, "directory": MAX_ALL_QUESTIONS},
        "questions": encode_cbor(encode_questions(ASKED)).hex(),
        "refused": [{"why": why, "questions": encode_cbor(q).hex()} for why, q in refused_questions().items()],
        "cases": [
            {"given": {i: a if isinstance(a, str) else list(a) for i, a in case.items()},
             "shown": [q.id for q in shown(ASKED, case)], "kept": list(kept(ASKED, case)),
             "problems": [[p.question, p.what] for p in check(ASKED, case)]}
            for case in cases
        ],
        "letter_cbor": LetterBody("uk", "client", "Дивіться.", answers=answers).encode().hex(),
        "letter_with_answers_beside_cbor": LetterBody("uk", "client", "Дивіться.", answers_in=file).encode().hex(),
        "answers": answers.encode().hex(),
        "refused_answers": [{"why": why, "answers": encode_cbor(value).hex()} for why, value in bad.items()],
    }  # fmt: skip


def sealed() -> Vectors:
    source, epoch = _source()
    founding = found("vectors")
    member = founding.member("news")
    body = LetterBody("uk", "client", "Мене ніхто не змушував.", (b"\x09" * 16,))
    place = Place(5, 1, bytes(range(16)), 2)
    reply = ReplyBody("Дякуємо.", (b"\x0a" * 8,), True)
    pair = pair_of_desk(epoch, source.thread_keys)
    transport_key = OpenKey.from_secret(Stream("vector-transport")(32))
    transport = TransportNote.make(founding.door, "news", member.id, 3, transport_key.seal_key(), member.sign_seed)
    return {
        "letter": {
            "msg_id": "0b" * 16,
            "cbor": body.encode().hex(),
            "plaintext": frame_letter(pair, b"\x0b" * 16, body.encode()).hex(),
            "sealed": seal_letter(source, epoch.note, b"\x0b" * 16, body).hex(),
        },
        "reply": {
            "sheet": 5, "page": 1, "r": bytes(range(16)).hex(), "slot": 2, "reply_id": "0c" * 16,
            "cbor": reply.encode().hex(), "sealed": seal_reply(pair, place, b"\x0c" * 16, reply).hex(),
        },
        "transport": {"secret": Stream("vector-transport")(32).hex(), "note": transport.raw.hex()},
        "wrap": Wrap.make(epoch, transport).raw.hex(),
        "directory": sign_directory(founding.directory, founding.root).hex(),
    }  # fmt: skip


def _new_source() -> SourceKeys:
    door = found("vectors").door
    return source_keys(seed_of(generate(Stream("vector-source-new")).bits, door), door, "news")


def change() -> Vectors:
    """A change of the passphrase, from the source of `keys` to another."""
    old, epoch = _source()
    new, msg_id = _new_source(), b"\x0d" * 16
    cbor = ChangeBody.make(old, new).encode()
    pairs = (pair_of_source(old, epoch.note), pair_of_source(new, epoch.note))
    return {
        "msg_id": msg_id.hex(),
        "new": {
            "bits": generate(Stream("vector-source-new")).bits.hex(),
            "pk_S": new.open_key.public.hex(), "A": new.thread_keys.dh.hex(), "psk": new.psk.hex(),
            "thread": new.thread_keys.thread(new.door, "news").hex(),
        },
        "cbor": cbor.hex(),
        "plaintext": frame_change(*pairs, msg_id, cbor).hex(),
    }  # fmt: skip


def sealed_change() -> Vectors:
    old, epoch = _source()
    return {"sealed": seal_change(old, _new_source(), epoch.note, b"\x0d" * 16).hex()}


def memos() -> Vectors:
    _, epoch = _source()
    facts = ({"kind": "assign", "thread": b"\x0e" * 32, "to": "anna"}, {"kind": "of a later version", "x": [1, None]})
    body, dummy = MemoBody("anna", facts), MemoBody("anna")
    bad = {
        "no version": {"from": "anna", "facts": []},
        "a later version": {"v": 2, "from": "anna", "facts": []},
        "a name that no member can have": {"v": 1, "from": "Anna", "facts": []},
        "a fact that is not a map": {"v": 1, "from": "anna", "facts": [7]},
        "a fact without a kind": {"v": 1, "from": "anna", "facts": [{"x": 1}]},
        "a key too many": {"v": 1, "from": "anna", "facts": [], "to": "ben"},
    }
    return {
        "msg_id": "0f" * 16,
        "cbor": body.encode().hex(),
        "plaintext": frame_memo(epoch, b"\x0f" * 16, body.encode()).hex(),
        "sealed": seal_memo(epoch, b"\x0f" * 16, body).hex(),
        "dummy": seal_memo(epoch, b"\x10" * 16, dummy).hex(),
        "refused": [{"why": why, "cbor": encode_cbor(value).hex()} for why, value in bad.items()],
    }


def roots() -> Vectors:
    """A rotation and the directory that goes with it; the same handed out by a wrong hand is refused."""
    founding = found("vectors")
    after = rotated(founding, "vector-roots")
    other = rotated(found("another door"), "vector-roots")
    body, *signatures = parse_lp("root-signed", 5, after.rotations[0])
    random = Stream("vector-stranger")
    wrong = RootKeys(random(32), random(32)).sign(body)
    spoiled = {
        "the old Ed25519 signature is a stranger's": [wrong.ed25519, *signatures[1:]],
        "the old ML-DSA-44 signature is a stranger's": [signatures[0], wrong.mldsa, *signatures[2:]],
        "the new Ed25519 signature is a stranger's": [*signatures[:2], wrong.ed25519, signatures[3]],
        "the new ML-DSA-44 signature is a stranger's": [*signatures[:3], wrong.mldsa],
    }
    old = founding.root.public()
    return {
        "door": founding.door.hex(),
        "founding": {"ed25519": old.ed25519.hex(), "mldsa": old.mldsa.hex()},
        "note": after.rotations[0].hex(),
        "hash": after.roots.head.hex(),
        "entry": entry(Kind.ROOT, after.rotations[0]).hex(),
        "posted": after.posted.hex(),
        "directory_hash": after.opened.hash.hex(),
        "refused": [
            *({"why": why, "note": lp("root-signed", body, *parts).hex()} for why, parts in spoiled.items()),
            {"why": "another door's", "note": other.rotations[0].hex()},
            {"why": "cut short", "note": after.rotations[0][:-1].hex()},
        ],
    }


FIXED: dict[str, Callable[[], Vectors]] = {
    "encoding": encoding,
    "passphrase": passphrase,
    "doorwords": doorwords,
    "keys": keys,
    "knocks": knocks,
    "structures": structures,
    "change": change,
    "cosignature": cosignature,
    "proofs": proofs,
    "attachment": attachment,
    "questions": questions,
    "site": site,
    "facts": facts,
    "files": files,
    "locked": locked,
    "published": published,
    "signing_keys": signing_keys,
    "states": states,
}
KEPT: dict[str, Callable[[], Vectors]] = {
    "sealed": sealed,
    "sealed_change": sealed_change,
    "cosigned": cosigned,
    "memos": memos,
    "roots": roots,
    "filler": filler,
    "visit": visit,
}


def path(name: str) -> Path:
    """Where a file of vectors lies."""
    return HERE / f"{name}.json"


def load_vectors(name: str) -> Vectors:
    """A file of vectors."""
    loaded: Vectors = json.loads(path(name).read_text("utf-8"))
    return loaded


def main() -> None:
    """Write what is fixed, and what is missing."""
    for name, make in {**FIXED, **{n: m for n, m in KEPT.items() if not path(n).exists()}}.items():
        path(name).write_text(json.dumps(make(), ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
