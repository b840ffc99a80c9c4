// SPDX-License-Identifier: AGPL-3.0-or-later
/** XMP (ISO 16684-1): properties by their names, wherever they stand in the RDF. */

import type { Bytes } from "../protocol/bytes.ts";
import { place } from "./exif.ts";
import type { Found, Kind } from "./facts.ts";
import { attributes, plain, tokens, xmlText } from "./xml.ts";

const KINDS: readonly (readonly [Kind, string])[] = [
  ["person", "creator Author Artist OwnerName CameraOwnerName CaptionWriter PersonInImage contributor publisher rights Credit"],
  ["person", "AuthorsPosition Copyright lastModifiedBy PersonDisplayName"],
  ["contact", "CiEmailWork CiTelWork CiUrlWork CiAdrExtadr WebStatement"],
  ["place-name", "City State Country Location Sublocation CountryCode CountryName ProvinceState WorldRegion CiAdrCity CiAdrCtry"],
  ["device", "Make Model LensModel LensMake Lens"],
  ["serial", "SerialNumber BodySerialNumber LensSerialNumber"],
  ["organisation", "Company OrganisationInImageName Source"],
  ["program", "CreatorTool Producer Software softwareAgent xmptk HostComputer"],
  ["title", "title Title Headline"],
  ["comment", "description subject Keywords Instructions UserComment ImageDescription Caption Event"],
  ["date", "CreateDate ModifyDate MetadataDate DateTimeOriginal DateTimeDigitized DateCreated DateTime when GPSTimeStamp"],
  ["id", "DocumentID InstanceID OriginalDocumentID documentID instanceID originalDocumentID DocumentAncestors ImageUniqueID"],
  ["path", "filePath DerivedFrom"],
];
const KIND_OF = new Map(KINDS.flatMap(([kind, names]) => names.split(" ").map((name) => [name, kind] as const)));
/** What RDF itself is made of. */
const FRAME = new Set("xmpmeta RDF Description Seq Bag Alt li about parseType resource lang nodeID".split(" "));

/** Gather what an XMP packet says; Unreadable where it is no XML. */
export function readXmp(raw: Bytes, found: Found): void {
  const others = new Set<string>();
  const coordinates = new Map<string, number>();
  const record = (name: string, text: string): void => {
    const value = plain(text).trim();
    const kind = KIND_OF.get(name);
    if (name === "GPSLatitude" || name === "GPSLongitude") coordinates.set(name, degrees(value));
    if (kind) found.add(kind, value);
    else if (value && others.size < 40) others.add(name);
  };
  const stack: string[] = [];
  const text = xmlText(raw).replace(/\0+$/, "");
  for (const token of tokens(text)) {
    if (token.is === "open" || token.is === "empty") {
      for (const { full, name, value } of attributes(token.text)) {
        if (!/^(xmlns|xml)(:|$)/.test(full) && !FRAME.has(name)) record(name, value);
      }
      if (token.is === "open") stack.push(token.name);
    } else if (token.is === "close") stack.pop();
    else if (token.is === "text" && token.text.trim()) {
      let owner = stack.length - 1;
      while (owner > 0 && FRAME.has(stack[owner] as string)) owner -= 1;
      record(stack[owner] ?? "XMP", token.text);
    }
  }
  const [latitude, longitude] = [coordinates.get("GPSLatitude"), coordinates.get("GPSLongitude")];
  if (latitude !== undefined && longitude !== undefined && Number.isFinite(latitude + longitude)) {
    found.add("place", place(latitude, longitude));
  }
  if (others.size) found.add("other", `XMP ${[...others].join(" ")}`);
}

/** "50,27.006N" or "50,27,0N" in degrees. */
function degrees(text: string): number {
  const [d = NaN, m = 0, s = 0] = text.replace(/[NSEW]$/i, "").split(",").map(Number);
  return (d + m / 60 + s / 3600) * (/[SW]$/i.test(text) ? -1 : 1);
}
