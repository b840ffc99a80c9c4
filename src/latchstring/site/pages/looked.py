# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the script says of a file that it looked into (`fact-` and a kind, `unread-` and a reason, `count-` and a unit,
as frontend/src/meta/facts.ts has them), and what the person can do."""

from collections.abc import Mapping

from latchstring.site.texts import Texts, plural


def of_files(texts: Texts) -> dict[str, str]:
    """By the script's name for them, as `scripted.sayings`."""
    return {
        "file-of": texts("File %(number)s of %(count)s"),
        "fact-place": texts("Place, as numbers on a map"),
        "fact-place-name": texts("Name of a place"),
        "fact-device": texts("Device"),
        "fact-serial": texts("Number of one device"),
        "fact-printer": texts("Printer"),
        "fact-person": texts("Name of a person"),
        "fact-contact": texts("Address or account"),
        "fact-organisation": texts("Company or office"),
        "fact-date": texts("Date"),
        "fact-program": texts("Program"),
        "fact-title": texts("Title"),
        "fact-comment": texts("Description or note"),
        "fact-path": texts("Folder on a computer"),
        "fact-id": texts("Number that copies have in common"),
        "fact-thumbnail": texts("Small picture of it, perhaps older"),
        "fact-embedded": texts("Another file inside"),
        "fact-words": texts("Words behind the text or a picture, for reading aloud or copying"),
        "fact-unseen": texts("In it, but not shown"),
        "fact-cropped": texts("Shown in part only; the rest is still in it"),
        "fact-review": texts("Comments or changes, with names"),
        "fact-history": texts("Earlier versions inside"),
        "fact-signature": texts("Signature"),
        "fact-profile": texts("Colours, perhaps of one screen"),
        "fact-trailing": texts("Bytes after the end of the file"),
        "fact-other": texts("Something else"),
        "worked": texts("Time of work on it: %(span)s"),
        "unread-unknown": texts("This kind of file is not known here."),
        "unread-photo": texts(
            "It is a picture of a kind that cannot be read here: HEIC, as iPhones make it, AVIF, TIFF, GIF or another. "
            "Photographs usually say where and when they were taken, and with which telephone."
        ),
        "unread-film": texts(
            "It is a film, and those cannot be read here. "
            "Films from a telephone usually say where and when they were made, and with which telephone."
        ),
        "unread-sound": texts(
            "It is a recording, and those cannot be read here. "
            "Recordings can say who made them, when, and with which device."
        ),
        "unread-old-office": texts(
            "It is a document of an older kind, or under a password, and cannot be read here. "
            "Such documents usually name who wrote them. "
            "Saved as docx, xlsx or pptx and without a password, it can be read and cleaned."
        ),
        "unread-damaged": texts("It is damaged, or built in an unusual way."),
        "unread-too-large": texts("It is too large to be read here."),
        "unread-too-much": texts("It holds more than can be listed here."),
        "unread-encrypted": texts("It is locked, with a password or against changes."),
        "unread-part": texts("It has a part of a kind that is not known here."),
        "unread-unreadable": texts("The browser could not read it. Leave it out, and choose it again."),
        "instead-pdf": texts("You can send it as it is, or pictures of its pages in its place: those can be cleaned."),
        "instead-photo": texts("You can send it as it is, or a screenshot of it in its place: that can be cleaned."),
        "instead": texts("You can send it as it is, or leave it out and ask the desk how to send it."),
    }


def counts_of_files(texts: Texts) -> dict[str, Mapping[str, str]]:
    """What is counted in them, by the script's name for it."""
    return {
        "count-versions": plural("%(n)s earlier version", "%(n)s earlier versions", texts),
        "count-insertions": plural("%(n)s insertion", "%(n)s insertions", texts),
        "count-deletions": plural("%(n)s deletion", "%(n)s deletions", texts),
        "count-changes": plural("%(n)s other change", "%(n)s other changes", texts),
        "count-comments": plural("%(n)s comment", "%(n)s comments", texts),
        "count-names": plural("%(n)s name beside a change", "%(n)s names beside changes", texts),
        "count-sessions": plural("%(n)s mark of an editing session", "%(n)s marks of editing sessions", texts),
        "count-saves": plural("saved %(n)s time", "saved %(n)s times", texts),
        "count-pictures": plural("%(n)s picture", "%(n)s pictures", texts),
        "count-pages": plural("%(n)s page", "%(n)s pages", texts),
        "count-pieces": plural("%(n)s piece of text", "%(n)s pieces of text", texts),
        "count-layers": plural("%(n)s layer", "%(n)s layers", texts),
        "count-sheets": plural("%(n)s sheet", "%(n)s sheets", texts),
        "count-lines": plural("%(n)s row or column", "%(n)s rows or columns", texts),
        "count-slides": plural("%(n)s slide", "%(n)s slides", texts),
        "count-notes": plural("%(n)s note to a slide", "%(n)s notes to slides", texts),
    }
