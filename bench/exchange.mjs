/**
 * One exchange both ways on loopback, in ms: the host says something, the guest listens; the guest says something, the
 * host listens. Two server processes, each driven by an MCP client of the SDK over stdio, four tool calls one after the
 * other.
 *
 * The floor is the same traffic with nothing in it:
 *   - four calls of a bare SDK echo tool: two on each of two server processes, through the same client, with the same
 *     text as argument and result, bundled in the same way;
 *   - two round trips of a raw WebSocket to another process. A message needs two messages on the wire, itself and the
 *     confirmation, so an exchange both ways has four; each is as long here as a sealed one, which is padded to 1 KiB.
 * What the floor does not have and an exchange does: sealing, signing, ordering, acknowledging, waiting for the other
 * process to wake up, and results that say more than the text.
 *
 * One run of a pair is ten in a row, and the figure is what one of them takes.
 *
 *   node bench/exchange.mjs [--pairs 30]
 */
import { WebSocket } from "ws";
import { isAtMost, LEAST_PAIRS, measurePairs, spread } from "./pairs.mjs";
import { connect, counts, isMain, pair, print, start, stop, withPrograms } from "./support.mjs";

const TARGET_RATIO = 2;
/** Runs: what an agent says is not the first thing that these processes do. */
const WARM_UP = 10;
const IN_A_RUN = 10;
const TEXT = "The handler is in api/orders.ts; run its tests with npm test -- orders. ".repeat(3);
/** The same words again within a second would be taken for the same call. */
let last = 0;
const nextText = () => `${TEXT}${String((last += 1)).padStart(6, "0")}`;
const SEALED_BYTES = 1024;
const LISTEN = { timeoutMs: 5_000 };

export async function measureExchange(programs, { pairs }) {
  const stops = [];
  try {
    const { host, guest } = await pair(programs.server);
    stops.push(host.close, guest.close);
    // Who joined is news, too: read it, so that a listen returns the message it is meant for.
    await host.call("tunnel_listen", LISTEN);
    const echoes = await Promise.all([connect(programs.echo), connect(programs.echo)]);
    for (const echo of echoes) stops.push(echo.close);
    const child = start([programs.wsEcho]);
    stops.push(() => stop(child));
    const socket = await dial(child);
    stops.push(async () => socket.terminate());

    const calls = [];
    const wire = [];
    async function floor() {
      const callMs = await timed(() => echoCalls(echoes));
      const wireMs = await timed(() => roundTrips(socket, 2));
      calls.push(callMs);
      wire.push(wireMs);
      return callMs + wireMs;
    }
    const found = await measurePairs({
      measured: () => eachOf(() => timed(() => exchangeBothWays(host, guest))),
      floor: () => eachOf(floor),
      pairs,
      warmUp: WARM_UP,
    });
    const { measured, ratio } = found;
    const counted = -pairs * IN_A_RUN;
    return {
      unit: "ms",
      measured,
      baseline: { what: "4 bare SDK echo calls + 2 raw ws round trips", ...found.floor },
      sdkCalls: spread(calls.slice(counted)),
      wsRoundTrips: spread(wire.slice(counted)),
      ratio,
      target: TARGET_RATIO,
      met: isAtMost(ratio, TARGET_RATIO),
    };
  } finally {
    for (const end of stops.reverse()) await end();
  }
}

export async function exchangeBothWays(host, guest) {
  await host.call("tunnel_say", { text: nextText(), intent: "inform" });
  await heard(guest);
  await guest.call("tunnel_say", { text: nextText(), intent: "inform" });
  await heard(host);
}

async function heard(side) {
  const { messages } = await side.call("tunnel_listen", LISTEN);
  if (messages.length !== 1) throw new Error(`${messages.length} messages instead of one`);
}

async function echoCalls([first, second]) {
  for (const echo of [first, second, second, first]) await echo.call("echo", { text: TEXT });
}

async function roundTrips(socket, count) {
  const message = new Uint8Array(SEALED_BYTES);
  for (let trip = 0; trip < count; trip += 1) {
    const back = new Promise((resolve) => socket.once("message", resolve));
    socket.send(message);
    await back;
  }
}

async function dial(child) {
  const port = await new Promise((resolve) => child.stdout.once("data", (chunk) => resolve(Number(chunk))));
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

/** What one of a run takes. */
async function eachOf(once) {
  let ms = 0;
  for (let index = 0; index < IN_A_RUN; index += 1) ms += await once();
  return ms / IN_A_RUN;
}

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS });
  print(await withPrograms((programs) => measureExchange(programs, options)));
}
