import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  BEAT_MS,
  beat,
  expire,
  lastThere,
  makePlace,
  placesIn,
  removePlace,
  sweepStays,
} from "../../../src/session/stays/places.ts";

const { platform } = process;
let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "stay-places-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ID = "0123456789ab";

function bases(): string[] {
  return [path.join(root, "state", "tunnel-mcp"), path.join(root, "run", "tunnel-mcp")];
}

describe("the places of stays", () => {
  it("are this user's alone, all the way down", async () => {
    const made = await makePlace(bases(), ID, platform);
    expect(made?.folder).toBe(path.join(root, "state", "tunnel-mcp", "stays", ID));
    for (let folder = made?.folder ?? ""; folder !== path.join(root, "state"); folder = path.dirname(folder))
      if (platform !== "win32") expect(lstatSync(folder).mode & 0o777).toBe(0o700);
    expect(await placesIn(bases(), platform)).toEqual([made]);
  });

  it.skipIf(platform === "win32")(
    "are elsewhere where the first folder takes nothing, and nowhere where none does",
    async () => {
      writeFileSync(path.join(root, "state"), "");
      const made = await makePlace(bases(), ID, platform);
      expect(made?.folder).toContain(path.join(root, "run"));
      writeFileSync(path.join(root, "no"), "");
      expect(await makePlace([path.join(root, "no", "where")], ID, platform)).toBeUndefined();
    },
  );

  it("are never given twice", async () => {
    const [only] = bases();
    await makePlace([only ?? ""], ID, platform);
    expect(await makePlace([only ?? ""], ID, platform)).toBeUndefined();
  });

  it.skipIf(platform === "win32")("are no links, open to nobody, and have the name of a tunnel", async () => {
    const made = await makePlace(bases(), ID, platform);
    const stays = path.dirname(made?.folder ?? "");
    symlinkSync(made?.folder ?? "", path.join(stays, "abcdefabcdef"));
    mkdirSync(path.join(stays, "other"), { mode: 0o700 });
    writeFileSync(path.join(stays, "aaaaaaaaaaaa"), "");
    expect(await placesIn(bases(), platform)).toEqual([made]);
    chmodSync(made?.folder ?? "", 0o750);
    expect(await placesIn(bases(), platform)).toEqual([]);
  });

  it("are swept when their time is over and nobody has them, whatever the clock says", async () => {
    const now = Date.now();
    const keepMs = 600_000;
    const place = await makePlace(bases(), ID, platform);
    if (place === undefined) throw new Error("no place");
    const sweep = (at: number, isHeld: boolean) =>
      sweepStays({ folders: bases(), platform, now: at, keepMs, isHeld: () => Promise.resolve(isHeld) });
    await beat(place, now, keepMs);
    await beat(place, now, keepMs);
    expect(await lastThere(place)).toBeCloseTo(now, -2);
    await sweep(now + keepMs - 1_000, false);
    expect(existsSync(place.folder)).toBe(true);
    await sweep(now + 10 * keepMs, true);
    expect(existsSync(place.folder)).toBe(true);
    await sweep(now + keepMs + BEAT_MS - 1_000, false);
    expect(existsSync(place.folder)).toBe(true);
    await sweep(now + keepMs + BEAT_MS + 1_000, false);
    expect(existsSync(place.folder)).toBe(false);

    const next = await makePlace(bases(), "ffffffffffff", platform);
    if (next === undefined) throw new Error("no place");
    await beat(next, now, keepMs);
    const ahead = new Date(now + 2 * keepMs);
    utimesSync(path.join(next.folder, "alive"), ahead, ahead);
    await sweepStays({
      folders: bases(),
      platform,
      now,
      keepMs,
      isHeld: () => Promise.resolve(false),
      isCaredFor: () => Promise.resolve(true),
    });
    expect(existsSync(next.folder)).toBe(true);
    await sweep(now, false);
    expect(existsSync(next.folder)).toBe(false);
    await removePlace(next);
  });

  it("are swept early where nothing of them can be kept any more", async () => {
    const now = Date.now();
    const place = await makePlace(bases(), ID, platform);
    if (place === undefined) throw new Error("no place");
    const sweep = (at: number) =>
      sweepStays({ folders: bases(), platform, now: at, keepMs: 0, isHeld: () => Promise.resolve(false) });
    await beat(place, now, 600_000);
    await expire(place);
    await beat(place, now, 600_000);
    await sweep(now + BEAT_MS - 1_000);
    expect(existsSync(place.folder)).toBe(true);
    await sweep(now + BEAT_MS + 1_000);
    expect(existsSync(place.folder)).toBe(false);
  });

  it("are swept whatever their time where their removal was cut short", async () => {
    const place = await makePlace(bases(), ID, platform);
    if (place === undefined) throw new Error("no place");
    await beat(place, Date.now(), 600_000);
    const over = `${place.folder}.over`;
    renameSync(place.folder, over);
    const other = path.join(path.dirname(over), "notes.over");
    mkdirSync(other, { mode: 0o700 });
    await sweepStays({
      folders: bases(),
      platform,
      now: Date.now(),
      keepMs: 600_000,
      isHeld: () => Promise.resolve(false),
    });
    expect(existsSync(over)).toBe(false);
    expect(existsSync(other)).toBe(true);
  });

  it("are kept as long as the process said that had them, whoever sweeps, and while they begin", async () => {
    const now = Date.now();
    const place = await makePlace(bases(), ID, platform);
    const begun = await makePlace(bases(), "ffffffffffff", platform);
    if (place === undefined || begun === undefined) throw new Error("no place");
    const sweep = (at: number) =>
      sweepStays({ folders: bases(), platform, now: at, keepMs: 0, isHeld: () => Promise.resolve(false) });
    await beat(place, now, 600_000);
    await sweep(now + 5_000);
    expect([place, begun].map(({ folder }) => existsSync(folder))).toEqual([true, true]);
    await sweep(now + 590_000);
    expect([place, begun].map(({ folder }) => existsSync(folder))).toEqual([true, false]);
    await sweep(now + 600_000 + BEAT_MS + 1_000);
    expect(existsSync(place.folder)).toBe(false);
  });
});
