/**
 * A service of a member through the room, on loopback: two server processes driven by MCP clients, the service in a process of its own.
 *
 *   - MiB/s of one TCP connection, in turn with a file of as many bytes through the same kind of room, both ways, and with the service itself;
 *   - ms that it adds to a round trip of 64 bytes, in turn with the service itself;
 *   - how far the memory of either server grows while `--gib` GiB go through;
 *   - messages beside 1,000 connections at once, and beside 300 that never read, in turn with none.
 *
 *   node bench/services.mjs [--rounds 5] [--mib 256] [--gib 1] [--trips 2000]
 */
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import {
  costOf,
  DIRECTIONS,
  foldersIn,
  makeSource,
  MIB,
  placeFor,
  receive,
  share,
  withRoom,
} from "./files-room.mjs";
import {
  counts,
  isMain,
  print,
  rounded,
  SERVER_ENV,
  summary,
  withFolder,
  withPrograms,
  withSides,
} from "./support.mjs";

const TARGETS = { shareOfFile: 0.5, addedMs: 1, growthMB: 40, chatTimes: 3 };
const TRIPS_IN_A_ROW = 200;
const WARM_UP = 200;
const WORDS = 40;
const AT_ONCE = 1_000;
const NEVER_READ = 300;
// Nobody is there to be asked.
SERVER_ENV.TUNNEL_UNATTENDED = "1";

/** Offers a TCP service, and returns where the taker reaches it. */
async function taken(owner, taker, target, more = {}) {
  const { serviceId } = await owner.call("tunnel_share", { service: { target, kind: "tcp" }, ...more });
  for (;;) {
    const { messages } = await taker.call("tunnel_listen", { timeoutMs: 10_000 });
    if (messages.length === 0) throw new Error("nobody heard of the service");
    if (messages.some((message) => message.serviceId === serviceId)) break;
  }
  return taker.call("tunnel_connect", { serviceId });
}

