# SPDX-License-Identifier: AGPL-3.0-or-later
"""`meta.js` as a page loads it: under the pages' own headers, in Chromium, which shows a cleaned picture as before."""

import base64

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Watched
from tests.browser.documents import docx, packed
from tests.browser.photographs import exif, opened, picture, pixels, saved
from tests.browser.serving import ServedDoor
from tests.browser.test_metadata_documents import NAMES, unpacked

CLEANED = """async (packed) => {
  const { read, remove } = await import("/static/meta.js");
  const blob = new Blob([Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0))]);
  const cleaned = await remove(blob);
  const url = await new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(cleaned.blob);
  });
  const drawn = async (one) => {
    const image = await createImageBitmap(one, { imageOrientation: "from-image" });
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const { data } = canvas.getContext("2d").getImageData(0, 0, image.width, image.height);
    return [image.width, image.height, ...data].join();
  };
  const said = await read(blob);
  const same = said.format === "docx" || (await drawn(blob)) === (await drawn(cleaned.blob));
  const bases = await indexedDB.databases();
  const kept = [localStorage.length, sessionStorage.length, bases.length, document.cookie.length];
  return { said, left: cleaned.left, raw: url.split(",")[1], same, kept };
}"""


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "docx"])
def test_it_loads_reads_and_removes_in_a_page(format: str, chromium: Browser, door: ServedDoor) -> None:
    raw = packed(docx()) if format == "docx" else saved(picture(), format, exif=exif())
    context = chromium.new_context()
    watched = Watched(context, door.address)
    page = context.new_page()
    page.goto(f"{door.address}/en/about")
    done = page.evaluate(CLEANED, base64.b64encode(raw).decode())
    context.close()
    clean = base64.b64decode(done["raw"])
    assert "Anna Kovalenko" in [fact["value"] for fact in done["said"]["facts"] if fact["kind"] == "person"]
    assert done["same"]
    assert done["kept"] == [0, 0, 0, 0]
    assert watched.elsewhere == []
    assert f"{door.address}/static/meta.js" in watched.asked
    if format == "docx":
        body = unpacked(clean)["word/comments.xml"]
        assert [name for name in NAMES if name.encode() in body] == []
    else:
        assert done["left"]["facts"] == []
        assert dict(opened(clean).getexif()) == {0x0112: 6}
        assert pixels(clean) == pixels(raw)
