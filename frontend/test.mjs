// SPDX-License-Identifier: AGPL-3.0-or-later
// Compiles test/*.ts into the folder given, or a temporary one, and there runs what ends in .test.ts by `node --test`.
// With --compile nothing is run: for tests/browser, whose Python speaks with peer.js.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const compileOnly = process.argv[2] === "--compile";
const out = compileOnly ? process.argv[3] : mkdtempSync(join(tmpdir(), "latchstring-"));

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
