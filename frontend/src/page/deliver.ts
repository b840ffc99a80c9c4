// SPDX-License-Identifier: AGPL-3.0-or-later
/** A letter's way to the door: `/visit`, keys, files, seal, receipt. Everything that was done is kept for the next try. */

import type { Attachment } from "../protocol/attachment.ts";
import type { Knock } from "../protocol/knock.ts";
import type { LetterBody } from "../protocol/letter.ts";
import { noteToSealTo } from "../source/acts.ts";
import { ATTACHMENT_CHUNK } from "../protocol/constants.ts";
import { deskOf } from "../protocol/directory.ts";
import { equal, hex } from "../protocol/bytes.ts";
import {
  CannotWrite, compose, FromBlob, InMemory, post, secureRandom, sendBeside, type Sent, type Source, Upload,
  type VerifiedVisit,
} from "../source/session.ts";
import { ask, mustAsk } from "./asking.ts";
import { draftOf, files } from "./files.ts";
import type { Content } from "../source/upload.ts";
import { Journey } from "./journey.ts";
import { shownName } from "./lines.ts";
import type { Beside, Chosen, Letter, Page } from "./page.ts";
import type { Trouble } from "./screen.ts";
import { cannot, Left, maybeIn, OtherPage, tryAgain } from "./why.ts";

/** In, or back to the letter. */
export type Delivered =
  | { readonly kind: "sent"; readonly sent: Sent }
  | { readonly kind: "back"; readonly troubles: readonly Trouble[] };

const OF_DESK = ["closed", "expired", "desk-closed"];
const OF_TEXT = ["empty", "not-text", "too-long"];
const OF_FILES = ["no-attachments", "file-empty", "file-too-large", "file-changed", "too-many-files", "no-room"];

/** Something of one file; `file` null: of what has no room in the letter itself. */
class OfFile extends Error {
  constructor(
    readonly error: CannotWrite,
    readonly file: string | null,
    readonly item: Chosen | Beside,
  ) {
    super("a file");
  }
}

/** The desk asks something that the person was not asked, or not so. */
class AskedAnew extends Error {
  constructor(readonly visit: VerifiedVisit) {
    super("questions");
  }
}

/** Was it refused for what it is? What this page knows of the door may be older than the door. */
function refused(thrown: unknown): boolean {
  const error = thrown instanceof OfFile ? thrown.error : thrown;
  const taken = !(error instanceof CannotWrite) || !["not-taken", "attachment-not-taken"].includes(error.why);
  return !taken && error.detail >= 400 && error.detail < 500;
}

/** Tries until it is in or the person goes back. What is refused is tried once more by what the door says now. */
export async function deliver(page: Page, letter: Letter): Promise<Delivered> {
  for (let looked = false; ; ) {
    const journey = new Journey(page.screen, page.texts, { letter: true });
    try {
      return { kind: "sent", sent: await once(page, letter, journey) };
    } catch (thrown) {
      if (thrown instanceof AskedAnew) {
        if (await ask(page, letter, thrown.visit)) continue;
        return { kind: "back", troubles: [] };
      }
      if (refused(thrown) && !looked) {
        looked = true;
        page.door.again();
        continue;
      }
      const { troubles, again } = await told(page, letter, thrown, journey.lost);
      if (!again) return { kind: "back", troubles };
    }
  }
}

