// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What later steps ask of a browser, looked for before anything is typed. Where the syntax is missing, or BigInt, the script
 * does not start at all. docs/guides/developer.md names the oldest browsers that have everything.
 */

import type { Texts } from "./texts.ts";

const USED = ["AbortController", "ReadableStream", "TextEncoder", "Worker"];

/** Throws, whatever it is, where something is missing. */
export function mustBeAble(texts: Texts): void {
  const has = USED.every((name) => name in globalThis) && "body" in Response.prototype && "arrayBuffer" in Blob.prototype;
  if (!has || !texts.span(60) || !texts.size(1000) || !texts.either(["a", "b"])) throw new TypeError("too old");
}
