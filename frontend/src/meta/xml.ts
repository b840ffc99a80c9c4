// SPDX-License-Identifier: AGPL-3.0-or-later
/** XML without document types, from front to back: read piece by piece, or written anew with pieces changed. */

import type { Bytes } from "../protocol/bytes.ts";
import { Unreadable } from "./facts.ts";

const MAX_DEPTH = 256;
const [QUOTE, APOSTROPHE, SLASH, OPEN, CLOSE] = [0x22, 0x27, 0x2f, 0x3c, 0x3e];

/** A piece of a text: `text` is as it stands there; of a tag, `name` is without its prefix. */
export interface Token {
  readonly is: "open" | "close" | "empty" | "text" | "rest";
  readonly name: string;
  readonly text: string;
}

/** An attribute's full name, its name without the prefix, and its value as it stands there. */
export interface Attribute {
  readonly full: string;
  readonly name: string;
  readonly value: string;
}

/** The text of a file's bytes; Unreadable where it is neither UTF-8 nor UTF-16 with its mark. */
export function xmlText(raw: Bytes): string {
  const wide = raw[0] === 0xff && raw[1] === 0xfe ? "utf-16le" : raw[0] === 0xfe && raw[1] === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(wide, { fatal: true }).decode(raw);
  } catch {
    throw new Unreadable("damaged");
  }
}

const local = (name: string): string => name.slice(name.indexOf(":") + 1);

/** All pieces in turn. Unreadable `damaged` for a piece that does not end, a document type, tags that do not match. */
export function* tokens(text: string): Generator<Token> {
  const stack: string[] = [];
  const until = (mark: string, from: number): number => {
    const end = text.indexOf(mark, from);
    if (end < 0) throw new Unreadable("damaged");
    return end + mark.length;
  };
  for (let at = 0; at < text.length; ) {
    const open = text[at] === "<" ? at : text.indexOf("<", at);
    if (open !== at) {
      const end = open < 0 ? text.length : open;
      yield { is: "text", name: "", text: text.slice(at, end) };
      at = end;
    } else if (text.startsWith("<![CDATA[", at)) {
      const end = until("]]>", at);
      yield { is: "text", name: "", text: text.slice(at, end) };
      at = end;
    } else if (text[at + 1] === "!" || text[at + 1] === "?") {
      if (text[at + 1] === "!" && !text.startsWith("<!--", at)) throw new Unreadable("damaged");
      const end = text[at + 1] === "?" ? until("?>", at) : until("-->", at + 4);
      yield { is: "rest", name: "", text: text.slice(at, end) };
      at = end;
    } else {
      const end = tagEnd(text, at);
      const tag = text.slice(at, end);
      const closes = tag[1] === "/";
      const full = nameIn(tag, closes ? 2 : 1);
      const is = closes ? "close" : tag.endsWith("/>") ? "empty" : "open";
      if (!full || (closes && stack.pop() !== full)) throw new Unreadable("damaged");
      if (is === "open" && stack.push(full) > MAX_DEPTH) throw new Unreadable("too-much");
      yield { is, name: local(full), text: tag };
      at = end;
    }
  }
  if (stack.length) throw new Unreadable("damaged");
}

/** The full name that begins at `start`: up to a blank, "/" or ">". */
function nameIn(tag: string, start: number): string {
  let end = start;
  for (let code = tag.charCodeAt(end); code > 32 && code !== SLASH && code !== CLOSE; code = tag.charCodeAt(end)) end += 1;
  return tag.slice(start, end);
}

/** After the ">" of the tag that begins at `at`. */
function tagEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === CLOSE) return i + 1;
    if (code === OPEN) break;
    if (code === QUOTE || code === APOSTROPHE) {
      i = text.indexOf(code === QUOTE ? '"' : "'", i + 1);
      if (i < 0) break;
    }
  }
  throw new Unreadable("damaged");
}

