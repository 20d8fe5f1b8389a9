/**
 * What a relay of our own costs between a host and its guests or visitors, each in a process of its own, against the same room and
 * service dialled directly in the same run:
 *
 *   - ms that it adds to a round trip of 1 KB and of 64 KB, and to a request;
 *   - MiB/s of a room with 1 and with 8 guests, and of downloads;
 *   - KiB of its memory for each idle guest and each room, up to 10,000 of them.
 *
 *   node bench/relay.mjs [--pairs 30] [--idle 10000] [--rooms 10000]
 */
import { readFileSync } from "node:fs";
import { interval, isAtMost, LEAST_PAIRS, measurePairs } from "./pairs.mjs";
import { end, startRelay } from "./relays.mjs";
import { counts, isMain, print, processorMs, rounded, withPrograms, withSides } from "./support.mjs";

const TARGETS = { addedMs: 0.3, requestMs: 0.5, roomMiB: 150, httpMiB: 80, guestKiB: 16 };
const id = (number) => `${"b".repeat(14)}${String(number).padStart(8, "0")}`;

async function withRelay(server, work) {
  const { child, url } = await startRelay(server);
  try {
    return await work({ url, pid: child.pid });
  } finally {
    await end(child);
  }
}

const residentKiB = (pid) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

async function added(pairs, run) {
  const differences = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const order = pair % 2 === 0 ? ["relayed", "direct"] : ["direct", "relayed"];
    const found = {};
    for (const which of order) found[which] = await run(which);
    differences.push(found.relayed - found.direct);
  }
  return interval(differences);
}

export async function measureRelay({ server, relay: program }, { pairs, idle, rooms }) {
  const quick = await withRelay(server, ({ url }) =>
    withSides([program, program], async (host, guest) => {
      const relay = { relay: url };
      const room = await host.call("room", { ...relay, id: id(0) });
      const roundTrip = (bytes, count) => (which) =>
        guest.call("roundTrips", { url: room[which], bytes, count });
      const flood = (guests) =>
        measurePairs({
          measured: () => guest.call("flood", { url: room.relayed, guests, ms: 1_000 }),
          floor: () => guest.call("flood", { url: room.direct, guests, ms: 1_000 }),
          pairs: 5,
          warmUp: 1,
        });
      const { port, host: name } = await host.call("service", relay);
      const at = { direct: { port, host: name }, relayed: { port: Number(new URL(url).port), host: name } };
      const bytes = 64 * 2 ** 20;
      return {
        roundTrip1K: await added(pairs, roundTrip(1_024, 300)),
        roundTrip64K: await added(pairs, roundTrip(65_536, 60)),
        oneGuest: await flood(1),
        eightGuests: await flood(8),
        request: await added(pairs, (which) => guest.call("requests", { ...at[which], count: 300 })),
        downloads: await measurePairs({
          measured: () => guest.call("downloads", { ...at.relayed, bytes }),
          floor: () => guest.call("downloads", { ...at.direct, bytes }),
          pairs: 5,
          warmUp: 1,
        }),
      };
    }),
  );
  return {
    roundTrip1K: {
      unit: "ms",
      added: quick.roundTrip1K,
      target: TARGETS.addedMs,
      met: isAtMost(quick.roundTrip1K, TARGETS.addedMs),
    },
    roundTrip64K: { unit: "ms", added: quick.roundTrip64K },
    oneGuest: { unit: "MiB/s", ...quick.oneGuest },
    eightGuests: {
      unit: "MiB/s",
      ...quick.eightGuests,
      target: TARGETS.roomMiB,
      met: quick.eightGuests.measured.median >= TARGETS.roomMiB,
    },
    request: {
      unit: "ms",
      added: quick.request,
      target: TARGETS.requestMs,
      met: isAtMost(quick.request, TARGETS.requestMs),
    },
    downloads: {
      unit: "MiB/s",
      ...quick.downloads,
      target: TARGETS.httpMiB,
      met: quick.downloads.measured.median >= TARGETS.httpMiB,
    },
    guests: await measureGuests(server, program, idle),
    rooms: await measureRooms(server, program, rooms),
  };
}

/** Several hosts and several processes of guests, since each process has its own descriptors. */
export async function measureGuests(server, program, idle) {
  const parts = 4;
  return await withRelay(server, ({ url, pid }) =>
    withSides(
      Array.from({ length: 2 * parts }, () => program),
      async (...sides) => {
        const port = Number(new URL(url).port);
        const [hosts, guests] = [sides.slice(0, parts), sides.slice(parts)];
        // Rooms for a thousand each: no host takes more visitors.
        const roomsEach = Math.ceil(idle / parts / 1_000);
        const ids = hosts.map((_, at) => Array.from({ length: roomsEach }, (_, room) => id(at * 100 + room)));
        await Promise.all(hosts.map((host, at) => host.call("silentRooms", { relay: url, ids: ids[at] })));
        const before = residentKiB(pid);
        const began = processorMs(pid);
        const count = Math.floor(idle / parts / roomsEach);
        await Promise.all(
          guests.map(async (guest, at) => {
            for (const one of ids[at]) await guest.call("join", { port, id: one, count });
          }),
        );
        const guestCount = count * roomsEach * parts;
        return {
          unit: "KiB each",
          guests: guestCount,
          measured: rounded((residentKiB(pid) - before) / guestCount),
          joinCpuMs: rounded((processorMs(pid) - began) / guestCount),
          target: TARGETS.guestKiB,
          met: (residentKiB(pid) - before) / guestCount <= TARGETS.guestKiB,
        };
      },
    ),
  );
}

async function measureRooms(server, program, most) {
  const found = {};
  for (const count of [1, 100, 1_000, 10_000].filter((one) => one <= most)) {
    found[count] = await withRelay(server, ({ url, pid }) =>
      withSides([program, program], async (...hosts) => {
        const before = residentKiB(pid);
        const began = processorMs(pid);
        const ids = Array.from({ length: count }, (_, at) => id(at));
        const half = Math.ceil(count / 2);
        await Promise.all(
          hosts.map((host, at) =>
            host.call("silentRooms", { relay: url, ids: ids.slice(at * half, (at + 1) * half) }),
          ),
        );
        return {
          kibEach: rounded((residentKiB(pid) - before) / count),
          registerCpuMs: rounded((processorMs(pid) - began) / count),
        };
      }),
    );
  }
  return { unit: "KiB each, ms of processor each", ...found };
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, idle: 10_000, rooms: 10_000 });
  print(await withPrograms((programs) => measureRelay(programs, options)));
}
