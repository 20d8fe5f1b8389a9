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
 *   node bench/recovery.mjs [--samples 30]     (cuts)
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
async function joinThrough(proxy, host, guest) {
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
  await join(host, throughProxy);
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
  const server = createServer((near) => {
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
    stop() {
      this.cut();
      server.close();
    },
  };
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 30 });
  print(await withPrograms((programs) => measureRecovery(programs, options)));
}
