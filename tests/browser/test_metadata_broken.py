# SPDX-License-Identifier: AGPL-3.0-or-later
"""Broken variants of what removes: each leaves something, and what the other tests look at shows it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pikepdf import Name

from tests.browser.documents import WORD, W, docx, packed
from tests.browser.metadata import Metadata
from tests.browser.pdf_eyes import rendered, secrets
from tests.browser.pdfs import document, written
from tests.browser.peer import NODE
from tests.browser.photographs import exif, opened, picture, pixels, saved
from tests.browser.test_frontend_build import elsewhere
from tests.browser.test_metadata_documents import unpacked
from tests.browser.test_metadata_pdf import STAYS, cropped, drawn_with, ticked, with_leftovers


@contextmanager
def broken(file: str, line: str, other: str, folder: Path) -> Iterator[Metadata]:
    """Built from sources in which one line is another."""
    frontend = elsewhere(folder)
    source = frontend / "src/meta" / file
    assert source.read_text().count(line) == 1, "the line that protects is not there"
    source.write_text(source.read_text().replace(line, other))
    out = folder / "out"
    subprocess.run([NODE, "build.mjs", str(out)], cwd=frontend, check=True, capture_output=True)
    one = Metadata(folder, out / "meta.js")
    yield one
    one.close()


PHOTO = saved(picture(), "JPEG", exif=exif(), comment=b"by Anna")


def test_segments_that_stay(node: Path, tmp_path: Path) -> None:
    with broken(
        "jpeg.ts", "if (decodes(one.marker)) {", "if (decodes(one.marker) || one.marker === COM) {", tmp_path
    ) as one:
        told = one.told(PHOTO)
    assert opened(told.raw).info["comment"] == b"by Anna"
    assert told.left["facts"], "what reads the result would say so"


def test_a_picture_that_no_longer_stands_upright(node: Path, tmp_path: Path) -> None:
    with broken("jpeg.ts", "if (turn !== 1) head.push", "if (turn > 8) head.push", tmp_path) as one:
        assert pixels(one.told(PHOTO).raw) != pixels(PHOTO)


def test_chunks_that_stay(node: Path, tmp_path: Path) -> None:
    raw = saved(picture(), "PNG", exif=exif())
    with broken("png_used.ts", "IHDR: 13, ", "IHDR: 13, eXIf: 1000, ", tmp_path) as one:
        told = one.told(raw)
    assert told.left["facts"] == [], "what reads has the same list: only another reader sees it"
    assert opened(told.raw).getexif()[0x013B] == "Anna Kovalenko"


@pytest.mark.parametrize(
    ("file", "line", "other", "seen"),
    [
        ("pdf_rules.ts", 'page: "MediaBox ', 'page: "LastModified:text MediaBox ', "20240501"),
        ("pdf_rules.ts", 'form: "Type ', 'form: "Metadata:content Type ', "xpacket"),
        ("pdf_rules.ts", "RD Q Sy ", "RD Q Sy NM:text ", "KOVALENKO-LAPTOP"),
        ("pdf_annotations.ts", "Author ${this.number(person)}", "${person}", "Boris Petrenko"),
        (
            "pdf_write.ts",
            "/Name (Layer ${this.layers})",
            '/Name ${hexadecimal(String(dictionary.get("Name")))}',
            "Anna's layer",
        ),
        ("pdf_write.ts", 'role === "profile" ? this.profile(dictionary, stream) : ', "", "screen in roo"),
        ("pdf_write.ts", 'const IS_JPEG = new Set(["DCTDecode", ', "const IS_JPEG = new Set([", "SN-0042"),
    ],
)
def test_what_stays_of_a_pdf(file: str, line: str, other: str, seen: str, node: Path, tmp_path: Path) -> None:
    with broken(file, line, other, tmp_path) as one:
        told = one.told(written(document()))
    assert seen in secrets(told.raw)


@pytest.mark.parametrize(
    ("file", "line", "other"),
    [
        ("pdf_rules.ts", "OFF:layer ", ""),
        ("pdf_rules.ts", "ColorSpace:{space} ", ""),
        ("pdf_rules.ts", "FontBBox FontMatrix CharProcs", "FontBBox CharProcs"),
        ("pdf_annotations.ts", 'nameOf(this.writer.document.plain(annotation.get("AS")))', '"Off"'),
        ("pdf_pages.ts", '["Resources", ', "["),
        ("pdf_used.ts", '["XObject", ', "["),
        ("pdf_used.ts", "spelledOut(name as string)", "(name as string)"),
    ],
)
def test_pages_that_look_otherwise(file: str, line: str, other: str, node: Path, tmp_path: Path) -> None:
    raw = with_leftovers() if file == "pdf_used.ts" else written(document())
    with broken(file, line, other, tmp_path) as one:
        told = one.told(raw)
    assert rendered(told.raw) != rendered(raw)


def test_a_tick_that_is_lost(node: Path, tmp_path: Path) -> None:
    with broken("pdf_annotations.ts", "(!state && this.ticked(annotation, value))", "false", tmp_path) as one:
        assert one.told(ticked(Name.Yes)).why is None


@pytest.mark.parametrize(
    ("file", "line", "other", "name"),
    [
        ("pdf_beside.ts", "yield remark(text.slice(index, end));", "", "a remark"),
        ("pdf_beside.ts", "if (mark) yield* mark.words;", "if (mark) void 0;", "words in a mark"),
        (
            "pdf_beside.ts",
            '(BEFORE.test(text[index - 1] ?? " ")) yield { is',
            "(index < 0) yield { is",
            "text under a scan",
        ),
        ("pdf_content.ts", "await picture.read(Slices", "void (Slices", "a photograph"),
        ("pdf_content.ts", "const LETTERS = /^(", "const LETTERS = /^(.*|", "words in a mark"),
        ("pdf_content.ts", "if (this.cropped) found", "if (this.cropped > 1) found", "cropped"),
    ],
)
def test_what_stays_and_is_not_told(file: str, line: str, other: str, name: str, node: Path, tmp_path: Path) -> None:
    expected = ["cropped 1 pages"] if name == "cropped" else STAYS[name][1]
    with broken(file, line, other, tmp_path) as one:
        told = one.told(cropped() if name == "cropped" else drawn_with(name))
    assert "Anna Kovalenko" in secrets(told.raw)
    assert told.stays() != expected


HIDDEN = (
    f"<w:document {W}><w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>{WORD}</w:t></w:r>"
    '<w:docPr descr="plan of Anna"/><a:srcRect xmlns:a="urn:a" l="900"/></w:p></w:document>'
)


def test_what_a_letter_hides_is_told(metadata: Metadata) -> None:
    assert metadata.told(packed({**docx(), "word/document.xml": HIDDEN})).stays() == [
        "cropped 1 pictures",
        "embedded word/embeddings/table.xlsx",
        "review 1 comments",
        "review 1 names",
        "review 2 comments",
        "unseen 1 pieces",
        "words plan of Anna",
    ]


@pytest.mark.parametrize(
    ("line", "other", "gone"),
    [
        ('else if (element === "vanish" ', 'else if (element === "none" ', "unseen 1 pieces"),
        ('else if (element === "srcRect" ', 'else if (element === "none" ', "cropped 1 pictures"),
        ('else if (element === "docPr" || ', "else if (", "words plan of Anna"),
    ],
)
def test_what_a_letter_hides_and_is_not_told(line: str, other: str, gone: str, node: Path, tmp_path: Path) -> None:
    with broken("office_unseen.ts", line, other, tmp_path) as one:
        assert gone not in one.told(packed({**docx(), "word/document.xml": HIDDEN})).stays()


@pytest.mark.parametrize(
    ("line", "other", "part"),
    [
        ("if (isName(element, name, tag)) return NO_NAME", "if (element === name) return NO_NAME", "word/comments.xml"),
        (r"/^docProps\//, ", "", "docProps/core.xml"),
        ('const GONE = new Set("rsid rsids ', 'const GONE = new Set("', "word/settings.xml"),
    ],
)
def test_names_that_stay(line: str, other: str, part: str, node: Path, tmp_path: Path) -> None:
    with broken("office_rules.ts", line, other, tmp_path) as one:
        told = one.told(packed(docx()))
    raw = unpacked(told.raw)[part]
    assert b"Boris" in raw or b"rsids" in raw
    assert part == "word/settings.xml" or "person" in {fact["kind"] for fact in told.left["facts"]}
