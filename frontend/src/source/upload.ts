// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Sending an attachment, as source/upload.py: read, sealed and sent chunk by chunk, resumed after a cut. What an upload
 * needs to go on lives in this page alone: one that is closed begins anew, with a new id and key, and the server drops
 * what came of the old one. Of a file no more than two chunks are in memory at once.
 */

import { type Answer, NetworkFailed, type Transport } from "../client/transport.ts";
import { type Attachment, chunkName, encodeAsk, MAX_NAME, parseAdmitted, Sealer } from "../protocol/attachment.ts";
import { type Bytes, hex, type Random } from "../protocol/bytes.ts";
import * as c from "../protocol/constants.ts";
import { ProtocolError } from "../protocol/encoding.ts";
import { HEADER, type Knock, knockHeader, NO_KNOCK } from "../protocol/knock.ts";
import { CannotWrite } from "./errors.ts";
import { AGAIN, type Pause } from "./sending.ts";

const TRIES = 8; // of one request in a row, before the person is asked
const ASKS = 3; // for room: a server without any has none for hours

/** Progress: bytes that are stored, of how many. */
export type Stored = (stored: number, of: number) => void;

/** The network or the server failed for long. What is stored stays: `run` goes on from there. */
export class Cut extends Error {
  override name = "Cut";
}

/** Bytes to attach, read once from front to back. */
export interface Content {
  readonly size: number;
  /** The next `count`; CannotWrite `file-changed` when they are not there as they were. */
  read(count: number): Promise<Bytes>;
}

/** Content in memory: the list of other attachments. */
export class InMemory implements Content {
  private at = 0;

  constructor(private readonly data: Bytes) {}

  get size(): number {
    return this.data.length;
  }

  read(count: number): Promise<Bytes> {
    this.at += count;
    return Promise.resolve(this.data.subarray(this.at - count, this.at));
  }
}

/** What is used of a Blob or File. */
export interface Blobby {
  readonly size: number;
  readonly lastModified?: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** A file that the person chose, read slice by slice; browsers fail such a read when the file has changed since. */
export class FromBlob implements Content {
  private at = 0;
  readonly size: number;
  private readonly modified: number | undefined;

  constructor(private readonly blob: Blobby) {
    this.size = blob.size;
    this.modified = blob.lastModified;
  }

  async read(count: number): Promise<Bytes> {
    let data: Bytes;
    try {
      data = new Uint8Array(await this.blob.slice(this.at, this.at + count).arrayBuffer());
    } catch {
      throw new CannotWrite("file-changed");
    }
    if (data.length !== count || this.blob.size !== this.size || this.blob.lastModified !== this.modified) {
      throw new CannotWrite("file-changed");
    }
    this.at += count;
    return data;
  }
}

/** A file's own name as a letter can hold it: whole characters, 255 at most, no folders. */
export const nameOf = (name: string): string =>
  [...(name.split(/[/\\]/).pop() as string).replace(/\p{Cs}/gu, "\ufffd")].slice(0, MAX_NAME).join("");

/** Endings of names of files: kinds that people know. As `source/upload.py` has them. */
export const ENDINGS: ReadonlySet<string> = new Set(
  (
    "jpg jpeg png webp gif heic heif avif bmp tif tiff svg dng pdf djvu epub doc docx docm xls xlsx xlsm ppt pptx odt ods odp odg " +
    "pages numbers key rtf txt csv tsv log html htm mht mhtml xml json eml msg mbox pst ics vcf zip rar 7z tar gz tgz bz2 xz mp3 m4a " +
    "aac wav ogg oga opus flac amr wma mp4 m4v mov avi mkv webm 3gp mpg mpeg wmv db sqlite sqlite3 mdb accdb sql exe apk asc gpg p7m"
  ).split(" "),
);

/** A number in place of a name, as `numbered` of `source/upload.py`: after a name's last dot there may be a name, too. */
export function numbered(number: number, name: string): string {
  const ending = /\.([a-z0-9]+|[A-Z0-9]+)$/.exec(name)?.[1] ?? "";
  return ENDINGS.has(ending.toLowerCase()) ? `${number}.${ending}` : `${number}`;
}

/** As large in a letter as the attachment will be, to see beforehand whether it fits. */
export const placeholder = (size: number, name: string): Attachment => ({
  id: new Uint8Array(c.ATTACHMENT_ID),
  key: new Uint8Array(c.SYM_KEY),
  size,
  hash: new Uint8Array(c.HASH_SIZE),
  name,
});

/** CannotWrite when a door whose limit is that many bytes takes no such file. */
export function checkSize(size: number, limit: number): void {
  if (!limit) throw new CannotWrite("no-attachments");
  if (!size) throw new CannotWrite("file-empty");
  if (size > limit) throw new CannotWrite("file-too-large", limit);
}

/** One attachment on its way, under a fresh id, key and token. */
export class Upload {
  private readonly id: Bytes;
  private readonly key: Bytes;
  private readonly token: Bytes;
  private readonly sealer: Sealer;
  private admitted = false;
  private underWay: Bytes | null = null; // sealed once: it is sent again as it is
  private put_ = 0;

