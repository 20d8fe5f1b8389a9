/**
 * What the outbound filter costs an exchange both ways: two pairs of servers, one of the program as it is and one of a build
 * without the filter, take turns with the exchange of exchange.mjs. One run of a pair is ten exchanges in a row.
 *
 *   node bench/filter-exchange.mjs [--pairs 60]
 */
import { exchangeBothWays } from "./exchange.mjs";
import { isAtMost, measurePairs } from "./pairs.mjs";
import { counts, isMain, pair, print, withoutFilter, withPrograms } from "./support.mjs";

const TARGET_RATIO = 1.1;
/** The engine optimises what both do in the first some hundred exchanges. */
const WARM_UP = 40;
const IN_A_RUN = 10;
/** A ratio so near to one needs more pairs than the other benchmarks. */
export const FILTER_PAIRS = 60;

export async function measureFilterExchange({ server }, { pairs }) {
  return await withoutFilter(async (bare) => {
    const stops = [];
    try {
      const rooms = [];
      for (const program of [server, bare]) {
        const { host, guest } = await pair(program);
        stops.push(host.close, guest.close);
        // Who joined is news, too: read it, so that a listen returns the message it is meant for.
        await host.call("tunnel_listen", { timeoutMs: 5_000 });
        rooms.push(() => msOf(host, guest));
      }
      const [measured, floor] = rooms;
      const found = await measurePairs({ measured, floor, pairs, warmUp: WARM_UP });
      return {
        unit: "ms",
        measured: found.measured,
        baseline: { what: "the same build without the filter", ...found.floor },
        ratio: found.ratio,
        target: TARGET_RATIO,
        met: isAtMost(found.ratio, TARGET_RATIO),
      };
    } finally {
      for (const end of stops.reverse()) await end();
    }
  });
}

/** What one exchange of a run takes. */
async function msOf(host, guest) {
  const began = performance.now();
  for (let index = 0; index < IN_A_RUN; index += 1) await exchangeBothWays(host, guest);
  return (performance.now() - began) / IN_A_RUN;
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: FILTER_PAIRS });
  print(await withPrograms((programs) => measureFilterExchange(programs, options)));
}
