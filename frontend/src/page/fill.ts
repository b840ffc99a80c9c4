// SPDX-License-Identifier: AGPL-3.0-or-later
/**
 * Puts values into a step that the page carries (site/parts.py): `data-fill` takes a text (or what the script built), `data-if` is shown when it is so,
 * `data-each` stands once for each item, `data-link` leads to a field. Texts alone, never HTML.
 *
 * What depends on a value that is not given is taken out; what depends on one that is stays, shown or hidden, so that
 * `refill` can turn it.
 */

export type Value = string | boolean | Node | readonly Item[];
export type Item = string | Values;
export interface Values {
  readonly [name: string]: Value;
}

/** Fill `root` in place. */
export function fill(root: ParentNode, values: Values): void {
  const rows: [Comment, HTMLElement[]][] = []; // put in last: they are filled with values of their own
  for (let row = root.querySelector<HTMLElement>("[data-each]"); row; row = root.querySelector("[data-each]")) {
    const pattern = row;
    const items = values[row.dataset["each"] as string];
    row.removeAttribute("data-each");
    const made = (Array.isArray(items) ? (items as readonly Item[]) : []).map((item) => {
      const one = pattern.cloneNode(true) as HTMLElement;
      fill(one, typeof item === "string" ? { ...values, ".": item } : { ...values, ...item });
      return one;
    });
    const place = document.createComment("");
    row.replaceWith(place);
    rows.push([place, made]);
  }
  for (const part of [...root.querySelectorAll<HTMLElement>("[data-if]")]) {
    if (!((part.dataset["if"] as string) in values)) part.remove();
  }
  refill(root, values);
  for (const [place, made] of rows) place.replaceWith(...made);
}

/** Change those values in a step that was filled. */
export function refill(root: ParentNode, values: Values): void {
  for (const part of root.querySelectorAll<HTMLElement>("[data-if]")) {
    const value = values[part.dataset["if"] as string];
    if (value !== undefined) part.hidden = Array.isArray(value) ? value.length === 0 : !value;
  }
  for (const place of root.querySelectorAll<HTMLElement>("[data-fill]")) {
    const value = values[place.dataset["fill"] as string];
    if (value instanceof Node) {
      place.textContent = "";
      place.append(value);
    }
    if (typeof value === "string" && place.textContent !== value) place.textContent = value;
  }
  for (const link of root.querySelectorAll<HTMLAnchorElement>("[data-link]")) {
    const value = values[link.dataset["link"] as string];
    if (typeof value === "string") link.href = `#${value}`;
  }
}
