// SPDX-License-Identifier: AGPL-3.0-or-later
/** What an Office file holds and does not show stays in it, and is told of the file and of its copy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { read, remove } from "../src/meta/meta.ts";
import type { Bytes } from "../src/protocol/bytes.ts";
import { archive, blob, docx } from "./files.ts";

const TYPES = '<Types xmlns="urn:types"></Types>';
const ARCHIVED = "date 2024-05-01 10:11:12"; // by the archive itself
type Parts = Readonly<Record<string, string>>;
const xlsx = (parts: Parts): Bytes => archive({ "[Content_Types].xml": TYPES, "xl/workbook.xml": "<workbook/>", ...parts });
const pptx = (parts: Parts): Bytes => archive({ "[Content_Types].xml": TYPES, "ppt/presentation.xml": "<p/>", ...parts });
const odf = (content: string): Bytes => archive({ mimetype: "application/vnd.oasis.opendocument.text", "content.xml": `<office:d>${content}</office:d>` }, ["mimetype"]);

async function both(raw: Bytes, expected: readonly string[]): Promise<void> {
  const done = await remove(blob(raw));
  assert.ok("blob" in done, JSON.stringify(done));
  for (const { facts, unread } of [await read(blob(raw)), done.left]) {
    assert.deepEqual(unread, []);
    const told = facts.map(({ kind, value, count }) => [kind, value, count?.n, count?.unit].filter(Boolean).join(" "));
    assert.deepEqual(told.filter((one) => one !== ARCHIVED), expected);
  }
}

test("sheets, rows and columns of a table", async () => {
  const sheets = '<workbook><sheets><sheet name="a"/><sheet name="b" state="hidden"/><sheet name="c" state="veryHidden"/></sheets></workbook>';
  const rows = (row: string): string => `<worksheet><cols><col min="1" hidden="1"/></cols><row r="1" ${row}/><row r="2"/></worksheet>`;
  await both(xlsx({ "xl/workbook.xml": sheets }), ["unseen 2 sheets"]);
  await both(xlsx({ "xl/worksheets/sheet1.xml": rows('hidden="true"'), "xl/worksheets/sheet2.xml": rows('hidden="0"') }), ["unseen 3 lines"]);
  await both(odf('<s:table-properties table:display="false"/><t:table-row table:visibility="collapse"/><t:table-column table:visibility="visible"/>'), ["unseen 1 sheets", "unseen 1 lines"]);
});

test("slides, and notes to them that say something", async () => {
  const note = (words: string): string => `<p:notes><a:r><a:t>${words}</a:t></a:r></p:notes>`;
  const slides = { "ppt/slides/slide1.xml": '<p:sld show="0"/>', "ppt/slides/slide2.xml": '<p:sld show="1"/>' };
  const notes = { "ppt/notesSlides/notesSlide1.xml": note("Anna said"), "ppt/notesSlides/notesSlide2.xml": note("7") };
  await both(pptx({ ...slides, ...notes }), ["unseen 1 slides", "unseen 1 notes"]);
  await both(odf('<s:drawing-page-properties presentation:visibility="hidden"/><presentation:notes><text:p>Anna</text:p><text:page-number>3</text:page-number></presentation:notes>'), ["unseen 1 slides", "unseen 1 notes"]);
});

test("text that is hidden", async () => {
  await both(docx({ "word/document.xml": '<w:d><w:vanish/><w:vanish w:val="0"/><w:vanish w:val="true"/></w:d>' }), ["unseen 2 pieces"]);
  await both(odf('<style:text-properties text:display="none"/>'), ["unseen 1 pieces"]);
});

test("pictures of which a part is shown, and the words for them", async () => {
  const cut = '<a:srcRect l="2500" r="0"/><a:srcRect/><a:srcRect b="-9"/>';
  await both(docx({ "word/document.xml": `<w:d>${cut}<wp:docPr id="1" name="Picture 1" descr="plan of Anna"/></w:d>` }), ["words plan of Anna", "cropped 1 pictures"]);
  await both(odf('<s:graphic-properties fo:clip="rect(0cm, 1.2cm, 0cm, 0cm)"/><s:graphic-properties fo:clip="rect(0cm, 0cm, 0cm, 0cm)"/><svg:desc>plan of Anna</svg:desc>'), ["words plan of Anna", "cropped 1 pictures"]);
});

test("copies of other files' data, and where those are", async () => {
  const lists = (type: string): string => `<Relationships><Relationship Id="a" Type="urn:r/${type}" Target="//server/anna.xlsx" TargetMode="External"/></Relationships>`;
  await both(xlsx({ "xl/pivotCache/pivotCacheRecords1.xml": "<a/>" }), ["unseen xl/pivotCache/pivotCacheRecords1.xml"]);
  await both(
    xlsx({ "xl/externalLinks/externalLink1.xml": "<a/>", "xl/externalLinks/_rels/externalLink1.xml.rels": lists("externalLinkPath") }),
    ["unseen xl/externalLinks/externalLink1.xml", "path //server/anna.xlsx"],
  );
  await both(xlsx({ "xl/connections.xml": '<c><dbPr connection="Data Source=server;User ID=anna"/></c>' }), ["other Data Source=server;User ID=anna"]);
});

test("where links lead: to somebody, to a file, to a page; not to a place in the file itself", async () => {
  const to = (target: string): string => `<R><Relationship Id="a" Type="urn:r/hyperlink" Target="${target}" TargetMode="External"/></R>`;
  const mail = "contact mailto:anna@example.org";
  await both(docx({ "word/_rels/document.xml.rels": to("//server/anna.xlsx") }), ["path //server/anna.xlsx"]);
  await both(docx({ "word/_rels/document.xml.rels": to("https://files.example/personal/anna") }), ["unseen https://files.example/personal/anna"]);
  await both(xlsx({ "xl/worksheets/_rels/sheet1.xml.rels": to("mailto:anna@example.org") }), [mail]);
  await both(pptx({ "ppt/slides/_rels/slide1.xml.rels": to("mailto:anna@example.org") }), [mail]);
  const run = (text: string): string => `<w:r><w:instrText>${text}</w:instrText></w:r>`;
  const field = `<w:fldChar/>${run(' HYPERLINK "mailto:an')}${run('na@example.org" ')}<w:fldChar/>${run(' HYPERLINK \\l "_Toc1" ')}<w:fldChar/>`;
  await both(docx({ "word/document.xml": `<w:d>${field}</w:d>` }), [mail]);
  await both(docx({ "word/document.xml": '<w:d><w:fldSimple w:instr=" HYPERLINK &quot;mailto:anna@example.org&quot; "/></w:d>' }), [mail]);
  await both(docx({ "word/document.xml": `<w:d>${run(' INCLUDEPICTURE "D:/anna/a.png" ')}</w:d>` }), ["path D:/anna/a.png"]);
  await both(docx({ "word/document.xml": `<w:d>${run(' INCLUDETEXT "anna petrova.docx" ')}</w:d>` }), ["path anna petrova.docx"]);
  const deleted = '<w:r><w:delInstrText>HYPERLINK "mailto:anna@example.org"</w:delInstrText></w:r>';
  await both(docx({ "word/document.xml": `<w:d>${deleted}</w:d>` }), [mail]);
  await both(xlsx({ "xl/worksheets/sheet1.xml": '<s><f>HYPERLINK("anna.xlsx","me")</f><f>HYPERLINK("#a1","here")</f></s>' }), ["path anna.xlsx"]);
  await both(xlsx({ "xl/worksheets/sheet1.xml": '<s><f>HYPERLINK("mailto:anna@example.org","me")</f></s>' }), [mail]);
  await both(odf('<text:a xlink:href="mailto:anna@example.org"/><text:a xlink:href="#a"/><draw:image xlink:href="Pictures/a.png"/>'), [mail]);
  await both(odf('<text:a xlink:href="../anna/a.ods"/><t:c table:formula="of:=HYPERLINK(&quot;mailto:anna@example.org&quot;)"/>'), ["path ../anna/a.ods", mail]);
  await both(docx({ "word/document.xml": '<w:d><w:hyperlink r:id="a" w:tooltip="of Anna"/><v:shape alt="plan"/></w:d>' }), ["words of Anna", "words plan"]);
  await both(xlsx({ "xl/tables/table1.xml": '<table name="a" comment="of Anna"/>' }), ["comment of Anna"]);
});

test("of a thousand links a hundred are told, and that there are more", async () => {
  const links = Array.from({ length: 1000 }, (_, n) => `<text:a xlink:href="https://a.example/${n}"/>`).join("");
  const { facts, unread } = await read(blob(odf(links)));
  assert.equal(facts.filter(({ kind }) => kind === "unseen").length, 100);
  assert.deepEqual(unread, [{ why: "too-much", inside: "" }]);
});

test("programs, and what programs note on slides", async () => {
  await both(pptx({ "ppt/tags/tag1.xml": '<p:tagLst><p:tag name="DRAFT" val="of Anna"/></p:tagLst>' }), ["other DRAFT: of Anna"]);
  const basic = archive({ mimetype: "application/vnd.oasis.opendocument.text", "content.xml": "<a/>", "Basic/Standard/Module1.xml": "<m>REM Anna</m>" }, ["mimetype"]);
  const done = await remove(blob(basic));
  assert.ok("blob" in done);
  for (const { unread } of [await read(blob(basic)), done.left]) assert.deepEqual(unread, [{ why: "part", inside: "Basic/Standard/Module1.xml" }]);
});

test("LibreOffice's earlier versions, marks in styles and a list to write to go", async () => {
  const versions = '<VL:version-list><VL:version-entry VL:title="Version1" VL:comment="for Boris" VL:creator="Anna" dc:date-time="2024-05-01T10:11:12"/></VL:version-list>';
  const before = archive({ mimetype: "application/vnd.oasis.opendocument.text", "content.xml": "<a/>", "VersionList.xml": versions, "Versions/Version1": "PK of Anna" }, ["mimetype"]);
  const said = (await read(blob(before))).facts.map(({ kind, value }) => `${kind} ${value}`);
  assert.deepEqual(said.filter((one) => one !== ARCHIVED), ["comment for Boris", "person Anna", "date 2024-05-01T10:11:12", "history Versions/Version1"]);
  const letter = docx({
    "word/styles.xml": '<w:styles><w:style><w:rsid w:val="00A1B2C3"/></w:style></w:styles>',
    "word/settings.xml": '<w:settings><w:mailMerge><w:dataSource r:id="a"/></w:mailMerge></w:settings>',
    "word/_rels/settings.xml.rels": '<R><Relationship Id="a" Type="urn:r/mailMergeSource" Target="file:///C:/Users/anna/list.csv" TargetMode="External"/></R>',
  });
  for (const raw of [before, letter]) {
    const done = await remove(blob(raw));
    assert.ok("blob" in done);
    assert.deepEqual([done.left.facts, done.left.unread], [[], []]);
    assert.equal(/Anna|anna|Boris|Version1/.test(Buffer.from(await done.blob.arrayBuffer()).toString("latin1")), false);
  }
  assert.deepEqual((await read(blob(letter))).facts.map(({ kind }) => kind).sort(), ["date", "id", "other", "path"]);
});
