/**
 * What our bridge costs between a client of an exposed MCP server and that server: the gateway with its token, the bridge, and the child
 * under its guard, on loopback, against the same stdio server driven by its own two streams, in turn.
 *
 *   - ms that it adds to a call of a tool, one after the other on one connection, in both eras;
 *   - calls per second on 32 connections;
 *   - how far the memory of our server grows over `--calls` calls.
 *
 *   node bench/bridge.mjs [--pairs 30] [--calls 100000]
 */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import path from "node:path";
import { costOf } from "./files-room.mjs";
import { interval, isAtMost, LEAST_PAIRS, spread } from "./pairs.mjs";
import {
  connect,
  counts,
  isMain,
  lineClient,
  print,
  rounded,
  SERVER_ENV,
  withFolder,
  withPrograms,
} from "./support.mjs";

const TARGETS = { addedMs: 1, growthMB: 20 };
/** Pairs: code that is new to an engine is slow. */
const WARM_UP = 15;
const IN_A_RUN = 200;
const CONNECTIONS = 32;
/** The recorder of requests is full by then, and the heap has found its size. */
const FILLED = 20_000;
const TEXT = "x".repeat(64);
const CALL = { name: "echo", arguments: { text: TEXT } };
// Nobody is there to be asked.
SERVER_ENV.TUNNEL_UNATTENDED = "1";

const MODERN = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "0" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const ERAS = {
  legacy: { params: CALL, fields: "MCP-Protocol-Version: 2025-11-25\r\n" },
  modern: {
    params: { ...CALL, _meta: MODERN },
    fields: "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n",
  },
};

/** One kept connection of a client of a few lines: one of node:http would be a good part of what is measured. */
class Line {
  #socket;
  #host;
  #bearer;
  #got = "";
  #done;
  #failed;

  static async open({ publicUrl, access }) {
    const { hostname, port, host } = new URL(publicUrl);
    const socket = connectTcp({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new Line(socket, host, access.bearer);
  }

  constructor(socket, host, bearer) {
    this.#socket = socket;
    this.#host = host;
    this.#bearer = bearer;
    socket.setEncoding("latin1").on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => this.#failed?.(new Error("the connection was closed")));
  }

  call(era, id) {
    const { params, fields } = ERAS[era];
    const body = JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params });
    const done = new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
    this.#socket.write(
      `POST /mcp HTTP/1.1\r\nHost: ${this.#host}\r\nAuthorization: Bearer ${this.#bearer}\r\n${fields}` +
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    return done;
  }

  close() {
    this.#socket.destroy();
  }

  #take(chunk) {
    this.#got += chunk;
    const head = this.#got.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: ([0-9]+)/i.exec(this.#got)?.[1] ?? Number.NaN);
    if (this.#got.length < head + 4 + length) return;
    const answer = this.#got;
    this.#got = "";
    const isRight = answer.startsWith("HTTP/1.1 200 ") && answer.includes(TEXT);
    if (isRight) this.#done();
    else this.#failed(new Error(answer));
  }
}

/** The median of a run of single calls, in ms. */
async function oneByOne(call) {
  const times = [];
  for (let turn = 0; turn < IN_A_RUN; turn += 1) {
    const began = performance.now();
    await call();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** So many calls, on all connections at once, in both eras. */
async function many(exposed, calls) {
  let left = calls;
  const lines = await Promise.all(Array.from({ length: CONNECTIONS }, () => Line.open(exposed)));
  await Promise.all(
    lines.map(async (line) => {
      for (; left > 0; left -= 1) await line.call(left % 2 === 0 ? "legacy" : "modern", left);
    }),
  );
  for (const line of lines) line.close();
}

async function added(exposed, direct, pairs, era) {
  const line = await Line.open(exposed);
  const found = { bridge: [], direct: [] };
  const runs = {
    bridge: () => oneByOne(() => line.call(era, 1)),
    direct: () => oneByOne(() => direct.call("echo", CALL.arguments)),
  };
  for (let pair = -WARM_UP; pair < pairs; pair += 1) {
    const order = pair % 2 === 0 ? ["bridge", "direct"] : ["direct", "bridge"];
    for (const name of order) {
      const value = await runs[name]();
      if (pair >= 0) found[name].push(value);
    }
  }
  line.close();
  const difference = interval(found.bridge.map((value, at) => value - found.direct[at]));
  return {
    unit: "ms",
    measured: spread(found.bridge),
    floor: spread(found.direct),
    added: difference,
    target: TARGETS.addedMs,
    met: isAtMost(difference, TARGETS.addedMs),
  };
}

async function memory(server, exposed, calls) {
  await many(exposed, FILLED);
  const cost = await costOf({ server: server.pid }, () => many(exposed, calls));
  const growthMB = cost.growthMB && rounded(cost.growthMB.server);
  const { growthMB: target } = TARGETS;
  return {
    unit: "MB",
    calls,
    rate: Math.round(calls / (cost.ms / 1e3)),
    growthMB,
    target,
    met: growthMB === undefined || growthMB <= target,
  };
}

export async function measureBridge({ server: program, bridge: echo }, { pairs, calls }, folder) {
  const file = path.join(folder, "servers.json");
  const mcpServers = { echo: { command: process.execPath, args: [echo] } };
  await writeFile(file, JSON.stringify({ mcpServers }), { mode: 0o600 });
  SERVER_ENV.TUNNEL_MCP_SERVERS = file;
  const server = await connect(program, { cwd: folder });
  const direct = lineClient(echo);
  await direct.initialize();
  const exposed = await server.call("expose_start", { mcp: "echo", transport: "direct" });
  try {
    return {
      legacy: await added(exposed, direct, pairs, "legacy"),
      modern: await added(exposed, direct, pairs, "modern"),
      memory: await memory(server, exposed, calls),
    };
  } finally {
    await Promise.all([server.close(), direct.close()]);
  }
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, calls: 100_000 });
  print(
    await withPrograms((programs) =>
      withFolder(path.dirname(programs.server), (folder) => measureBridge(programs, options, folder)),
    ),
  );
}
