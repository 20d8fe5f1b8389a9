/**
 * What a second node costs, on three servers of NATS and nodes in processes of their own:
 *
 *   - the round trip, the request and the throughput of a guest who comes in at another node than the host, against one who comes
 *     in at the host's own node, in turn;
 *   - claims a second, at the register itself and as hosts that register, against a single relay without a cluster in turn;
 *   - ms until a guest is served again after the host's node was killed.
 *
 *   node bench/cluster.mjs [--pairs 30] [--claims 2000] [--rooms 500] [--kills 10]
 *
 * It needs the program nats-server (Debian: apt-get install nats-server).
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { isAtLeast, isAtMost, LEAST_PAIRS, measurePairs, spread } from "./pairs.mjs";
import { end, startRelay } from "./relays.mjs";
import { counts, isMain, print, withFolder, withPrograms, withSides } from "./support.mjs";

const TARGETS = { timeRatio: 1.3, throughputRatio: 0.7, failoverMs: 3_000 };
const ids = (first, count) => Array.from({ length: count }, (_, at) => id(first + at));
const id = (number) => `${"c".repeat(14)}${String(number).padStart(8, "0")}`;
const sleep = (ms) => new Promise((resolve) => void setTimeout(resolve, ms));

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => void server.close(resolve))));
  return ports;
}

/** Three servers with JetStream on their disks. */
async function withEngine(work) {
  if (spawnSync("nats-server", ["--version"]).error !== undefined)
    throw new Error("nats-server is missing (Debian: apt-get install nats-server)");
  return await withFolder(tmpdir(), async (folder) => {
    const ports = await freePorts(6);
    const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`);
    const children = ports.slice(0, 3).map((port, at) => {
      const own = ["-js", "-a", "127.0.0.1", "-p", port, "-n", `s${at}`, "-sd", path.join(folder, `s${at}`)];
      const joined = ["--cluster_name", "bench", "--cluster", routes[at], "--routes", routes.join(",")];
      return spawn("nats-server", [...own, ...joined].map(String), { stdio: "ignore" });
    });
    try {
      return await work(
        ports
          .slice(0, 3)
          .map((port) => `nats://127.0.0.1:${port}`)
          .join(","),
      );
    } finally {
      await Promise.all(children.map(end));
    }
  });
}

async function withRelays(server, clusters, work) {
  const relays = [];
  try {
    for (const cluster of clusters) relays.push(await startRelay(server, cluster));
    return await work(...relays);
  } finally {
    await Promise.all(relays.map(({ child }) => end(child)));
  }
}

/** The same room or service, at the node of its host and at another one. */
async function measureSecond({ server, relay: program }, cluster, pairs) {
  return await withRelays(server, [cluster, cluster], (first, second) =>
    withSides([program, program], async (host, guest) => {
      const { relayed } = await host.call("room", { relay: first.url, id: id(0) });
      const at = { first: relayed, second: relayed.replace(`:${first.port}/`, `:${second.port}/`) };
      const { host: name } = await host.call("service", { relay: first.url });
      const visit = (which) => ({ port: which === "second" ? second.port : first.port, host: name });
      const inTurn = (run, most) =>
        measurePairs({ measured: () => run("second"), floor: () => run("first"), pairs: most, warmUp: 1 });
      const roundTrip = (bytes, count) => (which) =>
        guest.call("roundTrips", { url: at[which], bytes, count });
      const flood = (guests) => (which) => guest.call("flood", { url: at[which], guests, ms: 1_000 });
      const few = Math.max(6, Math.ceil(pairs / 3));
      return {
        roundTrip1K: timed(await inTurn(roundTrip(1_024, 300), pairs)),
        roundTrip64K: timed(await inTurn(roundTrip(65_536, 60), pairs)),
        request: timed(
          await inTurn((which) => guest.call("requests", { ...visit(which), count: 300 }), pairs),
        ),
        oneGuest: carried(await inTurn(flood(1), few)),
        eightGuests: carried(await inTurn(flood(8), few)),
        downloads: carried(
          await inTurn((which) => guest.call("downloads", { ...visit(which), bytes: 32 * 2 ** 20 }), few),
        ),
      };
    }),
  );
}

