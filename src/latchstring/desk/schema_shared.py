# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tables of what the members of a desk share. `at` is a place in the log (`facts.At.number`): what decides which of two
facts holds, whatever the order in which a vault hears of them.
"""

from typing import Final

SENDING: Final = (
    "ALTER TABLE fact_waiting ADD COLUMN later INTEGER NOT NULL DEFAULT 0",  # 1: after own acts
    """CREATE TABLE memo_sent (            -- each sealing, until its batch is known
        leaf BLOB PRIMARY KEY,            -- hash of its log entry as a leaf
        msg_id BLOB NOT NULL,
        note BLOB NOT NULL,               -- H(epoch note) that it is sealed to
        sealed BLOB,                      -- until the server answered
        receipt BLOB,
        publish_by INTEGER
    ) STRICT""",
    """CREATE TABLE memo_plan (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        due INTEGER NOT NULL              -- Unix seconds: drawn before anything is known of what there will be to say
    ) STRICT""",
    "CREATE TABLE memo_time (at INTEGER NOT NULL) STRICT",  # posts of the last 24 hours, Unix seconds
    """CREATE TABLE broken_promise (
        receipt BLOB PRIMARY KEY,         -- the evidence
        publish_by INTEGER NOT NULL,
        noticed INTEGER NOT NULL          -- the batch after which the letter was missing
    ) STRICT""",
)

FILLED: Final = """CREATE TABLE filled (               -- what was passed on to a member
        member TEXT NOT NULL,
        key BLOB NOT NULL,                -- Ed25519: whoever joins again under the name begins with nothing
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        by TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (member, key, first, last)
    ) STRICT"""

SHARED: Final = (
    """CREATE TABLE shared_reply (         -- every member's, once the log holds it
        id BLOB PRIMARY KEY,
        thread BLOB NOT NULL,
        author TEXT NOT NULL,
        cbor BLOB NOT NULL,
        written INTEGER NOT NULL,         -- Unix seconds, by the author's clock
        knew INTEGER NOT NULL,            -- the batch to which the author had followed the log
        read INTEGER,                     -- the batch of the letter that names it
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX shared_reply_of_thread ON shared_reply (thread)",
    """CREATE TABLE placed_by (            -- published sheets that hold a reply
        reply BLOB NOT NULL,
        sheet INTEGER NOT NULL,
        member TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (reply, sheet)
    ) STRICT""",
    """CREATE TABLE turn (                 -- who does what only one should do: the first in the log for each turn
        what BLOB NOT NULL,
        turn INTEGER NOT NULL,
        member TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (what, turn)
    ) STRICT""",
    """CREATE TABLE assignment (
        thread BLOB PRIMARY KEY,
        member TEXT,                      -- NULL: nobody
        by TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE note (
        id BLOB PRIMARY KEY,
        thread BLOB NOT NULL,
        author TEXT NOT NULL,
        text TEXT NOT NULL,
        written INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX note_of_thread ON note (thread)",
    """CREATE TABLE letter_read (          -- letters that a human opened
        thread BLOB NOT NULL,
        mark BLOB NOT NULL,
        member TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (thread, mark, member)
    ) STRICT""",
    """CREATE TABLE member_seen (
        member TEXT PRIMARY KEY,
        batch INTEGER NOT NULL,           -- to which they followed the log
        gaps BLOB NOT NULL,               -- CBOR: [first, last] of batches that they could not open
        at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE gap (                  -- our own: batches whose letters this vault could not open
        first INTEGER PRIMARY KEY,
        last INTEGER NOT NULL
    ) STRICT""",
    FILLED,
    """CREATE TABLE letter_apart (         -- passed on before the keys of their thread came
        thread BLOB NOT NULL,
        msg_id BLOB NOT NULL,
        raw BLOB NOT NULL,                -- the fact
        by TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (thread, msg_id)
    ) STRICT""",
    "ALTER TABLE letter ADD COLUMN place INTEGER NOT NULL DEFAULT 0",  # position in the pack
    "ALTER TABLE letter ADD COLUMN passed_on_by TEXT",  # NULL: opened by this vault
    "ALTER TABLE letter ADD COLUMN passed_at INTEGER",
)

LETTER_ORDER: Final = "CREATE INDEX letter_order ON letter (batch, number, thread)"  # the newest threads, quickly

LETTER_TOLD: Final = """CREATE TABLE letter_told (          -- letters that lie in a memo too: passed on by a member
        msg_id BLOB PRIMARY KEY,
        day INTEGER NOT NULL              -- of the newest memo, whose keys open it for as long as they are kept
    ) STRICT"""

ADOPTED: Final = "ALTER TABLE reply ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0"  # 1: another member wrote it
