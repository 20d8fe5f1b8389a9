import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeAgents, unfenced, type Agent } from "../support/agent.ts";
import {
  code,
  holdAfter,
  listing,
  meet,
  meetThrough,
  modeOf,
  offer,
  put,
  read,
  release,
  underWay,
  worker,
} from "../support/files/file-agents.ts";
import { hearUntil, says } from "../support/hearing.ts";
import { until } from "../support/processes.ts";
import { Proxy } from "../support/proxy.ts";
import { contentOf } from "../support/streaming.ts";

const MB = 1_000_000;
const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

describe("files among three servers, of both protocol eras", () => {
  let ana: Agent;
  let ben: Agent;
  let cid: Agent;
  let ways: readonly (readonly [string, Agent, Agent])[];
  beforeAll(async () => {
    [ana, ben, cid] = await Promise.all([worker("ana"), worker("ben", {}, "modern"), worker("cid")]);
    await meet(ana, ben, cid);
    ways = [
      ["ana-ben", ana, ben],
      ["ana-cid", ana, cid],
      ["ben-ana", ben, ana],
      ["cid-ana", cid, ana],
      ["ben-cid", ben, cid],
      ["cid-ben", cid, ben],
    ];
  });
  afterAll(closeAgents);

  it.each([0, 1, 130_047, 130_048, 130_049, 260_096])(
    "[B2] [B3] [B4] %i bytes come whole from the host, to the host and between guests",
    async (size) => {
      for (const [way, from, to] of ways) {
        // Of its own, so that no file can pass for another one.
        const whole = Buffer.concat([contentOf(size), Buffer.from(way)]);
        const content = whole.subarray(whole.length - size);
        const name = `${way}-${size}.bin`;
        put(from, name, content, 0o755);
        const { fileId, shared, heard } = await offer(from, { path: name }, to);
        expect(shared).toMatchObject({ name, size, sha256: sha256(content), status: "sent" });
        expect(heard).toMatchObject([{ kind: "file", name, size, sha256: sha256(content) }]);
        const received = await to.call("tunnel_receive", { fileId, savePath: `got-${name}` });
        expect(received).toMatchObject({ status: "received", name, size, sha256: sha256(content) });
        expect(Buffer.compare(read(to, `got-${name}`), content)).toBe(0);
      }
    },
  );

  it("5 MB come whole both ways and between guests, all at once", async () => {
    const content = contentOf(5 * MB);
    const offers = [];
    for (const [way, from, to] of ways) {
      put(from, `${way}-large.bin`, Buffer.concat([content, Buffer.from(way)]));
      offers.push({ way, to, ...(await offer(from, { path: `${way}-large.bin` }, to)) });
    }
    const results = await Promise.all(
      offers.map(({ way, to, fileId }) => to.call("tunnel_receive", { fileId, savePath: `${way}-5.bin` })),
    );
    expect(results.map(({ status }) => status)).toEqual(ways.map(() => "received"));
    for (const { way, to } of offers)
      expect(Buffer.compare(read(to, `${way}-5.bin`), Buffer.concat([content, Buffer.from(way)]))).toBe(0);
  });

  it.skipIf(process.platform === "win32")("nothing is executable that was (Windows has no modes)", () => {
    const got = ways.map(([way, , to]) => modeOf(to, `got-${way}-1.bin`));
    expect(got).toEqual(ways.map(() => 0o644 & ~process.umask()));
  });

  it("nothing but the files themselves is in anybody's folder", () => {
    for (const agent of [ana, ben, cid])
      expect(listing(agent).filter((name) => !name.endsWith(".bin"))).toEqual([]);
  });

  it("one file goes to two at once, and one agent takes three at once", async () => {
    put(ben, "for-both.bin", contentOf(MB));
    const { fileId } = await offer(ben, { path: "for-both.bin" }, ana, cid);
    const others = [];
    for (const n of [1, 2]) {
      put(ana, `more-${n}.bin`, contentOf(MB + n));
      others.push(await offer(ana, { path: `more-${n}.bin` }, cid));
    }
    await Promise.all([
      ana.call("tunnel_receive", { fileId, savePath: "b.bin" }),
      cid.call("tunnel_receive", { fileId, savePath: "b.bin" }),
      ...others.map((one, n) =>
        cid.call("tunnel_receive", { fileId: one.fileId, savePath: `m-${n + 1}.bin` }),
      ),
    ]);
    for (const agent of [ana, cid]) expect(Buffer.compare(read(agent, "b.bin"), contentOf(MB))).toBe(0);
    for (const n of [1, 2]) expect(Buffer.compare(read(cid, `m-${n}.bin`), contentOf(MB + n))).toBe(0);
  });

  it("[B6] what is for one is for nobody else, not even the host", async () => {
    put(ben, "for-cid.txt", "between guests");
    const shared = await ben.call("tunnel_share", { path: "for-cid.txt", to: ["cid"], note: "only you" });
    expect(shared.offeredTo).toEqual(["cid"]);
    const { fileId = "" } = shared;
    const [message] = (await hearUntil(cid, (one) => one.fileId === fileId)).slice(-1);
    expect([message?.["to"], unfenced(message?.text ?? "")]).toEqual([["cid"], "only you"]);
    const refused = await code(ana, "tunnel_receive", { fileId, savePath: "stolen.txt" });
    expect(refused).toBe("file-unknown");
    expect((await ana.call("tunnel_status")).files?.offered.map((one) => one.fileId)).not.toContain(fileId);
    put(ana, "for-ben.txt", "from the host");
    const second = await ana.call("tunnel_share", { path: "for-ben.txt", to: ["ben"] });
    await hearUntil(ben, (one) => one.fileId === second.fileId);
    const args = { fileId: second.fileId, savePath: "stolen.txt" };
    expect(await code(cid, "tunnel_receive", args)).toBe("file-unknown");
    expect(await code(ana, "tunnel_receive", args)).toBe("file-own");
    for (const agent of [ana, cid]) expect(listing(agent)).not.toContain("stolen.txt");
    await cid.call("tunnel_receive", { fileId, savePath: "for-me.txt" });
    expect(read(cid, "for-me.txt").toString()).toBe("between guests");
  });

  it("an id that nobody has offered is file-unknown", async () => {
    for (const fileId of ["AAAAAAAAAAAAAAAAAAAAAA", "", "../../etc/passwd"])
      expect(await code(cid, "tunnel_receive", { fileId, savePath: "x" })).toBe("file-unknown");
  });
});

