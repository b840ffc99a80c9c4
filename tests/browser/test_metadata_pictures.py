# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pictures that Pillow made: `meta.js` finds what is in them; what it gives back has the same pixels and nothing else.

Pillow reads the result, not the code under test.
"""

import io
import itertools
import random
import zlib
from typing import Any

import pytest
from PIL import ImageCms, PngImagePlugin

from tests.browser.metadata import Metadata
from tests.browser.photographs import exif, opened, picture, pixels, saved

SECRETS = [b"Anna", b"Canon", b"SN-0042", b"Kyiv", b"2024", b"Darkroom", b"photoshop", b"xpacket", b"Exif"]
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'photoshop:City="Kyiv"><dc:creator><rdf:Seq><rdf:li>Anna &amp; Co</rdf:li></rdf:Seq></dc:creator>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
)


def test_the_pixels_of_another_picture_are_other_pixels() -> None:
    turned = saved(picture(), "PNG", exif=exif(6))
    assert pixels(turned) != pixels(saved(picture(), "PNG"))
    assert pixels(turned) == pixels(saved(picture(), "PNG", exif=exif(6), compress_level=1))


HOW: dict[str, dict[str, Any]] = {
    "jpeg": {
        "format": "JPEG",
        "quality": 80,
        "exif": exif(),
        "xmp": XMP,
        "comment": b"Darkroom of Anna",
        "dpi": (300, 300),
    },
    "progressive jpeg": {
        "format": "JPEG",
        "progressive": True,
        "exif": exif(),
        "xmp": XMP,
        "comment": b"Darkroom of Anna",
    },
    "png": {"format": "PNG", "exif": exif(), "dpi": (300, 300)},
    "webp": {"format": "WEBP", "quality": 70, "exif": exif(), "xmp": XMP},
    "webp without loss": {"format": "WEBP", "lossless": True, "exif": exif(), "xmp": XMP},
}


def with_texts(how: dict[str, Any]) -> dict[str, Any]:
    """PNG has its texts in chunks of three kinds."""
    if how["format"] != "PNG":
        return how
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Anna")
    texts.add_text("Software", "Darkroom 3", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    return {**how, "pnginfo": texts}


@pytest.mark.parametrize("name", HOW)
def test_what_a_camera_wrote_is_read_and_gone(name: str, metadata: Metadata) -> None:
    raw = saved(picture(), **with_texts(HOW[name]))
    one = metadata.told(raw)
    assert one.said["format"] == HOW[name]["format"].lower()
    assert one.said["unread"] == []
    assert one.values("place") == ["50.45010, -30.52340"]
    assert one.values("place-name") == ["Kyiv"]
    assert {"Anna Kovalenko", "Anna & Co"} <= set(one.values("person"))
    assert one.values("device") == ["Canon EOS R5"]
    assert one.values("serial") == ["SN-0042"]
    assert "2024-05-01 10:11:12 +03:00" in one.values("date")
    assert "Darkroom 3" in one.values("program")
    assert (one.left, one.why) == ({"format": one.said["format"], "facts": [], "unread": []}, None)

    assert pixels(one.raw) == pixels(raw), "the same picture, and upright"
    after = opened(one.raw)
    assert dict(after.getexif()) == {0x0112: 6}
    assert not after.getexif().get_ifd(0x8769)
    assert not after.getexif().get_ifd(0x8825)
    assert {"xmp", "comment", "Author", "Software", "XML:com.adobe.xmp"}.isdisjoint(after.info)
    assert [secret for secret in SECRETS[:-1] if secret in one.raw] == []


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_stands_upright_keeps_no_exif_at_all(format: str, metadata: Metadata) -> None:
    raw = saved(picture(), format, exif=exif(1))
    one = metadata.told(raw)
    assert one.left == {"format": format.lower(), "facts": [], "unread": []}
    assert [secret for secret in [*SECRETS, b"EXIF", b"eXIf"] if secret in one.raw] == []
    assert pixels(one.raw) == pixels(raw)


@pytest.mark.parametrize(
    ("format", "mode"), [("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGBA")]
)
def test_other_colours(format: str, mode: str, metadata: Metadata) -> None:
    raw = saved(picture(mode), format, exif=exif())
    one = metadata.told(raw)
    assert (one.left["facts"], one.left["unread"]) == ([], [])
    assert pixels(one.raw) == pixels(raw)
    assert opened(one.raw).mode == opened(raw).mode


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_picture_that_moves(format: str, metadata: Metadata) -> None:
    frames = [picture().rotate(90 * turn) for turn in range(3)]
    raw = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=40, exif=exif(1), lossless=True)
    one = metadata.told(raw)
    assert one.values("serial") == ["SN-0042"]
    assert (one.left["facts"], one.left["unread"]) == ([], [])
    assert pixels(one.raw) == pixels(raw)
    assert len(pixels(raw)) == 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_profile_keeps_its_colours_and_loses_its_name(format: str, metadata: Metadata) -> None:
    """The curves are those of one screen: the colours are kept, and that they are somebody's own is said."""
    profile = own_profile(b"Screen of Anna")
    raw = saved(picture(), format, icc_profile=profile, lossless=True)
    one = metadata.told(raw)
    assert one.values("profile") == ["Screen of Anna"]
    assert [fact["kind"] for fact in one.left["facts"]] == ["profile"]
    assert b"Anna" not in opened(one.raw).info["icc_profile"]
    assert shown(one.raw) == shown(raw)
    assert shown(raw) != picture().tobytes(), "the profile does something"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_of_a_common_profile_nothing_is_left_to_say(format: str, metadata: Metadata) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    raw = saved(picture(), format, icc_profile=profile, lossless=True)
    one = metadata.told(raw)
    assert one.values("profile") == ["sRGB built-in"]
    assert (one.left["facts"], one.left["unread"]) == ([], [])
    assert shown(one.raw) == shown(raw)


