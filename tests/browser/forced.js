// SPDX-License-Identifier: AGPL-3.0-or-later
// What a page loses where the system's colours replace its own (forced-colors: active): backgrounds and shadows go, and
// all borders have one colour. Two functions, run in the page: `marks` with its own colours, `lost` with the system's.
(() => {
const clear = (colour) => /^rgba\(.*, 0\)$/.test(colour);
return {
  // What stands out by its background or a shadow.
  marks: () => {
    const behind = (el) => {
      for (let at = el.parentElement; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (!clear(colour)) return colour;
      }
      return "";
    };
    return [...document.body.querySelectorAll("*")].filter((el) => {
      const style = getComputedStyle(el);
      if (!el.checkVisibility() || el.matches("progress, input[type=checkbox], input[type=radio]")) return false;
      return style.boxShadow !== "none" || (!clear(style.backgroundColor) && style.backgroundColor !== behind(el));
    });
  },

  // What cannot be seen any more; a sentence each. `marked`: what `marks` gave.
  lost: (marked) => {
    const found = [];
    const name = (el) => {
      const said = (el.textContent || "").trim().slice(0, 40);
      return `<${el.tagName.toLowerCase()}${el.id ? " id=" + el.id : ""}${el.className ? " class=" + el.className : ""}> ${said}`;
    };
    const SIDES = ["Top", "Right", "Bottom", "Left"];
    const drawn = (el) => SIDES.filter((side) => {
      const style = getComputedStyle(el);
      const colour = style[`border${side}Color`];
      return parseFloat(style[`border${side}Width`]) >= 1 && style[`border${side}Style`] !== "none" && !clear(colour) && colour !== ground;
    });
    const ground = getComputedStyle(document.documentElement).backgroundColor;
    const filled = (el) => { const colour = getComputedStyle(el).backgroundColor; return clear(colour) ? "" : colour; };
    const all = (selector) => [...document.querySelectorAll(selector)].filter((el) => el.checkVisibility());

    // A mark of the page's own has an edge; what is pressed or written in has one all around.
    for (const el of marked)
      if (el.isConnected && el.checkVisibility() && !drawn(el).length && ["", ground].includes(filled(el)))
        found.push(`has no mark but its background or shadow: ${name(el)}`);
    for (const el of all("button, .button, select, textarea, input:not([type=checkbox], [type=radio], [type=hidden])"))
      if (drawn(el).length < 4) found.push(`has no edge: ${name(el)}`);

    // What is ticked, and how far something is, the system draws.
    for (const el of all("input[type=checkbox], input[type=radio], progress"))
      if (getComputedStyle(el).appearance === "none") found.push(`is not drawn by the system: ${name(el)}`);

    // What is wrong, disabled, done or where one is looks otherwise than if it were not, itself or its label.
    const looks = (el) => [el, ...(el.labels || [])].map((each) => {
      const style = getComputedStyle(each);
      const edges = SIDES.map((side) => style[`border${side}Width`] + style[`border${side}Style`]);
      return [style.color, filled(each) || ground, style.fontWeight, style.textDecorationLine, style.outlineStyle, ...edges].join();
    }).join();
    const differs = (el, attribute, what, without = null) => {
      const value = el.getAttribute(attribute);
      const now = looks(el);
      if (without === null) el.removeAttribute(attribute);
      else el.setAttribute(attribute, without);
      if (looks(el) === now) found.push(`looks as if it were not ${what}: ${name(el)}`);
      el.setAttribute(attribute, value);
    };
    for (const el of all("[aria-invalid=true]")) differs(el, "aria-invalid", "wrong");
    for (const el of all("[aria-current]")) differs(el, "aria-current", "where one is");
    for (const el of all(":disabled")) differs(el, "disabled", "disabled");
    for (const el of all(".done")) differs(el, "class", "done", "");

    // The focus can be seen, in a colour that is not the ground's.
    for (const el of all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='-1']")) {
      if (el.disabled || el.matches("main, h1")) continue; // where reading begins, which nothing is done with
      el.focus();
      const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(el);
      if (outlineStyle === "none" || parseFloat(outlineWidth) < 2 || outlineColor === ground) found.push(`shows no focus: ${name(el)}`);
    }
    return found;
  },
};
})()
