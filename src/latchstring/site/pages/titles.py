# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the window of a step is called, with and without a script.

A browser keeps the last title with the address in its history: so none says that a letter was sent or is a harmless
one, and none has anything that a person typed or chose.
"""

from collections.abc import Mapping

from latchstring.site.texts import Texts


def titles(texts: Texts) -> Mapping[str, str]:
    """By the step's name, as in `templates/steps`."""
    return {
        "already": texts("This was done already"),
        "changed": texts("Change my words"),
        "files": texts("Files, if you like"),
        "full": texts("Try again"),
        "looked": texts("What this file says"),
        "off": texts("This needs JavaScript here"),
        "passphrase": texts("Your ten words"),
        "practice": texts("Do you have them?"),
        "questions": texts("The desk asks"),
        "refused": texts("That did not work"),
        "return": texts("Come back"),
        "sending": texts("How much is done"),
        "sent": texts("What happens next"),
        "thread": texts("Your thread"),
        "write": texts("Write"),
    }
