# SPDX-License-Identifier: AGPL-3.0-or-later
"""PDFs with everything in them that a page can show and everything that names somebody, made by pikepdf (qpdf)."""

import io
import re
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from tests.browser.pdf_notes import annotations
from tests.browser.pdf_parts import CONTENT, attached, date, image, metadata, private, resources
from tests.browser.photographs import picture


def document() -> pikepdf.Pdf:
    """Three pages: one with everything, one that takes over from its branch, one turned."""
    pdf = pikepdf.new()
    shown = pdf.make_indirect(
        Dictionary(
            Type=Name.OCG,
            Name=String("Anna's layer"),
            Usage=Dictionary(CreatorInfo=Dictionary(Creator=String("Writer 7"))),
        )
    )
    hidden = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("Anna's layer, hidden")))
    pdf.Root.OCProperties = Dictionary(
        OCGs=[shown, hidden],
        D=Dictionary(
            OFF=[hidden],
            Name=String("Anna Kovalenko"),
            Creator=String("Writer 7"),
            Order=[String("Ministry of Works"), shown, hidden],
        ),
    )
    drawn = pdf.make_indirect(resources(pdf, shown, hidden))
    for turn in (0, 0, 90):
        pdf.add_blank_page(page_size=(400, 400))
        page = pdf.pages[-1].obj
        page.Contents = (
            pdf.make_stream(CONTENT)
            if not turn
            else Array([pdf.make_stream(CONTENT[:400]), pdf.make_stream(CONTENT[400:])])
        )
        page.Resources = drawn
        if turn:
            page.Rotate = turn
            page.CropBox = Array([10, 10, 390, 380])
        page.PieceInfo = private()
        page.LastModified = date()
        page.Metadata = metadata(pdf)
        page.Thumb = pdf.make_indirect(image(pdf, picture().tobytes()))
        page.StructParents = 0
        page.AA = Dictionary(O=Dictionary(S=Name.JavaScript, JS=String("app.alert(1)")))
    first, second = pdf.pages[0].obj, pdf.pages[1].obj
    first.Annots = Array(annotations(pdf, first))
    branch = pdf.make_indirect(
        Dictionary(
            Type=Name.Pages,
            Count=1,
            Kids=[second],
            Parent=pdf.Root.Pages,
            Resources=drawn,
            MediaBox=second.MediaBox,
        )
    )
    del second.Resources
    del second.MediaBox
    second.Parent = branch
    pdf.Root.Pages.Kids[1] = branch
    title = pdf.make_indirect(Dictionary(Title=String("Heading of the outline"), Dest=[first, Name.Fit]))
    pdf.Root.Outlines = pdf.make_indirect(Dictionary(First=title, Last=title, Count=1))
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))
    pdf.Root.Names = Dictionary(EmbeddedFiles=Dictionary(Names=[String("plan-b.xls"), attached(pdf)]))
    pdf.Root.Metadata = pdf.make_indirect(metadata(pdf))
    pdf.Root.PieceInfo = private()
    pdf.Root.Lang = String("uk")
    pdf.docinfo["/Author"], pdf.docinfo["/Company"] = "Anna Kovalenko", "Ministry of Works"
    pdf.docinfo["/Creator"], pdf.docinfo["/CreationDate"] = "Writer 7", date()
    return pdf


def written(pdf: pikepdf.Pdf, **how: Any) -> bytes:
    out = io.BytesIO()
    pdf.save(out, **{"fix_metadata_version": False, "static_id": True, **how})
    return out.getvalue()


def appended(raw: bytes, objects: dict[int, bytes], gone: tuple[int, ...] = (), trailer: bytes = b"") -> bytes:
    """A later version: what programs write that save by appending."""
    previous = int(re.findall(rb"startxref\s+(\d+)", raw)[-1])
    root, size = re.findall(rb"/Root (\d+ 0 R)", raw)[-1], int(re.findall(rb"/Size (\d+)", raw)[-1])
    out, table = raw, b"xref\n"
    for number, body in objects.items():
        table += b"%d 1\n%010d 00000 n \n" % (number, len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    for number in gone:
        table += b"%d 1\n0000000000 00001 f \n" % number
    rest = b"trailer\n<< /Size %d /Root %s /Prev %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        root,
        previous,
        trailer,
        len(out),
    )
    return out + table + rest
