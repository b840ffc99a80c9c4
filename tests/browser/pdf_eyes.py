# SPDX-License-Identifier: AGPL-3.0-or-later
"""What others see of a PDF: PDFium, which is Chromium's, its pages; qpdf every object in it."""

import io
from collections.abc import Iterator
from typing import Any, Final

import pikepdf
import pypdfium2
from pikepdf import Array, Dictionary, Stream, String

SECRETS: Final = [
    "Anna Kovalenko",
    "Boris Petrenko",
    "KOVALENKO-LAPTOP",
    "Ministry of Works",
    "Writer 7",
    "Users\\anna",
    "intranet.example",
    "plan-b.xls",
    "Canon",
    "SN-0042",
    "screen in roo",
    "20240501",
    "2024:05:01",
    "an earlier wording",
    "app.alert",
    "Anna's layer",
    "Heading of the outline",
    "xpacket",
    "PieceInfo",
    "private data of a program",
    "Accepted set by",
]
"""In places that no page shows."""


def rendered(raw: bytes) -> list[tuple[int, int, bytes]]:
    """Each page as PDFium draws it, annotations and forms too."""
    pdf = pypdfium2.PdfDocument(raw)
    if pdf.get_formtype():
        pdf.init_forms()
        pypdfium2.raw.FPDF_SetFormFieldHighlightAlpha(pdf.formenv, 0)  # which marks what could be filled in
    pages = []
    for page in pdf:
        bitmap = page.render(scale=1.5, optimize_mode="lcd")
        pages.append((bitmap.width, bitmap.height, bytes(bitmap.buffer)))
        page.close()
    pdf.close()
    return pages


def words(raw: bytes) -> list[str]:
    """What each page says."""
    pdf = pypdfium2.PdfDocument(raw)
    return [page.get_textpage().get_text_range() for page in pdf]


def everything(raw: bytes) -> Iterator[bytes]:
    """The file as it is, and each object and stream of it unpacked, reachable or not."""
    yield raw
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        for one in pdf.objects:
            if one is None:
                continue
            yield one.unparse(resolved=True) if not isinstance(one, Stream) else one.stream_dict.unparse()
            if isinstance(one, Stream):
                yield one.read_raw_bytes()
                try:
                    yield one.read_bytes()
                except pikepdf.PdfError:
                    pass  # of a kind that qpdf does not unpack: a picture's, looked at as it is
            yield from _texts(one, 0)


def _texts(one: Any, depth: int) -> Iterator[bytes]:
    """Texts in an object, decoded."""
    if isinstance(one, String):
        yield bytes(one)
        yield str(one).encode()
    elif depth < 20 and isinstance(one, Array) and not (depth and one.is_indirect):
        for inner in one:
            yield from _texts(inner, depth + 1)
    elif depth < 20 and isinstance(one, Dictionary | Stream) and not (depth and one.is_indirect):
        for _, inner in one.items():
            yield from _texts(inner, depth + 1)


def secrets(raw: bytes) -> list[str]:
    """Which of SECRETS are in it."""
    whole = b"\n".join(everything(raw))
    return [
        one for one in SECRETS if any(one.encode(coding) in whole for coding in ("utf-8", "utf-16-be", "utf-16-le"))
    ]
