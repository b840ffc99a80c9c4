# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a page carries for its script: which later steps, and every text that the script says."""

from collections.abc import Mapping
from typing import Final

from latchstring.site.pages.looked import counts_of_files, of_files
from latchstring.site.pages.questions import date_hint, sentences
from latchstring.site.texts import Texts, plural

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "write": ("write", "questions", "files", "looked", "passphrase", "practice", "sending", "sent", "full", "refused"),
    "return": (
        "return", "thread", "write", "files", "looked", "passphrase", "practice", "sending", "sent", "full", "refused",
        "changed",
    ),
}  # fmt: skip


def carried(page: str, texts: Texts, most: int, asks: bool) -> dict[str, object]:
    """For `page`. `most`: bytes of one file, 0 when the door takes none. `asks`: does any desk of the door?"""
    asked = of_questions(texts) if page == "write" else {}
    return {
        "language": texts.code,
        "page": page,
        "most": most,
        "asks": asks,
        "texts": {**sayings(texts), **of_files(texts), **asked},
        "plurals": {
            "too-long": plural(
                "The letter is too long by %(n)s character of its kind. Shorten it, or send it in two letters.",
                "The letter is too long by about %(n)s characters. Shorten it, or send it in two letters.",
                texts,
            ),
            "too-long-together": plural(
                "Your letter and your answers are too long together by %(n)s character. Shorten one of them.",
                "Your letter and your answers are too long together by about %(n)s characters. Shorten them.",
                texts,
            ),
            "room": plural("%(n)s more character fits.", "About %(n)s more characters fit.", texts),
            "count": plural(
                "A passphrase has ten words; you typed %(n)s.", "A passphrase has ten words; you typed %(n)s.", texts
            ),
            **counts_of_files(texts),
        },
    }


def of_questions(texts: Texts) -> dict[str, str]:
    """What is said of a desk's questions and the answers to them."""
    return {
        **{f"answer-{what}": said for what, said in sentences(texts).items()},
        "answer-date": date_hint(texts),
        "answer-insisted": texts("The desk insists on an answer."),
        "answer-free": texts("You may leave this out."),
        "answer-none": texts("No answer"),
        "questions-changed": texts("The desk has changed what it asks. Look through the questions once more."),
        "no-part": texts("A part of this page did not come. Try again in a moment."),
    }


def sayings(texts: Texts) -> dict[str, str]:
    """By the script's name for them; what stands as %(name)s is filled there."""
    return {
        # the door
        "silent": texts("The door does not answer just now. Try again in a few minutes."),
        "untrusted": texts(
            "What the door sends cannot be trusted just now, so nothing is shown of it and nothing is sent. Try "
            "another of its addresses, or wait a day."
        ),
        "clock-late": texts(
            "The newest that the door has published is %(span)s old. Either it stands still, or this device's clock "
            "is wrong. Look at the clock; if it is right, try again later or use another address of the door."
        ),
        "clock-early": texts(
            "By this device's clock the door has published in the future. Set the clock right, then try again."
        ),
        "other-page": texts(
            "This page and the door do not fit together any more: the organisation has changed its desks. Copy what "
            "you wrote, and load the page again."
        ),
        # the letter
        "no-desk": texts("Choose who should read your letter."),
        "door-closed": texts("This door is closed for good. It takes no letters any more."),
        "door-expired": texts("The organisation must renew this door first. Try again in a few days."),
        "desk-gone": texts("takes no letters any more"),
        "closed": texts("Your letter cannot be sent here any more. It is gone once you close this window."),
        "expired": texts("Your letter cannot be sent just now. It is gone once you close this window."),
        "desk-closed": texts("This desk takes no letters just now. Choose another, or try in an hour."),
        "empty": texts("The letter is empty. Write a few words."),
        "not-text": texts("A character of the letter is only half there. Delete it, and type it once more."),
        # files
        "no-attachments": texts("This door takes no files."),
        "file-empty": texts("%(name)s is empty. Check that it is the right one."),
        "file-too-large": texts("%(name)s is larger than %(most)s. Send it in parts."),
        "file-changed": texts("%(name)s has changed or is not there any more. Choose it again."),
        "too-many-files": texts("These are too many files for one letter. Send some of them with a second letter."),
        "no-room": texts(
            "This letter has no room to name the files. Shorten the text, or send the files with a second letter."
        ),
        "attachment-not-taken": texts(
            "The door has no room for %(name)s just now. Your letter is kept: try again in a few minutes, or send it "
            "without the file."
        ),
        "attachment-lost": texts("The door has lost a part of %(name)s. Try again: it is sent anew."),
        "beside-not-taken": texts(
            "The door has no room just now for what does not fit into the letter itself. Your letter is kept: try "
            "again in a few minutes."
        ),
        "beside-lost": texts(
            "The door has lost a part of what does not fit into the letter itself. Try again: it is sent anew."
        ),
        # words
        "quoted": texts("“%(word)s”"),
        "other-words": texts("These are other words than the ones you were shown."),
        "same-words": texts("These are the words that you have already."),
        "slip-meant": texts("Word %(place)s, “%(typed)s”, is not in the list. Did you mean %(meant)s?"),
        "slip-unknown": texts("Word %(place)s, “%(typed)s”, is not in the list."),
        "slip-check": texts("Perhaps word %(place)s, “%(typed)s”, should be %(meant)s."),
        "slip-swapped": texts(
            "Perhaps word %(place)s and the one after it are the wrong way round: %(meant)s comes first."
        ),
        "slip-somewhere": texts(
            "One or more words are wrong or out of order; it cannot be seen which. Compare them one by one."
        ),
        "slip-look": texts("Every word is in the list, but one is wrong or out of place. Look here first:"),
        "no-list": texts("A list of words did not come. Try again in a moment."),
        "other-list": texts(
            "The list of words that the door sends is not the one that this page was made with, so nothing is read or "
            "shown by it. Try another of the door's addresses, or wait a day."
        ),
        "hint": texts("Word %(place)s, “%(typed)s”, is not in the list. Meant:"),
        "no-desks": texts("Choose the desks that you have written to."),
        # on the way
        "fetching": texts("Fetching what the door has published. It is the same for everyone."),
        "keys": texts("Working out your keys from the ten words."),
        "sealing": texts("Sealing your letter."),
        "uploading": texts("Sending %(name)s, file %(number)s of %(count)s."),
        "listing": texts("Sending the list of your files."),
        "beside": texts("Sending what has no room in the letter itself."),
        "posting": texts("Handing in your letter."),
        "telling": texts("Telling %(desk)s."),
        "of": texts("%(done)s of %(all)s"),
        "got": texts("%(done)s"),
        "cut": texts("The connection broke. It goes on by itself in %(span)s."),
        "full": texts("The door is full just now. The next try is in %(span)s; each try has the same chance."),
        "paused": texts("Paused. Nothing is lost."),
        # how it ended
        "no-receipt": texts(
            "The door answered, but not with a receipt that can be believed. It may have your letter or not: sending "
            "it again does no harm."
        ),
        "not-taken": texts(
            "The door did not take the letter. If this happens twice, copy what you wrote, and load the page again."
        ),
        "no-memory": texts("This device has too little free memory for that. Close other programs and try again."),
        "unforeseen": texts("Something went wrong in this page. It is not your fault. Try again."),
        "leaving": texts("If you go to another page, what you have typed here is gone. Go all the same?"),
    }