def own_profile(name: bytes) -> bytes:
    """sRGB of a screen whose red is another, under a name of its own: version 2, made by hand."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = int.from_bytes(srgb[128:132], "big")
    tags: dict[bytes, bytes] = {}
    for at in range(132, 132 + 12 * count, 12):
        start, size = int.from_bytes(srgb[at + 4 : at + 8], "big"), int.from_bytes(srgb[at + 8 : at + 12], "big")
        tags[srgb[at : at + 4]] = srgb[start : start + size]
    tags[b"desc"] = b"desc\0\0\0\0" + (len(name) + 1).to_bytes(4, "big") + name + bytes(1 + 8 + 3 + 67)
    tags[b"cprt"] = b"text\0\0\0\0" + name + b"\0"
    tags[b"rXYZ"] = tags[b"rXYZ"][:8] + (0x7A00).to_bytes(4, "big") + tags[b"rXYZ"][12:]
    head, bodies, at = b"", b"", 132 + 12 * len(tags)
    for tag, body in tags.items():
        head += tag + at.to_bytes(4, "big") + len(body).to_bytes(4, "big")
        bodies += body + bytes(-len(body) % 4)
        at += len(body) + -len(body) % 4
    return at.to_bytes(4, "big") + srgb[4:8] + b"\x02\x40" + srgb[10:128] + len(tags).to_bytes(4, "big") + head + bodies


def shown(raw: bytes) -> bytes:
    """The colours as a screen of sRGB shows them, by the profile in the picture."""
    image = opened(raw)
    given = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    out = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"))
    assert out is not None
    return out.tobytes()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_what_hangs_on_after_the_end_is_said_and_dropped(format: str, metadata: Metadata) -> None:
    raw = saved(picture(), format)
    one = metadata.told(raw + b"ftypmp42 of Anna")
    assert one.counts("trailing") == {"bytes": 16}
    assert (one.left["facts"], one.left["unread"]) == ([], [])
    assert b"Anna" not in one.raw
    assert pixels(one.raw) == pixels(raw)


def chunk(name: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def chunks(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Names and bodies, their sums compared."""
    out, at = [], 8
    while at < len(raw):
        end = at + 12 + int.from_bytes(raw[at : at + 4], "big")
        out.append((raw[at + 4 : at + 8], raw[at + 8 : end - 4]))
        assert chunk(*out[-1]) == raw[at:end]
        at = end
    return out


