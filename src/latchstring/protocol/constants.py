# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every size and period of the protocol, in one place, with the arithmetic that gives it.

All times are counts of ticks, so that a demonstration can run a month in minutes; how long a tick
lasts is the directory's word (600 seconds by default). `docs/protocol.md` prints these figures and
a test compares the two.
"""

from typing import Final

# --- counts of ticks ---------------------------------------------------------------------------
TICKS_PER_HOUR: Final = 6
TICKS_PER_DAY: Final = 24 * TICKS_PER_HOUR  # 144
TICKS_PER_SHEET: Final = 6 * TICKS_PER_HOUR  # 36: four sheets a day
SHEETS_PER_DAY: Final = TICKS_PER_DAY // TICKS_PER_SHEET  # 4
DEFAULT_TICK_SECONDS: Final = 600

# --- keys --------------------------------------------------------------------------------------
TRANSPORT_DAYS_AHEAD: Final = 28
EPOCH_DAYS_AHEAD: Final = 14
NOTE_FIXED_DAYS_AHEAD: Final = 7  # = PAGES_AHEAD / SHEETS_PER_DAY: a page can be made as soon as its note is fixed
EPOCH_LETTER_TICKS: Final = 3 * TICKS_PER_DAY  # 432: a letter counts for 72 h from the start of its epoch's day
DEFAULT_ERASE_DAYS: Final = 7  # W
MIN_ERASE_DAYS: Final = 4  # the epoch's 72 h, and a day to fetch and open what came in its last hour
LONE_ERASE_DAYS: Final = 14  # a desk of one has nobody to re-seal for an absent member
ERASE_GRACE_DAYS: Final = 7  # when fetching everything has failed for so long, what is due is erased all the same
VISIT_FRESH_TICKS: Final = (
    TICKS_PER_DAY  # a copy older than this is fetched again; a door silent for longer is called stale
)

# --- hybrid public keys (X-Wing) and sealing -----------------------------------------------------
SYM_KEY: Final = 32
MLKEM_PUBLIC: Final = 1184
XWING_PUBLIC: Final = MLKEM_PUBLIC + 32  # 1216
XWING_ENC: Final = 1088 + 32  # 1120
AEAD_TAG: Final = 16
SEAL_OVERHEAD: Final = XWING_ENC + AEAD_TAG  # 1136
MAC_SIZE: Final = 32
ED25519_PUBLIC: Final = 32
ED25519_SIGNATURE: Final = 64
MLDSA_PUBLIC: Final = 1312
MLDSA_SIGNATURE: Final = 2420
HASH_SIZE: Final = 32

# --- letters -----------------------------------------------------------------------------------
LP_PREFIX: Final = b"latchstring/v1/"
MSG_ID: Final = 16
ACK_SIZE: Final = 8
LETTER_SIZE: Final = 4096
LETTER_PLAIN: Final = LETTER_SIZE - SEAL_OVERHEAD  # 2960
# LP("letter-body", msg_id, pk_S, A, psk, CBOR): every field carries a 4-byte length
_LETTER_FRAME: Final = (
    (4 + len(LP_PREFIX) + len(b"letter-body")) + (4 + MSG_ID) + (4 + XWING_PUBLIC) + (4 + 32) + (4 + 32) + 4
)
LETTER_CBOR_MAX: Final = LETTER_PLAIN - _LETTER_FRAME - MAC_SIZE  # 2960 - 1346 - 32 = 1582

# --- memos -------------------------------------------------------------------------------------
_MEMO_FRAME: Final = (4 + len(LP_PREFIX) + len(b"memo-body")) + (4 + MSG_ID) + 4
MEMO_CBOR_MAX: Final = LETTER_PLAIN - _MEMO_FRAME - MAC_SIZE  # 2960 - 52 - 32 = 2876
MEMOS_A_DAY: Final = 48  # of one member, in any 24 hours
MEMO_GAP_TICKS: Final = TICKS_PER_HOUR  # 6: the mean between two memos of a member, 24 a day ...
MEMO_SHARE: Final = 4  # ... or longer, so that all members' memos take a quarter of the letter slots at most

# --- replies -----------------------------------------------------------------------------------
TAG_SIZE: Final = 16
SLOT_SIZE: Final = 3072
REPLY_SEALED: Final = SLOT_SIZE - TAG_SIZE  # 3056
REPLY_PLAIN: Final = REPLY_SEALED - SEAL_OVERHEAD  # 1920
REPLY_ID: Final = 16
_REPLY_FRAME: Final = (4 + len(LP_PREFIX) + len(b"reply-body")) + (4 + REPLY_ID) + 4
REPLY_CBOR_MAX: Final = REPLY_PLAIN - _REPLY_FRAME - MAC_SIZE  # 1920 - 53 - 32 = 1835
PAGE_RANDOM: Final = 16
DEFAULT_SHEET_SLOTS: Final = 8
SHEETS_KEPT: Final = 84  # 21 days in /visit
PAGES_AHEAD: Final = SHEETS_PER_DAY * NOTE_FIXED_DAYS_AHEAD  # 28
REPLACE_FROM_SHEETS: Final = 57  # placed again before the last copy leaves /visit ...
REPLACE_TO_SHEETS: Final = SHEETS_KEPT  # ... at 84
MAX_PLACINGS: Final = 1 + 25  # the first, and 25 more: 25 * 57 sheets and the last's 84 = 377 days, however early each

# --- flooding ------------------------------------------------------------------------------------
KNOCK_SIZE: Final = 32
KNOWN_THREADS: Final = 48  # of one desk
KNOCKS_A_THREAD: Final = 4  # for each epoch
KNOCK_LIST: Final = 256  # KNOWN_THREADS * KNOCKS_A_THREAD = 192, and at least 64 for members' own letters
KNOCK_DAYS: Final = 2  # a list counts on its day and the next
LOTTERY_HALVINGS: Final = 16  # of the chance, over the upper half of the lottery's room: 1/65,536 at its end
# --- attachments -------------------------------------------------------------------------------
ATTACHMENT_ID: Final = 16
ATTACHMENT_CHUNK: Final = 256 * 1024  # 262,144: as stored, tag included
ATTACHMENT_PLAIN: Final = ATTACHMENT_CHUNK - AEAD_TAG  # 262,128
MAX_ATTACHMENT: Final = 10**12  # the most bytes that a directory may allow
DEFAULT_ATTACHMENT: Final = 5 * 10**9
MAX_LISTED: Final = 1000  # attachments of one letter
ATTACHMENT_DAYS: Final = 14  # the server drops a chunk so many days after its attachment was admitted
ATTACHMENT_IDLE_TICKS: Final = TICKS_PER_DAY  # ... and an upload that is not whole when nothing came for so long
ATTACHMENT_START_TICKS: Final = TICKS_PER_HOUR  # ... or of which nothing came at all: room is not to be had for asking
ATTACHMENT_KEPT_DAYS: Final = ATTACHMENT_DAYS + 4  # a desk keeps what no letter names: till the last letter has come

# --- the log and the door ------------------------------------------------------------------------
DEFAULT_LETTERS_PER_BATCH: Final = 16
DEFAULT_QUEUE: Final = DEFAULT_LETTERS_PER_BATCH * TICKS_PER_DAY  # 2304: a day of batches
BODY_DAYS: Final = 35
MIN_KEEP_DAYS: Final = 30  # of a thread that is quiet, where the policy says so at all
MAX_KEEP_DAYS: Final = 3660
VISIT_BATCHES: Final = 2 * TICKS_PER_DAY  # 288: entries of the last two days, from a multiple of 256
LEVEL1_SPAN: Final = 256
LEVEL2_SPAN: Final = 65_536
VISIT_LEVEL1_BLOCKS: Final = 16  # level-1 hashes reach sixteen blocks of 65,536 leaves back
DEFAULT_EXPIRY_DAYS: Final = 60
MAX_EXPIRY_DAYS: Final = 92
REQUEST_SECONDS: Final = 300
MAX_WITNESSES: Final = 16

# --- what a desk asks ----------------------------------------------------------------------------
MAX_QUESTIONS: Final = 64  # of one desk
MAX_CHOICES: Final = 32  # of one question
MAX_DESK_QUESTIONS: Final = 32 * 1024  # bytes: 25 questions with a help in 6 languages, at 100 bytes each, are 30,000
MAX_ALL_QUESTIONS: Final = 64 * 1024  # of a directory: 2.7 % of the usual /visit, which is 2.4 MB, for each in it
ANSWER_LINE: Final = 300  # characters
ANSWER_LONG: Final = 4000  # characters: more is for the letter itself, or a file
MAX_ANSWERS: Final = ATTACHMENT_PLAIN  # bytes of answers that travel beside a letter: one chunk

# --- what a source remembers -----------------------------------------------------------------------
WORD_BITS: Final = 11
PASSPHRASE_WORDS: Final = 10
PASSPHRASE_RANDOM_BITS: Final = 100
PASSPHRASE_CHECK_BITS: Final = PASSPHRASE_WORDS * WORD_BITS - PASSPHRASE_RANDOM_BITS  # 10
MAX_ROTATIONS: Final = 64  # of a door's root keys; half a megabyte of /visit at most
MAX_SITE_ITEMS: Final = 4096  # addresses in a signed list of pages: 6 languages of 8 pages, and files
MAX_SITE: Final = 8 * 1024 * 1024  # bytes of such a list: 4,096 of 2 KB, most of which are headers
DOOR_WORDS: Final = 12  # 132 bits of the door's hash
ARGON2_MEMORY_KIB: Final = 64 * 1024
ARGON2_PASSES: Final = 3
ARGON2_LANES: Final = 1


def day_of(batch: int) -> int:
    """The day that batch number `batch` belongs to."""
    return batch // TICKS_PER_DAY


def sheet_of(batch: int) -> int:
    """The number of the sheet that is due once batch number `batch` closes."""
    return batch // TICKS_PER_SHEET


def day_of_sheet(sheet: int) -> int:
    """The day in which sheet number `sheet` closes."""
    return sheet // SHEETS_PER_DAY


def signatures_needed(members: int) -> int:
    """How many members of a desk must sign an epoch note: one in desks of one or two, else two."""
    return 1 if members <= 2 else 2
