/**
 * Host or guests of a tunnel on the program's own session layer, without MCP. They read as an agent does: take what is
 * new, settle it, and, unless told otherwise, tell the room how far they have come.
 */
import { createHash } from "node:crypto";
// Of the built program, beside which this one lies when it runs (support.mjs).
import { loadSessions } from "./sessions.cjs";
import { Ear, heardByAll, live, nextTurn, now, paced, serve, sleep, usage } from "./side.mjs";

const CONFIG = {
  transport: "direct",
  bind: "127.0.0.1",
  port: 0,
  publicUrl: undefined,
  name: "bench",
  cloudflaredPath: undefined,
  doh: false,
  idleMinutes: 30,
  inviteMinutes: 10,
  skipReachabilityCheck: true,
  gates: [],
  budgets: "off",
  unattended: false,
  saveRoots: [],
  shareRoots: [],
  shareAllow: [],
};
/** Time, and a timer that keeps no process alive. */
const clock = {
  now: () => Date.now(),
  after(ms, callback) {
    if (ms <= 0) {
      const immediate = setImmediate(() => callback());
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(() => callback(), ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
const BATCH = 200;
const LISTEN_MS = 60_000;
/** Tool calls arrive in turns of the event loop of their own, between which the network has its turn. */
const SAY_PER_TURN = 16;
const OUTBOX_FULL_WAIT_MS = 1;
const POLL_MS = 2;
const STAMP = /^@([\d.]+) /;

/** Never fires; one for each use, since every waiter adds a listener. */
const never = () => new AbortController().signal;
const tunnels = [];
const ears = [];

/** One each, since a process is in a room once. */
const newSessions = () =>
  loadSessions({ config: CONFIG, clock, env: {}, cwd: process.cwd(), home: "/nobody" });

function keep(tunnel, reads) {
  const ear = new Ear();
  tunnels.push(tunnel);
  ears.push(ear);
  listen(tunnel, ear, reads).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

async function listen(tunnel, ear, reads) {
  const { inbox } = tunnel;
  const signal = never();
  for (let call = 1; tunnel.end === undefined; call += 1) {
    await inbox.wait(LISTEN_MS, signal);
    const { entries, gap } = inbox.take(call, BATCH);
    if (gap !== undefined) throw new Error(`the log has lost ${gap.fromSeq} to ${gap.toSeq}`);
    for (const { entry } of entries) {
      if (entry.kind === "chat") ear.hear(Number(STAMP.exec(entry.text)?.[1] ?? 0));
    }
    inbox.settle();
    if (reads) tunnel.touch();
  }
}

/** Under way at once: the wire stays full, and the window of the protocol is not. */
const IN_FLIGHT = 64;

async function sayOne(tunnel, bytes, stamped) {
  for (;;) {
    const text = (stamped ? `@${now()} ` : "").padEnd(bytes, "the handler is in api/orders.ts; ");
    try {
      return await tunnel.say({ text });
    } catch (error) {
      if (error.code !== "outbox-full") throw error;
      await sleep(OUTBOX_FULL_WAIT_MS);
    }
  }
}

serve({
  async open({ members, reads = true }) {
    const { hosting, invites } = await newSessions().host({
      goal: "measure",
      invites: members,
      history: false,
      transport: undefined,
      name: "host",
      signal: never(),
      onProgress: () => undefined,
    });
    keep(hosting, reads);
    return { links: invites.map(({ joinLink }) => joinLink) };
  },
  async join({ links, reads = true }) {
    for (const joinLink of links)
      keep(await newSessions().join({ joinLink, name: undefined, signal: never() }), reads);
  },
  /** As many messages, `inFlight` at a time, since each is waited for until the far end has confirmed it; when the first one was said and how they went. */
  async say({ count, bytes, inFlight = IN_FLIGHT, stamped = false }) {
    const [tunnel] = tunnels;
    const found = { sent: 0, queued: 0 };
    const began = now();
    let left = count;
    async function speak() {
      while (left > 0) {
        left -= 1;
        const { status } = await sayOne(tunnel, bytes, stamped);
        found[status] += 1;
        if (left % SAY_PER_TURN === 0) await nextTurn();
      }
    }
    await Promise.all(Array.from({ length: inFlight }, speak));
    return { began, ...found };
  },
  pace: ({ count, bytes, everyMs }) => paced(count, everyMs, () => sayOne(tunnels[0], bytes, true)),
  hear: ({ count }) => heardByAll(ears, count),
  forget: () => ears.forEach((ear) => ear.takeDelays()),
  delays: () => ({ delays: ears.flatMap((ear) => ear.takeDelays()) }),
  /** A file of so many bytes, out of memory. */
  async offer({ bytes }) {
    const content = Buffer.alloc(bytes);
    const read = async (at, length) => content.subarray(at, at + length);
    const sha256 = createHash("sha256").update(content).digest("hex");
    await tunnels[0].files.share(
      {
        examined: { path: "/memory", gates: [], reasons: [], verdict: { kind: "clear", digest: sha256 } },
        size: bytes,
        sha256,
        read,
        close: async () => undefined,
      },
      { name: "bench.bin" },
    );
  },
  /** The next time that a connection of the guest is there again after it was lost. */
  async reconnected() {
    const [tunnel] = tunnels;
    while (tunnel.connection.name === "connected") await sleep(POLL_MS);
    while (tunnel.connection.name !== "connected") await sleep(POLL_MS);
    return { at: now() };
  },
  /** The same for every guest of this process. */
  async allReconnected() {
    const isBack = async (tunnel) => {
      while (tunnel.connection.name === "connected") await sleep(POLL_MS);
      while (tunnel.connection.name !== "connected") await sleep(POLL_MS);
      return now();
    };
    return { at: await Promise.all(tunnels.map(isBack)) };
  },
  /** What each has heard, and what is wrong with it, if anything. */
  state: () =>
    tunnels.map(({ end, alarms }, at) => ({
      heard: ears[at].heard,
      end: end?.cause ?? null,
      alarms: alarms.map(({ code }) => code),
    })),
  usage,
  live,
});
