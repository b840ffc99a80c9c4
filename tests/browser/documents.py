# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: E501 - XML stands as programs write it
"""Office files as Word, Excel, PowerPoint and LibreOffice lay them out, with everything in them that names somebody."""

import io
import zipfile
from collections.abc import Callable
from typing import Final

from tests.browser.photographs import exif, picture, saved

W = 'xmlns:w="urn:w" xmlns:w14="urn:w14" xmlns:w15="urn:w15" xmlns:r="urn:r"'
RELATIONSHIP = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "Quarterly figures for the third desk"


def relationships(*pairs: tuple[str, str], external: str = "") -> str:
    """As a part's list has them: a kind and a target each."""
    lines = "".join(
        f'<Relationship Id="r{i}" Type="{RELATIONSHIP}/{kind}" Target="{target}"'
        + (' TargetMode="External"' if target == external else "")
        + "/>"
        for i, (kind, target) in enumerate(pairs)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="urn:rels">{lines}</Relationships>'


def types(*parts: str) -> str:
    """The list of parts, with some of them."""
    lines = "".join(f'<Override PartName="/{part}" ContentType="a/b"/>' for part in parts)
    return f'<Types xmlns="urn:types">{lines}</Types>'


CORE = (
    '<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="urn:dc" xmlns:dcterms="urn:t"><dc:creator>Anna Kovalenko</dc:creator>'
    "<cp:lastModifiedBy>Boris</cp:lastModifiedBy><dcterms:created>2024-05-01T10:11:12Z</dcterms:created>"
    "<cp:revision>7</cp:revision></cp:coreProperties>"
)
APP = (
    '<Properties xmlns="urn:app"><Application>Microsoft Office Word</Application><Company>Ministry of Works</Company>'
    "<Template>Normal.dotm</Template><TotalTime>95</TotalTime></Properties>"
)
CUSTOM = '<Properties xmlns="urn:c" xmlns:vt="urn:vt"><property name="Case"><vt:lpwstr>Kyiv 17</vt:lpwstr></property></Properties>'
PROPERTIES = {"docProps/core.xml": CORE, "docProps/app.xml": APP, "docProps/custom.xml": CUSTOM}
ROOT = [
    ("core-properties", "docProps/core.xml"),
    ("extended-properties", "docProps/app.xml"),
    ("thumbnail", "docProps/thumbnail.jpeg"),
]
PHOTO = saved(picture(), "JPEG", exif=exif())


def docx() -> dict[str, str | bytes]:
    """A letter with tracked changes, a comment, a photograph, a table from Excel, a template and marks of revisions."""
    return {
        "[Content_Types].xml": types("word/document.xml", "docProps/core.xml", "docProps/app.xml", "word/people.xml"),
        "_rels/.rels": relationships(("officeDocument", "word/document.xml"), *ROOT),
        **PROPERTIES,
        "docProps/thumbnail.jpeg": PHOTO,
        "word/document.xml": f'<w:document {W}><w:p w:rsidR="00A1B2C3" w14:paraId="1"><w:r><w:t>{WORD}</w:t></w:r>'
        '<w:ins w:id="1" w:author="Anna Kovalenko" w:date="2024-05-01T10:11:12Z"><w:r><w:t> &amp; more</w:t></w:r></w:ins>'
        '<w:del w:id="2" w:author="Boris" w:date="2024-05-01T10:12:00Z"><w:r><w:delText>less</w:delText></w:r></w:del>'
        "</w:p></w:document>",
        "word/_rels/document.xml.rels": relationships(
            ("comments", "comments.xml"),
            ("people", "people.xml"),
            ("customXml", "../customXml/item1.xml"),
            ("image", "media/a.jpg"),
            ("package", "embeddings/table.xlsx"),
        ),
        "word/comments.xml": f'<w:comments {W}><w:comment w:id="0" w:author="Boris" w:initials="BB" w:date="2024-05-01T10:13:00Z">'
        "<w:t>Are you sure?</w:t></w:comment></w:comments>",
        "word/people.xml": f'<w15:people {W}><w15:person w15:author="Boris"><w15:presenceInfo w15:userId="S-1-5-21"/></w15:person></w15:people>',
        "word/settings.xml": f'<w:settings {W}><w:zoom w:percent="90"/><w:attachedTemplate r:id="r0"/><w:rsids><w:rsidRoot w:val="00A1B2C3"/>'
        "</w:rsids></w:settings>",
        "word/_rels/settings.xml.rels": relationships(
            ("attachedTemplate", "file:///C:\\Users\\anna\\Normal.dotm"),
            external="file:///C:\\Users\\anna\\Normal.dotm",
        ),
        "word/media/a.jpg": PHOTO,
        "word/embeddings/table.xlsx": packed(xlsx()),
        "customXml/item1.xml": "<a>Kyiv</a>",
    }


def xlsx() -> dict[str, str | bytes]:
    """A table with both kinds of comments, a printer, a path and the name of who shares it."""
    return {
        "[Content_Types].xml": types("xl/workbook.xml", "docProps/core.xml"),
        "_rels/.rels": relationships(("officeDocument", "xl/workbook.xml"), *ROOT),
        **PROPERTIES,
        "xl/workbook.xml": '<workbook xmlns="urn:x" xmlns:a="urn:a"><fileSharing userName="Anna Kovalenko"/>'
        f'<a:absPath url="C:\\Users\\anna\\"/><sheets><sheet name="{WORD}"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": '<worksheet xmlns="urn:x" xmlns:r="urn:r" xmlns:xr="urn:xr" xr:uid="{00A1B2C3}">'
        '<pageSetup orientation="portrait" r:id="r0"/></worksheet>',
        "xl/worksheets/_rels/sheet1.xml.rels": relationships(("printerSettings", "../printerSettings/p1.bin")),
        "xl/printerSettings/p1.bin": "LaserJet of Anna\0".encode("utf-16-le").ljust(100, b"\0"),
        "xl/comments1.xml": '<comments xmlns="urn:x"><authors><author>Anna Kovalenko</author></authors><t>Sure?</t></comments>',
        "xl/persons/person.xml": '<personList xmlns="urn:t"><person displayName="Boris" id="{1}" userId="S-1-5-21" providerId="AD"/></personList>',
        "xl/threadedComments/t1.xml": '<ThreadedComments xmlns="urn:t"><threadedComment ref="A1" dT="2024-05-01T10:11:12.00" personId="{1}">'
        "<text>Yes.</text></threadedComment></ThreadedComments>",
    }


def pptx() -> dict[str, str | bytes]:
    """Slides with both kinds of comments."""
    return {
        "[Content_Types].xml": types("ppt/presentation.xml", "docProps/core.xml"),
        "_rels/.rels": relationships(("officeDocument", "ppt/presentation.xml"), *ROOT),
        **PROPERTIES,
        "ppt/presentation.xml": f'<p:presentation xmlns:p="urn:p"><t>{WORD}</t></p:presentation>',
        "ppt/commentAuthors.xml": '<p:cmAuthorLst xmlns:p="urn:p"><p:cmAuthor id="0" name="Boris" initials="BB"/></p:cmAuthorLst>',
        "ppt/comments/comment1.xml": '<p:cmLst xmlns:p="urn:p"><p:cm authorId="0" dt="2024-05-01T10:11:12.000"><p:text>Sure?</p:text></p:cm></p:cmLst>',
        "ppt/authors.xml": '<p:authorLst xmlns:p="urn:p188"><p:author id="{1}" name="Anna Kovalenko" userId="S-1-5-21" providerId="AD"/></p:authorLst>',
        "ppt/comments/modern1.xml": '<p:cmLst xmlns:p="urn:p188"><p:cm authorId="{1}" created="2024-05-01T10:11:12.000"/></p:cmLst>',
        "ppt/media/image1.png": saved(picture(), "PNG", exif=exif()),
    }


def odt() -> dict[str, str | bytes]:
    """A text of LibreOffice's with a note, a tracked change and a printer."""
    office = 'xmlns:office="urn:o" xmlns:dc="urn:dc" xmlns:meta="urn:m" xmlns:text="urn:t" xmlns:config="urn:c" xmlns:manifest="urn:mf"'
    return {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f"<office:document-content {office}><office:annotation><dc:creator>Boris</dc:creator><dc:date>2024-05-01T10:11:12</dc:date>"
        f"<meta:creator-initials>BB</meta:creator-initials><text:p>Sure?</text:p></office:annotation><text:p>{WORD}</text:p>"
        "</office:document-content>",
        "meta.xml": f"<office:document-meta {office}><meta:initial-creator>Anna Kovalenko</meta:initial-creator><meta:template href='file:///home/anna/a.ott'/><dc:creator>Boris</dc:creator>"
        '<meta:creation-date>2024-05-01T10:11:12</meta:creation-date><meta:user-defined meta:name="Case">Kyiv</meta:user-defined>'
        "</office:document-meta>",
        "settings.xml": f'<office:document-settings {office}><config:config-item config:name="PrinterName">LaserJet of Anna</config:config-item>'
        '<config:config-item config:name="Rsid">00A1B2C3</config:config-item><config:config-item config:name="Zoom">90</config:config-item>'
        "</office:document-settings>",
        "Thumbnails/thumbnail.png": saved(picture(), "PNG"),
        "Pictures/a.jpg": PHOTO,
        "META-INF/manifest.xml": f'<manifest:manifest {office}><manifest:file-entry manifest:full-path="content.xml"/>'
        '<manifest:file-entry manifest:full-path="meta.xml"/><manifest:file-entry manifest:full-path="Thumbnails/thumbnail.png"/></manifest:manifest>',
    }


def packed(parts: dict[str, str | bytes]) -> bytes:
    """As an archive made on a day, by a system that writes more than it must."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            info = zipfile.ZipInfo(name, (2024, 5, 1, 10, 11, 12))
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr, info.comment = 3, 0o600 << 16, b"Anna Kovalenko"
            archive.writestr(info, part)
        archive.comment = b"Anna Kovalenko"
    return out.getvalue()


MADE: Final[dict[str, Callable[[], dict[str, str | bytes]]]] = {"docx": docx, "xlsx": xlsx, "pptx": pptx, "odf": odt}
