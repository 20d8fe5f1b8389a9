/**
 * Time to recover after a cut, in ms on loopback: host and guest with a TCP proxy of ours in between, which destroys both
 * sides of the connection while they talk. From the cut until a message of the host that was said right after it has been
 * heard by the guest; and until the guest is connected again, and until a message of the guest, said right after the cut,
 * has been heard by the host. Every message must arrive exactly once, those said right before the cut included.
 *
 * The floor is a fresh WebSocket and one round trip of a message through the same proxy. What it does not have and a
 * recovery does: the first wait of the back-off (a random 250 to 500 ms, so that the members of a room do not come back in
 * step, by rule D9) and the handshake, two round trips with four operations on curves at each end.
 *
 * And after outages, in which the proxy takes connections and says nothing, or ends them at once: from the end of the outage until
 * each of four guests is connected again, and until what host and guests said during it has been heard, exactly once. The floor
 * there is a bare `ws` client that dials again with the same back-off and gives each dial a second, through a proxy with the same outage at
 * the same time. All outages are under way at once, so that a run takes as long as the longest.
 *
 *   node bench/recovery.mjs [--samples 30] [--outage 60] [--long 300]     (cuts; seconds)
 */
import { connect as dial, createServer } from "node:net";
import { WebSocket } from "ws";
import { join } from "./throughput.mjs";
import {
  counts,
  isMain,
  now,
  print,
  rounded,
  sleep,
  start,
  stop,
  summary,
  withPrograms,
  withSides,
} from "./support.mjs";

const TARGET_MS = 1_500;
const SEALED_BYTES = 1024;
const BYTES = 200;
/** By each side: one while all is well, one right before the cut, one right after it. */
const SAID_PER_CUT = 3;
const PAUSE_MS = 100;
/** From the end of an outage until everybody is back; part of the goal of 10 s, of which the tunnel itself takes the rest. */
const OUTAGE_TARGET_MS = 5_000;
const OUTAGE_KINDS = ["hanging", "refused"];
const GUESTS = 4;
/** By each of them and their host, during an outage. */
const SAID_PER_OUTAGE = 20;
/** Rule D9. */
const BACKOFF = { firstMs: 500, factor: 2, maxMs: 3_000, dialMs: 1_000 };

export async function measureRecovery({ session, wsEcho }, { samples }) {
  return withSides([session, session], async (host, guest) => {
    const proxy = await startProxy();
    const echo = start([wsEcho]);
    try {
      const echoPort = await new Promise((resolve) =>
        echo.stdout.once("data", (chunk) => resolve(Number(chunk))),
      );
      const tunnelPort = await joinThrough(proxy, host, guest);
      const found = { toGuest: [], connected: [], toHost: [] };
      const floor = [];
      for (let cut = -1; cut < samples; cut += 1) {
        proxy.leadTo(echoPort);
        const trip = await connectAndBack(proxy.port);
        proxy.leadTo(tunnelPort);
        const times = await cutOnce(proxy, host, guest);
        if (cut < 0) continue;
        floor.push(trip);
        for (const [name, ms] of Object.entries(times)) found[name].push(ms);
      }
      for (const side of [host, guest]) assertExactlyOnce(await side.call("state"), samples + 1);
      const measured = summary(found.toGuest);
      const baseline = summary(floor);
      return {
        unit: "ms",
        measured: { what: "cut until what the host said right after it is heard", ...measured },
        connected: { what: "cut until the guest is connected again", ...summary(found.connected) },
        toHost: { what: "cut until what the guest said right after it is heard", ...summary(found.toHost) },
        baseline: { what: "fresh ws connection and a round trip through the same proxy", ...baseline },
        ratio: rounded(measured.median / baseline.median),
        target: TARGET_MS,
        met: measured.median <= TARGET_MS,
      };
    } finally {
      await stop(echo);
      proxy.stop();
    }
  });
}

/** The link leads to the proxy instead of the host; gives the host's own port. */
async function joinThrough(proxy, host, guest, options) {
  let hostPort;
  const throughProxy = {
    call: (name, { links, ...rest }) => {
      const rewritten = links.map((link) => {
        const url = new URL(link);
        hostPort = Number(url.port);
        proxy.leadTo(hostPort);
        return link.replace(url.host, `${url.hostname}:${proxy.port}`);
      });
      return guest.call(name, { links: rewritten, ...rest });
    },
  };
  await join(host, throughProxy, options);
  return hostPort;
}

async function cutOnce(proxy, host, guest) {
  const one = { count: 1, bytes: BYTES };
  await Promise.all([heard(guest, 1, host.call("say", one)), heard(host, 1, guest.call("say", one))]);
  const connected = guest.call("reconnected");
  // One each is said right before the cut and may be anywhere on its way, the other right after it.
  const earlier = [host.call("say", one), guest.call("say", one)];
  const toGuest = guest.call("hear", { count: 2 });
  const toHost = host.call("hear", { count: 2 });
  await Promise.race(earlier);
  const cutAt = now();
  proxy.cut();
  const later = [host.call("say", one), guest.call("say", one)];
  const times = await Promise.all([toGuest, connected, toHost].map(async (done) => (await done).at - cutAt));
  await Promise.all([...earlier, ...later]);
  await sleep(PAUSE_MS);
  return { toGuest: times[0], connected: times[1], toHost: times[2] };
}

function assertExactlyOnce([{ heard, alarms }], cuts) {
  if (heard === cuts * SAID_PER_CUT && alarms.length === 0) return;
  throw new Error(
    `${heard} messages heard of ${cuts * SAID_PER_CUT}, alarms: ${alarms.join(", ") || "none"}`,
  );
}

