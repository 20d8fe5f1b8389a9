/**
 * What our gateway costs between a visitor and a local service, against the service itself in the same run, each in a process of its
 * own; and two bare proxies beside it, which keep none of its rules: one on node:http, one on undici's dispatch.
 *
 *   - ms that it adds to a request, one after the other on one connection;
 *   - requests per second on 32 connections;
 *   - MB/s of one download and of one upload, and how far its memory grows over them;
 *   - how far it grows with visitors that are idle, and with visitors that take a long body slowly.
 *
 *   node bench/gateway.mjs [--pairs 30] [--streams 6] [--mib 1024]
 */
import { connect } from "node:net";
import { isAtLeast, isAtMost, interval, LEAST_PAIRS, measurePairs } from "./pairs.mjs";
import { counts, isMain, print, rounded, withPrograms, withSides } from "./support.mjs";

const HOST = "bench.example";
const WARM_UP = 3;
const IN_A_RUN = 200;
const CONNECTIONS = 32;
const IN_A_BURST = 4_000;
const BLOCK = Buffer.alloc(64 * 1024, 7);
const IDLE = 300;
const SLOW = 32;
const SLOW_BYTES = 64 * 2 ** 20;
const SETTLED_MS = 1_000;
const TARGETS = { addedMs: 0.3, rate: 0.4, stream: 0.5, growthMB: 40 };

export async function measureGateway({ gateway: program }, { pairs, streams, mib }) {
  return await withSides([program, program, program, program], async (service, ours, http, undici) => {
    const port = await service.call("service");
    const ports = {
      direct: port,
      gateway: await ours.call("gateway", { port }),
      http: await http.call("httpProxy", { port }),
      undici: await undici.call("undiciProxy", { port }),
    };
    const compare = (run, pairs) =>
      measurePairs({
        measured: () => run(ports.gateway),
        floor: () => run(ports.direct),
        beside: { http: () => run(ports.http), undici: () => run(ports.undici) },
        pairs,
        warmUp: WARM_UP,
      });
    const added = await measureAdded(ports, pairs);
    const rate = await compare(burst, pairs);
    const bytes = mib * 2 ** 20;
    const before = await ours.call("usage");
    const download = await compare((at) => stream(at, `GET /${bytes}`, 0, bytes), streams);
    const upload = await compare((at) => stream(at, "POST /", bytes, 0), streams);
    const growthMB = rounded((await ours.call("usage")).peakMB - before.residentMB);
    const idleMB = await grown(ours, () => idle(ports.gateway));
    const slowMB = await grown(ours, () => slow(ports.gateway));
    const { addedMs, rate: leastRate, stream: leastStream, growthMB: mostGrowth } = TARGETS;
    return {
      added: { unit: "ms", ...added, target: addedMs, met: isAtMost(added.ratio, addedMs) },
      rate: { unit: "/s", ...rate, target: leastRate, met: isAtLeast(rate.ratio, leastRate) },
      download: { unit: "MB/s", ...download, target: leastStream, met: download.ratio.median >= leastStream },
      upload: { unit: "MB/s", ...upload, target: leastStream, met: upload.ratio.median >= leastStream },
      idle: { unit: "MB", measured: idleMB, target: mostGrowth, met: idleMB <= mostGrowth },
      slow: { unit: "MB", measured: slowMB, target: mostGrowth, met: slowMB <= mostGrowth },
      growth: { unit: "MB", measured: growthMB, target: mostGrowth, met: growthMB <= mostGrowth },
    };
  });
}

/** Medians of the same run, and the differences of those of the gateway and its floor, which are the `ratio` here. */
async function measureAdded(ports, pairs) {
  const found = await measurePairs({
    measured: () => oneByOne(ports.gateway),
    floor: () => oneByOne(ports.direct),
    beside: { http: () => oneByOne(ports.http), undici: () => oneByOne(ports.undici) },
    pairs,
    warmUp: WARM_UP,
  });
  const differences = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const runs = [() => oneByOne(ports.gateway), () => oneByOne(ports.direct)];
    if (pair % 2 === 1) runs.reverse();
    const values = [await runs[0](), await runs[1]()];
    if (pair % 2 === 1) values.reverse();
    differences.push(values[0] - values[1]);
  }
  return { ...found, ratio: interval(differences) };
}

