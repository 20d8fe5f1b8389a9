import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Gate } from "../../src/oversight/gates/gates.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { look } from "../../src/watch/look.ts";
import { hostRequest, joinRequest, NOTHING_FOUND, sessionsOn } from "../session/support.ts";
import { MemorySink, MemorySource } from "../support/files/file-ends.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { rejectedWith } from "../support/rejection.ts";

const all: Sessions[] = [];
const folder = temporaryFolders();
afterEach(async () => {
  await Promise.all(all.splice(0).map((one) => one.shutDown()));
});

/** Takes "hunter2" for a secret. */
const FILTER: TextScanner = {
  ...NOTHING_FOUND,
  async scanTexts(texts) {
    const hit = texts.find(({ text }) => text.includes("hunter2"));
    if (hit === undefined) return { kind: "clear", digest: "00" };
    const before = hit.text.slice(0, hit.text.indexOf("hunter2")).split("\n");
    const finding = {
      rule: "a password",
      where: hit.where,
      line: before.length,
      column: (before.at(-1) ?? "").length + 1,
      disguise: "plain",
      isCertain: true,
    } as const;
    return { kind: "found", findings: [finding], hasMore: false, digest: "01" };
  },
};

async function scene() {
  const [ana, ben] = [sessionsOn(systemClock, {}, {}, { scanner: FILTER }), sessionsOn(systemClock)];
  all.push(ana, ben);
  const { hosting, invites } = await ana.host(hostRequest());
  const guest = await ben.join(joinRequest(invites[0]?.joinLink));
  return { ana, ben, host: hosting, guest };
}

class Gated extends MemorySource {
  override readonly examined;
  constructor(text: string | Uint8Array, gates: readonly Gate[] = []) {
    super(typeof text === "string" ? new TextEncoder().encode(text) : text);
    this.examined = { ...new MemorySource(new Uint8Array()).examined, path: "/w/.env", gates, reasons: [] };
  }
}

const of = ({ tunnelId }: HostSession, what: object) => ({ do: "look", id: 1, tunnelId, ...what }) as const;

describe("a look into a file", () => {
  it("H9, P12: of one that waits shows the bytes that would go, and none where they have changed", async () => {
    const { ana, host } = await scene();
    const source = new Gated("A=1\nPASSWORD=hunter2\n", ["sensitive-file"]);
    await host.files.share(source, { name: ".env" });
    const [ask] = ana.overseer.asks.waiting;
    const told = await look(of(host, { ask: ask?.id }), ana);
    expect(told).toMatchObject({ told: "look", isWhole: true, isPatch: false });
    source.failure = { from: 0, code: "share-changed" };
    expect(await rejectedWith(look(of(host, { ask: ask?.id }), ana))).toBe("share-changed");
  });

  it("H21: masks secrets, also of a file that was offered", async () => {
    const { ana, host } = await scene();
    const { fileId } = await host.files.share(new Gated("A=1\nPASSWORD=hunter2\n"), { name: "a.txt" });
    const told = await look(of(host, { file: fileId }), ana);
    expect(JSON.stringify(told)).not.toContain("hunter2");
    expect(told).toMatchObject({ text: "A=1\nPASSWORD=hunt[secret]\n" });
  });

  it("is bounded, says so, and cuts no character in two", async () => {
    const { ana, host } = await scene();
    const { fileId } = await host.files.share(new Gated(`a${"é".repeat(200_000)}`), { name: "long.txt" });
    const told = await look(of(host, { file: fileId }), ana);
    expect(told).toMatchObject({ isWhole: false });
    expect(told.told === "look" && /^aé+$/.test(told.text)).toBe(true);
    expect(told.told === "look" && told.text.length).toBeLessThan(128 * 1024);
  });

  it("shows nothing of what is no text, or not there", async () => {
    const { ana, host } = await scene();
    const { fileId } = await host.files.share(new Gated(new Uint8Array([1, 0, 2])), { name: "a.bin" });
    const other = await host.files.share(new Gated(new Uint8Array([0xff, 0xfe, 0x41])), { name: "b.bin" });
    for (const file of [fileId, other.fileId])
      expect(await rejectedWith(look(of(host, { file }), ana))).toBe("look-not-text");
    expect(await rejectedWith(look(of(host, { file: "AAAA" }), ana))).toBe("look-not-here");
    expect(await rejectedWith(look(of(host, {}), ana))).toBe("look-not-here");
    expect(await rejectedWith(look(of(host, { ask: 99 }), ana))).toBe("ask-unknown");
  });

  it("of somebody else's file shows what has come, as it lies there now", async () => {
    const { ana, host, guest } = await scene();
    const { fileId } = await guest.files.share(new Gated("theirs\n"), { name: "b.txt" });
    await expect.poll(() => host.files.offered.length).toBe(1);
    expect(await rejectedWith(look(of(host, { file: fileId }), ana))).toBe("look-not-here");
    const target = path.join(folder(), "b.txt");
    const download = await host.files.receive(fileId, target, () => Promise.resolve(new MemorySink()));
    await download.over;
    host.files.forget(download);
    writeFileSync(target, "theirs, changed\n");
    expect(await look(of(host, { file: fileId }), ana)).toMatchObject({ text: "theirs, changed\n" });
    rmSync(target);
    expect(await rejectedWith(look(of(host, { file: fileId }), ana))).toBe("look-not-here");
  });
});