async function heard(listener, count, said) {
  await Promise.all([listener.call("hear", { count }), said]);
}

async function connectAndBack(port) {
  const began = now();
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const back = new Promise((resolve) => socket.once("message", resolve));
  socket.send(new Uint8Array(SEALED_BYTES));
  await back;
  const took = now() - began;
  socket.terminate();
  return took;
}

/** A TCP proxy on loopback, whose new connections lead to the port it was told last. */
async function startProxy() {
  const open = new Set();
  let target;
  let outage;
  const server = createServer((near) => {
    if (outage === "refused") return near.resetAndDestroy();
    if (outage === "hanging") {
      open.add(near);
      // What comes is read, and goes nowhere: at the end of the outage as well.
      near
        .on("error", () => undefined)
        .once("close", () => open.delete(near))
        .resume();
      return;
    }
    const far = dial({ host: "127.0.0.1", port: target });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      open.add(from);
      from.setNoDelay(true);
      from.on("error", () => undefined);
      from.once("close", () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  return {
    port: server.address().port,
    leadTo: (port) => void (target = port),
    cut: () => open.forEach((socket) => socket.destroy()),
    begin(kind) {
      outage = kind;
      this.cut();
    },
    end: () => void (outage = undefined),
    stop() {
      this.cut();
      server.close();
    },
  };
}

/** Of each kind and length, all at the same time; `outage` and `long` are their seconds. */
export function measureOutages(programs, { outage, long }) {
  const each = [outage, long].flatMap((seconds) => OUTAGE_KINDS.map((kind) => ({ kind, seconds })));
  return Promise.all(each.map((one) => measureOutage(programs, one)));
}

async function measureOutage({ session, wsEcho }, { kind, seconds }) {
  return withSides([session, session], async (host, guests) => {
    const [proxy, bareProxy] = [await startProxy(), await startProxy()];
    const echo = start([wsEcho]);
    try {
      bareProxy.leadTo(
        await new Promise((resolve) => echo.stdout.once("data", (chunk) => resolve(Number(chunk)))),
      );
      await joinThrough(proxy, host, guests, { members: GUESTS });
      const bare = await Promise.all(Array.from({ length: GUESTS }, () => bareClient(bareProxy.port)));
      const reconnected = guests.call("allReconnected");
      const bareBack = bare.map((client) => client.back());
      for (const one of [proxy, bareProxy]) one.begin(kind);
      const said = { count: SAID_PER_OUTAGE, bytes: BYTES, inFlight: SAID_PER_OUTAGE };
      // Of the guests the first one speaks, and the others hear it as well.
      const heardThere = guests.call("hear", { count: SAID_PER_OUTAGE });
      const heardHere = host.call("hear", { count: SAID_PER_OUTAGE });
      await Promise.all([host.call("say", said), guests.call("say", said), sleep(seconds * 1_000)]);
      const endedAt = now();
      for (const one of [proxy, bareProxy]) one.end();
      const [connected, there, here, floor] = await Promise.all([
        reconnected,
        heardThere,
        heardHere,
        Promise.all(bareBack),
      ]);
      await sleep(PAUSE_MS);
      const states = [...(await host.call("state")), ...(await guests.call("state"))];
      states.forEach(({ heard, end, alarms }, at) => {
        const due = at < 2 ? SAID_PER_OUTAGE : 2 * SAID_PER_OUTAGE;
        if (heard === due && end === null && alarms.length === 0) return;
        throw new Error(`${heard} messages heard of ${due}, end: ${end}, alarms: ${alarms.join(", ")}`);
      });
      const since = (at) => at - endedAt;
      const measured = summary(connected.at.map(since));
      return {
        unit: "ms",
        kind,
        seconds,
        measured: { what: "end of the outage until a guest is connected again", ...measured },
        slowest: rounded(since(Math.max(...connected.at))),
        toGuests: {
          what: "until each guest has heard as many messages as the host said during it",
          ms: rounded(since(there.at)),
        },
        toHost: { what: "until what a guest said during it is heard", ms: rounded(since(here.at)) },
        baseline: {
          what: "bare ws with the same back-off, until a round trip",
          ...summary(floor.map(since)),
        },
        target: OUTAGE_TARGET_MS,
        met: since(Math.max(...connected.at)) <= OUTAGE_TARGET_MS,
      };
    } finally {
      await stop(echo);
      proxy.stop();
      bareProxy.stop();
    }
  });
}

/** A `ws` client that comes back after a cut, one dial after the other. */
async function bareClient(port) {
  const dialOnce = () =>
    new Promise((resolve) => {
      const options = { perMessageDeflate: false, handshakeTimeout: BACKOFF.dialMs };
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, options);
      socket.on("error", () => resolve(undefined));
      socket.once("open", () => resolve(socket));
    });
  const socket = await dialOnce();
  const cut = new Promise((resolve) => socket.once("close", resolve));
  return {
    async back() {
      await cut;
      for (let failures = 0; ; failures += 1) {
        const ceiling = Math.min(BACKOFF.firstMs * BACKOFF.factor ** failures, BACKOFF.maxMs);
        await sleep(ceiling * (0.5 + Math.random() / 2));
        const again = await dialOnce();
        if (again === undefined) continue;
        const back = new Promise((resolve) => again.once("message", resolve));
        again.send(new Uint8Array(SEALED_BYTES));
        await back;
        again.terminate();
        return now();
      }
    },
  };
}

if (isMain(import.meta.url)) {
  const { samples, ...outages } = counts({ samples: 30, outage: 60, long: 300 });
  print(
    await withPrograms(async (programs) => ({
      ...(await measureRecovery(programs, { samples })),
      outages: await measureOutages(programs, outages),
    })),
  );
}
