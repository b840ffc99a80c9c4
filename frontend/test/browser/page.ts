// SPDX-License-Identifier: AGPL-3.0-or-later
/** The page of tests/browser/test_frontend_vectors_browser.py: its heading says when all tests have run. Loaded first. */

import { results } from "./node.ts";

const say = (css: string, text: string): void => {
  document.querySelector(css)!.textContent = text;
};

addEventListener("error", (error) => say("h1", `Broken: ${error.message}`)); // in a file, before its tests
addEventListener("load", () => void results().then((all) => {
  say("output", JSON.stringify(all));
  say("h1", "All have run");
}));