  /** `knocks`: used in turn when the server has no room left that is open to all. */
  constructor(
    private readonly content: Content,
    private readonly name: string,
    random: Random,
    private readonly knocks: readonly Knock[] = [],
  ) {
    this.id = random(c.ATTACHMENT_ID);
    this.key = random(c.SYM_KEY);
    this.token = random(c.SYM_KEY);
    this.sealer = new Sealer(this.id, this.key, content.size);
  }

  /** How many chunks there are to store. */
  get chunks(): number {
    return this.sealer.chunks;
  }

  /** How many are stored. */
  get stored(): number {
    return this.put_;
  }

  /**
   * Send what is left; what the letter has to say of it.
   *
   * Cut when the line stays dead, Stopped when the person paused it: call again, with the same or another transport.
   * CannotWrite when the server refuses, or the file changed: then this upload is over.
   */
  async run(transport: Transport, pause: Pause, progress: Stored): Promise<Attachment> {
    if (!this.admitted) {
      await this.ask(transport, pause);
      this.admitted = true;
    }
    while (this.put_ < this.chunks) {
      this.underWay ??= this.sealer.seal(await this.content.read(this.sealer.needs));
      await this.put(transport, pause, this.underWay);
      this.underWay = null;
      this.put_ += 1;
      progress(this.put_ * c.ATTACHMENT_CHUNK, this.chunks * c.ATTACHMENT_CHUNK);
    }
    if (await this.ask(transport, pause)) throw new CannotWrite("attachment-lost");
    return { id: this.id, key: this.key, size: this.content.size, hash: this.sealer.ciphertextHash(), name: this.name };
  }

  /** Ask for room, or what is still to come; the same bytes every time. */
  private async ask(transport: Transport, pause: Pause): Promise<number> {
    const body = encodeAsk(this.token, this.chunks);
    const post = (head: string): Promise<Answer> =>
      transport.request("POST", "/v1/attachments", { body, headers: { [HEADER]: head } });
    const answer = await again(async () => {
      const full = await post(NO_KNOCK);
      for (const knock of full.status === 503 ? this.knocks : []) {
        const knocked = await post(knockHeader(knock));
        if (knocked.status !== 409) return knocked;
      }
      return full;
    }, pause, ASKS);
    if (answer.status !== 201) throw new CannotWrite("attachment-not-taken", answer.status);
    try {
      return parseAdmitted(answer.body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new CannotWrite("attachment-not-taken", answer.status);
    }
  }

  private async put(transport: Transport, pause: Pause, sealed: Bytes): Promise<void> {
    const path = `/v1/attachments/${hex(chunkName(this.id, this.put_))}`;
    const headers = { authorization: `Bearer ${hex(this.token)}` };
    let unsure = false;
    const answer = await again(async () => {
      if (unsure && (await transport.request("HEAD", path)).status === 200) {
        return { status: 201, body: new Uint8Array(0) }; // it had arrived: only the answer was lost
      }
      unsure = true;
      return transport.request("PUT", path, { body: sealed, headers });
    }, pause);
    if (answer.status !== 201) throw new CannotWrite("attachment-not-taken", answer.status);
  }
}

/** Until there is an answer that trying again would not change. Cut after too many. */
async function again(attempt: () => Promise<Answer>, pause: Pause, tries = TRIES): Promise<Answer> {
  for (let number = 0; number < tries; number += 1) {
    if (number) await pause(number);
    try {
      const answer = await attempt();
      if (![...AGAIN, 429, 507].includes(answer.status)) return answer;
    } catch (error) {
      if (!(error instanceof NetworkFailed)) throw error;
    }
  }
  throw new Cut();
}
