/**
 * Messages per second one way, host to guest, on loopback, on two levels.
 *
 * Session level: the host says as fast as its outbox takes it, the guest reads; two processes, without MCP. Measured from
 * the first word said to the last one heard. The floor is bare WebSockets with messages as long as the sealed ones, as
 * many on their way at once, and the same confirmations. What the floor does not have: sealing, signing, hashing, JSON,
 * checks, and a log.
 *
 * MCP level: `tunnel_say` calls at the host, several in flight, while the guest listens. The floor is as many calls in
 * flight to a bare SDK echo tool.
 *
 * The other way, guest to host, is slower, since the speaker waits for its place in the room, and a host bounds what one
 * member may send: it is reported as `limited`, without a target.
 *
 *   node bench/throughput.mjs [--samples 5]     (rounds, one of the floor and one of the program in turn)
 */
import {
  connect,
  counts,
  isMain,
  pair,
  print,
  rounded,
  summary,
  withPrograms,
  withSides,
} from "./support.mjs";

const TARGET_PER_SECOND = 1_000;
const SIZES = [
  { bytes: 200, count: 4_000 },
  { bytes: 4_096, count: 1_000 },
];
const LIMITED = { bytes: 200, count: 1_000, inFlight: 64 };
const MCP = { bytes: 200, count: 500, inFlight: 8 };
const LISTEN = { timeoutMs: 5_000, limit: 200 };

export async function measureThroughput(programs, { samples }) {
  const sizes = {};
  for (const size of SIZES) sizes[size.bytes] = await sessionLevel(programs, size, samples);
  const mcp = await mcpLevel(programs, samples);
  const limited = await guestToHost(programs, samples);
  const { measured, baseline, share } = sizes[SIZES[0].bytes];
  return {
    unit: "messages/s",
    measured: { what: `session level, ${SIZES[0].bytes} bytes, host to guest`, ...measured },
    baseline: { what: "bare ws, as many bytes, as many on their way", ...baseline },
    share,
    target: TARGET_PER_SECOND,
    met: measured.median >= TARGET_PER_SECOND,
    sizes,
    mcp,
    limited,
  };
}

/** Program and floor in turn, after one round to warm up. */
async function sessionLevel({ session, raw }, { bytes, count }, samples) {
  return withSides([session, session, raw, raw], async (host, guest, rawHost, rawGuest) => {
    await join(host, guest);
    await join(rawHost, rawGuest);
    const product = [];
    const floor = [];
    for (let round = -1; round < samples; round += 1) {
      const rates = {};
      for (const which of round % 2 === 0 ? ["product", "floor"] : ["floor", "product"]) {
        rates[which] = await (which === "product"
          ? stream(host, guest, { bytes, count })
          : stream(rawHost, rawGuest, { bytes, count }));
      }
      if (round < 0) continue;
      product.push(rates.product);
      floor.push(rates.floor);
    }
    const [measured, baseline] = [product, floor].map(ratesOf);
    return {
      measured,
      baseline,
      share: rounded(measured.median / baseline.median),
      sealed: await rawHost.call("sizes", { bytes }),
    };
  });
}

export async function join(host, guest, options = {}) {
  const { links } = await host.call("open", { members: 1, ...options });
  await guest.call("join", { links, ...options });
}

async function stream(speaker, listener, what) {
  const before = await Promise.all([speaker.call("usage"), listener.call("usage")]);
  const heard = listener.call("hear", { count: what.count });
  const { began, queued } = await speaker.call("say", what);
  const { at } = await heard;
  const after = await Promise.all([speaker.call("usage"), listener.call("usage")]);
  const [speakerUs, listenerUs] = after.map(
    ({ cpuMs }, side) => ((cpuMs - before[side].cpuMs) * 1e3) / what.count,
  );
  return { perSecond: (what.count * 1e3) / (at - began), speakerUs, listenerUs, queued };
}

/** Of rounds: messages per second, and processor time per message at either end. */
function ratesOf(rounds) {
  const median = (key) => summary(rounds.map((round) => round[key])).median;
  return {
    ...summary(rounds.map(({ perSecond }) => perSecond)),
    cpuUsPerMessage: { speaker: median("speakerUs"), listener: median("listenerUs") },
  };
}

async function guestToHost({ session }, samples) {
  return withSides([session, session], async (host, guest) => {
    await join(host, guest);
    const rounds = [];
    for (let round = -1; round < samples; round += 1) {
      const found = await stream(guest, host, LIMITED);
      if (round >= 0) rounds.push(found);
    }
    const queued = rounds.reduce((sum, round) => sum + round.queued, 0);
    return {
      what: `session level, ${LIMITED.bytes} bytes, guest to host, ${LIMITED.inFlight} in flight`,
      ...ratesOf(rounds),
      queued,
    };
  });
}

async function mcpLevel({ server, echo }, samples) {
  const stops = [];
  try {
    const { host, guest } = await pair(server);
    stops.push(host.close, guest.close);
    await guest.call("tunnel_listen", { timeoutMs: 0 });
    const bare = await connect(echo);
    stops.push(bare.close);
    const text = "the handler is in api/orders.ts; ".repeat(10).slice(0, MCP.bytes);
    const product = [];
    const floor = [];
    for (let round = -1; round < samples; round += 1) {
      const echoes = await rateOf(() => inFlight(() => bare.call("echo", { text })));
      const said = await rateOf(() =>
        Promise.all([heardBy(guest), inFlight(() => host.call("tunnel_say", { text, intent: "inform" }))]),
      );
      if (round < 0) continue;
      floor.push(echoes);
      product.push(said);
    }
    const [measured, baseline] = [summary(product), summary(floor)];
    return {
      what: `tunnel_say, ${MCP.bytes} bytes, ${MCP.inFlight} calls in flight, the guest listening`,
      measured,
      baseline: { what: "calls of a bare SDK echo tool, as many in flight", ...baseline },
      share: rounded(measured.median / baseline.median),
    };
  } finally {
    for (const end of stops.reverse()) await end();
  }
}

async function inFlight(call) {
  let left = MCP.count;
  async function caller() {
    while (left > 0) {
      left -= 1;
      await call();
    }
  }
  await Promise.all(Array.from({ length: MCP.inFlight }, caller));
}

async function heardBy(side) {
  for (let heard = 0; heard < MCP.count;) {
    const { messages } = await side.call("tunnel_listen", LISTEN);
    if (messages.length === 0) throw new Error(`${heard} messages of ${MCP.count}, and no more`);
    heard += messages.length;
  }
}

async function rateOf(work) {
  const began = performance.now();
  await work();
  return (MCP.count * 1e3) / (performance.now() - began);
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 5 });
  print(await withPrograms((programs) => measureThroughput(programs, options)));
}