async function dialled(port) {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

/** So many bytes from the source behind a port; ms. */
async function download(port, bytes) {
  const socket = await dialled(port);
  const asked = Buffer.alloc(8);
  asked.writeDoubleBE(bytes);
  const began = performance.now();
  socket.end(asked);
  let came = 0;
  for await (const chunk of socket) came += chunk.length;
  if (came !== bytes) throw new Error(`${came} of ${bytes} bytes came`);
  return performance.now() - began;
}

/** The times of so many round trips on one connection, in ms. */
async function roundTrips(socket, count) {
  const times = [];
  const word = Buffer.alloc(64, "x");
  for (let turn = 0; turn < count; turn += 1) {
    const began = performance.now();
    const answer = once(socket, "data");
    socket.write(word);
    await answer;
    times.push(performance.now() - began);
  }
  return times;
}

const mibPerSecond = (bytes, ms) => bytes / MIB / (ms / 1e3);

async function speed(programs, folders, { rounds, bytes }, direction, sourcePort) {
  const { room, roles } = direction;
  return withRoom(programs, room(folders), async (host, guest) => {
    const { sender, receiver } = roles(host, guest);
    const { port } = await taken(sender, receiver, sourcePort);
    const found = { service: [], file: [], direct: [] };
    const target = path.join(folders.receiver, "received.bin");
    for (let round = 0; round < rounds; round += 1) {
      found.service.push(mibPerSecond(bytes, await download(port, bytes)));
      const offered = await share(sender, receiver, { path: folders.source });
      const { ms } = await costOf({}, () => receive(receiver, offered, target));
      await rm(target);
      found.file.push(mibPerSecond(bytes, ms));
      found.direct.push(mibPerSecond(bytes, await download(sourcePort, bytes)));
    }
    const [service, file, direct] = [found.service, found.file, found.direct].map(summary);
    const ratio = rounded(service.median / file.median);
    return {
      title: direction.title,
      unit: "MiB/s",
      service,
      file,
      direct,
      ratio,
      target: TARGETS.shareOfFile,
      met: ratio >= TARGETS.shareOfFile,
    };
  });
}

async function latency(programs, folders, { trips }, direction, echoPort) {
  return withRoom(programs, direction.room(folders), async (host, guest) => {
    const { sender, receiver } = direction.roles(host, guest);
    const { port } = await taken(sender, receiver, echoPort);
    const [through, direct] = [await dialled(port), await dialled(echoPort)];
    await roundTrips(through, WARM_UP);
    await roundTrips(direct, WARM_UP);
    const times = { through: [], direct: [] };
    for (let left = trips; left > 0; left -= TRIPS_IN_A_ROW) {
      times.through.push(...(await roundTrips(through, TRIPS_IN_A_ROW)));
      times.direct.push(...(await roundTrips(direct, TRIPS_IN_A_ROW)));
    }
    through.destroy();
    direct.destroy();
    const [measured, floor] = [summary(times.through), summary(times.direct)];
    const added = rounded(measured.median - floor.median);
    return {
      title: direction.title,
      unit: "ms",
      measured,
      floor,
      added,
      target: TARGETS.addedMs,
      met: added <= TARGETS.addedMs,
    };
  });
}

async function growth(programs, folders, gib, direction, sourcePort) {
  return withRoom(programs, direction.room(folders), async (host, guest) => {
    const { sender, receiver } = direction.roles(host, guest);
    const { port } = await taken(sender, receiver, sourcePort);
    await download(port, 64 * MIB);
    const bytes = gib * 1024 * MIB;
    const cost = await costOf({ owner: sender.pid, taker: receiver.pid }, () => download(port, bytes));
    const worst = cost.growthMB && rounded(Math.max(...Object.values(cost.growthMB)));
    return {
      title: direction.title,
      unit: "MB",
      bytes,
      rate: rounded(mibPerSecond(bytes, cost.ms)),
      ...cost,
      worst,
      target: TARGETS.growthMB,
      met: worst === undefined || worst <= TARGETS.growthMB,
    };
  });
}

/** How long words of the host take until the guest's process has them. */
async function words(host, guest) {
  const times = [];
  for (let turn = 0; turn < WORDS; turn += 1) {
    const began = performance.now();
    await host.call("tunnel_say", { text: `the handler is in api/orders.ts; ${turn}` });
    times.push(performance.now() - began);
  }
  await guest.call("tunnel_listen", { timeoutMs: 0 });
  return times;
}

async function chat(programs, folders, ports, clients) {
  return withRoom(programs, DIRECTIONS.hostToGuest.room(folders), async (host, guest) => {
    const found = { alone: [], many: [], stalled: [] };
    const echo = await taken(host, guest, ports.echo);
    const endless = await taken(host, guest, ports.endless);
    await words(host, guest);
    for (let round = 0; round < 3; round += 1) found.alone.push(...(await words(host, guest)));
    const served = clients.call("many", { port: echo.port, count: AT_ONCE });
    const over = served.then(() => "over");
    do found.many.push(...(await words(host, guest)));
    while ((await Promise.race([over, Promise.resolve("goes on")])) !== "over");
    const cost = await costOf({ owner: host.pid, taker: guest.pid }, async () => {
      await clients.call("hold", { port: endless.port, count: NEVER_READ });
      for (let round = 0; round < 3; round += 1) found.stalled.push(...(await words(host, guest)));
    });
    await clients.call("letGo");
    const [alone, many, stalled] = [found.alone, found.many, found.stalled].map(summary);
    const times = rounded(Math.max(many.p95, stalled.p95) / alone.p95);
    const { growthMB } = cost;
    const target = TARGETS.chatTimes;
    return { unit: "ms", alone, many, stalled, growthMB, times, target, met: times <= target };
  });
}

export async function measureServices({ server, services }, { rounds, mib, gib, trips }) {
  const bytes = mib * MIB;
  const { parent, what } = await placeFor(bytes);
  return withFolder(parent, async (folder) => {
    const folders = foldersIn(folder);
    for (const one of [folders.sender, folders.receiver, folders.between]) await mkdir(one);
    await makeSource(folders.source, bytes);
    return withSides([services, services], async (side, clients) => {
      const ports = {
        echo: await side.call("echo"),
        source: await side.call("source"),
        endless: await side.call("endless"),
      };
      const result = { storage: what, speed: {}, latency: {}, growth: {} };
      for (const [name, direction] of Object.entries(DIRECTIONS)) {
        result.speed[name] = await speed({ server }, folders, { rounds, bytes }, direction, ports.source);
        result.latency[name] = await latency({ server }, folders, { trips }, direction, ports.echo);
        result.growth[name] = await growth({ server }, folders, gib, direction, ports.source);
      }
      result.chat = await chat({ server }, folders, ports, clients);
      return result;
    });
  });
}

if (isMain(import.meta.url)) {
  const options = counts({ rounds: 5, mib: 256, gib: 1, trips: 2_000 });
  print(await withPrograms((programs) => measureServices(programs, options)));
}
