// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * What of a PDF is written anew: for each role that an object plays, the keys that a renderer reads (ISO 32000-1 and -2).
 * What stands here in no role is gone.
 */

/** `Key` alone: numbers, names and lists of them. `Key:role`, and `Key:{role}` for a dictionary of free keys. */
const KEYS: Readonly<Record<string, string>> = {
  page: "MediaBox CropBox BleedBox TrimBox ArtBox Rotate UserUnit Resources:resources Contents:content Group:group",
  resources:
    "ExtGState:{state} ColorSpace:{space} Pattern:{pattern} Shading:{shading} XObject:{xobject} Font:{font} Properties:{layer}",
  state:
    "Type LW LC LJ ML D RI OP op OPM Font:font FL SM SA BM SMask:mask CA ca AIS TK TR:function TR2:function",
  mask: "Type S G:form BC TR:function",
  group: "Type S CS:space I K",
  form: "Type Subtype FormType BBox Matrix Resources:resources Group:group OC:layer",
  image:
    "Type Subtype Width Height ColorSpace:space BitsPerComponent Intent ImageMask Mask:image Decode Interpolate SMask:image " +
    "SMaskInData Matte OC:layer",
  pattern: "Type PatternType PaintType TilingType BBox XStep YStep Resources:resources Matrix Shading:shading ExtGState:state",
  shading:
    "ShadingType ColorSpace:space Background BBox AntiAlias Domain Matrix Function:function Coords Extend BitsPerCoordinate " +
    "BitsPerComponent BitsPerFlag Decode VerticesPerRow",
  function: "FunctionType Domain Range Size BitsPerSample Order Encode Decode C0 C1 N Functions:function Bounds",
  white: "WhitePoint BlackPoint Gamma Range Matrix",
  profile: "N Alternate:space Range",
  font:
    "Type Subtype BaseFont FirstChar LastChar Widths Encoding:encoding ToUnicode:encoding FontDescriptor:descriptor " +
    "DescendantFonts:font CIDSystemInfo:system DW W DW2 W2 CIDToGIDMap:content FontBBox FontMatrix CharProcs:{content} " +
    "Resources:resources",
  encoding: "Type BaseEncoding Differences CMapName CIDSystemInfo:system WMode UseCMap:encoding",
  system: "Registry:text Ordering:text Supplement",
  descriptor:
    "Type FontName FontStretch FontWeight Flags FontBBox ItalicAngle Ascent Descent Leading CapHeight XHeight StemV StemH " +
    "AvgWidth MaxWidth MissingWidth FontFile:program FontFile2:program FontFile3:program",
  program: "Subtype Length1 Length2 Length3",
  content: "",
  lookup: "",
  parameters:
    "Predictor Colors BitsPerComponent Columns EarlyChange K EndOfLine EncodedByteAlign Rows EndOfBlock BlackIs1 " +
    "DamagedRowsBeforeError ColorTransform JBIG2Globals:content",
  // layers: what decides which of them are seen
  layers: "OCGs:layer D:choice",
  choice: "BaseState ON:layer OFF:layer Intent AS:automatic Order:layer",
  automatic: "Event Category OCGs:layer",
  layer: "Intent Usage:usage",
  member: "Type OCGs:layer P VE:layer",
  usage: "View:usageState Print:usageState Export:usageState Zoom:usageState",
  usageState: "ViewState PrintState ExportState min max",
  marked: "ActualText:text",
  // annotations: their place, and how they are drawn where a viewer does that by itself
  border: "Type W S D",
  effect: "S I",
  drawn:
    "Rect F C Border BS:border BE:effect CA ca BM IC QuadPoints InkList L LE LL LLE LLO CP CO Vertices CL RD Q Sy Rotate " +
    "OC:layer",
};

/** Keys in their order, each with the role of its value. */
export const RULES: ReadonlyMap<string, readonly (readonly [string, string])[]> = new Map(
  Object.entries(KEYS).map(([role, keys]) => [
    role,
    keys.split(" ").filter(Boolean).map((one) => {
      const [key = "", inner = "plain"] = one.split(":");
      return [key, inner] as const;
    }),
  ]),
);

/** Roles of what may have a stream. */
export const STREAMS = new Set("form image pattern shading function profile encoding program content lookup".split(" "));

/** Roles whose texts stay. */
export const TEXTS = new Set(["text", "lookup"]);

/** A colour space's parts by its family (8.6); others are names and numbers. */
export const SPACES: ReadonlyMap<string, readonly string[]> = new Map([
  ["ICCBased", ["plain", "profile"]],
  ["CalGray", ["plain", "white"]],
  ["CalRGB", ["plain", "white"]],
  ["Lab", ["plain", "white"]],
  ["Indexed", ["plain", "space", "plain", "lookup"]],
  ["I", ["plain", "space", "plain", "lookup"]], // short, as in pictures in the content itself: viewers take it everywhere
  ["Separation", ["plain", "plain", "space", "function"]],
  ["DeviceN", ["plain", "plain", "space", "function"]],
  ["Pattern", ["plain", "space"]],
]);

/** Annotations that are somebody's remark: who made it becomes a number, what is written stays. */
export const REMARKS = new Set(
  "Text FreeText Line Square Circle Polygon PolyLine Highlight Underline Squiggly StrikeOut Stamp Caret Ink".split(" "),
);
/** Drawn by viewers without an appearance too. */
export const DRAWN = new Set([...REMARKS, "Link", "Redact"]);
/** A remark's symbols (12.5.6.4): others are somebody's own. */
export const SYMBOLS = new Set("Comment Key Note Help NewParagraph Paragraph Insert Check Checkmark Circle Cross Star".split(" "));