describe("a file on its way", () => {
  const wires: Proxy[] = [];
  afterEach(async () => {
    await closeAgents();
    for (const wire of wires.splice(0)) await wire.close();
  });

  async function twoOnAWire(era: "legacy" | "modern" = "legacy") {
    const [ana, ben, wire] = await Promise.all([
      worker("ana", {}, era),
      worker("ben", {}, era),
      Proxy.start(),
    ]);
    wires.push(wire);
    return { ana, ben, wire, ...(await meetThrough(wire, ana, ben)) };
  }

  it.each(["legacy", "modern"] as const)(
    "is in the status of both, and its progress is told with bytes and rate to who asks for it (%s)",
    async (era) => {
      const { ana, ben, crossing } = await twoOnAWire(era);
      const content = contentOf(3 * MB);
      put(ana, "a.bin", content);
      const { fileId } = await offer(ana, { path: "a.bin" }, ben);
      holdAfter(crossing, "toGuest", MB);
      const told: { progress: number; total?: number | undefined; message?: string | undefined }[] = [];
      const receiving = ben.call(
        "tunnel_receive",
        { fileId, savePath: "b.bin" },
        { onprogress: (one) => told.push(one) },
      );
      await underWay(ben, MB / 2);
      const [here, there] = [await ben.call("tunnel_status"), await ana.call("tunnel_status")];
      expect(here.files?.receiving).toMatchObject([
        { fileId, name: "a.bin", size: content.length, status: "receiving", savePath: expect.any(String) },
      ]);
      const [sending] = there.files?.shared[0]?.sending ?? [];
      expect(sending).toMatchObject({ to: "ben", bytesPerSec: expect.any(Number) });
      expect(sending?.sent).toBeGreaterThanOrEqual(MB / 2);
      expect(there.files?.shared).toMatchObject([{ fileId, name: "a.bin", size: content.length }]);
      await until("the progress has been told", () => told.some(({ progress }) => progress >= MB / 2));
      release(crossing);
      expect(await receiving).toMatchObject({ status: "received" });
      expect(Buffer.compare(read(ben, "b.bin"), content)).toBe(0);
      const counted = told.filter(({ total }) => total !== undefined);
      expect(counted.length).toBeGreaterThan(0);
      expect(counted.every(({ total }) => total === content.length)).toBe(true);
      expect(told.map(({ progress }) => progress)).toEqual(
        told.map(({ progress }) => progress).toSorted((one, other) => one - other),
      );
      expect(counted.map(({ message }) => message).join("\n")).toMatch(
        /^received [\d.]+ [KM]iB of 2\.9 MiB, [1-9][\d.]* (?:B|KiB|MiB)\/s$/m,
      );
      const after = await ana.call("tunnel_status");
      expect(after.files?.shared[0]?.sending).toEqual([]);
      expect((await ben.call("tunnel_status")).files?.receiving).toEqual([]);
    },
  );

  it.each(["legacy", "modern"] as const)("makes no progress known to who did not ask (%s)", async (era) => {
    const { ana, ben } = await twoOnAWire(era);
    const seen: string[] = [];
    const { transport } = ben.client;
    const onmessage = transport?.onmessage?.bind(transport);
    Object.assign(transport ?? {}, {
      onmessage: (message: object, extra: undefined) => {
        if ("method" in message && typeof message.method === "string") seen.push(message.method);
        onmessage?.(message as never, extra);
      },
    });
    put(ana, "a.bin", contentOf(MB));
    const { fileId } = await offer(ana, { path: "a.bin" }, ben);
    await ben.call("tunnel_receive", { fileId, savePath: "silent.bin" });
    expect(seen).not.toContain("notifications/progress");
    // The spy does see them where they are asked for.
    await ben.call("tunnel_receive", { fileId, savePath: "told.bin" }, { onprogress: () => undefined });
    expect(seen).toContain("notifications/progress");
  });

  it("goes on when the call has not waited; another call waits for it, and it is told once", async () => {
    const { ana, ben, crossing } = await twoOnAWire();
    const content = contentOf(2 * MB);
    put(ana, "a.bin", content);
    const { fileId } = await offer(ana, { path: "a.bin" }, ben);
    holdAfter(crossing, "toGuest", MB);
    const first = await ben.call("tunnel_receive", { fileId, savePath: "b.bin", waitMs: 0 });
    expect(first).toMatchObject({ status: "receiving", size: content.length });
    expect(first.savePath).toMatch(/[\\/]b\.bin$/);
    const second = ben.call("tunnel_receive", { fileId, savePath: "./b.bin" });
    await underWay(ben);
    release(crossing);
    expect(await second).toMatchObject({ status: "received" });
    expect(Buffer.compare(read(ben, "b.bin"), content)).toBe(0);
    expect(await ben.call("tunnel_listen", { timeoutMs: 0 })).toMatchObject({ messages: [], unread: 0 });
    expect(listing(ben)).toEqual(["b.bin"]);
  });

  it("that nobody waits for is told of when it has come, and when it cannot come", async () => {
    const { ana, ben, crossing } = await twoOnAWire();
    const content = contentOf(2 * MB);
    for (const name of ["good.bin", "bad.bin"]) put(ana, name, content);
    const good = await offer(ana, { path: "good.bin" }, ben);
    const bad = await offer(ana, { path: "bad.bin" }, ben);
    holdAfter(crossing, "toGuest", MB);
    await ben.call("tunnel_receive", { fileId: good.fileId, savePath: "g.bin", waitMs: 0 });
    await underWay(ben);
    release(crossing);
    const [arrived] = (await hearUntil(ben, ({ event }) => event === "file-received")).slice(-1);
    expect(arrived).toMatchObject({
      kind: "system",
      from: "tunnel",
      local: true,
      file: { fileId: good.fileId, name: "good.bin", size: content.length },
    });
    expect(Buffer.compare(read(ben, "g.bin"), content)).toBe(0);
    // Its outcome is known, and asking again is asking for it anew.
    put(ana, "bad.bin", contentOf(10));
    await ben.call("tunnel_receive", { fileId: bad.fileId, savePath: "b.bin", waitMs: 0 });
    const [failed] = (await hearUntil(ben, ({ event }) => event === "file-failed")).slice(-1);
    expect(failed).toMatchObject({
      local: true,
      file: { fileId: bad.fileId, name: "bad.bin" },
      error: { code: "file-changed" },
    });
    expect(listing(ben)).toEqual(["g.bin"]);
  });

  it("that is on its way in the background can be ended, and leaves nothing", async () => {
    const { ana, ben, crossing } = await twoOnAWire();
    put(ana, "a.bin", contentOf(MB));
    const { fileId } = await offer(ana, { path: "a.bin" }, ben);
    holdAfter(crossing, "toGuest", MB / 10);
    const args = { fileId, savePath: "b.bin" };
    expect(await ben.call("tunnel_receive", { ...args, waitMs: 0 })).toMatchObject({ status: "receiving" });
    expect(await ben.call("tunnel_receive", { ...args, cancel: true })).toMatchObject({
      status: "cancelled",
    });
    // The very same call so soon would be answered as the first one was.
    expect(await code(ben, "tunnel_receive", { ...args, cancel: true, waitMs: 0 })).toBe("file-unknown");
    release(crossing);
    expect(await ben.call("tunnel_receive", args)).toMatchObject({ status: "received" });
    expect(Buffer.compare(read(ben, "b.bin"), contentOf(MB))).toBe(0);
  });

  it("is one of four at most that one side receives at once", async () => {
    const { ana, ben, crossing } = await twoOnAWire();
    const ids: string[] = [];
    for (const n of [0, 1, 2, 3, 4]) {
      put(ana, `a${n}.bin`, contentOf(MB + n));
      ids.push((await offer(ana, { path: `a${n}.bin` }, ben)).fileId);
    }
    holdAfter(crossing, "toGuest", MB / 10);
    const [last, ...others] = ids.map((fileId, n) => ({ fileId, savePath: `b${n}.bin` })).toReversed();
    for (const args of others)
      expect(await ben.call("tunnel_receive", { ...args, waitMs: 0 })).toMatchObject({ status: "receiving" });
    expect(await code(ben, "tunnel_receive", { ...last })).toBe("transfer-limit");
    release(crossing);
    for (const args of others)
      expect(await ben.call("tunnel_receive", args)).toMatchObject({ status: "received" });
    expect(await ben.call("tunnel_receive", { ...last })).toMatchObject({ status: "received" });
    for (const n of [0, 1, 2, 3, 4])
      expect(Buffer.compare(read(ben, `b${n}.bin`), contentOf(MB + n))).toBe(0);
  });

  it("leaves room for what is said: three at once lose nothing of a conversation", async () => {
    const { ana, ben } = await twoOnAWire();
    const content = contentOf(4 * MB);
    const ids: string[] = [];
    for (const n of [1, 2, 3]) {
      put(ana, `a${n}.bin`, content);
      ids.push((await offer(ana, { path: `a${n}.bin` }, ben)).fileId);
    }
    const receiving = ids.map((fileId, n) => ben.call("tunnel_receive", { fileId, savePath: `b${n}.bin` }));
    const [fromAna, fromBen] = [1, 2].map((who) => Array.from({ length: 20 }, (_, n) => `word ${who}.${n}`));
    const talking = async (agent: Agent, words: readonly string[] = []): Promise<void> => {
      for (const text of words) await agent.call("tunnel_say", { text });
    };
    await Promise.all([talking(ana, fromAna), talking(ben, fromBen)]);
    const [toBen, toAna] = await Promise.all([
      hearUntil(ben, says("word 1.19")),
      hearUntil(ana, says("word 2.19")),
    ]);
    const said = (messages: typeof toBen): string[] =>
      messages.filter(({ kind }) => kind === "chat").map(({ text }) => unfenced(text));
    expect([said(toBen), said(toAna)]).toEqual([fromAna, fromBen]);
    expect((await Promise.all(receiving)).map(({ status }) => status)).toEqual(ids.map(() => "received"));
    for (const n of [0, 1, 2]) expect(Buffer.compare(read(ben, `b${n}.bin`), content)).toBe(0);
  });

  it.each([
    ["to the guest", "toGuest"],
    ["to the host", "toHost"],
  ] as const)(
    "[B5] %s survives that its connection is cut in the middle, time and again",
    async (_, direction) => {
      const { ana, ben, wire, crossing } = await twoOnAWire();
      const [from, to] = direction === "toGuest" ? [ana, ben] : [ben, ana];
      const content = contentOf(3 * MB);
      put(from, "a.bin", content);
      const { fileId } = await offer(from, { path: "a.bin" }, to);
      holdAfter(crossing, direction, MB);
      const receiving = to.call("tunnel_receive", { fileId, savePath: "b.bin" });
      await underWay(to, MB / 2);
      // The next one does not live long, either.
      wire.onCrossing = (next) => {
        wire.onCrossing = () => undefined;
        next.cutAfter(direction, MB / 2);
      };
      crossing.cut();
      expect(await receiving).toMatchObject({ status: "received" });
      expect(Buffer.compare(read(to, "b.bin"), content)).toBe(0);
      expect([ana, ben].map(listing)).toEqual(
        direction === "toGuest" ? [["a.bin"], ["b.bin"]] : [["b.bin"], ["a.bin"]],
      );
    },
  );
});
