// SPDX-License-Identifier: AGPL-3.0-or-later
/** The sizes and periods that a source's program needs, under the names of protocol/constants.py, which a test compares. */

export const TICKS_PER_HOUR = 6;
export const TICKS_PER_DAY = 24 * TICKS_PER_HOUR; // 144
export const TICKS_PER_SHEET = 6 * TICKS_PER_HOUR; // 36
export const SHEETS_PER_DAY = TICKS_PER_DAY / TICKS_PER_SHEET; // 4
export const MIN_ERASE_DAYS = 4;
export const VISIT_FRESH_TICKS = TICKS_PER_DAY;

export const SYM_KEY = 32;
export const MLKEM_PUBLIC = 1184;
export const XWING_PUBLIC = MLKEM_PUBLIC + 32;
export const XWING_ENC = 1088 + 32;
export const AEAD_TAG = 16;
export const SEAL_OVERHEAD = XWING_ENC + AEAD_TAG;
export const MAC_SIZE = 32;
export const ED25519_PUBLIC = 32;
export const ED25519_SIGNATURE = 64;
export const MLDSA_PUBLIC = 1312;
export const MLDSA_SIGNATURE = 2420;
export const HASH_SIZE = 32;

export const LP_PREFIX = "latchstring/v1/";
export const MSG_ID = 16;
export const ACK_SIZE = 8;
export const LETTER_SIZE = 4096;
export const LETTER_PLAIN = LETTER_SIZE - SEAL_OVERHEAD; // 2960
const LETTER_FRAME =
  4 + LP_PREFIX.length + "letter-body".length + (4 + MSG_ID) + (4 + XWING_PUBLIC) + (4 + 32) + (4 + 32) + 4;
export const LETTER_CBOR_MAX = LETTER_PLAIN - LETTER_FRAME - MAC_SIZE; // 1582

export const TAG_SIZE = 16;
export const SLOT_SIZE = 3072;
export const REPLY_SEALED = SLOT_SIZE - TAG_SIZE;
export const REPLY_PLAIN = REPLY_SEALED - SEAL_OVERHEAD; // 1920
export const REPLY_ID = 16;
const REPLY_FRAME = 4 + LP_PREFIX.length + "reply-body".length + (4 + REPLY_ID) + 4;
export const REPLY_CBOR_MAX = REPLY_PLAIN - REPLY_FRAME - MAC_SIZE; // 1835
export const PAGE_RANDOM = 16;
export const SHEETS_KEPT = 84;

export const KNOCK_SIZE = 32;
export const KNOCKS_A_THREAD = 4;

export const ATTACHMENT_ID = 16;
export const ATTACHMENT_CHUNK = 256 * 1024;
export const ATTACHMENT_PLAIN = ATTACHMENT_CHUNK - AEAD_TAG; // 262,128
export const MAX_ATTACHMENT = 1_000_000_000_000;
export const MAX_LISTED = 1000;

export const MAX_QUESTIONS = 64;
export const MAX_CHOICES = 32;
export const MAX_DESK_QUESTIONS = 32 * 1024;
export const ANSWER_LINE = 300;
export const ANSWER_LONG = 4000;
export const MAX_ANSWERS = ATTACHMENT_PLAIN;

export const MIN_KEEP_DAYS = 30;
export const MAX_KEEP_DAYS = 3660;
export const VISIT_BATCHES = 2 * TICKS_PER_DAY; // 288
export const LEVEL1_SPAN = 256;
export const LEVEL2_SPAN = 65_536;
export const VISIT_LEVEL1_BLOCKS = 16;
export const MAX_WITNESSES = 16;

export const WORD_BITS = 11;
export const PASSPHRASE_WORDS = 10;
export const PASSPHRASE_RANDOM_BITS = 100;
export const PASSPHRASE_CHECK_BITS = PASSPHRASE_WORDS * WORD_BITS - PASSPHRASE_RANDOM_BITS; // 10
export const MAX_ROTATIONS = 64;
export const DOOR_WORDS = 12;
export const ARGON2_MEMORY_KIB = 64 * 1024;
export const ARGON2_PASSES = 3;
export const ARGON2_LANES = 1;

/** The day that batch number `batch` belongs to. */
export const dayOf = (batch: number): number => Math.floor(batch / TICKS_PER_DAY);

/** The number of the sheet that is due once batch number `batch` closes. */
export const sheetOf = (batch: number): number => Math.floor(batch / TICKS_PER_SHEET);

/** How many members of a desk must sign an epoch note: one in desks of one or two, else two. */
export const signaturesNeeded = (members: number): number => (members <= 2 ? 1 : 2);
