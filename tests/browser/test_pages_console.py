# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages give Chromium nothing to warn of, and what they switch off is off in it."""

import pytest

from latchstring.site.headers import FEATURES, NEEDED, PHONES
from latchstring.site.routes import PAGES
from tests.browser.person import Person

ALLOWED = "(features) => features.filter((name) => document.featurePolicy.allowsFeature(name))"
KNOWN = "() => document.featurePolicy.features()"


def test_the_console_stays_empty_on_every_page(person: Person) -> None:
    assert {"", "write", "return", "guide"} <= set(PAGES)
    for name in PAGES:
        person.page.goto(f"{person.door.address}/en/{name}")
        person.page.wait_for_load_state("networkidle")
    assert person.console == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_allowed_that_no_page_needs(person: Person, name: str) -> None:
    person.page.goto(f"{person.door.address}/en/{name}")
    assert person.page.evaluate("() => document.featurePolicy.allowedFeatures()") == list(NEEDED)


def test_what_is_switched_off_is_known_and_off(person: Person) -> None:
    """A name that no browser knows switches nothing off."""
    person.open("/en/write")
    known = set(person.page.evaluate(KNOWN))
    assert set(FEATURES) - known <= set(PHONES)
    assert person.page.evaluate(ALLOWED, sorted(known & set(FEATURES))) == []
    assert "fullscreen" in person.page.evaluate(ALLOWED, ["fullscreen"]), "what is not named is allowed"
