# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person's ten words in any language that has a list, and what to say of a slip."""

from dataclasses import dataclass, field

from latchstring.protocol.passphrase import MistypedPassphrase, Passphrase, parse_in_any
from latchstring.protocol.wordlist import CODES, LANGUAGES, WordList, load
from latchstring.site.texts import Texts


@dataclass(frozen=True, slots=True)
class WordLists:
    """All lists that ship, by language."""

    lists: dict[str, WordList] = field(repr=False)

    @classmethod
    def load(cls) -> "WordLists":
        """Read and check them all."""
        return cls({language: load(language) for language in LANGUAGES})

    def of(self, code: str) -> WordList:
        """The list for a page's language; the English one where there is none."""
        return self.lists[CODES.get(code, "english")]

    def parse(self, text: str, code: str) -> Passphrase:
        """Ten words of any list, the page's asked first; MistypedPassphrase."""
        mine = self.of(code)
        return parse_in_any(text, (mine, *(other for other in self.lists.values() if other is not mine)))


def sentences(slip: MistypedPassphrase, texts: Texts) -> list[str]:
    """What to tell the person who typed the words, in their language; it names words."""
    told = []
    for one in slip.slips:
        meant = texts.either([texts("“%(word)s”", word=word) for word in one.meant])
        named = {"place": texts.number(one.place), "typed": one.typed, "meant": meant}
        if one.why == "unknown" and one.meant:
            told.append(texts("Word %(place)s, “%(typed)s”, is not in the list. Did you mean %(meant)s?", **named))
        elif one.why == "unknown":
            told.append(texts("Word %(place)s, “%(typed)s”, is not in the list.", **named))
        elif one.why == "check":
            told.append(texts("Perhaps word %(place)s, “%(typed)s”, should be %(meant)s.", **named))
        else:
            told.append(
                texts(
                    "Perhaps word %(place)s and the one after it are the wrong way round: %(meant)s comes first.",
                    **named,
                )
            )
    if slip.count != 10:
        return [
            texts.many(
                "A passphrase has ten words; you typed %(n)s.",
                "A passphrase has ten words; you typed %(n)s.",
                slip.count,
            ),
            *told,
        ]
    if not told:
        return [texts("One or more words are wrong or out of order; it cannot be seen which. Compare them one by one.")]
    if slip.slips[0].why != "unknown":
        told.insert(0, texts("Every word is in the list, but one is wrong or out of place. Look here first:"))
    return told
