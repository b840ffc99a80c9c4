# SPDX-License-Identifier: AGPL-3.0-or-later
"""P1: letters and replies are readable by source and desk only, in twenty years too.

| Attacker                | Holds                                    | Tries                                           |
|-------------------------|------------------------------------------|-------------------------------------------------|
| server and network      | disk, database, private keys, all that   | to find a text, a key or an identity anywhere;  |
|                         | was published, all traffic               | to open anything with any of it                 |
| the same, with a        | besides, the X25519 half of the desk's   | to open letters and replies                     |
| quantum computer later, | and the source's sealing keys; or the    |                                                 |
| or with a break of      | ML-KEM half                              |                                                 |
| ML-KEM                  |                                          |                                                 |
| whoever seizes the desk | besides the server's, the vault and its  | to open a letter of an epoch that was erased    |
| later                   | passphrase                               |                                                 |
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import shake_256

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from latchstring.desk.secrets import epoch_secrets
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError, decode_cbor, lp
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, OpenEpoch, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey, SealKey
from latchstring.protocol.letter import letter_info, open_letter
from latchstring.protocol.primitives import expand, x25519_public
from latchstring.protocol.sheet import parse_sheet
from latchstring.protocol.source_keys import seed_of
from latchstring.protocol.wordlist import load
from tests.adversary.tools import Stage
from tests.world.world import World

LETTER = "the minister's own signature is on page seven"
REPLY = "bring the original to the usual bench"


def talk(stage: Stage) -> None:
    """A letter, an answer that is published, and a letter that says it was read."""
    stage.source.write(LETTER)
    stage.world.close()
    stage.desk.sync()
    stage.desk.show(stage.source)
    stage.desk.answer(stage.source, REPLY)
    stage.desk.sync()
    stage.world.close(180)
    assert stage.source.heard() == [REPLY]
    stage.source.write("read it")
    stage.world.close()
    stage.desk.sync()


# --- searching -------------------------------------------------------------------------------------


def secrets_of(stage: Stage) -> dict[str, bytes]:
    """What must be nowhere, by name."""
    source, desk, founding = stage.source, stage.desk, stage.world.founding
    keys = source.keys()
    found = {
        "letter": LETTER.encode(),
        "part of the letter": LETTER[10:30].encode(),
        "reply": REPLY.encode(),
        "passphrase": " ".join(source.passphrase.words(load())).encode(),
        "first words": " ".join(source.passphrase.words(load())[:2]).encode(),
        "passphrase's bits": source.passphrase.bits,
        "seed": seed_of(source.passphrase.bits, stage.world.door),
        "pk_S": keys.thread_keys.seal_key.raw[:64],
        "pk_S, X25519 part": keys.thread_keys.seal_key.raw[-32:],
        "A": keys.thread_keys.dh,
        "a": keys.dh,
        "psk": keys.psk,
        "thread": desk.thread(source),
        "root, Ed25519": founding.root.ed25519_seed,
        "root, ML-DSA": founding.root.mldsa_seed,
        "member's signing key": founding.member("news").sign_seed,
        "member's request key": founding.member("news").request_seed,
    }
    for row in desk.vault.rows("SELECT msg_id FROM letter"):
        found[f"letter id {row[0].hex()}"] = row[0]
    for row in desk.vault.rows("SELECT id FROM reply"):
        found["reply id"] = row[0]
    for kind, day, secret in desk.vault.rows("SELECT kind, day, secret FROM secret"):
        found[f"{kind} of day {day}"] = secret
    return found


def spellings(secret: bytes) -> Iterator[bytes]:
    """As it is, and as hexadecimal and base64 (without the digits that depend on what stands beside it)."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        yield text[4 if shift else 0 : -4]


def leaks(stage: Stage) -> list[str]:
    """Which secrets lie open at the server or on the network."""
    everything = stage.world.disk() + stage.world.overheard()
    return [
        name
        for name, secret in secrets_of(stage).items()
        if any(s in everything for s in spellings(secret) if len(s) > 7)
    ]


def test_nothing_secret_lies_at_the_server_or_crosses_the_network(stage: Stage) -> None:
    talk(stage)
    everything = stage.world.disk() + stage.world.overheard()
    assert stage.world.founding.receipt_seed in everything  # the search finds what is there
    assert stage.world.founding.member("news").public.sign_key in everything
    assert leaks(stage) == []


