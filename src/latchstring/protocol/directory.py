# SPDX-License-Identifier: AGPL-3.0-or-later
"""The directory: what the organisation says of itself, under both root signatures, each naming the one before.

H(directory) = H(LP("directory", body)): the signatures are left out, since ML-DSA signing is randomised.
Signed bytes: LP("directory-signed", body, root Ed25519, root ML-DSA-44, signature, signature).
"""

import re
from dataclasses import dataclass
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.closing import LANGUAGE, Closing, check_closing, decode_closing, encode_closing
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor, h, lp, parse_lp
from latchstring.protocol.names import is_name
from latchstring.protocol.primitives import check_ed25519, check_x25519
from latchstring.protocol.questions import Question, check_questions, decode_questions, encode_questions, questions_size
from latchstring.protocol.root import Door, RootKeys, RootPublic, RootSignature
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.site_key import SiteKey, check_site_key, decode_site_key, encode_site_key
from latchstring.protocol.witness import Witness, check_witnesses, decode_witness, encode_witness

NO_HASH: Final = bytes(c.HASH_SIZE)
_ORIGIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9./-]{0,98}[a-z0-9])?\Z")
MAX_DESKS: Final = 64
MAX_MEMBERS: Final = 32
MAX_PAGES: Final = 64
MAX_SLOTS: Final = 128  # of a whole sheet: 84 such sheets are 33 MB, half of what a client takes as /visit
MAX_SIGNED: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """One who answers at a desk: Ed25519 signing key and X25519 request key, 32 bytes each."""

    id: str
    sign_key: bytes
    request_key: bytes

    @property
    def keys_mark(self) -> str:
        """32 hex digits that tell these keys from those of whoever had the id before."""
        return h(self.sign_key + self.request_key).hex()[:32]


@dataclass(frozen=True, slots=True)
class Desk:
    """A team inside the organisation. `gen` rises only when a member is removed."""

    id: str
    gen: int
    titles: dict[str, str]
    greetings: dict[str, str]
    members: tuple[Member, ...]
    questions: tuple[Question, ...] = ()  # to whoever writes, in their order

    def member(self, member_id: str) -> Member | None:
        """The member with that id, if present."""
        return next((m for m in self.members if m.id == member_id), None)


@dataclass(frozen=True, slots=True)
class PageOwner:
    """Which member of which desk fills a page of the sheets."""

    desk: str
    member: str


@dataclass(frozen=True, slots=True)
class Policy:
    """The door's figures. `tick` (seconds) and `started` (Unix seconds of batch 0's close) never change."""

    tick: int
    started: int
    letters: int = c.DEFAULT_LETTERS_PER_BATCH
    queue: int = c.DEFAULT_QUEUE
    slots: int = c.DEFAULT_SHEET_SLOTS  # of each page
    erase_days: int = c.DEFAULT_ERASE_DAYS
    answer_days: int = 7  # the response time the organisation promises
    attachment: int = c.DEFAULT_ATTACHMENT  # the most bytes of one attachment; 0: none are taken
    keep_days: int = 0  # threads that are quiet for so long are deleted by their desks; 0: only by hand

    def batch_at(self, now: int) -> int:
        """The number of the newest batch whose nominal close is not after `now`; negative before the founding."""
        return (now - self.started) // self.tick

    def closes_at(self, batch: int) -> int:
        """Unix seconds of the nominal close of `batch`."""
        return self.started + batch * self.tick


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory's content. `issued` (when it was signed) and `expires` are batch numbers; hashes are 32 bytes."""

    door: Door
    seq: int
    previous: bytes
    expires: int
    origin: str
    log_key: bytes
    receipt_key: bytes
    request_key: bytes
    addresses: tuple[str, ...]
    policy: Policy
    desks: tuple[Desk, ...]
    pages: tuple[PageOwner, ...]
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0  # how many of them a checkpoint must have
    issued: int = 0
    closed: Closing | None = None  # the door is closed for good: the last directory
    site: SiteKey | None = None  # who signs the manifest of the door's pages

    def desk(self, desk_id: str) -> Desk | None:
        """The desk with that id."""
        return next((d for d in self.desks if d.id == desk_id), None)

    def member(self, member_id: str) -> tuple[Desk, Member] | None:
        """The member with that id, and the desk; ids are unique in a directory."""
        for desk in self.desks:
            found = desk.member(member_id)
            if found is not None:
                return desk, found
        return None


