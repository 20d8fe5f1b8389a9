import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  careFile,
  claimCare,
  findCare,
  isCaredFor,
  isOwned,
  writeCare,
  type Care,
} from "../../../src/children/holding/care-record.ts";
import type { ProcessTable } from "../../../src/children/identity.ts";
import { atEnd } from "../../support/at-end.ts";

const { platform } = process;
const SERVER = { pid: 100, start: "Mon Nov 30 10:00:00 2026" };
const OTHER = { pid: 101, start: "11" };
const CARE: Omit<Care, "format" | "inode"> = {
  world: "boot pid:[1]",
  server: SERVER,
  caretaker: { pid: 102, start: "12" },
  address: {
    port: 4_000,
    child: { folder: "/stay/child", guard: { pid: 103, start: "13" }, child: { pid: 104, start: "14" } },
    facts: "{}",
  },
};

let stay = "";
beforeEach(() => {
  stay = mkdtempSync(join(tmpdir(), "tunnel-care-"));
  atEnd(() => rmSync(stay, { recursive: true, force: true }));
});

/** A machine on which processes of these numbers and starts run. */
function running(processes: Readonly<Record<number, string>>): ProcessTable {
  return {
    startOf: (pid) => Promise.resolve(processes[pid]),
    groupOf: () => Promise.resolve(undefined),
    isSameStart: (one, other) => one === other,
    world: () => Promise.resolve("boot pid:[1]"),
  };
}

describe.runIf(platform !== "win32")("the record of a caretaker", () => {
  it("is found as it was written, and the last one stands", async () => {
    await writeCare(stay, { ...CARE, caretaker: OTHER });
    await writeCare(stay, CARE);
    const found = await findCare(stay, platform);
    expect(found).toEqual([{ file: careFile(stay, SERVER), care: expect.objectContaining(CARE) as unknown }]);
    expect(readdirSync(stay)).toHaveLength(1);
  });

  it("names its server, so that it is known whether that runs", async () => {
    await writeCare(stay, CARE);
    const [found = { file: "", care: undefined }] = await findCare(stay, platform);
    expect(await isOwned(found, running({ 100: SERVER.start }))).toBe(true);
    // The number was given out again.
    expect(await isOwned(found, running({ 100: "later" }))).toBe(false);
    expect(await isOwned(found, running({}))).toBe(false);
  });

  it("is claimed by one alone, with what it says", async () => {
    await writeCare(stay, CARE);
    const [found = { file: "", care: undefined }] = await findCare(stay, platform);
    const claims = await Promise.all(
      [OTHER, { pid: 105, start: "15" }].map((self) => claimCare(found, stay, self)),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
    const [claimed] = await findCare(stay, platform);
    expect(claimed?.care).toMatchObject(CARE);
    expect(claimed?.file).not.toBe(found.file);
  });

  it("says that a child is held as long as the caretaker runs, and of no other child", async () => {
    await writeCare(stay, CARE);
    const child = { pid: 104, start: "14" };
    const isHeld = (one: typeof child, table: ProcessTable) => isCaredFor(stay, one, table, platform);
    expect(await isHeld(child, running({ 102: "12" }))).toBe(true);
    expect(await isHeld({ pid: 106, start: "16" }, running({ 102: "12" }))).toBe(false);
    expect(await isHeld(child, running({ 102: "later" }))).toBe(false);
    expect(await isCaredFor(join(stay, "nowhere"), child, running({ 102: "12" }), platform)).toBe(false);
  });

  it.each([
    ["a copy of it", (file: string) => copyFileSync(file, `${file}.copy`)],
    ["no JSON", (file: string) => writeFileSync(`${file}.copy`, "{", { mode: 0o600 })],
    ["too long", (file: string) => writeFileSync(`${file}.copy`, " ".repeat(17_000), { mode: 0o600 })],
    ["one of another form", (file: string) => writeFileSync(`${file}.copy`, '{"format":2}', { mode: 0o600 })],
  ])("is believed in nothing where it is %s", async (_what, make) => {
    await writeCare(stay, CARE);
    const file = careFile(stay, SERVER);
    make(file);
    renameSync(`${file}.copy`, file);
    expect(await findCare(stay, platform)).toEqual([{ file, care: undefined }]);
  });

  it("is believed in nothing where others may read it, and is none in a folder of others", async () => {
    await writeCare(stay, CARE);
    chmodSync(careFile(stay, SERVER), 0o644);
    expect((await findCare(stay, platform))[0]?.care).toBeUndefined();
    chmodSync(stay, 0o755);
    expect(await findCare(stay, platform)).toEqual([]);
    const link = `${stay}-link`;
    symlinkSync(stay, link);
    atEnd(() => rmSync(link));
    chmodSync(stay, 0o700);
    expect(await findCare(link, platform)).toEqual([]);
    mkdirSync(join(stay, "care-1-0123456789abcdef.json"));
    expect((await findCare(stay, platform)).map(({ care }) => care)).toEqual([undefined, undefined]);
  });
});
