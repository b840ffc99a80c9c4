// SPDX-License-Identifier: AGPL-3.0-or-later
// Builds what the pages load into src/latchstring/site/static/ (or the folder given): the same bytes from any folder, at
// any time. Prints the size of each file, as it is and compressed by brotli, and refuses to build beyond the budget.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../src/latchstring/site/static");
const words = join(here, "../src/latchstring/protocol/words");
const BUDGET = 120 * 1024; // bytes of all scripts, compressed
const scripts = ["src/page/app.ts", "src/page/guard.ts", "src/argon2-worker.ts"];
const modules = ["src/meta/meta.ts", "src/page/questions.ts"]; // which a script loads when it needs them

// A list that is not one of these is refused: words that a false one shows are other words everywhere else.
const lists = Object.fromEntries(
  readdirSync(words).filter((name) => name.endsWith(".txt")).sort()
    .map((name) => [basename(name, ".txt"), createHash("sha256").update(readFileSync(join(words, name))).digest("hex")]),
);

const built = (entryPoints, format) => build({
  absWorkingDir: here,
  entryPoints,
  entryNames: "[name]",
  outdir: "out",
  write: false,
  bundle: true,
  minify: true,
  format,
  target: "es2020",
  inject: ["src/has-own.ts"],
  define: { "Object.hasOwn": "hasOwn", LISTS: JSON.stringify(lists) },
  charset: "utf8",
  legalComments: "none",
  loader: { ".wasm": "binary" },
  banner: { js: "// SPDX-License-Identifier: AGPL-3.0-or-later" },
  logLevel: "warning",
}).then(({ outputFiles }) => outputFiles);
const outputFiles = [...(await built(scripts, "iife")), ...(await built(modules, "esm"))];

let whole = 0;
mkdirSync(out, { recursive: true });
for (const file of outputFiles.sort((a, b) => (a.path < b.path ? -1 : 1))) {
  const packed = brotliCompressSync(file.contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
  whole += packed;
  writeFileSync(join(out, basename(file.path)), file.contents);
  console.log(`${basename(file.path).padEnd(20)} ${file.contents.length} bytes, ${packed} compressed`);
}

// The packages' licences ask that their texts go along.
const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf-8"));
const licences = Object.keys(dependencies).sort().map((name) => {
  const text = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf-8").trim();
  return `${name} ${dependencies[name]}\n\n${text}\n`;
});
writeFileSync(join(out, "licences.txt"), licences.join("\n---\n\n"));

console.log(`${"all".padEnd(20)} ${whole} of ${BUDGET} bytes, compressed`);
if (whole > BUDGET) {
  console.error("The scripts are larger than a first visit may load.");
  process.exit(1);
}
