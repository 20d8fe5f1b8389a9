import { noServices } from "../../src/services/lazy-services.ts";
import { noExposures } from "../../src/expose/lazy-exposures.ts";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MemorySource } from "../support/files/file-ends.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import type { Shareable } from "../../src/session/files/local-files.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { until } from "../support/processes.ts";
import { clientOf } from "./room.ts";

let cwd: string;
let ana: Sessions;
let ben: Sessions;
let hosting: HostSession;
/** Ends the reading of the file that is read at the moment. */
let finish: () => void;
let reads: { signal: AbortSignal; onProgress: (done: number, total: number) => void }[];

beforeEach(async () => {
  cwd = realpathSync(mkdtempSync(path.join(tmpdir(), "tunnel-preparing-")));
  writeFileSync(path.join(cwd, "large.bin"), "content");
  [ana, ben] = [sessionsOn(systemClock, {}, {}, { cwd }), sessionsOn(systemClock)];
  const opened = await ana.host(hostRequest());
  ({ hosting } = opened);
  await ben.join(joinRequest(opened.invites[0]?.joinLink));
  hosting.inbox.take("arrival", 9);
  hosting.inbox.settle();
  reads = [];
  const share = ana.localFiles.share.bind(ana.localFiles);
  vi.spyOn(ana.localFiles, "share").mockImplementation(async (file, options) => {
    reads.push(options);
    await new Promise<void>((resolve, reject) => {
      finish = resolve;
      options.signal.addEventListener("abort", () => reject(new TunnelError("cancelled")));
    });
    return share(file, options);
  });
});
afterEach(async () => {
  await Promise.all([ana.shutDown(), ben.shutDown()]);
  vi.restoreAllMocks();
  rmSync(cwd, { recursive: true, force: true });
});

/** A client whose calls are answered after a moment. */
const hasty = () => clientOf(ana, systemClock, { answerMs: 30 });
const patient = () => clientOf(ana);
const args = { path: "large.bin", note: "the log" };
const offers = (): number => [...hosting.inbox.said()].filter(({ kind }) => kind === "file").length;

