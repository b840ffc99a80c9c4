# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's Firefox ESR over its own remote protocol, Marionette: a line of JSON either way, no driver between. Its
commands are WebDriver's (w3.org/TR/webdriver2) and work with JavaScript switched off too.

A message is `LENGTH:JSON`; a command `[0, id, name, parameters]`, its answer `[1, id, error, result]`.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

FIREFOX: Final = shutil.which("firefox-esr") or shutil.which("firefox")
MISSING: Final = "Firefox is missing (on Debian, as root: apt-get install firefox-esr)"
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"  # as WebDriver names a reference
_TRIES: Final = 5
_START: Final = 60.0  # seconds; a busy machine is slow
_ANSWER: Final = 300.0  # seconds that a command may take; some wait for a page
_QUIET: Final = {
    "marionette.port": 0,  # a free one, written into the profile
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.normandy.enabled": False,
    "extensions.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}


class FirefoxSaid(Exception):
    """A command failed; the text is the browser's."""


class Firefox:
    """One window."""

    def __init__(self, line: socket.socket, script: bool) -> None:
        line.settimeout(_ANSWER)
        self._line, self._script, self._count = line, script, 0
        self._file = line.makefile("rb")
        self._read()  # who it is
        self.do("WebDriver:NewSession", capabilities={"alwaysMatch": {"pageLoadStrategy": "normal"}})

    def do(self, command: str, /, **given: object) -> Any:
        """One command; what it gives. FirefoxSaid."""
        self._count += 1
        raw = json.dumps([0, self._count, command, given]).encode()
        self._line.sendall(b"%d:%s" % (len(raw), raw))
        _, number, error, result = self._read()
        assert number == self._count
        if error is not None:
            raise FirefoxSaid(f"{command}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def _read(self) -> Any:
        length = b""
        while (one := self._file.read(1)) not in (b":", b""):
            length += one
        assert length, "Firefox went away"
        return json.loads(self._file.read(int(length)))

    def go(self, address: str) -> None:
        """Open an address."""
        self.do("WebDriver:Navigate", url=address)

    def find(self, css: str) -> str:
        """The first element of a selector."""
        return str(self.do("WebDriver:FindElement", using="css selector", value=css)[_ELEMENT])

    def click(self, css: str) -> None:
        """Press it. What is on this page has happened; of another page it is not sure that it has come: Marionette
        waits for its beginning 50 ms, or 5 s once the old one was asked (`navigate.sys.mjs`)."""
        self.do("WebDriver:ElementClick", id=self.find(css))

    def follow(self, css: str) -> None:
        """Press what leads to another page; it has come."""
        old = self.find("html")
        self.click(css)
        self._comes_after(old)

    def press(self, button: str) -> None:
        """The button of a form with that value of `do`. Without a script another page follows, and has come."""
        css = f'button[name="do"][value="{button}"]'
        if self._script:
            self.click(css)
        else:
            self.follow(css)

    def _comes_after(self, old: str) -> None:
        """Until another page than the one of that <html> is there whole."""
        until = time.monotonic() + _START
        while time.monotonic() < until:
            with suppress(FirefoxSaid):  # between the two there is none
                if self.find("html") != old and self.run("return document.readyState") == "complete":
                    return
            time.sleep(0.02)
        raise FirefoxSaid("no other page came")

    def type(self, css: str, text: str) -> None:
        """Into a field; a path into one for files."""
        self.do("WebDriver:ElementSendKeys", id=self.find(css), text=text)

    def wait_for(self, heading: str, seconds: int = 60) -> None:
        """Until the page's first heading says so: what a script does takes a while. FirefoxSaid."""
        self.do("WebDriver:SetTimeouts", implicit=seconds * 1000)
        self.do("WebDriver:FindElement", using="xpath", value=f'//main//h1[normalize-space()="{heading}"]')
        self.do("WebDriver:SetTimeouts", implicit=0)

    def wait_until_found(self, css: str, seconds: int = 60) -> None:
        """Until a selector finds something. FirefoxSaid."""
        self.do("WebDriver:SetTimeouts", implicit=seconds * 1000)
        self.find(css)
        self.do("WebDriver:SetTimeouts", implicit=0)

    def text(self, css: str = "main") -> str:
        """What stands there."""
        return str(self.do("WebDriver:GetElementText", id=self.find(css)))

    def property(self, css: str, name: str) -> Any:
        """Of an element as a script sees it, on the page that stays: one that loads itself anew takes its own away."""
        for _ in range(_TRIES):
            try:
                return self.do("WebDriver:GetElementProperty", id=self.find(css), name=name)
            except FirefoxSaid as said:
                if "stale" not in str(said):
                    raise
        raise FirefoxSaid(f"{css} goes again and again")

    def width(self, css: str) -> int:
        """Of a picture itself, in pixels; 0 where it is not shown."""
        return int(self.property(css, "naturalWidth"))

    def value(self, css: str) -> str:
        """What stands in a field."""
        return str(self.property(css, "value"))

    def run(self, script: str) -> Any:
        """The browser's own script in the page, whether the page may run any or not; what it returns."""
        return self.do("WebDriver:ExecuteScript", script=script, args=[])

    def policy_reports(self) -> list[str]:
        """What Firefox has written of content policies into its console since its start; needs `system`."""
        self.do("Marionette:SetContext", value="chrome")
        said: list[str] = self.run("return Services.console.getMessageArray().map((one) => one.message || '')")
        self.do("Marionette:SetContext", value="content")
        return [one for one in said if "Content-Security-Policy" in one]

    def address(self) -> str:
        """Of the page that is shown."""
        return str(self.do("WebDriver:GetCurrentURL"))

    def back(self, times: int = 1, again: bool = False) -> None:
        """The back button. What a form brought is gone by then; `again`: ask for it once more, as Firefox offers."""
        for _ in range(times):
            try:
                self.do("WebDriver:Back")
            except FirefoxSaid as said:
                if "notCached" not in str(said):
                    raise
        if again:
            self.again()

    def again(self) -> None:
        """Load what a form brought once more, by what the form sent, as Firefox asks first; it has come."""
        old = self.find("html")
        self.do("WebDriver:Refresh")
        self.do("WebDriver:AcceptAlert")
        self._comes_after(old)

    def new_window(self) -> None:
        """Another window in place of this one."""
        other = self.do("WebDriver:NewWindow", type="window")["handle"]
        self.do("WebDriver:CloseWindow")
        self.do("WebDriver:SwitchToWindow", handle=other)

    def texts(self, css: str) -> list[str]:
        """Of all that a selector finds."""
        found = self.do("WebDriver:FindElements", using="css selector", value=css)
        return [str(self.do("WebDriver:GetElementText", id=one[_ELEMENT])) for one in found]

    def wait_for_focus(self, name: str) -> None:
        """Until the element of that id has the focus, which a page gives once it stands there. FirefoxSaid."""
        until = time.monotonic() + _START
        while (at := self._focused()) != name:
            if time.monotonic() > until:
                raise FirefoxSaid(f"the focus is on '{at}'")
            time.sleep(0.02)

    def _focused(self) -> str:
        """The id of what has the focus."""
        at = self.do("WebDriver:GetActiveElement")[_ELEMENT]
        return str(self.do("WebDriver:GetElementAttribute", id=at, name="id") or "")


@contextmanager
def opened(folder: Path, script: bool, wasm: bool = True, svg: bool = True, system: bool = False) -> Iterator[Firefox]:
    """A browser with a new profile in `folder`. `script`, `wasm`, `svg`: is JavaScript on, WebAssembly (off in Tor
    Browser's "Safer"), and SVG (off in its "Safest")? `system`: may the browser itself be asked, not its pages alone?
    Skipped, in words, where there is no Firefox."""
    if FIREFOX is None:
        pytest.skip(MISSING)
    profile = folder / "profile"
    profile.mkdir()
    prefs = {**_QUIET, "javascript.enabled": script, "javascript.options.wasm": wasm, "svg.disabled": not svg}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in prefs.items()]
    (profile / "user.js").write_text("".join(lines), "utf-8")
    reach = ["--remote-allow-system-access"] if system else []
    process = subprocess.Popen(
        [FIREFOX, "--headless", "--marionette", "--no-remote", *reach, "--profile", str(profile)],
        env={**os.environ, "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with socket.create_connection(("127.0.0.1", _port(process, profile)), 60) as line:
            yield Firefox(line, script)
    finally:
        process.terminate()
        process.wait(_START)


def _port(process: "subprocess.Popen[bytes]", profile: Path) -> int:
    """The port that it chose."""
    until = time.monotonic() + _START
    while time.monotonic() < until:
        assert process.poll() is None, "Firefox ended at its start"
        try:
            return int((profile / "MarionetteActivePort").read_text())
        except (OSError, ValueError):
            time.sleep(0.05)
    raise AssertionError("Firefox did not open its port")
