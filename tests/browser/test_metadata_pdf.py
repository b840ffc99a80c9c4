# SPDX-License-Identifier: AGPL-3.0-or-later
"""PDFs written anew by `meta.js`: every page looks as before and says the same words, and nothing else is in the file.

PDFium draws and reads them, qpdf looks into every object; neither is the code under test.
"""

import base64
import io
import re
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String
from playwright.sync_api import Browser

from tests.browser.metadata import Metadata, Told
from tests.browser.pdf_eyes import SECRETS, everything, rendered, secrets, words
from tests.browser.pdf_notes import REMARK
from tests.browser.pdf_parts import SHOWN, image
from tests.browser.pdfs import appended, document, written
from tests.browser.photographs import opened, picture, pixels, saved

KINDS: dict[str, dict[str, Any]] = {
    "as lines": {"object_stream_mode": pikepdf.ObjectStreamMode.disable},
    "objects packed": {"object_stream_mode": pikepdf.ObjectStreamMode.generate},
    "for the web": {"linearize": True},
    "nothing packed": {"compress_streams": False, "stream_decode_level": pikepdf.StreamDecodeLevel.generalized},
}


def sound(raw: bytes) -> None:
    """qpdf finds nothing to complain of."""
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        assert pdf.check_pdf_syntax() == []


def same(one: Told, raw: bytes) -> None:
    """Given back, sound, and to a reader the same as before."""
    assert one.why is None
    sound(one.raw)
    assert rendered(one.raw) == rendered(raw)
    assert words(one.raw) == words(raw)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_pages_and_nothing_else(kind: str, metadata: Metadata) -> None:
    raw = written(document(), **KINDS[kind])
    planted = set(secrets(raw)) | {"an earlier wording"}
    assert planted == set(SECRETS), "else the search finds nothing anyway"
    one = metadata.told(raw)
    same(one, raw)
    assert secrets(one.raw) == []
    assert one.stays() == ["cropped 1 pages", "review 3 comments", "unseen 1 layers"]
    assert metadata.told(raw).raw == one.raw, "the same bytes each time"
    assert metadata.told(one.raw).raw == one.raw, "and nothing to do for a second time"


def test_who_made_it_does_not_show_in_the_bytes(metadata: Metadata) -> None:
    results = {
        metadata.told(written(document(), **KINDS[kind])).raw for kind in ("as lines", "objects packed", "for the web")
    }
    assert len(results) == 1


def test_what_was_there_before_is_read(metadata: Metadata) -> None:
    one = metadata.told(written(document()))
    assert {"Anna Kovalenko", "Boris Petrenko"} <= set(one.values("person"))
    assert one.values("organisation") == ["Ministry of Works"]
    assert one.values("embedded") == ["C:\\Users\\anna\\plan-b.xls"]
    assert one.values("profile") == ["screen in roo"]
    assert one.values("place", "1") == ["50.45010, -30.52340"]
    assert "Writer 7" in one.values("program")


def test_remarks_stay_under_a_number(metadata: Metadata) -> None:
    with pikepdf.open(io.BytesIO(metadata.told(written(document())).raw)) as pdf:
        notes = [
            (str(one.Subtype), str(one.get("/T", "")), str(one.get("/Contents", ""))) for one in pdf.pages[0].Annots
        ]
        assert notes == [
            ("/Highlight", "Author 1", REMARK),
            ("/Text", "Author 2", "Yes"),
            ("/Square", "Author 1", ""),
            ("/Stamp", "", ""),  # the sign of the attachment, which is gone
            ("/Stamp", "", ""),
            ("/Stamp", "", ""),
            ("/Link", "", ""),
        ]
        assert set(pdf.Root.keys()) == {"/Type", "/Pages", "/OCProperties"}
        assert set(pdf.trailer.keys()) == {"/Root", "/Size"}


def test_photographs_inside_are_cleaned(metadata: Metadata) -> None:
    with pikepdf.open(io.BytesIO(metadata.told(written(document())).raw)) as pdf:
        raw = pdf.pages[0].Resources.XObject.Photo.read_raw_bytes()
    with pikepdf.open(io.BytesIO(written(document()))) as pdf:
        before = pdf.pages[0].Resources.XObject.Photo.read_raw_bytes()
    assert dict(opened(raw).getexif()) == {0x0112: 6}
    assert pixels(raw) == pixels(before)


