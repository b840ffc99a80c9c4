# SPDX-License-Identifier: AGPL-3.0-or-later
"""Office files as Word, Excel, PowerPoint and LibreOffice lay them out: `meta.js` finds who made them, and what it
gives back still holds together, says the same words, and names nobody.

Python's own zip and XML readers look at the result, not the code under test.
"""

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.browser.documents import MADE, PHOTO, WORD, W, docx, odt, packed, relationships, types
from tests.browser.metadata import Metadata, Told
from tests.browser.photographs import opened, pixels

NAMES = [
    "Anna Kovalenko",
    "Boris",
    "Ministry of Works",
    "anna",
    "S-1-5-21",
    "LaserJet",
    "2024-05-01",
    "00A1B2C3",
    "Normal.dotm",
    "Kyiv",
]


def unpacked(raw: bytes) -> dict[str, bytes]:
    """Every part, its checksum compared; and that the archive itself says nothing."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        assert archive.comment == b""
        for info in archive.infolist():
            assert (info.date_time, info.create_system, info.external_attr) == ((1980, 1, 1, 0, 0, 0), 0, 0)
            assert (info.comment, info.extra) == (b"", b"")
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(params=MADE)
def document(request: pytest.FixtureRequest, metadata: Metadata) -> Told:
    """One of the four kinds."""
    return metadata.told(packed(MADE[request.param]()))


def test_who_made_it_is_read(document: Told) -> None:
    assert {"Anna Kovalenko", "Boris"} <= set(document.values("person"))
    assert document.said["unread"] == []
    assert any(date.startswith("2024-05-01") for date in document.values("date"))
    assert any("Kyiv" in said for said in document.values("other"))
    assert document.counts("review")
    if document.said["format"] != "odf":
        assert document.values("organisation") == ["Ministry of Works"]
    assert any("anna" in path for path in document.values("path")) or document.said["format"] == "pptx"
    if document.said["format"] in ("odf", "xlsx"):
        assert document.values("printer") == ["LaserJet of Anna"]


def test_what_is_given_back_names_nobody(document: Told) -> None:
    parts = unpacked(document.raw)
    inner = [unpacked(raw) for name, raw in parts.items() if name.endswith(".xlsx")]
    for name, raw in [pair for one in [parts, *inner] for pair in one.items() if not pair[0].endswith(".xlsx")]:
        assert [secret for secret in NAMES if secret.encode() in raw or secret.encode("utf-16-le") in raw] == [], name
    assert {fact["kind"] for fact in document.left["facts"]} <= {"review", "embedded"}
    assert document.left["unread"] == []


CHANGED = {
    "xl/comments1.xml": ["Author 1", "Sure?"],
    "settings.xml": ["90"],
    "content.xml": ["Author 1", "2000-01-01T00:00:00Z", "A", "Sure?", WORD],
}


def test_it_holds_together_and_says_the_same(document: Told) -> None:
    before = MADE[document.said["format"]]()
    parts = unpacked(document.raw)
    assert next(iter(parts)) == next(iter(before))
    for name, raw in parts.items():
        if name.endswith((".xml", ".rels")):
            assert texts(raw) == CHANGED.get(name, texts(before[name])), name
    assert any(WORD.encode() in raw for raw in parts.values())
    lists = b"".join(raw for name, raw in parts.items() if name.endswith((".rels", "Types].xml", "manifest.xml")))
    for gone in set(before) - set(parts):
        if not gone.endswith(".rels"):
            assert Path(gone).name.encode() not in lists, "a list still speaks of a part that is gone"


def texts(raw: bytes | str) -> list[str]:
    """What stands between the tags."""
    return [text for text in ElementTree.fromstring(raw).itertext() if text.strip()]  # noqa: S314 - made here


def test_what_is_counted_in_a_letter(metadata: Metadata) -> None:
    one = metadata.told(packed(docx()))
    assert one.counts("review") == {"insertions": 1, "deletions": 1, "comments": 1, "names": 1}
    assert one.counts("other") == {"seconds": 95 * 60, "saves": 7}
    assert one.counts("thumbnail") == {"bytes": len(PHOTO)}
    assert set(one.counts("id")) == {"sessions"}
    odf = metadata.told(packed(MADE["odf"]()))
    assert set(odf.counts("review")) <= {"names", "changes"}


def test_people_keep_apart_without_their_names(metadata: Metadata) -> None:
    parts = unpacked(metadata.told(packed(docx())).raw)
    body, comments = parts["word/document.xml"], parts["word/comments.xml"]
    assert b'<w:ins w:id="1" w:author="Author 1">' in body
    assert b'<w:del w:id="2" w:author="Author 2">' in body
    assert b'w:author="Author 2" w:initials="A"' in comments, "Boris, there too"


def test_pictures_inside_are_read_and_cleaned(metadata: Metadata) -> None:
    one = metadata.told(packed(docx()))
    assert one.values("place", "word/media/a.jpg") == ["50.45010, -30.52340"]
    assert "Anna Kovalenko" in one.values("person", "word/embeddings/table.xlsx")
    inside = unpacked(one.raw)["word/media/a.jpg"]
    assert pixels(inside) == pixels(PHOTO)
    assert dict(opened(inside).getexif()) == {0x0112: 6}


def test_what_cannot_be_looked_into_is_kept_and_said(metadata: Metadata) -> None:
    parts = {**docx(), "word/vbaProject.bin": b"Anna", "word/media/b.emf": b"Anna", "word/vml.vml": "<br><p>"}
    one = metadata.told(packed(parts))
    assert {(miss["why"], miss["inside"]) for miss in one.left["unread"]} == {
        ("part", "word/vbaProject.bin"),
        ("part", "word/media/b.emf"),
        ("damaged", "word/vml.vml"),
    }


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ('<w:p descr="C:\\Users\\anna\\plan.jpg">', ["C:\\Users\\anna\\plan.jpg"]),
        (
            '<w:p><w:instrText>INCLUDEPICTURE "C:\\\\Users\\\\anna\\\\a.png"</w:instrText>',
            ["C:\\\\Users\\\\anna\\\\a.png"],
        ),
    ],
)
def test_a_folder_that_is_written_in_the_text_stays_and_is_said(
    folder: str, said: list[str], metadata: Metadata
) -> None:
    body = f"<w:document {W}>{folder}<w:t>{WORD}</w:t></w:p></w:document>"
    one = metadata.told(packed({**docx(), "word/document.xml": body}))
    assert [fact["value"] for fact in one.left["facts"] if fact["kind"] == "path"] == said


def made(kind: str, name: str, part: str) -> bytes:
    """A file with one part more, or another one, of which the lists speak."""
    parts = {} if kind == "odf" else {"[Content_Types].xml": types(name)}
    first = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml", "odf": "mimetype"}
    parts[first[kind]] = "application/vnd.oasis.opendocument.text" if kind == "odf" else "<a/>"
    folder, _, last = name.rpartition("/")
    if kind != "odf":
        main = first[kind].rpartition("/")
        beside = folder.removeprefix(main[0]).removeprefix("/")
        parts[f"{main[0]}/_rels/{main[2]}.rels"] = relationships(("any", f"{beside}/{last}".removeprefix("/")))
    return packed({**parts, name: part})


TASK = (
    '<t:Tasks><t:Event time="2024-03-05T10:11:12Z"><t:Attribution userId="S::petrova@acme" userProvider="AD" '
    'userName="Petrova"/></t:Event></t:Tasks>'
)
INK = (
    '<i:ink><i:inkSource xml:id="s" manufacturer="Wacom" serialNo="Petrova7"/>'
    '<i:timestamp xml:id="t" timeString="2024-03-05T10:11:12.000" time="1709633472000"/><i:trace>1 2</i:trace></i:ink>'
)
REACTIONS = (
    '<w:comments><w:comment w:author="Author 1"><r:reactionInfo dateUtc="2024-03-05T10:11:12Z"><r:user '
    'userId="S::petrova@acme" userProvider="AD" userName="Petrova"/></r:reactionInfo></w:comment></w:comments>'
)
HIDDEN = {
    "tasks of a letter": ("docx", "word/documentTasks/documenttasks1.xml", TASK),
    "tasks of slides": ("pptx", "ppt/tasks/task.xml", TASK),
    "who may change a part": ("docx", "word/document.xml", '<w:d><w:permStart w:id="1" w:ed="ACME\\Petrova"/></w:d>'),
    "who liked a comment": ("docx", "word/comments.xml", REACTIONS),
    "when a comment was liked": (
        "pptx",
        "ppt/comments/modern1.xml",
        '<c:l><c:instance time="2024-03-05T10:11:12.000" authorId="{1}" userName="Petrova"/></c:l>',
    ),
    "who tried figures": (
        "xlsx",
        "xl/worksheets/sheet1.xml",
        '<s><scenario name="Low" user="Petrova" comment="Created by Petrova on 3/5/2024"/></s>',
    ),
    "who may change cells": (
        "xlsx",
        "xl/worksheets/sheet1.xml",
        '<s><protectedRange name="a" securityDescriptor="O:Petrova"><securityDescriptor>O:Petrova</securityDescriptor>'
        "</protectedRange></s>",
    ),
    "whose view of a table": (
        "xlsx",
        "xl/workbook.xml",
        '<w><customWorkbookView name="Petrova - Personal View" personalView="1"/></w>',
    ),
    "a comment as Excel begins it": (
        "xlsx",
        "xl/comments1.xml",
        "<c><author>Petrova</author><comment><t>Petrova:</t><t> yes: no</t></comment></c>",
    ),
    "what was drawn with a pen": ("docx", "word/ink/ink1.xml", INK),
    "a picture's first name": (
        "docx",
        "word/document.xml",
        '<w:d><pic:cNvPr id="0" name="Petrova at home"/><v:imagedata o:title="Petrova"/></w:d>',
    ),
    "a picture's first name, elsewhere": (
        "pptx",
        "ppt/slides/slide1.xml",
        '<p><p:cNvPr id="0" name="Petrova.JPG" descr="D:\\Petrova\\a.png"/></p>',
    ),
    "a picture's first name in LibreOffice": ("odf", "content.xml", '<a><draw:frame draw:name="Petrova.jpg"/></a>'),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_names_and_times_in_corners_of_the_formats_go(what: str, metadata: Metadata) -> None:
    kind, name, part = HIDDEN[what]
    one = metadata.told(made(kind, name, part))
    assert any("Petrova" in fact["value"] for fact in one.said["facts"])
    parts = unpacked(one.raw)
    for secret in (b"Petrova", b"petrova", b"2024-03-05", b"3/5/2024", b"17096334"):
        assert [name for name, raw in parts.items() if secret in raw] == []
    assert {fact["kind"] for fact in one.left["facts"]} <= {"review"}
    assert one.left["unread"] == []
    if "tasks" in what:
        assert name not in parts
        assert b"ask" not in b"".join(parts.values()), "a list still speaks of a part that is gone"


def test_names_of_pictures_that_programs_gave_stay(metadata: Metadata) -> None:
    shape = '<wp:docPr id="1" name="Picture 3" descr="A plan. Of a house."/>'
    body = f'<w:d>{shape}<pic:cNvPr id="0" name="Рисунок 3"/></w:d>'
    one = metadata.told(made("docx", "word/document.xml", body))
    assert one.stays() == ["words A plan. Of a house."]
    assert body.encode() in unpacked(one.raw)["word/document.xml"]


@pytest.mark.parametrize("how", ["a password of OpenDocument's", "a password of zip's", "XML that is cut"])
def test_what_cannot_be_cleaned_is_refused(how: str, metadata: Metadata) -> None:
    parts = odt()
    if how.endswith("cut"):
        parts["content.xml"] = str(parts["content.xml"])[:-3]
    elif "Open" in how:
        parts["META-INF/manifest.xml"] = str(parts["META-INF/manifest.xml"]).replace(
            "<manifest:file-entry",
            "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry><manifest:file-entry",
            1,
        )
    raw = bytearray(packed(parts))
    if "zip" in how:
        raw[raw.index(b"content.xml", raw.index(b"PK\x01\x02")) - 46 + 8] |= 1
    one = metadata.told(bytes(raw))
    assert one.why == ("damaged" if how.endswith("cut") else "encrypted")
    assert one.why in {miss["why"] for miss in one.said["unread"]}
