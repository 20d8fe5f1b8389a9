/**
 * What strangers cost a host.
 *
 * Processor time of the host per refused attempt, in microseconds: a request for a path that does not exist (404), a
 * WebSocket at the right place with a proof that is none (DENIED), and one of a source that has failed too often (429).
 * The strangers are in a process of their own and come from many source addresses, as 10 failures of one source are
 * allowed at once; only Linux has those on loopback. The floor is the same bytes to and fro on bare node:http and ws.
 *
 * And an exchange of a pair, as in exchange.mjs, while 300 strangers hold on to the host, each coming back a second after
 * it was cut: `silent` ones hold TCP connections with half a request, `knocking` ones WebSockets that never answer the
 * challenge; as many at once as the host lets stay (`openAtTheEnd`). The floor is the same pair without them, in turn.
 *
 *   node bench/strangers.mjs [--samples 5] [--attempts 300]     (rounds, attempts of each kind in a round)
 */
import { exchangeBothWays } from "./exchange.mjs";
import { counts, isMain, pair, print, rounded, sleep, summary, withPrograms, withSides } from "./support.mjs";

const TARGET_RATIO = 2;
const STRANGERS = 300;
const GATHER_MS = 1_500;
const LEAVE_MS = 300;
const EXCHANGES = 50;
const EXCHANGE_PAUSE_MS = 10;
const IN_FLIGHT = 4;

export async function measureStrangers(programs, { samples, attempts }) {
  if (process.platform !== "linux") return { unit: "us", skipped: "no source addresses for the strangers" };
  const refused = await refusals(programs, { samples, attempts });
  const { none, ...held } = await exchanges(programs, samples);
  const worst = Object.values(held).reduce((one, other) => (one.median > other.median ? one : other));
  const ratio = rounded(worst.median / none.median);
  return {
    unit: "ms",
    measured: { what: `exchange while ${STRANGERS} strangers hold on`, ...worst },
    baseline: { what: "exchange without strangers", ...none },
    ratio,
    target: TARGET_RATIO,
    met: ratio <= TARGET_RATIO,
    held,
    cpuUsPerRefusal: refused,
  };
}

function kinds(link) {
  const room = link.replace(/#.*$/, "");
  const { origin } = new URL(link);
  return {
    404: { url: `${origin}/nothing-here`, attack: "fetch", expected: "404" },
    denied: { url: room, attack: "prove", expected: "denied" },
    429: { url: room, bareUrl: "/refused", attack: "insist", expected: "429" },
  };
}

async function refusals({ session, bareDoor, strangers }, { samples, attempts }) {
  return withSides([session, bareDoor, strangers], async (host, bare, attackers) => {
    const { links } = await host.call("open", { members: 1 });
    const { origin } = await bare.call("open");
    const found = {};
    for (const [name, { url, bareUrl = "/", attack, expected }] of Object.entries(kinds(links[0]))) {
      const product = [];
      const floor = [];
      const attempt = { count: attempts, inFlight: IN_FLIGHT };
      for (let round = -1; round < samples; round += 1) {
        const bareCost = await cost(bare, () =>
          attackers.call(attack, { ...attempt, url: origin + bareUrl }),
        );
        const { us, outcomes } = await cost(host, () => attackers.call(attack, { ...attempt, url }));
        if (round < 0) continue;
        // What one source may fail at once is not yet refused before it comes up.
        if (!(outcomes[expected] >= attempts * 0.95))
          throw new Error(`${name} met ${JSON.stringify(outcomes)}`);
        product.push(us);
        floor.push(bareCost.us);
      }
      const [measured, baseline] = [summary(product), summary(floor)];
      found[name] = { measured, baseline, ratio: rounded(measured.median / baseline.median) };
    }
    return found;

    async function cost(side, work) {
      const before = await side.call("usage");
      const outcomes = await work();
      const after = await side.call("usage");
      return { us: ((after.cpuMs - before.cpuMs) * 1e3) / attempts, outcomes };
    }
  });
}

async function exchanges({ server, strangers }, samples) {
  const stops = [];
  try {
    const { host, guest, joinLink } = await pair(server);
    stops.push(host.close, guest.close);
    await host.call("tunnel_listen", { timeoutMs: 0 });
    return await withSides([strangers], async (attackers) => {
      const times = { none: [], silent: [], knocking: [] };
      const sockets = { silent: [], knocking: [] };
      const url = joinLink.replace(/#.*$/, "");
      await timedExchanges(host, guest);
      for (let round = 0; round < samples; round += 1) {
        for (const kind of ["silent", "knocking"]) {
          times.none.push(...(await timedExchanges(host, guest)));
          await attackers.call("hold", { url, kind, count: STRANGERS });
          await sleep(GATHER_MS);
          times[kind].push(...(await timedExchanges(host, guest)));
          sockets[kind].push(await attackers.call("release"));
          await sleep(LEAVE_MS);
        }
      }
      return {
        none: summary(times.none),
        silent: {
          ...summary(times.silent),
          openAtTheEnd: summary(sockets.silent.map(({ open }) => open)).median,
        },
        knocking: {
          ...summary(times.knocking),
          openAtTheEnd: summary(sockets.knocking.map(({ open }) => open)).median,
          opened: summary(sockets.knocking.map(({ opened }) => opened)).median,
        },
      };
    });
  } finally {
    for (const end of stops.reverse()) await end();
  }
}

async function timedExchanges(host, guest) {
  const times = [];
  for (let sample = 0; sample < EXCHANGES; sample += 1) {
    const began = performance.now();
    await exchangeBothWays(host, guest);
    times.push(performance.now() - began);
    await sleep(EXCHANGE_PAUSE_MS);
  }
  return times;
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 5, attempts: 300 });
  print(await withPrograms((programs) => measureStrangers(programs, options)));
}