def test_a_seal_that_does_not_seal_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_envelope(_key: SealKey, plaintext: bytes, _info: bytes) -> bytes:
        return bytes(c.XWING_ENC) + plaintext + bytes(c.AEAD_TAG)

    monkeypatch.setattr(SealKey, "seal", open_envelope)
    monkeypatch.setattr(OpenKey, "open", lambda _key, sealed, _info: sealed[c.XWING_ENC : -c.AEAD_TAG])
    talk(stage)
    assert {"letter", "reply", "psk", "pk_S"} <= set(leaks(stage))


def test_a_client_that_names_its_thread_is_seen(stage: Stage) -> None:
    talk(stage)
    stage.source.wire.request("GET", "/visit", headers={"x-thread": stage.desk.thread(stage.source).hex()})
    assert leaks(stage) == ["thread"]


# --- opening ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sealed:
    """Something that a key might open, with what it is bound to."""

    what: str
    body: bytes
    info: bytes


def sealed_things(world: World) -> list[Sealed]:
    """Every letter, slot and wrap that the server ever stored, under every epoch note that was logged."""
    files = {**world.core.public.files, **world.core.private.files}
    notes: dict[bytes, EpochNote] = {}
    found = []
    for path, raw in files.items():
        if path.startswith("keynotes/"):
            for kind, body in decode_cbor(raw):  # type: ignore[attr-defined]  # a list of pairs
                if kind == Kind.EPOCH:
                    note = EpochNote.parse(body)
                    notes[note.hash] = note
                elif kind == Kind.WRAP:
                    wrap = Wrap.parse(body)
                    found.append(Sealed("wrap", wrap.sealed, lp("wrap", wrap.note_hash, wrap.member)))
    days = {0, c.day_of(world.batch)}
    for path, raw in files.items():
        if path.startswith("packs/"):
            for at in range(0, len(raw), c.LETTER_SIZE):
                letter = raw[at : at + c.LETTER_SIZE]
                found += [Sealed("letter", letter, letter_info(n)) for n in notes.values() if n.day in days]
        elif path.startswith("sheets/"):
            sheet = parse_sheet(raw)
            for page, head in enumerate(sheet.heads):
                note = notes[head.note]
                for slot in range(head.slots):
                    place = (sheet.n, page, sheet.r(page), slot)
                    info = lp("reply", note.door, note.desk, note.hash, *place)
                    found.append(Sealed("slot", sheet.slot(page, slot)[c.TAG_SIZE :], info))
    return found


def opened(things: Iterable[Sealed], keys: Iterable[OpenKey]) -> set[str]:
    """What sorts of things any of the keys opens."""
    tried = list(keys)
    return {thing.what for thing in things for key in tried if _opens(key, thing)}


def _opens(key: OpenKey, thing: Sealed) -> bool:
    try:
        key.open(thing.body, thing.info)
    except NotOurs:
        return False
    return True


def keys_from(secret: bytes) -> list[OpenKey]:
    """As it is, and by each label under which the protocol makes sealing keys."""
    return [OpenKey.from_secret(s) for s in (secret, *(expand(secret, lp(f"{x}-xwing")) for x in ("epoch", "source")))]


def test_no_key_that_the_server_holds_opens_anything(stage: Stage) -> None:
    talk(stage)
    things = sealed_things(stage.world)
    assert {thing.what for thing in things} == {"letter", "slot", "wrap"}
    core = stage.world.core
    secrets = [core.keys.log, core.keys.receipt, core.keys.request, stage.world.door, bytes(32)]
    assert opened(things, [key for secret in secrets for key in keys_from(secret)]) == set()
    # those who hold them can: so the attack would have been seen
    mine = [s.open().open_key for s in epoch_secrets(stage.desk.vault) if s.day in (0, 1)]
    assert opened(things, mine) == {"letter"}
    assert opened(things, [stage.source.keys().open_key]) == {"slot"}


