# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages that only say something: the invitation, before you start, status, help, about, the card."""

from collections.abc import Mapping

from markupsafe import Markup

from latchstring.site.pages.door import DoorView
from latchstring.site.render import Page
from latchstring.site.texts import Texts

TEMPLATES: Mapping[str, str] = {
    "": "invitation.html",
    "before": "before.html",
    "status": "status.html",
    "help": "help.html",
    "guide": "guide.html",
    "about": "about.html",
    "card": "card.html",
    "write": "status.html",  # without a door there is nothing to write to
    "return": "status.html",
}


def reading(name: str, door: DoorView | None, why: str, words: Markup | None, texts: Texts) -> Page:
    """One of `TEMPLATES`. `why`: what is wrong when `door` is None; `words`: the organisation's own."""
    return Page(TEMPLATES[name], {"door": door, "words": words, "trouble": trouble(why, texts) if door is None else ""})


def trouble(why: str, texts: Texts) -> str:
    """Why nothing can be said of the door now; `why` as `NoDoor` has it."""
    if why == "clock":
        return texts(
            "The door has published nothing for a long time, or the clock of this site is wrong. Try again later."
        )
    if why == "refused":
        return texts(
            "What the door sends cannot be trusted just now, so nothing is shown of it and nothing is sent. Try "
            "another of its addresses, or wait a day."
        )
    return texts("The door does not answer just now. Try again in a few minutes.")


def problem(status: int, texts: Texts) -> Page:
    """A page for an answer that is none."""
    heading, sentence = {
        400: (
            texts("This page could not be read"),
            texts("What your browser sent is no form of these pages. Nothing was sent on. Go back and try again."),
        ),
        404: (texts("There is nothing here"), texts("Perhaps the address was cut short on its way to you.")),
        405: (texts("That does not work here"), texts("Go back to the page before and use its buttons.")),
        408: (texts("That took too long"), texts("The connection was too slow. Try once more.")),
        413: (texts("That is too long"), texts("Nothing was kept. Go back and send less at one time.")),
        503: (
            texts("Many people are here just now"),
            texts("Nothing was sent by this step. Go back, wait a minute, and press the same button again."),
        ),
    }.get(
        status,
        (
            texts("Something went wrong"),
            texts("It is not your fault, and nothing was kept. Go back, and press the same button once more."),
        ),
    )
    return Page("problem.html", {"heading": heading, "sentence": sentence, "kept": {}}, status, after_form=True)


def not_now(fields: Mapping[str, str], why: str, texts: Texts) -> Page:
    """What was typed comes back, with a button that posts it once more. `why`: as `NoDoor` has it, empty when too many
    are here."""
    heading, sentence = (
        (texts("The door cannot be reached"), trouble(why, texts))
        if why
        else (texts("Many people are here just now"), texts("Wait a minute, and try again."))
    )
    return Page("problem.html", {"heading": heading, "sentence": sentence, "kept": fields}, 503, after_form=True)
