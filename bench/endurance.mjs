/**
 * Resident memory of host and guest after 5,000 messages and after many more, in MB of 10^6 bytes, on the session level.
 * A log keeps 5,000 entries, so that it is full at the first reading and nothing may be kept in addition after it. Read
 * right after the last message of a stage was heard, without forcing a collection, and once more when both have settled;
 * and the peak. V8 collects when it likes, so that its heap grows for some thousand messages more: the target is for what
 * comes after 20,000. What is `live` after a forced collection is read last, and must not grow at all, but for the 512
 * entries that a log may have in excess.
 *
 * The baseline is the same number of messages over bare WebSockets, which keep nothing: what grows there is V8's own.
 *
 *   node bench/endurance.mjs [--messages 100000]
 */
import { join } from "./throughput.mjs";
import { counts, isMain, print, rounded, sleep, withPrograms, withSides } from "./support.mjs";

const TARGET_GROWTH_MB = 10;
const TARGET_LIVE_GROWTH_MB = 1;
/** A log is full … */
const FULL = 5_000;
/** … and V8 has come to the heap that it likes for it: what it takes later is growth. */
const WARM = 20_000;
const STAGES = [FULL, WARM, 50_000, 100_000];
const BYTES = 200;
const PORTION = 500;
const SETTLE_MS = 3_000;

export async function measureEndurance({ session, raw }, { messages }) {
  const stages = [...STAGES.filter((stage) => stage < messages), messages];
  const full = await endure(session, [FULL]);
  const product = await endure(session, stages);
  const bare = await endure(raw, stages);
  return {
    unit: "MB",
    measured: { what: "growth of the host from 20,000 messages to the last", ...product.host },
    guest: product.guest,
    /** After a forced collection, in processes of their own: what is really kept. */
    live: {
      [FULL]: { host: full.host.live, guest: full.guest.live },
      [messages]: { host: product.host.live, guest: product.guest.live },
    },
    baseline: { what: "bare ws, host and guest", host: bare.host, guest: bare.guest },
    target: TARGET_GROWTH_MB,
    targetLive: TARGET_LIVE_GROWTH_MB,
    met: ["host", "guest"].every(
      (side) =>
        product[side].growth <= TARGET_GROWTH_MB &&
        product[side].live - full[side].live <= TARGET_LIVE_GROWTH_MB,
    ),
  };
}

async function endure(program, stages) {
  return withSides([program, program], async (host, guest) => {
    await join(host, guest);
    const found = { host: { after: {} }, guest: { after: {} } };
    const read = async (record) => {
      for (const [name, side] of Object.entries({ host, guest }))
        record(found[name], await side.call("usage"));
    };
    await read((one, { residentMB }) => (one.before = rounded(residentMB)));
    let said = 0;
    for (const stage of stages) {
      await converse(host, guest, stage - said);
      said = stage;
      await read((one, { residentMB }) => (one.after[stage] = rounded(residentMB)));
      if (stage !== stages[0] && stage !== stages.at(-1)) continue;
      await sleep(SETTLE_MS);
      await read((one, { residentMB }) => {
        if (stage === stages[0]) one.settledFirst = rounded(residentMB);
        if (stage === stages.at(-1)) one.settledLast = rounded(residentMB);
      });
    }
    await read((one, { peakMB }) => (one.peak = rounded(peakMB)));
    const warm = stages.find((stage) => stage >= WARM);
    for (const [name, side] of Object.entries({ host, guest })) {
      const one = found[name];
      one.growth = rounded(one.settledLast - (one.after[warm] ?? one.settledFirst));
      one.live = rounded((await side.call("live")).liveMB);
    }
    return found;
  });
}

/** In portions, so that what grows is not the outbox of a host that runs ahead of its guest. */
async function converse(host, guest, count) {
  for (let left = count; left > 0; left -= PORTION) {
    const portion = { count: Math.min(left, PORTION), bytes: BYTES };
    await Promise.all([guest.call("hear", portion), host.call("say", portion)]);
  }
}

if (isMain(import.meta.url)) {
  const options = counts({ messages: 100_000 });
  print(await withPrograms((programs) => measureEndurance(programs, options)));
}
