// SPDX-License-Identifier: AGPL-3.0-or-later
/** Files that cannot be read here, by their first bytes: what such files usually say is known, and the person is told that. */

import type { Bytes } from "../protocol/bytes.ts";
import type { Why } from "./facts.ts";
import { latin1 } from "./slices.ts";

/** Of ISO's boxed files (14496-12), by the brand: HEIC, AVIF, Canon's raw; sound alone. Others are films. */
const PHOTO_BRANDS = /^(he[iv][cmsx]|mif1|msf1|avi[fs]|crx )/;
const SOUND_BRANDS = /^(M4[ABP] )/;

const FAMILIES: readonly (readonly [Why, RegExp])[] = [
  // TIFF and the raw files built on it, GIF, BMP, Photoshop, JPEG 2000, JPEG XL, Fujifilm's raw
  ["photo", /^(II\*\0|MM\0\*|II\+\0|II[RU][OS\0]|GIF8|BM[^]{4}\0\0\0\0|8BPS|\0\0\0\x0c(jP {2}|JXL )|\xff\x0a|FUJIFILM)/],
  // Matroska, AVI, MPEG, Flash, Windows Media, QuickTime of old
  ["film", /^(\x1a\x45\xdf\xa3|RIFF[^]{4}AVI |\0\0\x01[\xb3\xba]|FLV\x01|\x30\x26\xb2\x75|[^]{4}(moov|mdat|wide|free))/],
  ["sound", /^(ID3|fLaC|OggS|RIFF[^]{4}WAVE|#!AMR|caff|FORM[^]{4}AIF|\xff[\xf1-\xf3\xf9-\xfb])/],
  ["old-office", /^\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1/],
];

/** Why it cannot be read; "unknown" for what is none of these. `head`: 16 bytes or more. */
export function familyOf(head: Bytes): Why {
  const text = latin1(head.subarray(0, 16));
  if (text.startsWith("ftyp", 4)) {
    const brand = text.slice(8, 12);
    return PHOTO_BRANDS.test(brand) ? "photo" : SOUND_BRANDS.test(brand) ? "sound" : "film";
  }
  return FAMILIES.find(([, begins]) => begins.test(text))?.[0] ?? "unknown";
}
