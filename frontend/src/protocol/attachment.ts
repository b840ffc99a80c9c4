// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Attachments, the source's side, as protocol/attachment.py: a file cut into chunks of one size, each sealed by itself
 * (AES-256-GCM, STREAM in age's form) and stored under a name that tells nothing.
 */

import { gcm } from "@noble/ciphers/aes.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, characters, filledTo, hex } from "./bytes.ts";
import * as c from "./constants.ts";
import { type Cbor, encodeCbor, h, lp, parseLp, parseU64, ProtocolError, sized, u32, u64 } from "./encoding.ts";
import { expand, mac } from "./primitives.ts";

export const MAX_NAME = 255; // characters
const MAX_LIST = 2 * c.ATTACHMENT_PLAIN;

/**
 * Padmé (Nikitin et al., 2019) over chunks: rounded up to a number whose lowest e - (floor(log2 e) + 1) bits are zero, of
 * e + 1 bits. Counts stay far below 2^31: the largest attachment has some four million chunks.
 */
export function padded(chunks: number): number {
  const e = bits(chunks) - 1;
  const unit = 2 ** Math.max(0, e - bits(e));
  return Math.ceil(chunks / unit) * unit;
}

const bits = (value: number): number => 32 - Math.clz32(value);

/** How many chunks a file of `size` bytes is stored as, padding included; one at least. */
export const chunksOf = (size: number): number => padded(Math.max(1, Math.ceil(size / c.ATTACHMENT_PLAIN)));

/** What a letter says of one: `size` in bytes before padding, `hash` of the ciphertext, the file's `name`. */
export interface Attachment {
  readonly id: Bytes;
  readonly key: Bytes;
  readonly size: number;
  readonly hash: Bytes;
  readonly name: string;
}

/** As CBOR has it: [id, key, size, hash, name]. ProtocolError when a part is not what it must be. */
export function asItem(a: Attachment): Cbor[] {
  sized(a.id, c.ATTACHMENT_ID, "an id");
  sized(a.key, c.SYM_KEY, "a key");
  sized(a.hash, c.HASH_SIZE, "a hash");
  if (!(a.size >= 0 && a.size <= c.MAX_ATTACHMENT) || characters(a.name) > MAX_NAME) {
    throw new ProtocolError("something else than an attachment");
  }
  return [a.id, a.key, a.size, a.hash, a.name];
}

/** The content of a list attachment, for those that do not fit a letter. ProtocolError for none, too many, or one twice. */
export function encodeList(attachments: readonly Attachment[]): Bytes {
  if (attachments.length < 1 || attachments.length > c.MAX_LISTED) {
    throw new ProtocolError(`a list has from 1 to ${c.MAX_LISTED} attachments`);
  }
  if (new Set(attachments.map((a) => hex(a.id))).size !== attachments.length) throw new ProtocolError("an attachment twice");
  const raw = encodeCbor(attachments.map(asItem));
  if (raw.length > MAX_LIST) throw new ProtocolError("a list of attachments that is too long");
  return raw;
}

/** id_n = HMAC(att_id, n), 32 bytes: without the id, nobody can tell which names belong together. */
export const chunkName = (fileId: Bytes, n: number): Bytes => mac(fileId, u64(n));

/** How many of a file's `size` bytes lie in chunk n; 0 in chunks of padding alone. */
export const plainSize = (size: number, n: number): number =>
  Math.min(c.ATTACHMENT_PLAIN, Math.max(0, size - n * c.ATTACHMENT_PLAIN));

function nonce(n: number, last: boolean): Bytes {
  const out = new Uint8Array(12);
  out.set(u64(n), 3);
  out[11] = last ? 1 : 0;
  return out;
}

/**
 * Seals a file chunk by chunk, in order, each once: sealing other bytes again under the same nonce would give the key's
 * secrets away, so a chunk that must be sent again is kept sealed.
 */
export class Sealer {
  readonly chunks: number;
  private next = 0;
  private readonly cipherKey: Bytes;
  private readonly hash = sha256.create();

  constructor(
    fileId: Bytes,
    key: Bytes,
    private readonly size: number,
  ) {
    if (!(size >= 0 && size <= c.MAX_ATTACHMENT)) {
      throw new ProtocolError("an attachment of a size that the protocol does not know");
    }
    sized(fileId, c.ATTACHMENT_ID, "an id");
    this.cipherKey = expand(sized(key, c.SYM_KEY, "a key"), lp("attachment-key", fileId, size));
    this.chunks = chunksOf(size);
    const whole = lp("attachment-hash", new Uint8Array(0));
    this.hash.update(whole.subarray(0, -4)).update(u32(this.chunks * c.HASH_SIZE));
  }

  /** How many bytes of the file the next chunk takes. */
  get needs(): number {
    return plainSize(this.size, this.next);
  }

  /** The next stored chunk, 262,144 bytes. ProtocolError unless `plain` is exactly what the chunk takes. */
  seal(plain: Bytes): Bytes {
    const n = this.next;
    if (n >= this.chunks || plain.length !== this.needs) throw new ProtocolError("bytes that are not the next chunk's");
    this.next += 1;
    const filled = plain.length === c.ATTACHMENT_PLAIN ? plain : filledTo(plain, c.ATTACHMENT_PLAIN);
    const sealed = gcm(this.cipherKey, nonce(n, n === this.chunks - 1)).encrypt(filled);
    this.hash.update(h(sealed));
    return sealed;
  }

  /** Once all chunks are sealed; ProtocolError before. */
  ciphertextHash(): Bytes {
    if (this.next !== this.chunks) throw new ProtocolError("an attachment that is not whole");
    return this.hash.clone().digest();
  }
}

/** The body of `POST /v1/attachments`: LP("attachment", token, chunks). */
export function encodeAsk(token: Bytes, chunks: number): Bytes {
  if (!(chunks >= 1 && chunks <= chunksOf(c.MAX_ATTACHMENT)) || padded(chunks) !== chunks) {
    throw new ProtocolError("a size that is not padded as it must be");
  }
  return lp("attachment", sized(token, c.SYM_KEY, "a token"), chunks);
}

/** How many chunks are still to come, by the server's answer; ProtocolError for other bytes. */
export const parseAdmitted = (raw: Bytes): number => parseU64(parseLp("attachment-admitted", 1, raw)[0] as Bytes);