describe("a file that is read for longer than a call may take", () => {
  it("is answered with how far it is, and the same call again joins it and tells its outcome", async () => {
    const call = await hasty();
    const waiting = call("tunnel_share", args);
    await until("it is read", () => reads.length === 1);
    reads[0]?.onProgress(256, 1_000);
    expect(await waiting).toMatchObject({
      status: "preparing",
      path: "large.bin",
      done: 256,
      size: 1_000,
      percent: 25,
      next: expect.stringContaining("same arguments"),
    });
    expect(await call("tunnel_status")).toMatchObject({
      files: { preparing: [{ path: "large.bin", percent: 25 }] },
    });
    expect(await call("tunnel_share", args)).toMatchObject({ status: "preparing", percent: 25 });
    const again = (await patient())("tunnel_share", { ...args, path: path.join(cwd, "large.bin") });
    finish();
    expect(await again).toMatchObject({
      status: "sent",
      name: "large.bin",
      size: 7,
      fileId: expect.any(String),
    });
    expect([reads.length, offers()]).toEqual([1, 1]);
    // Told by a call, it needs no notice; and asked for once more, it is another offer.
    expect(hosting.inbox.unread).toBe(0);
    const third = (await patient())("tunnel_share", args);
    await until("it is read again", () => reads.length === 2);
    finish();
    expect(await third).toMatchObject({ status: "sent" });
    expect(offers()).toBe(2);
  });

  it("is offered also where nobody asks again, and a notice says so; asked for then, it is not offered twice", async () => {
    const call = await hasty();
    expect(await call("tunnel_share", args)).toMatchObject({ status: "preparing" });
    finish();
    await until("it is offered", () => hosting.inbox.unread === 1);
    const { messages } = await call("tunnel_listen", { timeoutMs: 0 });
    expect(messages).toMatchObject([
      { kind: "system", event: "file-offered", local: true, file: { name: "large.bin", size: 7 } },
    ]);
    expect(await call("tunnel_share", args)).toMatchObject({ status: "sent", name: "large.bin" });
    expect([reads.length, offers()]).toEqual([1, 1]);
  });

  it("that waits for a person is told as such, by the answer or a notice, and asked about once", async () => {
    writeFileSync(path.join(cwd, ".env"), "A=1");
    const secret = { path: ".env" };
    const call = await hasty();
    expect(await call("tunnel_share", secret)).toMatchObject({ status: "preparing" });
    finish();
    await until("it is held", () => hosting.inbox.unread === 1);
    const { messages } = await call("tunnel_listen", { timeoutMs: 0 });
    expect(messages).toMatchObject([{ event: "file-held", local: true, askId: 1, file: { name: ".env" } }]);
    const held = await (await patient())("tunnel_share", secret);
    expect(held).toMatchObject({
      status: "held",
      askId: 1,
      gates: ["sensitive-file"],
      fileId: expect.any(String),
      next: expect.stringContaining("tunnel-mcp watch"),
    });
    expect(JSON.stringify([messages, held])).not.toContain("tunnel open and the file");
    expect(held).not.toHaveProperty("offeredTo");
    const again = (await patient())("tunnel_share", secret);
    await until("it is read again", () => reads.length === 2);
    finish();
    expect(await again).toMatchObject({ status: "held", askId: 1 });
    expect(ana.overseer.asks.waiting).toHaveLength(1);
    expect(offers()).toBe(0);
  });

  it("is read anew where it has changed since it was offered", async () => {
    const call = await hasty();
    await call("tunnel_share", args);
    finish();
    await until("it is offered", () => hosting.inbox.unread === 1);
    writeFileSync(path.join(cwd, "large.bin"), "another content");
    expect(await call("tunnel_share", args)).toMatchObject({ status: "preparing" });
    expect(reads).toHaveLength(2);
  });

  it("that cannot be offered is told by a notice, with the reason", async () => {
    const call = await hasty();
    expect(await call("tunnel_share", { path: "missing.bin" })).toMatchObject({ status: "preparing" });
    finish();
    await until("it has failed", () => hosting.inbox.unread === 1);
    const { messages } = await call("tunnel_listen", { timeoutMs: 0 });
    expect(messages).toMatchObject([
      { event: "file-not-offered", local: true, path: "missing.bin", error: { code: "share-not-found" } },
    ]);
  });

  it("goes on when its call is cancelled, and is joined by the next", async () => {
    const abort = new AbortController();
    const { tool, callOf } = await direct();
    const waiting = tool.prepare(args).run(callOf(abort.signal));
    await until("it is read", () => reads.length === 1);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    expect(reads[0]?.signal.aborted).toBe(false);
    const again = (await patient())("tunnel_share", args);
    finish();
    expect(await again).toMatchObject({ status: "sent" });
    expect([reads.length, offers()]).toEqual([1, 1]);
  });

  it("ends with the tunnel", async () => {
    const waiting = (await patient())("tunnel_share", args);
    await until("it is read", () => reads.length === 1);
    expect(await (await patient())("tunnel_close")).toMatchObject({ status: "closed" });
    expect(await waiting).toMatchObject({ error: { code: "tunnel-closed" } });
    expect(reads[0]?.signal.aborted).toBe(true);
  });

  it("is another one with another note, or for other receivers", async () => {
    const call = await hasty();
    const guest = hosting.presence().find(({ isSelf }) => !isSelf)?.name;
    for (const wish of [args, { ...args, note: "else" }, { ...args, to: [guest] }])
      expect(await call("tunnel_share", wish)).toMatchObject({ status: "preparing" });
    expect(reads).toHaveLength(3);
  });

  it("a patch is answered alike, without bytes that nobody knows", async () => {
    let made: (content: Shareable) => void = () => undefined;
    vi.spyOn(ana.localFiles, "patch").mockReturnValue(new Promise((resolve) => (made = resolve)));
    const call = await hasty();
    const shown = await call("tunnel_share", { patch: true });
    expect(shown).toMatchObject({ status: "preparing", patch: true });
    expect(shown).not.toHaveProperty("percent");
    const again = (await patient())("tunnel_share", { patch: true });
    const source = new MemorySource(new Uint8Array(1));
    made({ name: "x.patch", source, patch: { files: 1, insertions: 1, deletions: 0 } });
    expect(await again).toMatchObject({ status: "sent", name: "x.patch" });
  });
});

/** The tool itself, for a call whose signal the test holds. */
async function direct() {
  const { shareTool } = await import("../../src/mcp/tools/share.ts");
  const { Fence } = await import("../../src/mcp/results/fence.ts");
  const callOf = (signal: AbortSignal) => ({
    id: "x",
    signal,
    sessions: ana,
    exposures: noExposures(),
    services: noServices(),
    client: undefined,
    limit: 40_000,
    answerMs: 10_000,
    progress: () => undefined,
    clock: systemClock,
    fence: new Fence(),
    problems: () => Promise.resolve([]),
    wake: () => ({
      by: "human" as const,
      command: undefined,
      commandProblem: undefined,
      commandNote: undefined,
      channel: "off" as const,
      next: "Wait.",
    }),
  });
  return { tool: shareTool, callOf };
}