const timed = (found) => ({
  unit: "ms",
  ...found,
  target: TARGETS.timeRatio,
  met: isAtMost(found.ratio, TARGETS.timeRatio),
});
const carried = (found) => ({
  unit: "MiB/s",
  ...found,
  target: TARGETS.throughputRatio,
  met: isAtLeast(found.ratio, TARGETS.throughputRatio),
});

/** Hosts that register, at a node of a cluster and at a relay by itself. */
async function measureRegistrations({ server, relay: program }, cluster, rooms) {
  return await withRelays(server, [cluster, undefined], (node, single) =>
    withSides([program], async (hosts) => {
      let first = 1_000;
      const run = async ({ url }) => {
        const began = performance.now();
        await hosts.call("silentRooms", { relay: url, ids: ids(first, rooms) });
        first += rooms;
        return rooms / ((performance.now() - began) / 1_000);
      };
      const found = await measurePairs({
        measured: () => run(node),
        floor: () => run(single),
        pairs: 6,
        warmUp: 1,
      });
      return { unit: "rooms/s", ...found };
    }),
  );
}

/** Claims at the register itself: one after the other, and 64 at once. */
async function measureClaims({ cluster: program }, cluster, claims) {
  return await withSides([program], async (register) => {
    await register.call("open", { cluster });
    const rates = { oneByOne: [], atOnce: [] };
    for (let round = 0; round < 5; round += 1) {
      rates.oneByOne.push(await register.call("claims", { count: Math.ceil(claims / 10), atOnce: 1 }));
      rates.atOnce.push(await register.call("claims", { count: claims, atOnce: 64 }));
    }
    return { unit: "claims/s", oneByOne: spread(rates.oneByOne), atOnce: spread(rates.atOnce) };
  });
}

/** One address for some nodes: each connection goes to the next one that takes it. */
async function balancer(ports) {
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    turn += 1;
    const attempt = (tried) => {
      if (tried === ports().length) return void socket.destroy();
      const on = connect({ port: ports()[(turn + tried) % ports().length], host: "127.0.0.1" });
      on.once("error", () => attempt(tried + 1)).once("connect", () => {
        on.removeAllListeners("error").on("error", () => socket.destroy());
        socket.once("close", () => on.destroy());
        on.once("close", () => socket.destroy());
        socket.pipe(on).pipe(socket);
      });
    };
    attempt(0);
  });
  await new Promise((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** The host's node is killed: ms until a guest has its answer by another node. */
async function measureFailover({ server, relay: program }, cluster, kills) {
  const nodes = [await startRelay(server, cluster), await startRelay(server, cluster)];
  const front = await balancer(() => nodes.map(({ port }) => port));
  try {
    return await withSides([program, program], async (host, guest) => {
      const times = [];
      const relay = `http://127.0.0.1:${front.address().port}`;
      await host.call("room", { relay, id: id(900_000) });
      const isServed = (port) =>
        guest
          .call("roundTrips", { url: `ws://127.0.0.1:${port}/t/${id(900_000)}`, bytes: 10, count: 1 })
          .then(() => true)
          .catch(() => false);
      for (let kill = 0; kill < kills; kill += 1) {
        // Whichever has it: half of the kills hit the host's own node, and those count.
        const [gone, left] = nodes;
        while (!(await isServed(left.port))) await sleep(50);
        const began = performance.now();
        await end(gone.child);
        while (!(await isServed(left.port))) await sleep(20);
        times.push(performance.now() - began);
        nodes.splice(0, 1);
        nodes.push(await startRelay(server, cluster));
        await sleep(1_500);
      }
      const found = spread(times);
      return { unit: "ms", ...found, target: TARGETS.failoverMs, met: found.max <= TARGETS.failoverMs };
    });
  } finally {
    front.close();
    await Promise.all(nodes.map(({ child }) => end(child)));
  }
}

export async function measureCluster(programs, { pairs, claims, rooms, kills }) {
  return await withEngine(async (cluster) => ({
    second: await measureSecond(programs, cluster, pairs),
    claims: await measureClaims(programs, cluster, claims),
    registrations: await measureRegistrations(programs, cluster, rooms),
    failover: await measureFailover(programs, cluster, kills),
  }));
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, claims: 2_000, rooms: 500, kills: 10 });
  print(await withPrograms((programs) => measureCluster(programs, options)));
}
