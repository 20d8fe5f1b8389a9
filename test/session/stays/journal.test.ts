import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { Journal, type JournalOptions } from "../../../src/session/stays/journal.ts";
import { byteStream } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import { FakeDisk } from "./fake-disk.ts";

const FOLDER = "/stays/one";
const FIRST = `${FOLDER}/1.journal`;

function stage() {
  const disk = new FakeDisk();
  const failures: Error[] = [];
  const random = byteStream("journal");
  const options: JournalOptions = {
    disk,
    folder: FOLDER,
    hash: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    random,
    clock: { after: () => () => undefined },
    onFailure: (error) => failures.push(error),
  };
  const keep = (journal: Journal, ...texts: string[]): void => {
    for (const text of texts) journal.append(encodeUtf8(text));
    journal.flush();
  };
  const open = () => {
    const { journal, payloads } = Journal.open(options);
    return { journal, texts: payloads.map((payload) => decodeUtf8(payload)) };
  };
  const begin = (...base: string[]) => Journal.begin(options, base.map(encodeUtf8));
  return { disk, options, failures, keep, open, begin };
}

describe("a journal", () => {
  it("gives back what it began with and what was appended, in order, and goes on behind it", () => {
    const { begin, keep, open } = stage();
    keep(begin("a", "b"), "c", "", "d");
    const { journal, texts } = open();
    expect(texts).toEqual(["a", "b", "c", "", "d"]);
    keep(journal, "e");
    expect(open().texts).toEqual(["a", "b", "c", "", "d", "e"]);
  });

  it("writes nothing before it is flushed, and all of it at once", () => {
    const { begin, disk, open } = stage();
    const journal = begin("a");
    const { length } = disk.bytesOf(FIRST);
    journal.append(encodeUtf8("b"));
    journal.append(encodeUtf8("c"));
    expect(disk.bytesOf(FIRST)).toHaveLength(length);
    journal.flush();
    expect(open().texts).toEqual(["a", "b", "c"]);
  });

  it("cut at any byte, gives back the records before the cut, and goes on from there", () => {
    const { begin, keep, open, disk } = stage();
    const journal = begin("a");
    const ends = ["b", "cc", "ddd"].map((text) => {
      keep(journal, text);
      return disk.bytesOf(FIRST).length;
    });
    const whole = disk.bytesOf(FIRST);
    const base = whole.length - (3 * 12 + 1 + 2 + 3);
    for (let length = base; length <= whole.length; length += 1) {
      disk.setBytes(FIRST, whole.slice(0, length));
      const kept = ends.filter((end) => end <= length).length;
      const texts = ["a", "b", "cc", "ddd"].slice(0, kept + 1);
      const opened = open();
      expect(opened.texts).toEqual(texts);
      keep(opened.journal, "new");
      expect(open().texts).toEqual([...texts, "new"]);
    }
  });

  it("does not take a changed byte for a record, wherever it is", () => {
    const { begin, keep, open, disk } = stage();
    keep(begin("a"), "bbbb", "cccc");
    const whole = disk.bytesOf(FIRST);
    for (let at = 0; at < whole.length; at += 1) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x01;
      disk.setBytes(FIRST, bytes);
      const code = codeOf(open);
      if (code === undefined) expect([["a", "bbbb"], ["a"]]).toContainEqual(open().texts);
      else expect(["stay-unreadable", "stay-version"]).toContain(code);
    }
  });

  it("without its whole beginning is unreadable, not shorter", () => {
    const { begin, open, disk } = stage();
    begin("a", "b");
    const whole = disk.bytesOf(FIRST);
    for (let length = 0; length < whole.length; length += 1) {
      disk.setBytes(FIRST, whole.slice(0, length));
      expect(codeOf(open)).toBe("stay-unreadable");
    }
  });

  it("of another version is refused with a code of its own, and is left as it is", () => {
    const { begin, open, disk } = stage();
    begin("a");
    const bytes = disk.bytesOf(FIRST).slice();
    bytes[19] = 2;
    disk.setBytes(FIRST, bytes);
    expect(codeOf(open)).toBe("stay-version");
    expect(disk.bytesOf(FIRST)).toEqual(bytes);
  });

  it("refuses a copy of itself, and the copy stays one when it is put in the first one's place", () => {
    const { begin, disk, options, open } = stage();
    begin("a");
    disk.copyFolder(FOLDER, "/copy");
    expect(codeOf(() => Journal.open({ ...options, folder: "/copy" }))).toBe("stay-copied");
    disk.rename("/copy/1.journal", FIRST);
    expect(codeOf(open)).toBe("stay-copied");
  });

  it("written anew says the same in one file, and a kill at any moment leaves one of the two", () => {
    for (let fuse = 0; ; fuse += 1) {
      const { begin, keep, open, disk } = stage();
      const journal = begin("a");
      keep(journal, "b", "c");
      disk.fuse = fuse;
      let isWhole = true;
      try {
        journal.rewrite([encodeUtf8("abc")]);
      } catch {
        isWhole = false;
      }
      disk.revive();
      const { texts } = open();
      expect([["a", "b", "c"], ["abc"]]).toContainEqual(texts);
      if (!isWhole) continue;
      expect(texts).toEqual(["abc"]);
      expect(disk.filesIn(FOLDER)).toEqual([`${FOLDER}/2.journal`]);
      return;
    }
  });

  it("on a full disk ends and leaves nothing, says so once, and begins anew when there is room", () => {
    const { begin, keep, open, disk, failures } = stage();
    const journal = begin("a");
    disk.room = 5;
    keep(journal, "b");
    expect(failures).toHaveLength(1);
    expect(journal.isKept).toBe(false);
    expect(disk.filesIn(FOLDER)).toEqual([]);
    expect(codeOf(open)).toBe("stay-unreadable");
    keep(journal, "c");
    expect(failures).toHaveLength(1);
    disk.room = Number.POSITIVE_INFINITY;
    journal.rewrite([encodeUtf8("abc")]);
    keep(journal, "d");
    expect(open().texts).toEqual(["abc", "d"]);
  });

  it("goes on in the old file where there is no room for a new one", () => {
    const { begin, keep, open, disk, failures } = stage();
    const journal = begin("a");
    keep(journal, "b");
    disk.room = 5;
    journal.rewrite([encodeUtf8("much more than there is room for")]);
    disk.room = 1_000;
    keep(journal, "c");
    expect(failures).toEqual([]);
    expect(open().texts).toEqual(["a", "b", "c"]);
  });

  it("is long when it has grown well beyond what it began with", () => {
    const { begin, keep, disk } = stage();
    const journal = begin("a");
    const block = "x".repeat(1024 * 1024 + 1_000);
    for (let mib = 1; mib <= 4; mib += 1) {
      expect(journal.isLong).toBe(false);
      keep(journal, block);
    }
    expect(journal.isLong).toBe(true);
    journal.rewrite([encodeUtf8("short")]);
    expect(journal.isLong).toBe(false);
    expect(disk.filesIn(FOLDER)).toEqual([`${FOLDER}/2.journal`]);
  });

  it("removed leaves nothing, and takes nothing any more", () => {
    const { begin, keep, disk, failures } = stage();
    const journal = begin("a");
    journal.remove();
    keep(journal, "b");
    journal.rewrite([encodeUtf8("c")]);
    expect(disk.filesIn(FOLDER)).toEqual([]);
    expect(failures).toEqual([]);
  });
});