/** Of an opening tag. Written as a walk: an expression would take the square of a hostile tag's length. */
export function attributes(tag: string): readonly Attribute[] {
  const out: Attribute[] = [];
  let at = 1;
  const skip = (stop: (sign: string) => boolean): number => {
    while (at < tag.length && !stop(tag[at] as string)) at += 1;
    return at;
  };
  const blank = (sign: string): boolean => sign <= " ";
  skip((sign) => blank(sign) || sign === "/" || sign === ">");
  for (;;) {
    const start = skip((sign) => !blank(sign) && sign !== "/");
    if (at >= tag.length || tag[at] === ">") return out;
    const full = tag.slice(start, skip((sign) => blank(sign) || sign === "="));
    skip((sign) => !blank(sign));
    if (tag[at] !== "=") throw new Unreadable("damaged");
    at += 1;
    const quote = tag[skip((sign) => !blank(sign))];
    const end = quote === '"' || quote === "'" ? tag.indexOf(quote, at + 1) : -1;
    if (end < 0) throw new Unreadable("damaged");
    out.push({ full, name: local(full), value: tag.slice(at + 1, end) });
    at = end + 1;
  }
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** A text or value as it is meant. */
export function plain(text: string): string {
  const inner = text.startsWith("<![CDATA[") ? text.slice(9, -3) : text;
  return inner.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,4}));/g, (whole, decimal, digits, name) => {
    const code = decimal ? Number(decimal) : digits ? parseInt(digits, 16) : -1;
    if (code > 0x10ffff) return "\ufffd";
    return code >= 0 ? String.fromCodePoint(code) : (NAMED[name as string] ?? whole);
  });
}

/** A text as it can stand in XML, between quotes too. */
export const escaped = (text: string): string =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** What is to change. `undefined` leaves a thing as it is, null drops it, a text (not yet escaped) takes its place. */
export interface Changes {
  /** False for a tag that the two below leave as it is: most are, and need not be taken apart. */
  readonly concerns: (name: string, tag: string) => boolean;
  /** An element with all that is in it. */
  readonly drops: (name: string, tag: string) => boolean;
  readonly attribute: (element: string, attribute: Attribute, tag: string) => string | null | undefined;
  /** The text right inside an element. */
  readonly text: (element: string, text: string) => string | undefined;
}

/** The text with the changes, as UTF-8, without comments and instructions. */
export function rewritten(source: string, changes: Changes): string {
  const out = ['<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'];
  const stack: string[] = [];
  let dropping = 0; // how deep inside of what is dropped
  for (const { is, name, text } of tokens(source)) {
    if (dropping) {
      dropping += is === "open" ? 1 : is === "close" ? -1 : 0;
    } else if (is === "open" || is === "empty") {
      if (!changes.concerns(name, text)) out.push(text);
      else if (changes.drops(name, text)) dropping = is === "open" ? 1 : 0;
      else out.push(changedTag(name, text, changes));
      if (is === "open" && !dropping) stack.push(name);
    } else if (is === "text" && stack.length) {
      const changed = text.trim() ? changes.text(stack[stack.length - 1] ?? "", text) : undefined;
      out.push(changed === undefined ? text : escaped(changed));
    } else if (is === "close") {
      stack.pop();
      out.push(text);
    }
  }
  return out.join("");
}

function changedTag(name: string, tag: string, changes: Changes): string {
  const all = attributes(tag);
  const changed = all.map((one) => ({ ...one, now: changes.attribute(name, one, tag) }));
  if (changed.every(({ now }) => now === undefined)) return tag;
  const head = `<${nameIn(tag, 1)}`;
  const kept = changed.filter(({ now }) => now !== null).map(({ full, value, now }) => {
    const as = now === undefined || now === null ? value.replace(/"/g, "&quot;") : escaped(now);
    return ` ${full}="${as}"`;
  });
  return `${head}${kept.join("")}${tag.endsWith("/>") ? "/>" : ">"}`;
}
