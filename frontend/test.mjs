// SPDX-License-Identifier: AGPL-3.0-or-later
// Compiles test/*.ts into the folder given, or a temporary one, and there runs what ends in .test.ts by `node --test`.
// With --compile nothing is run: for tests/browser, whose Python speaks with peer.js. With --browser FOLDER FILE... these
// files of tests become one script, tests.js, for the page test/browser/page.ts.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const [how, folder, ...named] = process.argv.slice(2);

if (how === "--browser") {
  await build({
    absWorkingDir: here,
    stdin: { contents: ["browser/page.ts", ...named].map((name) => `import "./test/${name}";`).join("\n"), resolveDir: here },
    outfile: join(folder, "tests.js"),
    bundle: true,
    format: "iife",
    target: "es2020",
    alias: Object.fromEntries(["assert/strict", "crypto", "fs", "path", "test"].map((name) => [`node:${name}`, "./test/browser/node.ts"])),
    loader: { ".wasm": "binary" },
    define: { VECTORS: '""' },
    logLevel: "warning",
  });
  process.exit();
}

const compileOnly = how === "--compile";
const out = compileOnly ? folder : mkdtempSync(join(tmpdir(), "latchstring-"));

await build({
  absWorkingDir: here,
  entryPoints: readdirSync(join(here, "test")).filter((name) => name.endsWith(".ts")).sort().map((name) => `test/${name}`),
  outdir: out,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  loader: { ".wasm": "binary" },
  define: { VECTORS: JSON.stringify(join(here, "../tests/vectors")) },
  logLevel: "warning",
});
writeFileSync(join(out, "package.json"), '{"type": "module"}');
if (!compileOnly) {
  const files = readdirSync(out).filter((name) => name.endsWith(".test.js")).map((name) => join(out, name));
  const { status } = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" });
  rmSync(out, { recursive: true });
  process.exit(status ?? 1);
}
