# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person with a keyboard and nothing else."""

from typing import Final

from playwright.sync_api import Page, expect

_FAR: Final = 60  # stops on one page
_AT: Final = """() => {
  const el = document.activeElement, style = getComputedStyle(el), box = el.getBoundingClientRect();
  return {
    name: el.labels?.length ? el.labels[0].textContent : el.textContent,
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
      && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    body: el === document.body,
  };
}"""


# What takes the focus within `main`, in its order; of radios that belong together one.
_LINE: Final = """() => {
  const all = [...document.querySelectorAll("#main :is(a[href], button, input, textarea, select, summary)")]
    .filter((el) => el.checkVisibility() && !el.disabled);
  const kin = (el, one) => el === one || (el.type === "radio" && one?.type === "radio" && el.name === one.name);
  document.getElementById("main").focus();
  window.line = all.filter((el, n) => !kin(el, all[n - 1]));
  window.inLine = () => window.line.findIndex((el) => kin(el, document.activeElement));
  return window.line.map((el) => `<${el.localName}> ${el.textContent.trim() || el.name || el.id}`);
}"""
_IN_LINE: Final = "() => window.inLine()"


class Keys:
    """`stops`: the name of everything that had the focus."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.stops: list[str] = []

    def comes(self, id: str) -> None:
        """What has that id gets the focus: with the page's first drawing, or a moment after a key."""
        expect(self._page.locator(f'[id="{id}"]')).to_be_focused()

    def to(self, name: str) -> None:
        """Tab until something of that name has the focus. Every stop on the way must be seen."""
        for _ in range(_FAR):
            self._page.keyboard.press("Tab")
            now = self._page.evaluate(_AT)
            if now["body"]:
                continue  # past the last one, before the first
            stop = " ".join(now["name"].split())
            self.stops.append(stop)
            assert now["seen"], f"the focus on '{stop}' cannot be seen"
            if stop == name:
                return
        raise AssertionError(f"'{name}' is out of reach; there are: {self.stops[-_FAR:]}")

    def through_main(self) -> list[str]:
        """Tab from the head of `main` to its end: what is passed over, and what has the focus and does not show it."""
        line: list[str] = self._page.evaluate(_LINE)
        out: list[str] = []
        for number, name in enumerate(line):
            self._page.keyboard.press("Tab")
            if self._page.evaluate(_IN_LINE) != number:
                return [*out, f"Tab does not lead to {name}"]
            if not self._page.evaluate(_AT)["seen"]:
                out.append(f"the focus on {name} cannot be seen")
        return out

    def press(self, name: str) -> None:
        """Go there and press Enter; the page that follows has come."""
        self.to(name)
        with self._page.expect_navigation():
            self._page.keyboard.press("Enter")

    def write(self, name: str, text: str) -> None:
        """Go to a field and type, over what stands there."""
        self.to(name)
        self.over(text)

    def over(self, text: str) -> None:
        """Type over what stands in the field that has the focus."""
        self._page.keyboard.press("Control+A")
        self._page.keyboard.insert_text(text)