/** Median of a run, in ms. */
async function oneByOne(port) {
  const visitor = await Visitor.open(port);
  const taken = [];
  for (let turn = 0; turn < IN_A_RUN; turn += 1) {
    const began = performance.now();
    await visitor.page();
    taken.push(performance.now() - began);
  }
  visitor.close();
  return taken.sort((a, b) => a - b)[taken.length >> 1];
}

/** Requests per second. */
async function burst(port) {
  const visitors = await Promise.all(Array.from({ length: CONNECTIONS }, () => Visitor.open(port)));
  await Promise.all(visitors.map((visitor) => visitor.page()));
  const began = performance.now();
  await Promise.all(
    visitors.map(async (visitor) => {
      for (let turn = 0; turn < IN_A_BURST / CONNECTIONS; turn += 1) await visitor.page();
    }),
  );
  const rate = IN_A_BURST / ((performance.now() - began) / 1_000);
  for (const visitor of visitors) visitor.close();
  return rate;
}

/** MB/s of one body. */
async function stream(port, start, sent, received) {
  const visitor = await Visitor.open(port);
  const began = performance.now();
  await visitor.transfer(start, sent, received);
  const seconds = (performance.now() - began) / 1_000;
  visitor.close();
  return (sent + received) / 1e6 / seconds;
}

/** MB by which a process is larger with these visitors than without. */
async function grown(ours, visit) {
  const { residentMB } = await ours.call("usage");
  const visitors = await visit();
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  const after = await ours.call("usage");
  for (const visitor of visitors) visitor.close();
  return rounded(after.residentMB - residentMB);
}

/** Visitors that have had a page, and keep their connection. */
async function idle(port) {
  const visitors = await Promise.all(Array.from({ length: IDLE }, () => Visitor.open(port)));
  await Promise.all(visitors.map((visitor) => visitor.page()));
  return visitors;
}

/** Visitors that ask for a long body, and read nothing of it. */
async function slow(port) {
  const visitors = await Promise.all(Array.from({ length: SLOW }, () => Visitor.open(port)));
  for (const visitor of visitors) visitor.stall(`GET /${SLOW_BYTES}`);
  return visitors;
}

/** A client of a few lines: any other would be half of what is measured. */
class Visitor {
  #socket;
  #wanted = 0;
  #got = 0;
  #length = 0;
  #done = () => undefined;
  #failed = () => undefined;
  #head;

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#failed(error));
  }

  static async open(port) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Visitor(socket);
  }

  /** One page. All answers of one server have the same length, which the first one tells. */
  page() {
    return this.#ask(`GET /0 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  }

  async transfer(start, sent, _received) {
    this.#length = 0;
    const length = sent > 0 ? `Content-Length: ${sent}\r\n` : "";
    const answered = this.#ask(`${start} HTTP/1.1\r\nHost: ${HOST}\r\n${length}\r\n`);
    for (let left = sent; left > 0; left -= BLOCK.length) {
      if (!this.#socket.write(left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left))) {
        await new Promise((resolve) => this.#socket.once("drain", resolve));
      }
    }
    await answered;
    this.#length = 0;
  }

  stall(start) {
    this.#socket.write(`${start} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    this.#socket.pause();
  }

  close() {
    this.#socket.destroy();
  }

  #ask(text) {
    this.#got = 0;
    this.#wanted = this.#length;
    this.#head = "";
    const done = new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
    this.#socket.write(text);
    return done;
  }

  #take(chunk) {
    this.#got += chunk.length;
    if (this.#wanted === 0) {
      this.#head += chunk.toString("latin1", 0, 2_000);
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) return;
      if (!this.#head.startsWith("HTTP/1.1 200 ")) throw new Error(this.#head.slice(0, end));
      const length = /content-length: ([0-9]+)/i.exec(this.#head)?.[1];
      // The answer to an upload has five bytes; a proxy may put them into a chunk.
      this.#wanted = end + 4 + (length === undefined ? "5\r\ntaken\r\n0\r\n\r\n".length : Number(length));
      this.#length = this.#wanted;
    }
    if (this.#got >= this.#wanted) this.#done();
  }
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, streams: 6, mib: 1_024 });
  print(await withPrograms((programs) => measureGateway(programs, options)));
}
