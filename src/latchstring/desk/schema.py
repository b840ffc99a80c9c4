# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vault's tables. A vault of a newer program is refused, one of an older program is brought up when it is opened.

`secret` alone holds what is erased on its day (`secrets.py`): it is rebuilt at each erasure, so nothing else may
point into it and no index may copy from it. Every column that names a thread is called `thread` or `other_thread`: a
change of the passphrase gives the thread another id everywhere (`changes.py`).
"""

from typing import Final

from latchstring.desk.schema_search import SEARCH
from latchstring.desk.schema_shared import ADOPTED, FILLED, LETTER_ORDER, LETTER_TOLD, SENDING, SHARED

APPLICATION_ID: Final = 0x4C537431  # "LSt1"
VERSION: Final = 16

_FAILING: Final = """CREATE TABLE failing (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        since INTEGER NOT NULL            -- the day of the first session in a row that could not fetch everything
    ) STRICT"""

_MEMOS: Final = (
    """CREATE TABLE memo_seen (            -- memos taken in, so that none is twice
        member TEXT NOT NULL,
        msg_id BLOB NOT NULL,
        batch INTEGER NOT NULL,
        PRIMARY KEY (member, msg_id)
    ) STRICT""",
    """CREATE TABLE memo_kept (            -- of a version that this program does not read
        batch INTEGER NOT NULL,
        letter INTEGER NOT NULL,
        cbor BLOB NOT NULL,
        PRIMARY KEY (batch, letter)
    ) STRICT""",
    """CREATE TABLE fact_kept (            -- of a kind that this program does not know
        at INTEGER NOT NULL,              -- its place in the log
        by TEXT NOT NULL,
        passed_on_by TEXT,
        kind TEXT NOT NULL,
        raw BLOB NOT NULL,
        PRIMARY KEY (at, kind)
    ) STRICT""",
    """CREATE TABLE fact_waiting (         -- own facts that the log does not hold yet
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        raw BLOB NOT NULL,
        memo BLOB                         -- msg_id of the memo that carries it
    ) STRICT""",
)

_DESK_KEYS: Final = (
    """CREATE TABLE desk_transport (
        member TEXT NOT NULL,             -- anybody of the desk, ourselves too
        day INTEGER NOT NULL,
        sign_key BLOB NOT NULL,           -- the member's when it was logged
        at INTEGER NOT NULL,              -- place in the log: batch * 2^20 + index
        raw BLOB NOT NULL,
        PRIMARY KEY (member, day)
    ) STRICT""",
    """CREATE TABLE desk_wrap (
        note BLOB NOT NULL,               -- H(epoch note)
        member TEXT NOT NULL,             -- for whom
        day INTEGER NOT NULL,
        at INTEGER NOT NULL,              -- of the newest
        opened INTEGER NOT NULL,          -- 1: it was for us, and we hold the secret
        PRIMARY KEY (note, member)
    ) STRICT""",
)

_PENDING_CHANGE: Final = """CREATE TABLE pending_change (
        number INTEGER PRIMARY KEY,       -- order of the log within a batch
        batch INTEGER NOT NULL,
        old BLOB NOT NULL,                -- the thread that changes its passphrase
        new BLOB NOT NULL,                -- its id under the new keys
        seal_key BLOB NOT NULL,
        dh BLOB NOT NULL,
        psk BLOB NOT NULL
    ) STRICT"""

_MOVED_THREAD: Final = """CREATE TABLE moved_thread (
        number INTEGER PRIMARY KEY,
        thread BLOB NOT NULL,
        batch INTEGER NOT NULL,
        old BLOB UNIQUE                   -- the id under the old keys; NULL once it is forgotten
    ) STRICT"""

_SCRUB: Final = """CREATE TABLE scrub (
        one INTEGER PRIMARY KEY CHECK (one = 1)  -- there: something was deleted whose traces are still to be erased
    ) STRICT"""

_UNOPENED: Final = (
    """CREATE TABLE unopened (
        batch INTEGER NOT NULL,
        note BLOB NOT NULL,               -- H(epoch note) whose secret was not here
        day INTEGER NOT NULL,
        pack BLOB NOT NULL,               -- as in missing_pack
        gen INTEGER NOT NULL,
        leaves BLOB NOT NULL,
        PRIMARY KEY (batch, note)
    ) STRICT""",
    """CREATE TABLE presence (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        state TEXT NOT NULL               -- 'here' once a directory named us, 'left' when a later one does not
    ) STRICT""",
)
_ATTACHMENT_STATE: Final = """CREATE TABLE attachment_state (
        name BLOB PRIMARY KEY,            -- hash of what the letter says of it
        state TEXT NOT NULL               -- 'here', 'coming', 'dropped' or 'wrong'
    ) STRICT"""

_LEARNED: Final = """CREATE TABLE learned_address (
        place INTEGER PRIMARY KEY,        -- in the order of the newest directory
        address TEXT NOT NULL
    ) STRICT"""

_KNOWN: Final = """CREATE TABLE known (
        thread BLOB PRIMARY KEY,
        at INTEGER NOT NULL,              -- place in the log of the last word on it
        by TEXT NOT NULL,
        known INTEGER NOT NULL
    ) STRICT"""

_THREAD_LIFE: Final = (
    """CREATE TABLE gone (                 -- what was deleted must not come back
        mark BLOB PRIMARY KEY,            -- hash of a letter's or reply's random id, or of a thread's
        batch INTEGER NOT NULL,           -- how far the log was followed then
        at INTEGER,                       -- the place in the log where it was told, by whom
        by TEXT
    ) STRICT""",
    """CREATE TABLE withdrawn (
        reply BLOB PRIMARY KEY,
        at INTEGER,
        by TEXT
    ) STRICT""",
    """CREATE TABLE kept (                 -- marked to stay, whatever the policy says
        thread BLOB PRIMARY KEY,
        at INTEGER NOT NULL,              -- place in the log of the last word about it
        by TEXT,                          -- NULL until the log holds it
        is_on INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE linked (               -- held to be of one source; each pair both ways
        thread BLOB NOT NULL,
        other_thread BLOB NOT NULL,
        at INTEGER NOT NULL,
        by TEXT,
        is_on INTEGER NOT NULL,
        PRIMARY KEY (thread, other_thread)
    ) STRICT""",
    """CREATE TABLE retention_warned (
        thread BLOB PRIMARY KEY,
        day INTEGER NOT NULL              -- of the first warning that it will go
    ) STRICT""",
)

_ANSWERS: Final = (
    "ALTER TABLE letter ADD COLUMN answers BLOB",  # CBOR, of those that came beside the letter, once they are here
    """CREATE TABLE asked (
        seq INTEGER PRIMARY KEY,          -- the first directory in which the desk asked this
        questions BLOB NOT NULL           -- CBOR, as the directory has it
    ) STRICT""",
)

STEPS: Final = {
    1: (_FAILING, "ALTER TABLE missing_pack ADD COLUMN leaves BLOB"),
    2: _MEMOS,
    3: _DESK_KEYS,
    4: (
        _PENDING_CHANGE,
        _MOVED_THREAD,
        _SCRUB,
        "ALTER TABLE letter ADD COLUMN stale INTEGER NOT NULL DEFAULT 0",
    ),
    5: _UNOPENED,
    6: (_ATTACHMENT_STATE,),
    7: (*SENDING, *SHARED),
    8: (_LEARNED,),
    9: (_KNOWN,),
    10: (*SEARCH, "INSERT INTO words_owed (one) VALUES (1)", LETTER_ORDER),
    11: _THREAD_LIFE,
    12: _ANSWERS,
    13: (LETTER_TOLD,),
    14: ("DROP TABLE filled", FILLED),  # which said nothing of keys: what it held is passed on once more
    15: (
        ADOPTED,
        "UPDATE reply SET adopted = 1 WHERE id IN (SELECT id FROM shared_reply WHERE author NOT IN"
        " (SELECT member FROM me))",
    ),
}
"""STEPS[v] takes a vault from version v to v + 1."""

TABLES: Final = (
    """CREATE TABLE me (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        door_text TEXT NOT NULL,          -- as the member typed it: twelve words or a link
        door BLOB,                        -- 32 bytes, once a directory of this door was seen
        desk TEXT NOT NULL,
        member TEXT NOT NULL,
        sign_seed BLOB NOT NULL,          -- Ed25519
        request_seed BLOB NOT NULL,       -- X25519
        addresses TEXT NOT NULL,          -- one a line, tried in turn
        pin BLOB,
        page_version INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE followed (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        batch INTEGER NOT NULL,           -- the last batch that was opened
        manifest BLOB NOT NULL,           -- its hash
        state BLOB NOT NULL               -- the key state after it
    ) STRICT""",
    """CREATE TABLE missing_pack (
        batch INTEGER PRIMARY KEY,
        pack BLOB NOT NULL,               -- the hash that the manifest names
        gen INTEGER NOT NULL,             -- the desk's gen in that batch
        leaves BLOB                       -- hash of its letters' leaf hashes; none in a vault of version 1
    ) STRICT""",
    """CREATE TABLE secret (
        kind TEXT NOT NULL,               -- 'transport' or 'epoch'
        day INTEGER NOT NULL,
        name BLOB NOT NULL,               -- H(epoch note); empty for a transport key
        secret BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE transport_note (
        day INTEGER PRIMARY KEY,
        raw BLOB NOT NULL,
        logged INTEGER                    -- the batch that logged it
    ) STRICT""",
    """CREATE TABLE epoch_note (
        hash BLOB PRIMARY KEY,
        gen INTEGER NOT NULL,
        day INTEGER NOT NULL,
        raw BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE waiting_note (
        number INTEGER PRIMARY KEY,       -- order of posting
        kind TEXT NOT NULL,
        day INTEGER NOT NULL,
        gen INTEGER NOT NULL,             -- of the epoch; 0 for a transport key
        raw BLOB NOT NULL UNIQUE
    ) STRICT""",
    """CREATE TABLE thread (
        id BLOB PRIMARY KEY,
        seal_key BLOB NOT NULL,
        dh BLOB NOT NULL,
        psk BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE letter (
        number INTEGER PRIMARY KEY,       -- order of the log
        thread BLOB NOT NULL REFERENCES thread (id),
        msg_id BLOB NOT NULL,
        day INTEGER NOT NULL,             -- of the epoch that opened it
        batch INTEGER NOT NULL,
        verified INTEGER NOT NULL,        -- 0: came outside its epoch's days
        cbor BLOB NOT NULL,
        opened INTEGER NOT NULL DEFAULT 0,
        acked INTEGER NOT NULL DEFAULT 0,
        stale INTEGER NOT NULL DEFAULT 0, -- 1: came under keys that had been changed
        UNIQUE (thread, msg_id)
    ) STRICT""",
    """CREATE TABLE reply (
        number INTEGER PRIMARY KEY,       -- order of writing
        id BLOB NOT NULL UNIQUE,
        thread BLOB NOT NULL REFERENCES thread (id),
        cbor BLOB NOT NULL,
        written INTEGER NOT NULL,         -- Unix seconds
        read INTEGER                      -- the batch of the letter that names it
    ) STRICT""",
    """CREATE TABLE page_upload (
        sheet INTEGER NOT NULL,
        page INTEGER NOT NULL,
        version INTEGER NOT NULL,
        slots INTEGER NOT NULL,
        note BLOB NOT NULL,
        hash BLOB NOT NULL,
        receipt BLOB,                     -- kept until the sheet was audited
        PRIMARY KEY (sheet, page, version)
    ) STRICT""",
    """CREATE TABLE placement (
        sheet INTEGER NOT NULL,
        page INTEGER NOT NULL,
        version INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        reply BLOB NOT NULL REFERENCES reply (id),
        published INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (sheet, page, version, slot)
    ) STRICT""",
    "CREATE INDEX placement_of_reply ON placement (reply)",
    _FAILING,
    *_MEMOS,
    *_DESK_KEYS,
    _PENDING_CHANGE,
    _MOVED_THREAD,
    _SCRUB,
    *_UNOPENED,
    _ATTACHMENT_STATE,
    *SENDING,
    *SHARED,
    _LEARNED,
    _KNOWN,
    *SEARCH,
    LETTER_ORDER,
    *_THREAD_LIFE,
    *_ANSWERS,
    LETTER_TOLD,
    ADOPTED,
)
