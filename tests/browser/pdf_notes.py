# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is laid over a PDF's page: remarks, a form that was filled in, a link, a file."""

from typing import Any, Final

import pikepdf
from pikepdf import Dictionary, Name, Stream, String

from tests.browser.pdf_parts import attached, date, private

FILLED: Final = "Filled in by hand"
REMARK: Final = "This is not what we agreed"


def annotations(pdf: pikepdf.Pdf, page: Any, link: bool = True) -> list[Any]:
    def drawn(raw: bytes, **entries: Any) -> Any:
        fonts = Dictionary(F1=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
        return pdf.make_indirect(
            Stream(
                pdf,
                raw,
                Type=Name.XObject,
                Subtype=Name.Form,
                BBox=[0, 0, 100, 20],
                Resources=Dictionary(Font=fonts),
                **entries,
            )
        )

    def one(subtype: str, x: int, y: int, **entries: Any) -> Any:
        return pdf.make_indirect(
            Dictionary(
                Type=Name.Annot,
                Subtype=Name("/" + subtype),
                Rect=[x, y, x + 100, y + 20],
                F=4,
                P=page,
                M=date(),
                **entries,
            )
        )

    who = {
        "T": String("Anna Kovalenko"),
        "CreationDate": date(),
        "NM": String("KOVALENKO-LAPTOP 1"),
        "Subj": String("Ministry of Works"),
    }
    yellow = drawn(b"1 1 0 rg 0 0 100 20 re f", PieceInfo=private())
    highlight = one(
        "Highlight",
        20,
        340,
        **who,
        QuadPoints=[20, 360, 120, 360, 20, 340, 120, 340],
        C=[1, 1, 0],
        Contents=String(REMARK),
        RC=String("<p>Anna Kovalenko</p>"),
        AP=Dictionary(N=yellow),
    )
    reply = one(
        "Text",
        330,
        350,
        **{**who, "T": String("Boris Petrenko")},
        Contents=String("Yes"),
        Name=Name.Comment,
        IRT=highlight,
    )
    state = one(
        "Text",
        330,
        350,
        **who,
        Contents=String("Accepted set by Anna"),
        StateModel=String("Review"),
        State=String("Accepted"),
        IRT=highlight,
    )
    state.F = 30
    popup = one("Popup", 0, 0, Parent=highlight, Contents=String("Anna Kovalenko"))
    box = one("Square", 250, 100, **who, C=[1, 0, 0], BS=Dictionary(W=3, S=Name.D, D=[4, 2]))
    aim = Dictionary(S=Name.URI, URI=String("https://intranet.example/?user=anna"))
    frame = one("Link", 30, 60, A=aim, Border=[0, 0, 2], C=[0, 0, 1], Contents=String("C:\\Users\\anna\\plan.doc"))
    clip = one("FileAttachment", 250, 60, **who, FS=attached(pdf), AP=Dictionary(N=drawn(b"0 1 1 rg 0 0 9 9 re f")))
    hidden = one("Square", 0, 0, **who, C=[1, 0, 0])
    hidden.F = 2
    text = drawn(f"BT /F1 10 Tf 2 5 Td ({FILLED}) Tj ET".encode())
    field = one(
        "Widget",
        30,
        90,
        FT=Name.Tx,
        T=String("Anna Kovalenko's field"),
        TU=String("Ministry of Works"),
        V=String(FILLED),
        DA=String("/F1 10 Tf"),
        AP=Dictionary(N=text),
        AA=Dictionary(K=Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))),
    )
    states = Dictionary(N=Dictionary(On=drawn(b"0 0 0 rg 2 2 9 9 re f"), Off=drawn(b"0.8 g 2 2 9 9 re f")))
    box_on = one("Widget", 150, 90, FT=Name.Btn, T=String("box of Anna Kovalenko"), V=Name.On, AS=Name.On, AP=states)
    empty = one("Widget", 200, 20, FT=Name.Tx, T=String("box of Anna Kovalenko 2"))
    pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=[field, box_on, empty], DA=String("/F1 10 Tf")))
    all_of_them = [highlight, reply, state, popup, box, clip, hidden, field, box_on, empty]
    return [*all_of_them, frame] if link else all_of_them
