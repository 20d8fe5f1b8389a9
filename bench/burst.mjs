/**
 * A burst: as many `tunnel_say` calls at once as an agent's program cares to write down, answered one by one, in messages per
 * second from the first call written to the last answer read. Both ways, host to guest and guest to host, each through two server
 * processes over stdio. Each run has processes of its own, since a member has one burst to spend (E1).
 *
 * The floor is a bare WebSocket between two SDK servers with one tool, which answers when the other process has confirmed the
 * message: what no program that answers truthfully can go below. What the floor does not have: sealing, signing, ordering, a log,
 * checks, and answers that say more than `sent`.
 *
 * A run fails when an answer is missing, or an error, or when the far end has not got every message in the end.
 *
 *   node bench/burst.mjs [--samples 3] [--messages 5000]
 */
import { spread } from "./pairs.mjs";
import { counts, isMain, lineClient, print, processorMs, rounded, sleep, withPrograms } from "./support.mjs";

/** The slower rate of the best program of this kind that was measured; its faster one was 1,400. */
const TARGET_PER_SECOND = 830;
const TEXT = "The handler is in api/orders.ts; run its tests with npm test -- orders. "
  .repeat(3)
  .slice(0, 200);
const ARRIVAL_MS = 60_000;
const POLL_MS = 50;

const DIRECTIONS = {
  hostToGuest: (host, guest) => [host, guest],
  guestToHost: (host, guest) => [guest, host],
};

export async function measureBurst(programs, { samples, messages }) {
  const found = {};
  for (const name of Object.keys(DIRECTIONS)) found[name] = { product: [], floor: [] };
  for (let round = 0; round < samples; round += 1) {
    for (const name of Object.keys(DIRECTIONS)) {
      const steps = ["product", "floor"];
      if (round % 2 !== 0) steps.reverse();
      for (const step of steps) {
        const run = step === "product" ? productRun : floorRun;
        found[name][step].push(await run(programs, DIRECTIONS[name], messages));
      }
    }
  }
  const directions = Object.fromEntries(
    Object.entries(found).map(([name, { product, floor }]) => [name, summed(product, floor)]),
  );
  const slower = Object.values(directions).toSorted((a, b) => a.measured.median - b.measured.median)[0];
  return {
    unit: "messages/s",
    what: `${messages} calls of tunnel_say at once, ${TEXT.length} bytes each`,
    measured: slower.measured,
    baseline: { what: "bare ws between two SDK servers, each message confirmed", ...slower.baseline },
    share: slower.share,
    target: TARGET_PER_SECOND,
    met: slower.measured.median >= TARGET_PER_SECOND,
    directions,
  };
}

function summed(product, floor) {
  const rates = (runs) => spread(runs.map(({ perSecond }) => perSecond));
  const perMessage = (runs) => spread(runs.map(({ processorUs }) => processorUs)).median;
  const [measured, baseline] = [rates(product), rates(floor)];
  return {
    measured: { ...measured, processorUs: perMessage(product) },
    baseline: { ...baseline, processorUs: perMessage(floor) },
    share: rounded(measured.median / baseline.median),
    answers: product.map(({ answers }) => answers),
  };
}

function productRun({ server }, direction, messages) {
  return withClients(server, async (host, guest) => {
    const { joinLink } = await host.call("tunnel_open", { goal: "measure" });
    await guest.call("tunnel_join", { joinLink });
    const [speaker, listener] = direction(host, guest);
    const before = (await listener.call("tunnel_status")).lastSeq;
    const run = await burst([speaker, listener], "tunnel_say", messages);
    await arrived(async () => (await listener.call("tunnel_status")).lastSeq - before, messages);
    return run;
  });
}

function floorRun({ bareBurst }, direction, messages) {
  return withClients(bareBurst, async (host, guest) => {
    const { port } = await host.call("listen");
    await guest.call("dial", { port });
    const [speaker, listener] = direction(host, guest);
    const run = await burst([speaker, listener], "say", messages);
    await arrived(async () => (await listener.call("heard")).count, messages);
    return run;
  });
}

async function burst([speaker, listener], tool, messages) {
  const used = () => processorMs(speaker.pid) + processorMs(listener.pid);
  const [before, began] = [used(), performance.now()];
  const calls = Array.from({ length: messages }, (_, index) =>
    speaker.call(tool, { text: `${index} ${TEXT}` }),
  );
  const results = await Promise.all(calls);
  const ms = performance.now() - began;
  const answers = {};
  for (const { status } of results) answers[status] = (answers[status] ?? 0) + 1;
  return {
    perSecond: (messages * 1e3) / ms,
    /** Of both servers, for one message. */
    processorUs: ((used() - before) * 1e3) / messages,
    answers,
  };
}

/** A message that was answered `queued` may still be on its way. */
async function arrived(count, wanted) {
  const until = performance.now() + ARRIVAL_MS;
  for (;;) {
    const have = await count();
    if (have === wanted) return;
    if (performance.now() > until) throw new Error(`${have} messages of ${wanted} have arrived`);
    await sleep(POLL_MS);
  }
}

async function withClients(program, work) {
  const clients = [lineClient(program), lineClient(program)];
  try {
    for (const client of clients) await client.initialize();
    return await work(...clients);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 3, messages: 5_000 });
  print(await withPrograms((programs) => measureBurst(programs, options)));
}
