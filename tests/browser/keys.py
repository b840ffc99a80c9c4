# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person with a keyboard and nothing else."""

from typing import Final

from playwright.sync_api import Page

_FAR: Final = 60  # stops on one page
_AT: Final = """() => {
  const el = document.activeElement, style = getComputedStyle(el), box = el.getBoundingClientRect();
  return {
    name: el.labels?.length ? el.labels[0].textContent : el.textContent,
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
      && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    body: el === document.body, id: el.id,
  };
}"""


class Keys:
    """`stops`: the name of everything that had the focus."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.stops: list[str] = []

    @property
    def at(self) -> str:
        """The id of what has the focus."""
        return str(self._page.evaluate(_AT)["id"])

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