@dataclass(frozen=True, slots=True)
class SignedDirectory:
    """A directory whose root signatures were checked against a door: only `open_directory` makes it.

    `root`: after how many rotations the keys that signed it came into force.
    """

    directory: Directory
    raw: bytes
    hash: bytes
    root: int


def encode_directory(d: Directory) -> bytes:
    """The body: deterministic CBOR. ProtocolError when the content breaks a rule of `check_directory`."""
    check_directory(d)
    site = {} if d.site is None else {"site": encode_site_key(d.site)}
    return encode_cbor(
        {
            "v": 1,
            "door": d.door,
            "seq": d.seq,
            "previous": d.previous,
            "issued": d.issued,
            "expires": d.expires,
            "origin": d.origin,
            "log": d.log_key,
            "receipt": d.receipt_key,
            "request": d.request_key,
            "addresses": list(d.addresses),
            "witnesses": [encode_witness(w) for w in d.witnesses],
            "quorum": d.quorum,
            "policy": {
                "tick": d.policy.tick,
                "started": d.policy.started,
                "letters": d.policy.letters,
                "queue": d.policy.queue,
                "slots": d.policy.slots,
                "erase-days": d.policy.erase_days,
                "answer-days": d.policy.answer_days,
                "keep-days": d.policy.keep_days,
                "attachment": d.policy.attachment,
            },
            "desks": [
                {
                    "id": k.id,
                    "gen": k.gen,
                    "titles": k.titles,
                    "greetings": k.greetings,
                    "members": [{"id": m.id, "sign": m.sign_key, "request": m.request_key} for m in k.members],
                    **({"questions": encode_questions(k.questions)} if k.questions else {}),
                }
                for k in d.desks
            ],
            "pages": [[p.desk, p.member] for p in d.pages],
            "closed": encode_closing(d.closed),
            **site,
        }
    )


def decode_directory(body: bytes) -> Directory:
    """The content of a body; ProtocolError for anything else than what `encode_directory` writes."""
    f = Fields(decode_cbor(body), "directory")
    if f.count("v") != 1:
        raise ProtocolError("a directory of a version that this program does not know")
    p = Fields(f.take("policy"), "policy")
    policy = Policy(
        tick=p.count("tick"),
        started=p.count("started"),
        letters=p.count("letters"),
        queue=p.count("queue"),
        slots=p.count("slots"),
        erase_days=p.count("erase-days"),
        answer_days=p.count("answer-days"),
        keep_days=p.count("keep-days"),
        attachment=p.count("attachment"),
    )
    p.done()
    directory = Directory(
        door=Door(f.raw("door", c.HASH_SIZE)),
        seq=f.count("seq"),
        previous=f.raw("previous", c.HASH_SIZE),
        expires=f.count("expires"),
        origin=f.text("origin"),
        log_key=f.raw("log", c.ED25519_PUBLIC),
        receipt_key=f.raw("receipt", c.ED25519_PUBLIC),
        request_key=f.raw("request", 32),
        addresses=tuple(_text(a, "addresses") for a in f.items("addresses", 32)),
        policy=policy,
        desks=tuple(_decode_desk(k) for k in f.items("desks", MAX_DESKS)),
        pages=tuple(_decode_page(k) for k in f.items("pages", MAX_PAGES)),
        witnesses=tuple(decode_witness(w) for w in f.items("witnesses", c.MAX_WITNESSES)),
        quorum=f.count("quorum"),
        issued=f.count("issued"),
        closed=decode_closing(f.take("closed")),
        site=decode_site_key(f.take("site")) if f.has("site") else None,
    )
    f.done()
    check_directory(directory)
    return directory


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ProtocolError(f"directory: '{what}' holds something else than texts")
    return value


def _decode_desk(value: object) -> Desk:
    f = Fields(value, "desk")
    members = []
    for item in f.items("members", MAX_MEMBERS):
        m = Fields(item, "member")
        members.append(Member(m.text("id"), m.raw("sign", c.ED25519_PUBLIC), m.raw("request", 32)))
        m.done()
    desk = Desk(
        f.text("id"),
        f.count("gen"),
        f.texts("titles", 64, 200),
        f.texts("greetings", 64, 4000),
        tuple(members),
        _decode_questions(f) if f.has("questions") else (),
    )
    f.done()
    return desk


