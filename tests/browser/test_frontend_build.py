# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is committed under `site/static` is what `make frontend` builds, byte for byte, from any folder, at any time."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from latchstring.protocol.encoding import h, lp
from latchstring.site.archive import source_archive
from tests.browser.peer import FRONTEND, NODE
from tests.vectors.make import load_vectors

STATIC = FRONTEND.parent / "src/latchstring/site/static"
WORDS = "src/latchstring/protocol/words"


def built(frontend: Path, out: Path) -> dict[str, bytes]:
    """The files of a build."""
    environment = {**os.environ, "TZ": "Pacific/Apia", "LANG": "tr_TR.UTF-8"}
    said = subprocess.run([NODE, "build.mjs", str(out)], cwd=frontend, capture_output=True, text=True, env=environment)
    assert said.returncode == 0, said.stderr
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def elsewhere(root: Path) -> Path:
    """A copy of the sources under another path; the packages are the same."""
    shutil.copytree(FRONTEND, root / "frontend", ignore=shutil.ignore_patterns("node_modules"))
    (root / "frontend/node_modules").symlink_to(FRONTEND / "node_modules")
    shutil.copytree(FRONTEND.parent / WORDS, root / WORDS)
    return root / "frontend"


def test_what_is_committed_is_what_is_built(node: Path, tmp_path: Path) -> None:
    made = built(node, tmp_path / "a")
    assert made, "nothing was built"
    for name, raw in made.items():
        assert (STATIC / name).read_bytes() == raw, f"{name} is not what the sources give: run 'make frontend'"
    assert {path.name for path in STATIC.glob("*.js")} == {name for name in made if name.endswith(".js")}
    assert built(elsewhere(tmp_path / "other/place"), tmp_path / "b") == made
    assert all(str(FRONTEND.parent).encode() not in raw for raw in made.values())


def test_the_source_that_the_pages_offer_gives_what_they_serve(node: Path, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(source_archive())) as archive:
        archive.extractall(tmp_path, filter="data")
    frontend = tmp_path / "latchstring/frontend"
    (frontend / "node_modules").symlink_to(FRONTEND / "node_modules")
    made = built(frontend, tmp_path / "out")
    assert {"app.js", "meta.js", "argon2-worker.js", "guard.js"} <= set(made)
    assert made == {name: (STATIC / name).read_bytes() for name in made}


def test_another_source_gives_another_build(node: Path, tmp_path: Path) -> None:
    changed = elsewhere(tmp_path)
    source = changed / "src/protocol/constants.ts"
    source.write_text(source.read_text().replace("ARGON2_PASSES = 3", "ARGON2_PASSES = 2"))
    assert built(changed, tmp_path / "out") != built(node, tmp_path / "true")


def test_a_list_of_words_is_held_by_the_build(node: Path, tmp_path: Path) -> None:
    changed = elsewhere(tmp_path)
    english = tmp_path / WORDS / "english.txt"
    english.write_text("\n".join(reversed(english.read_text().split())) + "\n")
    whole, true = built(changed, tmp_path / "out"), built(node, tmp_path / "true")
    assert {name for name in true if whole[name] != true[name]} == {"app.js"}
    assert hashlib.sha256(english.read_bytes()).hexdigest().encode() in whole["app.js"]


RUN = """
globalThis.self = { postMessage: (said) => console.log(Buffer.from(said.seed).toString("hex")) };
(0, eval)(require("fs").readFileSync(process.argv[1], "utf-8"));
const [secret, salt] = process.argv.slice(2).map((text) => new Uint8Array(Buffer.from(text, "hex")));
self.onmessage({ data: { secret, salt } });
"""


def test_the_committed_worker_gives_the_seed_of_the_vectors(node: Path) -> None:
    source = load_vectors("keys")["source"]
    salt = h(lp("source", bytes.fromhex(source["door"]))).hex()
    said = subprocess.run(
        [NODE, "-e", RUN, str(STATIC / "argon2-worker.js"), source["bits"], salt], capture_output=True, text=True
    )
    assert said.stdout.strip() == source["seed"], said.stderr
