# SPDX-License-Identifier: AGPL-3.0-or-later
"""The index of words. A row of it goes, by trigger, with the row whose text it holds, whichever statement deletes that.

Words must die with what they stood in (P2). FTS5's `secure-delete` takes a deleted row's words out of the index at
once; it does so for a table that keeps its own text, not for a contentless one, whose deleted words stay until some
merge. So the text is kept twice.
"""

from typing import Final

TABLES: Final = ("letter", "reply", "shared_reply", "note")
"""Where the text comes from. The row of table number i with rowid r is indexed as r * 4 + i."""

WORDS: Final = (
    "CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2')",
    "INSERT INTO words (words, rank) VALUES ('secure-delete', 1)",
)

SEARCH: Final = (
    *WORDS,
    *(
        f"CREATE TRIGGER {table}_words AFTER DELETE ON {table} BEGIN"  # noqa: S608  # own constants
        f" DELETE FROM words WHERE rowid = old.rowid * {len(TABLES)} + {position}; END"
        for position, table in enumerate(TABLES)
    ),
    "CREATE TABLE words_owed (one INTEGER PRIMARY KEY CHECK (one = 1)) STRICT",  # a row: not all is indexed yet
)