def test_an_epoch_made_of_what_the_server_knows_is_opened(stage: Stage) -> None:
    """The broken desk: its randomness comes from the server."""
    request = stage.world.core.keys.request
    stage.desk.random = lambda size: (request * 4)[:size] if size == 32 else bytes(size)  # type: ignore[assignment]
    weak = OpenEpoch.make(stage.desk.random(32), stage.world.door, "news", 1, 1, 1)
    letter = weak.note.seal_key.seal(bytes(c.LETTER_PLAIN), letter_info(weak.note))
    assert opened([Sealed("letter", letter, letter_info(weak.note))], keys_from(request)) == {"letter"}


@pytest.mark.parametrize("halves", [("X25519",), ("ML-KEM",), ("X25519", "ML-KEM")])
def test_whoever_breaks_one_half_opens_nothing(stage: Stage, halves: tuple[str, ...]) -> None:
    """He has these halves of the epoch's and the source's sealing keys, and makes up the other. With both, the broken
    variant, he opens everything."""
    talk(stage)
    things = sealed_things(stage.world)
    epoch = next(s for s in epoch_secrets(stage.desk.vault) if s.day == 1)
    publics = (epoch.open().note.seal_key.raw, stage.source.keys().thread_keys.seal_key.raw)
    keys = []
    for secret, public in zip((expand(epoch.secret, lp("epoch-xwing")), _source_secret(stage)), publics, strict=True):
        both = shake_256(secret).digest(96)
        kem = MLKEM768PrivateKey.from_seed_bytes(both[:64]) if "ML-KEM" in halves else MLKEM768PrivateKey.generate()
        known = X25519PrivateKey.from_private_bytes(both[64:]) if "X25519" in halves else X25519PrivateKey.generate()
        own = kem.public_key().public_bytes_raw(), known.public_key().public_bytes_raw()
        assert (own[0] == public[:-32]) is ("ML-KEM" in halves)
        assert (own[1] == public[-32:]) is ("X25519" in halves)
        keys.append(OpenKey(b"".join(own), MLKEM768X25519PrivateKey(kem, known)))
    assert opened(things, keys) == ({"letter", "slot"} if len(halves) == 2 else set())


def _source_secret(stage: Stage) -> bytes:
    seed = seed_of(stage.source.passphrase.bits, stage.world.door)
    return expand(expand(seed, lp("thread", "news")), lp("source-xwing"))


# --- after the keys were erased --------------------------------------------------------------------


def seized(stage: Stage, sealed: bytes) -> bool:
    """Does the vault, with all that the server ever stored, still open this letter?"""
    vault, world = stage.desk.vault, stage.world
    secrets = [row[0] for row in vault.rows("SELECT secret FROM secret")]
    notes: dict[bytes, EpochNote] = {}
    wraps: list[Wrap] = []
    for path, raw in world.core.public.files.items():
        if path.startswith("keynotes/"):
            for kind, body in decode_cbor(raw):  # type: ignore[attr-defined]  # a list of pairs
                if kind == Kind.EPOCH:
                    note = EpochNote.parse(body)
                    notes[note.hash] = note
                elif kind == Kind.WRAP:
                    wraps.append(Wrap.parse(body))
    epochs = [s.open() for s in epoch_secrets(vault)]
    for secret in secrets:
        key = OpenKey.from_secret(secret)
        for wrap in wraps:
            try:
                epochs.append(wrap.open(notes[wrap.note_hash], key))
            except (NotOurs, ProtocolError):
                continue
    for epoch in epochs:
        try:
            open_letter(epoch, sealed)
        except (NotOurs, ProtocolError):
            continue
        return True
    return False


@pytest.mark.parametrize("broken", [False, True])
def test_an_erased_epoch_stays_shut(stage: Stage, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken:
        monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    stage.source.write(LETTER)
    sealed = stage.source.world.traffic[-1].body
    stage.world.close()
    for day in range(2, 16):
        stage.world.close(144 * day)
        if day in (3, 9, 14):
            stage.desk.sync()
            assert seized(stage, sealed)  # day 1's keys are kept for 14 days
    stage.desk.sync()
    assert seized(stage, sealed) is broken


def test_public_values_are_what_they_seem(stage: Stage) -> None:
    """The search above looks for the right things: A is the public half of a, and so on."""
    keys = stage.source.keys()
    assert x25519_public(keys.dh) == keys.thread_keys.dh
    assert keys.open_key.public == keys.thread_keys.seal_key.raw
