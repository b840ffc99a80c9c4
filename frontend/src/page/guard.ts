// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Loaded before anything can be typed: from here on no form of a page that has a script is posted, since what is in it
 * must not leave the device unsealed. If the script does not come, or cannot show its first step in this browser, the page
 * says so in place of posting.
 */

document.documentElement.classList.add("scripted");
document.addEventListener("submit", (event) => event.preventDefault(), true);
document.addEventListener("DOMContentLoaded", () => {
  // deferred scripts have run by now, or never will
  const note = document.getElementById("unscripted");
  if (note && !document.documentElement.dataset["page"]) note.hidden = false;
});