def page(pdf: pikepdf.Pdf, content: bytes, **resources: Any) -> Any:
    """One more page."""
    pdf.add_blank_page(page_size=(200, 200))
    new = pdf.pages[-1].obj
    fonts = Dictionary(F1=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    new.Resources, new.Contents = Dictionary(Font=fonts, **resources), pdf.make_stream(content)
    return new


def text(said: str) -> bytes:
    return f"BT /F1 12 Tf 20 100 Td ({said}) Tj ET".encode()


def simple(said: str = "final") -> pikepdf.Pdf:
    """One page with these words."""
    pdf = pikepdf.new()
    page(pdf, text(said))
    return pdf


def number_of(raw: bytes, content: bytes) -> int:
    """The object in which that stands."""
    found = re.findall(rb"(\d+) 0 obj", raw[: raw.index(content)])
    return int(found[-1])


PLAIN = KINDS["nothing packed"] | {"object_stream_mode": pikepdf.ObjectStreamMode.disable}


def test_earlier_versions_are_gone(metadata: Metadata) -> None:
    before = written(simple("an earlier wording"), **PLAIN)
    content = text("final")
    body = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    raw = appended(before, {number_of(before, b"an earlier"): body}, trailer=b"/Info 99 0 R")
    one = metadata.told(raw)
    assert one.counts("history") == {"versions": 1}
    same(one, raw)
    assert words(one.raw) == ["final"]
    assert secrets(raw) == ["an earlier wording"]
    assert secrets(one.raw) == []


def test_what_was_taken_out_does_not_come_back(metadata: Metadata) -> None:
    """A later version says that an object is no more, and the page still leads to it: to nothing, by the format.
    Viewers differ, and PDFium shows it even so."""
    pdf = simple()
    photo = pdf.make_indirect(image(pdf, picture().tobytes()))
    page(pdf, b"q 90 0 0 90 20 20 cm /Photo Do Q " + text("beside"), XObject=Dictionary(Photo=photo))
    before = written(pdf, **PLAIN)
    raw = appended(before, {}, gone=(number_of(before, picture().tobytes()[:40]),))
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        assert pdf.pages[1].Resources.XObject.get("/Photo") is None
    one = metadata.told(raw)
    sound(one.raw)
    assert words(one.raw) == words(raw) == ["final", "beside"]
    assert picture().tobytes() in metadata.told(before).raw
    assert picture().tobytes() not in b"".join(everything(one.raw))


@pytest.mark.parametrize("how", ["no table", "a wrong table", "bytes before it", "text after it"])
def test_a_file_that_viewers_have_to_mend(how: str, metadata: Metadata) -> None:
    raw = written(document(), **KINDS["objects packed" if how == "no table" else "as lines"])
    if how == "no table":
        raw = re.sub(rb"startxref\s+\d+", b"startxref\n7", raw)
    elif how == "a wrong table":
        raw = re.sub(rb"\n\d{10} 00000 n", b"\n0000000099 00000 n", raw)
    elif how == "bytes before it":
        raw = b"From: Anna Kovalenko\r\n\r\n" + raw
    else:
        raw += b"\n<!-- Anna Kovalenko -->"
    one = metadata.told(raw)
    same(one, raw)
    assert secrets(one.raw) == []


def test_what_a_browser_prints(chromium: Browser, metadata: Metadata) -> None:
    """Embedded fonts in several scripts, a picture, a link, tags; the title is what the window had."""
    photo = "data:image/png;base64," + base64.b64encode(saved(picture(), "PNG")).decode()
    tab = chromium.new_page()
    tab.set_content(
        f"<title>plan of Anna Kovalenko</title><h1>{SHOWN}</h1>"
        "<p lang=uk>Міст не перевіряли</p><p dir=rtl>لم يُفحص الجسر</p>"
        f"<p style='opacity:.5;transform:rotate(3deg)'>tilted</p><img src='{photo}'><a href='https://intranet.example/'>there</a>"
        + "<p style='break-before:page'>next</p>"
        * 3
    )
    raw = tab.pdf(tagged=True, outline=True)
    tab.close()
    one = metadata.told(raw)
    assert one.values("title") == ["plan of Anna Kovalenko"]
    same(one, raw)
    assert len(rendered(one.raw)) == 4
    assert secrets(raw)
    assert secrets(one.raw) == []
    fonts, letters = one.stays()
    assert fonts.startswith("part FontFile: ")
    assert letters.startswith("words ActualText: "), "what Arabic letters stand for"
    assert set(letters.removeprefix("words ActualText: ")) <= set("لم يُفحص الجسر 0123456789 pieces")


def test_parts_that_are_not_known_stay_and_are_named(metadata: Metadata) -> None:
    pdf = simple()
    raw = saved(picture(), "JPEG2000", comment=b"by Anna Kovalenko")
    wrapped = image(pdf, raw, Filter=Name.JPXDecode)
    cut = image(pdf, saved(picture(), "JPEG")[:-40], Filter=Name.DCTDecode)
    page(pdf, b"q 90 0 0 90 20 20 cm /A Do Q q 90 0 0 90 120 20 cm /B Do Q", XObject=Dictionary(A=wrapped, B=cut))
    whole = written(pdf)
    one = metadata.told(whole)
    assert rendered(one.raw) == rendered(whole)
    assert sorted(miss["why"] for miss in one.left["unread"]) == ["damaged", "part"]
    assert any("JPEG 2000" in miss["inside"] for miss in one.left["unread"])


def test_photographs_in_digits_are_cleaned_too(metadata: Metadata) -> None:
    """Some programs write them so that a file has letters alone."""
    pdf = simple()
    photo = saved(picture(), "JPEG", comment=b"by Anna Kovalenko")
    digits = image(
        pdf,
        b"\n".join(re.findall(b".{1,60}", photo.hex().encode())) + b">",
        Filter=Array([Name.ASCIIHexDecode, Name.DCTDecode]),
    )
    base85 = base64.a85encode(photo, wrapcol=60) + b"~>"
    other = image(pdf, base85, Filter=Array([Name.ASCII85Decode, Name.DCTDecode]))
    page(pdf, b"q 90 0 0 90 20 20 cm /A Do Q q 90 0 0 90 120 20 cm /B Do Q", XObject=Dictionary(A=digits, B=other))
    raw = written(pdf, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    one = metadata.told(raw)
    assert one.values("comment", "1") == one.values("comment", "2") == ["by Anna Kovalenko"]
    same(one, raw)
    assert secrets(one.raw) == []


STAYS: dict[str, tuple[bytes, list[str]]] = {
    "a photograph": (
        b"q 96 0 0 48 20 20 cm BI /W 48 /H 24 /BPC 8 /CS /RGB /F /DCT ID "
        + saved(picture(), "JPEG", comment=b"by Anna Kovalenko")
        + b"\nEI Q\n",
        ["comment by Anna Kovalenko"],
    ),
    "a remark": (b"% by Anna Kovalenko\n", ["comment by Anna Kovalenko"]),
    "words in a mark": (
        b"/Span << /ActualText (Anna Kovalenko) /Lang (uk) >> BDC 0 g EMC ",
        ["words ActualText: Anna Kovalenko 1 pieces", "words Lang: uk 1 pieces"],
    ),
    "text under a scan": (b"q BT /F1 9 Tf 3 Tr 20 20 Td (Anna Kovalenko) Tj ET Q ", ["unseen 1 pieces"]),
    "letters that are drawn as one": (b"/Span << /ActualText <feff006600660069> >> BDC 0 g EMC ", []),
}


def drawn_with(name: str) -> bytes:
    """A page whose content has one of STAYS."""
    pdf = simple()
    page(pdf, STAYS[name][0] + text("beside"))
    return written(pdf)


@pytest.mark.parametrize("name", STAYS)
def test_what_stays_in_what_is_drawn_is_told(name: str, metadata: Metadata) -> None:
    """The copy has it, and says so in the file's own words."""
    raw = drawn_with(name)
    one = metadata.told(raw)
    same(one, raw)
    assert ("Anna Kovalenko" in secrets(one.raw)) == (name != "letters that are drawn as one")
    assert one.stays() == STAYS[name][1]
    assert {fact["kind"] for fact in one.said["facts"]} == {"id"} | {fact["kind"] for fact in one.left["facts"]}


def cropped() -> bytes:
    """A name stands outside of the part that is shown."""
    pdf = simple("by Anna Kovalenko")
    pdf.pages[0].obj.CropBox = Array([0, 120, 200, 200])
    return written(pdf)


def test_what_a_page_does_not_show_is_told(metadata: Metadata) -> None:
    one = metadata.told(cropped())
    same(one, cropped())
    assert "Anna Kovalenko" in secrets(one.raw)
    assert one.stays() == ["cropped 1 pages"]


def ticked(value: Any, *, above: bool = False) -> bytes:
    """A box to tick, drawn in both states, that does not say in which it is: its field does, or the field above."""
    pdf = simple()
    states = {
        f"/{state}": pikepdf.Stream(pdf, colour + b" rg 0 0 20 20 re f", Subtype=Name.Form, BBox=[0, 0, 20, 20])
        for state, colour in (("Yes", b"1 0 0"), ("Off", b"0 0 1"))
    }
    drawn = Dictionary(N=Dictionary({state: pdf.make_indirect(form) for state, form in states.items()}))
    told = {"/FT": Name.Btn, "/T": String("Anna Kovalenko"), **({} if value is None else {"/V": value})}
    field = pdf.make_indirect(Dictionary(told))
    laid = {"/Type": Name.Annot, "/Subtype": Name.Widget, "/Rect": [20, 20, 40, 40], "/F": 4, "/AP": drawn}
    box = pdf.make_indirect(Dictionary({**laid, "/Parent": field} if above else {**laid, **told}))
    if above:
        field.Kids = Array([box])
    pdf.pages[0].obj.Annots = Array([box])
    pdf.Root.AcroForm = Dictionary(Fields=[field if above else box])
    return written(pdf)


@pytest.mark.parametrize("above", [False, True])
def test_a_tick_that_its_field_alone_tells_is_refused(above: bool, metadata: Metadata) -> None:
    """Some viewers show it, others do not: neither must be made of it unseen."""
    raw = ticked(Name.Yes, above=above)
    assert metadata.told(raw).why == "part"
    assert metadata.told(ticked(String("Yes"), above=above)).why == "part"


@pytest.mark.parametrize("value", [Name.Off, Name.Other, None])
@pytest.mark.parametrize("above", [False, True])
def test_a_box_that_is_not_ticked_stays_so(above: bool, value: Any, metadata: Metadata) -> None:
    one = metadata.told(ticked(value, above=above))
    assert {RED, BLUE} & colours(one.raw) == {BLUE}
    assert secrets(one.raw) == []


RED, BLUE = b"\x00\x00\xff", b"\xff\x00\x00"


def colours(raw: bytes) -> set[bytes]:
    """Of the first page's pixels: blue, green, red."""
    pixels = rendered(raw)[0][2]
    return {pixels[at : at + 3] for at in range(0, len(pixels), 3)}


def with_leftovers() -> bytes:
    """A report cut down to one page: the list of pictures that all its pages shared still has the other page's."""
    pdf = pikepdf.new()
    shown, left = (image(pdf, saved(picture(), "JPEG", comment=said), Filter=Name.DCTDecode) for said in (b"", b"x"))
    left.Width = 47
    lender = pikepdf.Stream(pdf, b"/Within Do", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 300, 300])
    listed = {"/Shown": shown, "/Within": image(pdf, picture().tobytes()), "/Form": lender, "/Left": left}
    drawn = b"q 90 0 0 90 20 20 cm /Sh#6fwn Do Q q 90 0 0 90 100 100 cm /Form Do Q "
    page(pdf, drawn + text("final"), XObject=Dictionary(listed))
    return written(pdf)


def test_pictures_that_no_page_draws_are_gone(metadata: Metadata) -> None:
    raw = with_leftovers()
    one = metadata.told(raw)
    same(one, raw)
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        assert {"/Left", "/Within"} < set(pdf.pages[0].Resources.XObject.keys())
    with pikepdf.open(io.BytesIO(one.raw)) as pdf:
        assert set(pdf.pages[0].Resources.XObject.keys()) == {"/Shown", "/Within", "/Form"}
        assert not [item for item in pdf.objects if isinstance(item, pikepdf.Stream) and item.get("/Width") == 47]


def test_where_it_cannot_be_seen_what_is_drawn_all_stays(metadata: Metadata) -> None:
    with pikepdf.open(io.BytesIO(with_leftovers())) as pdf:
        packed = pikepdf.Stream(pdf, b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", Filter=Name.LZWDecode)
        pdf.pages[0].obj.Contents = Array([pdf.pages[0].obj.Contents, packed])
        raw = written(pdf, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    with pikepdf.open(io.BytesIO(metadata.told(raw).raw)) as pdf:
        assert "/Left" in pdf.pages[0].Resources.XObject


def test_what_is_neither_on_the_screen_nor_on_paper_goes(metadata: Metadata) -> None:
    pdf = simple()
    fonts = pdf.pages[0].obj.Resources
    drawn = pikepdf.Stream(pdf, text("by Anna Kovalenko"), Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 200, 200])
    drawn.Resources = fonts
    stamp = Dictionary(
        Type=Name.Annot, Subtype=Name.Stamp, Rect=[0, 0, 200, 200], F=32, AP=Dictionary(N=pdf.make_indirect(drawn))
    )
    pdf.pages[0].obj.Annots = Array([pdf.make_indirect(stamp)])
    raw = written(pdf)
    one = metadata.told(raw)
    same(one, raw)
    assert "Anna Kovalenko" in secrets(raw)
    assert secrets(one.raw) == []
    stamp_printed = pdf.pages[0].obj.Annots[0]
    stamp_printed.F = 36
    assert "Anna Kovalenko" in secrets(metadata.told(written(pdf)).raw), "on paper it is seen"


def unusual() -> dict[str, bytes]:
    """Pages as few programs write them, and viewers draw."""
    mask = simple()
    gray = image(mask, picture("L").tobytes(), ColorSpace=Name.DeviceGray)
    group = pikepdf.Stream(
        mask,
        b"1 g 0 0 100 100 re f q 48 0 0 48 100 100 cm /Pic Do Q",
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=[0, 0, 300, 300],
        Group=Dictionary(S=Name.Transparency, CS=Name.DeviceGray),
    )
    soft = Dictionary(SMask=Dictionary(S=Name.Luminosity, G=mask.make_indirect(group)))
    page(
        mask,
        b"/Soft gs 0 0 1 rg 0 0 200 200 re f",
        XObject=Dictionary(Pic=mask.make_indirect(gray)),
        ExtGState=Dictionary(Soft=soft),
    )
    few = simple()
    palette = Array([Name.I, Name.RGB, 3, String(bytes(range(0, 240, 20)))])
    dots = image(few, bytes(n % 4 for n in range(48 * 24)), ColorSpace=palette)
    page(few, b"q 96 0 0 48 20 20 cm /A Do Q", XObject=Dictionary(A=few.make_indirect(dots)))
    return {
        "a mask that draws with the page's list": written(mask),
        "short names of colours": written(few),
    }


@pytest.mark.parametrize("name", unusual())
def test_pages_as_few_programs_write_them(name: str, metadata: Metadata) -> None:
    raw = unusual()[name]
    same(metadata.told(raw), raw)


def refusals() -> dict[str, tuple[bytes, str]]:
    """What must not be given back as if it were whole, and why."""
    locked = written(simple(), encryption=pikepdf.Encryption(owner="a", user=""))
    made = simple()
    made.Root.NeedsRendering = True
    without = simple()
    field = Dictionary(Type=Name.Annot, Subtype=Name.Widget, Rect=[0, 0, 90, 20], F=4, FT=Name.Tx, V=String("typed in"))
    without.pages[0].obj.Annots = Array([without.make_indirect(field)])
    without.Root.AcroForm = Dictionary(Fields=without.pages[0].obj.Annots, NeedAppearances=True)
    long, ticked = simple(), simple()
    typed = long.make_indirect(pikepdf.Stream(long, b"typed in"))
    for pdf, more in ((long, {"/FT": Name.Tx, "/V": typed}), (ticked, {"/FT": Name.Btn, "/V": Name.Yes})):
        undrawn = Dictionary({"/Type": Name.Annot, "/Subtype": Name.Widget, "/Rect": [0, 0, 90, 20], "/F": 4, **more})
        pdf.pages[0].obj.Annots = Array([pdf.make_indirect(undrawn)])
    folder = simple("please open with another program")
    folder.Root.Collection = Dictionary(Type=Name.Collection, View=Name.D)
    plain = written(simple(), **PLAIN)
    content = number_of(plain, b"(final)")
    ciphered = b"<< /Length 1 /Filter /Crypt >>\nstream\nx\nendstream"
    return {
        "a password": (locked, "encrypted"),
        "pages made by a program in it": (written(made), "part"),
        "something typed in that is not drawn": (written(without), "part"),
        "a long text typed in that is not drawn": (written(long), "part"),
        "a tick that is not drawn": (written(ticked), "part"),
        "a folder of files": (written(folder), "part"),
        "the words of a page are missing": (appended(plain, {}, gone=(content,)), "damaged"),
        "the file is cut": (plain[: plain.index(b"(final)") - 40], "damaged"),
        "no pages": (b"%PDF-1.4\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n", "damaged"),
        "a filter of ciphers": (appended(plain, {content: ciphered}), "part"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_cannot_be_kept_whole_is_refused(name: str, metadata: Metadata) -> None:
    raw, why = refusals()[name]
    one = metadata.told(raw)
    assert (one.why, one.raw) == (why, b"")
