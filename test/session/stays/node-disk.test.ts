import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { nodeDisk } from "../../../src/session/stays/node-disk.ts";

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), "stay-disk-"));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

describe.skipIf(process.platform === "win32")("the disk of this machine, by its owners and links", () => {
  it("makes files of this user alone, and no file over another one", () => {
    const file = path.join(folder(), "a");
    const made = nodeDisk.create(file);
    made?.write(encodeUtf8("one"));
    made?.close();
    expect(lstatSync(file).mode & 0o777).toBe(0o600);
    expect(nodeDisk.create(file)).toBeUndefined();
    expect(readFileSync(file, "utf8")).toBe("one");
  });

  it("reads no file that others can read, that has a second name or is a link, and none that is too long", () => {
    const own = folder();
    const file = path.join(own, "a");
    writeFileSync(file, "text", { mode: 0o600 });
    expect(nodeDisk.read(file, 4).bytes).toHaveLength(4);
    expect(() => nodeDisk.read(file, 3)).toThrow("too long");
    symlinkSync(file, path.join(own, "link"));
    expect(() => nodeDisk.read(path.join(own, "link"), 10)).toThrow("ELOOP");
    expect(() => nodeDisk.openAt(path.join(own, "link"), 0)).toThrow("ELOOP");
    expect(() => nodeDisk.read(own, 10)).toThrow("it is no file");
    chmodSync(file, 0o640);
    expect(() => nodeDisk.read(file, 10)).toThrow("open to others");
    expect(() => nodeDisk.openAt(file, 0)).toThrow("open to others");
    chmodSync(file, 0o600);
    linkSync(file, path.join(own, "second"));
    expect(() => nodeDisk.read(file, 10)).toThrow("a second name");
    expect(readFileSync(file, "utf8")).toBe("text");
  });

  it("goes on behind what was read, and tells a copy from the file", async () => {
    const own = folder();
    const file = path.join(own, "a");
    const made = nodeDisk.create(file);
    made?.write(encodeUtf8("whole torn"));
    made?.sync();
    made?.close();
    const opened = nodeDisk.openAt(file, 5);
    opened.write(encodeUtf8(" and new"));
    const synced = opened.syncLater();
    opened.close();
    await synced;
    expect(readFileSync(file, "utf8")).toBe("whole and new");
    expect(nodeDisk.read(file, 100).identity).toBe(made?.identity);
    const copy = path.join(own, "b");
    writeFileSync(copy, readFileSync(file), { mode: 0o600 });
    expect(nodeDisk.read(copy, 100).identity).not.toBe(made?.identity);
    nodeDisk.rename(copy, file);
    nodeDisk.syncFolder(own);
    expect(nodeDisk.list(own)).toEqual(["a"]);
    nodeDisk.remove(file);
    nodeDisk.remove(file);
    expect(nodeDisk.list(own)).toEqual([]);
    expect(nodeDisk.list(path.join(own, "none"))).toEqual([]);
  });
});
