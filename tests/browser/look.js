// SPDX-License-Identifier: AGPL-3.0-or-later
// What a page looks like to who cannot see it whole: run in the page, gives a list of sentences, empty when all is well.
() => {
  const found = [];
  const name = (el) => {
    const said = (el.textContent || "").trim().slice(0, 40);
    return `<${el.tagName.toLowerCase()}${el.id ? " id=" + el.id : ""}${el.className ? " class=" + el.className : ""}> ${said}`;
  };
  const shown = (el) => el.checkVisibility() && !el.closest(".unseen, .skip");
  const wide = document.documentElement.clientWidth;

  // Nothing scrolls sideways, nothing is cut off.
  const sideways = (when) => {
    if (document.scrollingElement.scrollWidth > wide) found.push(`scrolls sideways ${when}`);
    for (const el of document.body.querySelectorAll("*")) {
      if (!shown(el)) continue;
      const box = el.getBoundingClientRect();
      if (box.left < -1 || box.right > wide + 1) found.push(`reaches beyond the window ${when}: ${name(el)}`);
      if (el.scrollWidth > el.clientWidth + 1 && el.clientWidth && getComputedStyle(el).overflowX !== "visible" && !el.matches("input, textarea, select"))
        found.push(`is cut off ${when}: ${name(el)}`);
    }
  };
  sideways("as it is");
  const root = document.documentElement.style;
  for (const [property, value] of [["letter-spacing", ".12em"], ["word-spacing", ".16em"], ["line-height", "1.5"]]) root.setProperty(property, value);
  sideways("with more space between letters");
  for (const property of ["letter-spacing", "word-spacing", "line-height"]) root.removeProperty(property);

  // What is touched is 44 px at least; a link within a sentence is as high as its line.
  const touched = document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary");
  const within = (el) => el.tagName === "A" && !el.matches(".button") && (el.parentElement.textContent.trim().length > el.textContent.trim().length + 3);
  for (const el of touched) {
    if (!shown(el) || within(el)) continue;
    const boxes = [el, ...(el.labels || [])].map((each) => each.getBoundingClientRect());
    const high = Math.max(...boxes.map((b) => b.bottom)) - Math.min(...boxes.map((b) => b.top));
    const across = Math.max(...boxes.map((b) => b.right)) - Math.min(...boxes.map((b) => b.left));
    if (high < 43.9 || across < 43.9) found.push(`is ${Math.round(across)} by ${Math.round(high)} px: ${name(el)}`);
  }

  // Every reference leads somewhere.
  for (const el of document.querySelectorAll("[aria-describedby], [aria-labelledby], a[href^='#'], label[for]")) {
    const ids = ["aria-describedby", "aria-labelledby", "for"].flatMap((at) => (el.getAttribute(at) || "").split(" "));
    ids.push((el.getAttribute("href") || "").replace("#", "").replace(/^\/.*/, ""));
    for (const id of ids.filter(Boolean)) if (!document.getElementById(id)) found.push(`names '${id}', which is not there: ${name(el)}`);
  }

  // What went wrong is said first, and has the focus.
  const errors = document.getElementById("errors");
  if (errors?.checkVisibility() && (document.activeElement !== errors || errors.getAttribute("role") !== "alert")) found.push("the errors have no focus");
  for (const el of document.querySelectorAll("[aria-invalid=true]"))
    if (!(el.getAttribute("aria-describedby") || "").split(" ").some((id) => document.getElementById(id)?.matches(".error")))
      found.push(`is wrong and does not say why: ${name(el)}`);

  // The focus can be seen on whatever takes it.
  for (const el of touched) {
    if (!el.checkVisibility() || el.disabled) continue;
    el.focus();
    const style = getComputedStyle(el);
    if (document.activeElement !== el) found.push(`takes no focus: ${name(el)}`);
    else if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) found.push(`shows no focus: ${name(el)}`);
  }
  return found;
}