def _decode_questions(f: Fields) -> tuple[Question, ...]:
    questions = decode_questions(f.items("questions", c.MAX_QUESTIONS))
    if not questions:
        raise ProtocolError("desk: 'questions' is there only when there are any")
    return questions


def _decode_page(value: object) -> PageOwner:
    if not isinstance(value, list) or len(value) != 2:
        raise ProtocolError("directory: a page is not a desk and a member")
    return PageOwner(_text(value[0], "pages"), _text(value[1], "pages"))


def check_directory(d: Directory) -> None:
    """ProtocolError, in words for the person who edits the directory, when a rule is broken."""

    def need(holds: bool, sentence: str) -> None:
        if not holds:
            raise ProtocolError(f"directory: {sentence}")

    p = d.policy
    need(1 <= p.tick <= 86_400, "a tick lasts from 1 second to a day")
    need(0 < p.started < 1 << 40, "'started' is not a time")
    need(1 <= p.letters <= 4096, "a batch has from 1 to 4096 letters")
    need(p.letters <= p.queue <= 1_000_000, "the queue holds at least one batch and at most a million letters")
    need(1 <= p.slots <= 256, "a page has from 1 to 256 slots")
    need(c.MIN_ERASE_DAYS <= p.erase_days <= 28, f"keys are erased after {c.MIN_ERASE_DAYS} to 28 days")
    need(1 <= p.answer_days <= 366, "the promised response time is from 1 to 366 days")
    need(p.keep_days == 0 or c.MIN_KEEP_DAYS <= p.keep_days <= c.MAX_KEEP_DAYS, "threads are kept for 30 to 3660 days")
    need(0 <= p.attachment <= c.MAX_ATTACHMENT, f"an attachment has at most {c.MAX_ATTACHMENT} bytes")
    need(d.seq >= 1, "the first has seq 1")
    need(d.issued < d.expires, "it runs out before it was signed")
    need((d.seq == 1) == (d.previous == NO_HASH), "only the first names none before it")
    need(bool(_ORIGIN.match(d.origin)), "the origin is lower-case letters, digits, dots, slashes and hyphens")
    need(
        all(0 < len(a) <= 200 and a.isprintable() and " " not in a for a in d.addresses),
        "an address is not one",
    )
    need(len(d.addresses) <= 32, "at most 32 addresses")
    signing = (d.log_key, d.receipt_key, *(m.sign_key for k in d.desks for m in k.members))
    for key in signing:
        check_ed25519(key)
    for key in (d.request_key, *(m.request_key for k in d.desks for m in k.members)):
        check_x25519(key)
    need(len({k.id for k in d.desks}) == len(d.desks), "two desks have the same id")
    members = [m.id for k in d.desks for m in k.members]
    need(len(set(members)) == len(members), "two members have the same id")
    for keys in ([m.sign_key for k in d.desks for m in k.members], [m.request_key for k in d.desks for m in k.members]):
        need(len(set(keys)) == len(keys), "two members have the same key")
    need(
        all(is_name(i) for i in (*members, *(k.id for k in d.desks))),
        "an id is not lower-case letters, digits and hyphens, at most 32",
    )
    for k in d.desks:
        need(1 <= k.gen <= d.seq, "a desk's gen is from 1 to the directory's number")
        need(1 <= len(k.members) <= MAX_MEMBERS, f"a desk has from 1 to {MAX_MEMBERS} members")
        need(bool(k.titles), "a desk has a title in at least one language")
        need(
            all(LANGUAGE.match(x) for x in (*k.titles, *k.greetings)),
            "a language is a tag such as 'en' or 'uk'",
        )
        check_questions(k.questions)
    need(len(d.desks) <= MAX_DESKS, f"at most {MAX_DESKS} desks")
    asked = sum(questions_size(k.questions) for k in d.desks if k.questions)
    need(asked <= c.MAX_ALL_QUESTIONS, f"all desks' questions take at most {c.MAX_ALL_QUESTIONS} bytes, not {asked}")
    need(1 <= len(d.pages) <= MAX_PAGES, f"a sheet has from 1 to {MAX_PAGES} pages")
    need(len(d.pages) * p.slots <= MAX_SLOTS, f"a sheet has at most {MAX_SLOTS} slots in all")
    for page in d.pages:
        desk = d.desk(page.desk)
        need(desk is not None and desk.member(page.member) is not None, "a page belongs to nobody at that desk")
    check_witnesses(d.witnesses, d.quorum, d.origin)
    check_closing(d.closed)
    check_site_key(d.site, signing)