/** Say what went wrong, and ask what to do now. */
async function told(
  page: Page, letter: Letter, thrown: unknown, lost: boolean,
): Promise<{ again: boolean; troubles: readonly Trouble[] }> {
  const { texts, screen } = page;
  const file = thrown instanceof OfFile ? thrown.file : null;
  const error = thrown instanceof OfFile ? thrown.error : thrown;
  if (lost || maybeIn(error)) {
    letter.lost = letter.prepared?.msgId ?? null;
    letter.doubt = error instanceof CannotWrite && error.why === "no-receipt" ? cannot(error, texts, file) : "";
  }
  const back = (troubles: readonly Trouble[] = []) => ({ again: false, troubles });
  const full = async (why = "") => {
    const unsure = letter.lost !== null && letter.lost === letter.prepared?.msgId; // by this try, or one before it
    const said = why || (unsure ? letter.doubt : "");
    const values = { ...(unsure ? { unsure: true, ...(letter.doubt ? {} : { lost: true }) } : { refused: true }), ...(said ? { why: said } : unsure ? {} : { full: true }) };
    return (await screen.ask("full", values)).button === "send" ? { again: true, troubles: [] } : back();
  };
  if (error instanceof Left) return error.unsure ? full() : back();
  if (!(error instanceof CannotWrite)) {
    const sent = letter.lost ? { unsure: true } : letter.away ? {} : { unsent: true };
    return { again: await tryAgain(page, error, { letter: true, ...sent }), troubles: [] };
  }
  const text = cannot(error, texts, file);
  if (OF_DESK.includes(error.why)) return back([{ at: "desk", text }]);
  if (OF_TEXT.includes(error.why)) return back([{ at: "text", text }]);
  if (error.why === "file-changed" && thrown instanceof OfFile) letter.files = letter.files.filter((one) => one !== thrown.item);
  if (OF_FILES.includes(error.why)) return { again: await files(page, letter, [{ at: "file", text }]), troubles: [] };
  if (error.why === "unsure" || (lost && error.why !== "no-receipt")) return full();
  if (error.why === "not-taken" && (error.detail === 0 || error.detail >= 500)) return full();
  return full(text);
}

async function once(page: Page, letter: Letter, journey: Journey): Promise<Sent> {
  const visit = await journey.visit(page.door);
  if (!deskOf(visit.directory, letter.desk)) throw new OtherPage();
  const note = hex(noteToSealTo(visit, letter.desk).hash);
  if (letter.words) letter.source ??= await journey.keys(letter.words, false, visit);
  const source = letter.source as Source;
  if (letter.prepared === null || letter.sealedTo !== note) {
    if (mustAsk(letter, visit)) throw new AskedAnew(visit);
    const body = await uploads(page, letter, journey, source, visit);
    journey.say("sealing");
    letter.prepared = source.prepare(visit, letter.desk, body, secureRandom, letter.prepared);
    letter.sealedTo = note;
  }
  const { prepared } = letter;
  journey.say("posting");
  return journey.over((transport) => post(transport, visit, prepared, journey.pause, null));
}

/** Send the files that are not there yet, and what has no room in the letter; the letter that names them. */
async function uploads(page: Page, letter: Letter, journey: Journey, source: Source, visit: VerifiedVisit): Promise<LetterBody> {
  const { texts } = page;
  let some: readonly Knock[] | null = null;
  const knocks = (): readonly Knock[] => (some ??= source.knocks(visit, letter.desk, secureRandom));
  const start = async (one: Chosen | Beside, name: string, shown: string | null, content: () => Content): Promise<Attachment> => {
    if (one.sent) return one.sent;
    letter.away = true;
    one.upload ??= new Upload(content(), name, secureRandom, knocks());
    return run(journey, one, one.upload, shown);
  };
  const count = texts.number(letter.files.length);
  for (const [n, one] of letter.files.entries()) {
    if (!one.sent) journey.say("uploading", { name: shownName(one.name), number: texts.number(n + 1), count });
    await start(one, one.name, one.name, () => new FromBlob(one.file));
  }
  const draft = draftOf(page, letter);
  return sendBeside(compose(draft), draft.text, draft.files, draft.answers, (content, name) => {
    let one = letter.beside.get(name);
    if (!one || !equal(one.content, content)) letter.beside.set(name, (one = { content, upload: null, sent: null }));
    if (!one.sent) journey.say(name === "list" ? "listing" : "beside");
    return start(one, name, null, () => new InMemory(content));
  });
}

async function run(journey: Journey, one: Chosen | Beside, upload: Upload, name: string | null): Promise<Attachment> {
  try {
    one.sent = await journey.over((transport) => {
      journey.amount(upload.stored * ATTACHMENT_CHUNK, upload.chunks * ATTACHMENT_CHUNK); // a chunk may take a minute
      return upload.run(transport, journey.pause, (stored, of) => journey.amount(stored, of));
    });
    one.upload = null;
    return one.sent;
  } catch (error) {
    if (!(error instanceof CannotWrite)) throw error;
    one.upload = null; // it is over: the next try begins anew
    throw new OfFile(error, name, one);
  }
}
