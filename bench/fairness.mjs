/**
 * Messages beside two hostile members, on the session level: a host, three honest guests in two processes, and two seats that do the
 * same in a third. One of the honest guests, the victim, offers a file; it and the host talk ten times a second each. The time is that
 * from saying to hearing, over all honest deliveries: 95th percentile, for each strategy beside the same seats doing nothing right
 * before it. Four processes share the cores of this machine, so what the hostile ones use of them counts, too: it is measured as in
 * the worst case, in which all have one machine.
 *
 *   node bench/fairness.mjs [--fairness 3]     (rounds)
 */
import { counts, isMain, print, rounded, sleep, summary, withPrograms, withSides } from "./support.mjs";

const STRATEGIES = ["openAndStop", "stopAtAnswer", "takes", "talks", "talksAtLength"];
const PACE = { count: 30, everyMs: 100, bytes: 200 };
const FILE_BYTES = 64 * 2 ** 20;
const SETTLE_MS = 500;
const TARGET_RATIO = 3;

export async function measureFairness({ session, hostile }, { rounds }) {
  return withSides([session, session, session, hostile], async (host, victim, others, attackers) => {
    const { links } = await host.call("open", { members: 3 + 2 * STRATEGIES.length });
    await victim.call("join", { links: links.slice(0, 1) });
    await others.call("join", { links: links.slice(1, 3) });
    await sleep(SETTLE_MS);
    const room = { host, victim, others };
    await delays(room);
    const strategies = {};
    for (const [at, strategy] of STRATEGIES.entries()) {
      await attackers.call("join", { links: links.slice(3 + 2 * at, 5 + 2 * at) });
      await victim.call("offer", { bytes: FILE_BYTES });
      await attackers.call("offered");
      const found = { calm: [], beside: [], acts: 0 };
      for (let round = 0; round < rounds; round += 1) {
        found.calm.push(...(await delays(room)));
        await attackers.call("begin", { strategies: [strategy, strategy] });
        found.beside.push(...(await delays(room)));
        found.acts += (await attackers.call("acts")).reduce((sum, acts) => sum + acts, 0);
        await attackers.call("begin", { strategies: [] });
        await sleep(SETTLE_MS);
      }
      await attackers.call("leave");
      const [calm, beside] = [summary(found.calm), summary(found.beside)];
      strategies[strategy] = { calm, beside, acts: found.acts, ratio: rounded(beside.p95 / calm.p95) };
    }
    const worst = Object.values(strategies).reduce((one, other) => (other.ratio > one.ratio ? other : one));
    return {
      unit: "ms",
      measured: { what: "95th percentile beside two hostile members, worst strategy", ...worst.beside },
      baseline: { what: "the same room while they do nothing", ...worst.calm },
      strategies,
      ratio: worst.ratio,
      target: TARGET_RATIO,
      met: worst.ratio <= TARGET_RATIO,
    };
  });
}

/** Of what host and victim say to those who do nothing but listen: stamped messages alone count. */
async function delays({ host, victim, others }) {
  await others.call("forget");
  await Promise.all([host.call("pace", PACE), victim.call("pace", PACE)]);
  await sleep(SETTLE_MS);
  return (await others.call("delays")).delays;
}

if (isMain(import.meta.url)) {
  const { fairness } = counts({ fairness: 3 });
  print(await withPrograms((programs) => measureFairness(programs, { rounds: fairness })));
}
