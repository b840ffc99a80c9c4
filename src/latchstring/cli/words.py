# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source's ten words on the terminal: typed by their owner, or made, shown once and practised."""

import secrets
from typing import Final

from latchstring.cli import ui
from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, generate, parse_in_any
from latchstring.protocol.wordlist import WordList, every

TRIES: Final = 3


def typed(prompt: str, words: WordList, fd: int | None) -> Passphrase:
    """A passphrase that its owner types, in any list's language, `words` asked first; slips are explained here only."""
    for _ in range(TRIES):
        try:
            return parse_in_any(ui.read_secret(prompt, fd), every(words))
        except MistypedPassphrase as slip:
            for sentence in slip.sentences():
                ui.say(sentence, "yellow")
            if fd is not None:
                break
    ui.fail("That is not a whole passphrase.", "Look at the words above, then run the command again. Nothing was sent.")


def make(words: WordList, sentence: str) -> Passphrase:
    """New words, shown once under this sentence."""
    passphrase = generate(secrets.token_bytes)
    spelled = passphrase.words(words)
    ui.say(sentence, "bold")
    for start in (0, 5):
        ui.say("   " + "  ".join(f"{start + i + 1:2}. {spelled[start + i]:<9}" for i in range(5)), "bold cyan")
    ui.say("Learn it by heart: make a story of the words, in their order. Tell nobody, not even the desk.")
    ui.err.print()
    return passphrase


def practise(passphrase: Passphrase, words: WordList, prompt: str, *, may_skip: bool) -> bool:
    """Three tries to type the words; False when none was right or, where that is allowed, the person skipped."""
    for _ in range(TRIES):
        text = ui.read_secret(prompt, None)
        if may_skip and not text.strip():
            ui.say("Skipped. The words stay on this screen until you clear it.", "yellow")
            return False
        try:
            if parse_in_any(text, every(words)) == passphrase:
                return True
            ui.say("That is another passphrase than the one above.", "yellow")
        except MistypedPassphrase as slip:
            for sentence in slip.sentences():
                ui.say(sentence, "yellow")
    return False