def directory_hash(body: bytes) -> bytes:
    """H(directory): of what is signed, without the signatures."""
    return h(lp("directory", body))


def sign_directory(d: Directory, root: RootKeys, roots: RootChain | None = None) -> bytes:
    """The signed bytes; ProtocolError when the content breaks a rule or the root keys are not in force at its door.

    `roots`: the rotations so far (None: there were none).
    """
    public = root.public()
    chain = roots or RootChain(d.door)
    if chain.door != d.door or not chain.in_force(public):
        raise ProtocolError("these root keys are another door's, or were replaced")
    body = encode_directory(d)
    signature = root.sign(lp("directory", body))
    raw = lp("directory-signed", body, public.ed25519, public.mldsa, signature.ed25519, signature.mldsa)
    if len(raw) > MAX_SIGNED:
        raise ProtocolError(f"directory: it has {len(raw)} bytes, and {MAX_SIGNED} at most are read")
    return raw


def directory_keys(raw: bytes) -> RootPublic:
    """The root keys that the signed bytes name; nothing is proved by it. ProtocolError when they cannot be read."""
    _, ed, ml, _, _ = parse_lp("directory-signed", 5, raw)
    return RootPublic(ed, ml)


def open_directory(raw: bytes, roots: RootChain | Door | None) -> SignedDirectory:
    """Check the signatures and that the root keys were in force once: whether they still are is the log's order.

    `roots`: the door's keys so far; a door alone stands for its founding keys, None for whatever door the bytes
    themselves name. ProtocolError when anything is off.
    """
    if len(raw) > MAX_SIGNED:
        raise ProtocolError("a directory that is too long")
    body, ed, ml, sig_ed, sig_ml = parse_lp("directory-signed", 5, raw)
    public = RootPublic(ed, ml)
    chain = roots if isinstance(roots, RootChain) else RootChain(public.door() if roots is None else roots)
    number = chain.number_of(public)
    if number is None:
        raise ProtocolError("a directory of another door")
    if not public.verify(lp("directory", body), RootSignature(sig_ed, sig_ml)):
        raise ProtocolError("a directory whose signatures do not hold")
    directory = decode_directory(body)
    if directory.door != chain.door:
        raise ProtocolError("a directory that names another door than its own keys")
    return SignedDirectory(directory, raw, directory_hash(body), number)


def check_successor(old: SignedDirectory, new: SignedDirectory) -> None:
    """ProtocolError unless `new` may follow `old` directly."""
    a, b = old.directory, new.directory
    if b.seq != a.seq + 1 or b.previous != old.hash:
        raise ProtocolError("a directory that does not follow the one before it")
    if a.door != b.door:
        raise ProtocolError("a directory of another door")
    if a.closed is not None:
        raise ProtocolError("a directory after the closing of its door")
    if new.root < old.root:
        raise ProtocolError("a directory signed by root keys that were replaced")
    if (a.policy.tick, a.policy.started) != (b.policy.tick, b.policy.started):
        raise ProtocolError("a directory that changes the door's clock ('tick' and 'started' are for ever)")
    if (a.origin, a.log_key) != (b.origin, b.log_key):
        raise ProtocolError("a directory that changes the log's origin or key")
    if b.policy.letters < a.policy.letters or b.policy.queue < a.policy.queue:
        raise ProtocolError(
            "a directory that makes batches or the queue smaller: receipts given already would not hold"
        )
    for desk in b.desks:
        before = a.desk(desk.id)
        if before is None:
            if desk.gen != b.seq:  # higher than any it had before: a desk that comes back never names old epochs
                raise ProtocolError("a directory with a new desk whose gen is not the directory's number")
            continue
        removed = {(m.id, m.sign_key, m.request_key) for m in before.members} - {
            (m.id, m.sign_key, m.request_key) for m in desk.members
        }
        if desk.gen < before.gen or (removed and desk.gen == before.gen):
            raise ProtocolError("a directory that removes a member without raising the desk's gen")