@pytest.mark.parametrize("behind", [b"IHDR", b"IDAT", b"gAMA", b"pHYs", b"tRNS", b"IEND", b"PLTE", b"fdAT"])
def test_what_stands_in_a_png_behind_what_makes_the_picture(behind: bytes, metadata: Metadata) -> None:
    """In a chunk of a picture's, or in another one of a kind of which a picture has one."""
    raw = saved(picture(), "PNG")
    old = chunks(raw)
    names = [name for name, _ in old]
    if behind in names:
        last = len(names) - 1 - names[::-1].index(behind)
        new = [*old[:last], (behind, old[last][1] + b"of Anna"), *old[last + 1 :]]
    else:
        new = [old[0], (behind, bytes({b"gAMA": 4, b"pHYs": 9, b"tRNS": 6}.get(behind, 0)) + b"of Anna"), *old[1:]]
        if behind == b"PLTE":
            new.insert(1, (behind, bytes(768)))
    told = metadata.told(raw[:8] + b"".join(chunk(*one) for one in new))
    assert [(fact["kind"], fact["value"], fact["count"]) for fact in told.said["facts"]] == [
        ("other", behind.decode(), {"unit": "bytes", "n": 7})
    ]
    assert (told.left["facts"], told.left["unread"]) == ([], [])
    assert b"Anna" not in told.raw
    assert pixels(told.raw)[0] == pixels(raw)[0] or behind == b"tRNS"
    for name, body in old:
        assert (name, body) in chunks(told.raw)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_pixels_that_are_packed_in_any_way_stay_byte_for_byte(level: int, metadata: Metadata) -> None:
    """What Python packs has blocks of all three kinds; the chunks may be cut anywhere."""
    noise = random.Random(level)
    for size in (1, 40, 300):
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_RLE):
            lines = b"".join(b"\0" + noise.randbytes(size // 2) + bytes(size - size // 2) for _ in range(size))
            packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
            packed = packer.compress(lines[:99]) + packer.flush(zlib.Z_SYNC_FLUSH) + packer.compress(lines[99:])
            packed += packer.flush()
            stream = packed + b"of Anna"
            head = size.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
            cuts = sorted(noise.randrange(len(stream)) for _ in range(4))
            parts = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
            body = chunk(b"IHDR", head) + b"".join(chunk(b"IDAT", part) for part in parts) + chunk(b"IEND", b"")
            one = metadata.told(b"\x89PNG\r\n\x1a\n" + body)
            assert [fact["count"]["n"] for fact in one.said["facts"]] == [7]
            assert (one.left["facts"], one.left["unread"]) == ([], [])
            assert b"".join(body for name, body in chunks(one.raw) if name == b"IDAT") == packed


def test_pixels_that_cannot_be_looked_through_stay_and_are_said(metadata: Metadata) -> None:
    head = (1).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    body = chunk(b"IHDR", head) + chunk(b"IDAT", b"x\x9c\xff of Anna") + chunk(b"IEND", b"")
    one = metadata.told(b"\x89PNG\r\n\x1a\n" + body)
    assert one.raw == b"\x89PNG\r\n\x1a\n" + body
    assert one.stays() == ["damaged"]


@pytest.mark.parametrize("marker", [0xDC, 0xDB, 0xC4, 0xDD, 0xC0, 0xDA])
def test_what_stands_in_a_jpeg_behind_what_a_decoder_reads(marker: int, metadata: Metadata) -> None:
    raw = saved(picture(), "JPEG")
    if bytes([0xFF, marker]) in raw:
        at = raw.index(bytes([0xFF, marker]))
        end = at + 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
        before, body, after = raw[:at], raw[at + 4 : end], raw[end:]
    else:
        at = raw.index(b"\xff\xdb")
        before, body, after = raw[:at], b"\0\0", raw[at:]
    piece = bytes([0xFF, marker]) + (len(body) + 9).to_bytes(2, "big") + body
    one = metadata.told(before + piece + b"of Anna" + after)
    assert [(fact["kind"], fact["count"]["n"]) for fact in one.said["facts"]] == [("other", 7)]
    assert (one.left["facts"], one.left["unread"]) == ([], [])
    assert b"Anna" not in one.raw
    assert pixels(one.raw) == pixels(raw)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_cut_picture_is_said_to_be_damaged_and_left_alone(format: str, metadata: Metadata) -> None:
    raw = saved(picture(), format, exif=exif())
    one = metadata.told(raw[:-40])
    assert {"why": "damaged", "inside": ""} in one.said["unread"]
    assert (one.why, one.left) == ("damaged", None)


NOT_READ = {"GIF": "photo", "TIFF": "photo", "BMP": "photo", "AVIF": "photo", "PPM": "unknown"}


@pytest.mark.parametrize("format", NOT_READ)
def test_of_a_kind_that_is_not_read_it_is_said_what_it_is(format: str, metadata: Metadata) -> None:
    why = NOT_READ[format]
    one = metadata.told(saved(picture(), format))
    assert one.said == {"format": "unknown", "facts": [], "unread": [{"why": why, "inside": ""}]}
    assert (one.why, one.left) == (why, None)
