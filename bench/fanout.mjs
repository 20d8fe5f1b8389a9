/**
 * Rooms of 2, 8, 32 and 64, the host included, on the session level: one process for the host, and the members spread
 * over three more, all on this machine. For each size:
 *
 *   - messages per second that reach everybody, while the host says a number of them as fast as it can, and the host's
 *     own processor time per delivery, which is what bounds a room whose members have machines of their own;
 *   - the time from saying to hearing, over all deliveries, at 20 messages per second: median and 95th percentile;
 *   - the host's resident memory per member, from a room of 2 to this one, before anything was said.
 *
 * Members tell how far they have read after everything that they hear, which the host passes on to all (G6); in
 * `silentReaders` they do not. The baseline is a broadcast of as many bytes to as many sockets by a bare WebSocket server.
 *
 *   node bench/fanout.mjs [--deliveries 12000]     (for each room; the larger it is, the fewer messages)
 */
import { counts, isMain, print, rounded, sleep, summary, withPrograms, withSides } from "./support.mjs";

const ROOMS = [2, 8, 32, 64];
const MEMBER_PROCESSES = 3;
const BYTES = 200;
const PACE = { count: 60, everyMs: 50, bytes: BYTES };
const SETTLE_MS = 1_000;
const TARGET_P95_MS = 250;

export async function measureFanout({ session, raw }, { deliveries }) {
  const rooms = {};
  for (const size of ROOMS) {
    const baseline = await measureRoom(raw, size, deliveries);
    rooms[size] = { ...(await measureRoom(session, size, deliveries)), baseline };
    if (size === ROOMS.at(-1)) {
      const { perSecond, hostCpuUs, delivery } = await measureRoom(session, size, deliveries, {
        reads: false,
      });
      rooms[size].silentReaders = { perSecond, hostCpuUs, delivery };
    }
  }
  for (const room of [...Object.values(rooms), ...Object.values(rooms).map(({ baseline }) => baseline)]) {
    room.hostMB = rounded(room.hostMB);
  }
  const perMember = (key) => memoryPerMember(ROOMS.map((size) => [size, key(rooms[size])]));
  const largest = rooms[ROOMS.at(-1)];
  return {
    unit: "ms",
    measured: { what: `95th percentile of delivery in a room of ${ROOMS.at(-1)}`, ...largest.delivery },
    baseline: { what: "bare ws broadcast of as many bytes", ...largest.baseline.delivery },
    hostMBPerMember: perMember((room) => room.hostMB),
    baselineMBPerMember: perMember((room) => room.baseline.hostMB),
    rooms,
    target: TARGET_P95_MS,
    met: largest.delivery.p95 <= TARGET_P95_MS,
  };
}

/** From the smallest room to the largest. */
function memoryPerMember(sizes) {
  const [[fewest, least], [most, largest]] = [sizes[0], sizes.at(-1)];
  return rounded((largest - least) / (most - fewest));
}

async function measureRoom(program, size, deliveries, options = {}) {
  const messages = Math.ceil(deliveries / (size - 1));
  const processes = Math.min(MEMBER_PROCESSES, size - 1);
  return withSides(
    [program, ...Array.from({ length: processes }, () => program)],
    async (host, ...listeners) => {
      const { links } = await host.call("open", { members: size - 1, ...options });
      // Each process joins its members one by one: only a few of one address may wait at the door.
      await Promise.all(
        listeners.map((side, at) =>
          side.call("join", { links: links.filter((_, index) => index % processes === at), ...options }),
        ),
      );
      await sleep(SETTLE_MS);
      const { residentMB: hostMB } = await host.call("usage");
      await sayToAll(host, listeners, Math.ceil(messages / 2));
      const began = await host.call("usage");
      const perSecond = await sayToAll(host, listeners, messages);
      const ended = await host.call("usage");
      await sleep(SETTLE_MS);
      const delays = await pacedToAll(host, listeners);
      return {
        perSecond: rounded(perSecond),
        deliveriesPerSecond: rounded(perSecond * (size - 1)),
        hostCpuUs: rounded(((ended.cpuMs - began.cpuMs) * 1e3) / messages / (size - 1)),
        delivery: summary(delays),
        hostMB,
        alarms: (await host.call("state")).flatMap(({ alarms }) => alarms),
      };
    },
  );
}

async function sayToAll(host, listeners, count) {
  const heard = Promise.all(listeners.map((side) => side.call("hear", { count })));
  const { began } = await host.call("say", { count, bytes: BYTES });
  const last = Math.max(...(await heard).map(({ at }) => at));
  return (count * 1e3) / (last - began);
}

async function pacedToAll(host, listeners) {
  const heard = Promise.all(listeners.map((side) => side.call("hear", { count: PACE.count })));
  await host.call("pace", PACE);
  return (await heard).flatMap(({ delays }) => delays);
}

if (isMain(import.meta.url)) {
  const options = counts({ deliveries: 12_000 });
  print(await withPrograms((programs) => measureFanout(programs, options)));
}
