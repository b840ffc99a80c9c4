# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a PDF's page is drawn with, of each kind one, and the private things that programs put beside it."""

from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String
from PIL import ImageCms

from tests.browser.photographs import exif, picture, saved

SHOWN: Final = "The bridge was never inspected"


def date() -> String:
    return String("D:20240501101112+03'00'")


def profile() -> bytes:
    """sRGB under the name of a screen."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    name = "sRGB built-in".encode("utf-16-be")
    assert name in made
    return made.replace(name, "screen in room".encode("utf-16-be")[: len(name)])


def image(pdf: pikepdf.Pdf, raw: bytes, **entries: Any) -> Stream:
    """Of the size of `picture`."""
    drawn = picture()
    return Stream(
        pdf,
        raw,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=drawn.width,
        Height=drawn.height,
        BitsPerComponent=8,
        **{"ColorSpace": Name.DeviceRGB, **entries},
    )


def private() -> Dictionary:
    return Dictionary(Writer=Dictionary(LastModified=date(), Private=String("private data of a program")))


def metadata(pdf: pikepdf.Pdf) -> Stream:
    raw = (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        b"<dc:creator><rdf:Seq><rdf:li>Anna Kovalenko</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF>"
        b"</x:xmpmeta>"
        b"<?xpacket end='w'?>"
    )
    return Stream(pdf, raw, Type=Name.Metadata, Subtype=Name.XML)


def resources(pdf: pikepdf.Pdf, shown: Any, hidden: Any) -> Dictionary:
    icc = pdf.make_indirect(Stream(pdf, profile(), N=3, Alternate=Name.DeviceRGB))
    plain = picture().tobytes()
    mask = image(pdf, picture("L").tobytes(), ColorSpace=Name.DeviceGray)
    blend = Dictionary(FunctionType=2, Domain=[0, 1], C0=[1, 0.25, 0], C1=[0, 0.5, 1], N=1.5)
    tint = Stream(pdf, b"{dup 0.5 mul exch dup 0.25 mul exch 0}", FunctionType=4, Domain=[0, 1], Range=[0, 1] * 4)
    palette = Array([Name.Indexed, Name.DeviceRGB, 3, String(bytes(range(0, 240, 20)))])
    form = Stream(
        pdf,
        b"0.2 0.4 0.6 rg 0 0 40 20 re f /G 1 Do",
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=[0, 0, 40, 20],
        Matrix=[1, 0, 0.1, 1, 0, 0],
        Resources=Dictionary(),
        Group=Dictionary(S=Name.Transparency, CS=Name.DeviceRGB, I=True),
        PieceInfo=private(),
        LastModified=date(),
        Metadata=metadata(pdf),
    )
    soft = Stream(
        pdf,
        b"0.5 g 0 0 300 300 re f",
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=[0, 0, 300, 300],
        Group=Dictionary(S=Name.Transparency, CS=Name.DeviceGray),
    )
    tile = Stream(
        pdf,
        b"1 0 0 rg 0 0 4 4 re f",
        Type=Name.Pattern,
        PatternType=1,
        PaintType=1,
        TilingType=1,
        BBox=[0, 0, 8, 8],
        XStep=8,
        YStep=8,
        Resources=Dictionary(),
    )
    shading = Dictionary(
        ShadingType=2,
        ColorSpace=Name.DeviceRGB,
        Coords=[0, 0, 100, 0],
        Function=pdf.make_indirect(blend),
        Extend=[True, False],
    )
    glyph = pdf.make_indirect(Stream(pdf, b"500 0 0 0 500 500 d1 0 0 400 400 re f"))
    drawn = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type3,
        FontBBox=[0, 0, 500, 500],
        FontMatrix=[0.001, 0, 0, 0.001, 0, 0],
        CharProcs=Dictionary(box=glyph),
        Encoding=Dictionary(Type=Name.Encoding, Differences=[97, Name.box]),
        FirstChar=97,
        LastChar=97,
        Widths=[500],
        Resources=Dictionary(),
    )
    photo = saved(picture(), "JPEG", exif=exif(), comment=b"by Anna Kovalenko", icc_profile=profile())
    return Dictionary(
        Font=Dictionary(
            F1=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding),
            F3=pdf.make_indirect(drawn),
        ),
        XObject={
            "/Photo": image(pdf, photo, Filter=Name.DCTDecode, Metadata=metadata(pdf)),
            "/Raw": image(pdf, plain, ColorSpace=Array([Name.ICCBased, icc]), SMask=pdf.make_indirect(mask)),
            "/Few": image(
                pdf, bytes(n % 4 for n in range(48 * 24)), ColorSpace=pdf.make_indirect(palette), Mask=[1, 1]
            ),
            "/Form": form,
            "/Hidden": Stream(
                pdf,
                b"1 0 1 rg 0 0 200 200 re f",
                Type=Name.XObject,
                Subtype=Name.Form,
                BBox=[0, 0, 200, 200],
                OC=hidden,
            ),
        },
        ColorSpace=Dictionary(
            Spot=Array([Name.Separation, Name("/PANTONE 300 C"), Name.DeviceCMYK, pdf.make_indirect(tint)]),
            Lab=Array([Name.Lab, Dictionary(WhitePoint=[0.9505, 1, 1.089], Range=[-100, 100, -100, 100])]),
            Tiles=Array([Name.Pattern]),
        ),
        Pattern=Dictionary(
            Tile=pdf.make_indirect(tile),
            Blend=Dictionary(
                Type=Name.Pattern, PatternType=2, Shading=pdf.make_indirect(shading), Matrix=[1, 0, 0, 1, 20, 0]
            ),
        ),
        Shading=Dictionary(S1=shading),
        ExtGState=Dictionary(
            Half=Dictionary(Type=Name.ExtGState, ca=0.5, CA=0.5, BM=Name.Multiply),
            Soft=Dictionary(SMask=Dictionary(S=Name.Luminosity, G=pdf.make_indirect(soft))),
        ),
        Properties=Dictionary(Seen=shown, Unseen=hidden),
    )


CONTENT: Final = f"""
BT /F1 14 Tf 30 350 Td ({SHOWN}) Tj ET
q 96 0 0 48 30 280 cm /Photo Do Q
q 96 0 0 48 140 280 cm /Raw Do Q
q 96 0 0 48 250 280 cm /Few Do Q
q 1 0 0 1 30 240 cm /Form Do Q
/Spot cs 0.7 scn 90 240 30 20 re f
/Lab cs 60 40 -20 scn 130 240 30 20 re f
/Pattern cs /Tile scn 170 240 60 30 re f
/Blend scn 20 200 110 30 re f
q 140 200 100 30 re W n 1 0 0 1 140 200 cm /S1 sh Q
q /Half gs 0 0.6 0 rg 20 190 80 30 re f Q
q /Soft gs 0 0 1 rg 250 200 60 40 re f Q
0 g BT /F3 20 Tf 30 170 Td (aa a) Tj ET
/OC /Seen BDC 0.3 0.9 0.3 rg 30 130 40 20 re f EMC
/OC /Unseen BDC 1 0 0 rg 0 0 400 400 re f BT /F1 9 Tf (under the layer) Tj ET EMC
q 1 0 0 1 100 100 cm /Hidden Do Q
""".encode()


def attached(pdf: pikepdf.Pdf) -> Any:
    inner = pdf.make_indirect(Stream(pdf, b"plan-b.xls by Boris Petrenko", Type=Name.EmbeddedFile))
    name = String("C:\\Users\\anna\\plan-b.xls")
    return pdf.make_indirect(Dictionary(Type=Name.Filespec, F=name, UF=name, EF=Dictionary(F=inner)))
