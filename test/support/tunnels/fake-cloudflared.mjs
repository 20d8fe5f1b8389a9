#!/usr/bin/env node
/**
 * Stands in for cloudflared: the same arguments, log lines, metrics server, exit codes and proxying, on loopback only.
 * Runs by its path on POSIX; everywhere with `TUNNEL_CLOUDFLARED` set to it, since tunnel-mcp runs *.mjs by Node.
 *
 * Its settings are variables, which `standIn` sets: a server passes none of them on.
 *
 * FAKE_CF_STATE        file to which each start appends one JSON line:
 *                      {pid, args, host, metricsPort, proxyPort, env: names of the variables it was given}
 * FAKE_CF_MODE         ok (default) | rate-limited | api-down | bad-json | bad-uuid | srv | quic-blocked | blocked |
 *                      never-ready | exit (after FAKE_CF_EXIT_MS with FAKE_CF_EXIT_CODE)
 * FAKE_CF_READY_MS     from the banner until /ready says 200 (default 0)
 * FAKE_CF_HOST         first label of the public name (default: random, like the real one)
 * FAKE_CF_SPLIT=1      writes each log line in two pieces
 * FAKE_CF_STUBBORN=1   ignores SIGTERM and SIGINT
 * FAKE_CF_VERSION      what --version reports
 * FAKE_CF_KEEP         file that holds name, key and port of the public side: a process that is started again with it has the same
 * FAKE_CF_EDGE         port of a fake edge (fake-edge.ts) on 127.0.0.1: it connects there, notices when that is lost or silent,
 *                      and tries again after waits as those of the real one, which --retries caps. Without it, it is connected
 *                      as FAKE_CF_MODE says.
 * FAKE_CF_SPEED        divides all these times (default 1)
 *
 * While it runs, a POST to its metrics server changes it: /fake/lose, /fake/restore, /fake/exit.
 * The public side is plain HTTP and WebSocket on 127.0.0.1:proxyPort, with the headers the edge would add.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";

const env = process.env;
const mode = env.FAKE_CF_MODE ?? "ok";
const version = env.FAKE_CF_VERSION ?? "2026.9.3";
const VALUE_FLAGS = [
  "--config",
  "--output",
  "--metrics",
  "--protocol",
  "--grace-period",
  "--retries",
  "--url",
  "--loglevel",
];
const SWITCHES = ["--no-autoupdate", "--management-diagnostics", "--no-prechecks"];

if (process.argv[2] === "--version" || process.argv[2] === "version") {
  process.stdout.write(`cloudflared version ${version} (built 2026-09-20-1030 UTC)\n`);
  process.exit(0);
}

const flags = readFlags(process.argv.slice(2));
const json = (flags["--output"] ?? env.TUNNEL_LOG_OUTPUT) === "json";
const config = readConfig();
const target = flags["--url"] ?? env.TUNNEL_URL;
const before = readKept();
const host =
  before?.host ?? `${env.FAKE_CF_HOST ?? `fake-${randomBytes(6).toString("hex")}`}.trycloudflare.com`;
const key = before?.key ?? randomBytes(16).toString("hex");
let ready = false;

if (env.TUNNEL_NAME !== undefined)
  fatal("Cannot determine default origin certificate path. No file cert.pem in [~/.cloudflared]");
if (target === undefined)
  fatal("You did not specify any valid additional argument to the cloudflared tunnel command.");

if (env.FAKE_CF_STUBBORN === "1")
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => undefined);
else for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, shutDown);

const sockets = new Set();
const proxy = http.createServer(forward).on("upgrade", forwardUpgrade);
proxy.on("connection", (socket) => {
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
});
const metrics = http.createServer(answerMetrics);

log(
  "info",
  "Thank you for trying Cloudflare Tunnel. Doing so, without a Cloudflare account, is a quick way to experiment and try it out.",
);
log("info", "Requesting new quick Tunnel on trycloudflare.com...");
refuseName();
banner();
if (config === "") log("error", "Configuration file was empty");
log("info", `Initial protocol ${flags["--protocol"] === "http2" ? "http2" : "quic"}`);

const [proxyPort, metricsPort] = await Promise.all([listen(proxy, before?.proxyPort), listen(metrics)]);
if (env.FAKE_CF_KEEP !== undefined) writeFileSync(env.FAKE_CF_KEEP, JSON.stringify({ host, key, proxyPort }));
log("info", `Starting metrics server on 127.0.0.1:${metricsPort}/metrics`);
recordStart();
connect();
if (mode === "exit")
  setTimeout(() => process.exit(Number(env.FAKE_CF_EXIT_CODE ?? 1)), Number(env.FAKE_CF_EXIT_MS ?? 0));

function refuseName() {
  if (mode === "rate-limited") {
    log("error", "Error unmarshaling QuickTunnel response: error code: 1015", {
      error: "invalid character 'e' looking for beginning of value",
      status_code: "429 Too Many Requests",
    });
    fatal("failed to unmarshal quick Tunnel: invalid character 'e' looking for beginning of value");
  }
  if (mode === "bad-json") {
    log("error", "Error unmarshaling QuickTunnel response: <html>", {
      error: "invalid character '<'",
      status_code: "502 Bad Gateway",
    });
    fatal("failed to unmarshal quick Tunnel: invalid character '<' looking for beginning of value");
  }
  if (mode === "bad-uuid") fatal("failed to parse quick Tunnel ID: invalid UUID length: 0");
  if (mode === "api-down") {
    fatal(
      'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": context deadline exceeded',
    );
  }
}

/** The edge: found and connected, or not. */
function connect() {
  if (mode === "srv") {
    log("error", "edge discovery: error looking up Cloudflare edge IPs: the DNS query failed", {
      error: "lookup _v2-origintunneld._tcp.argotunnel.com: no such host",
    });
    fatal("Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com: lookup failed");
  }
  if (env.FAKE_CF_EDGE !== undefined) return dialEdge(0);
  const http2 = flags["--protocol"] === "http2";
  if (mode === "blocked" || (mode === "quic-blocked" && !http2)) {
    const error = http2
      ? "DialContext error: dial tcp 198.41.192.7:7844: i/o timeout"
      : "failed to dial to edge with quic: timeout: no recent network activity";
    log("error", "Unable to establish connection with Cloudflare edge", {
      error,
      connIndex: 0,
      ip: "198.41.192.7",
    });
    log("info", "Retrying connection in up to 2s", { connIndex: 0 });
  } else if (mode !== "never-ready") {
    setTimeout(register, Number(env.FAKE_CF_READY_MS ?? 0));
  }
}

function fakeMs(ms) {
  return ms / Number(env.FAKE_CF_SPEED ?? 1);
}

/** One connection to the fake edge, from dialling to its loss; the next one follows by itself. `failures` in a row before it. */
function dialEdge(failures) {
  let asking;
  let silence;
  let isOver = false;
  const socket = net.connect(Number(env.FAKE_CF_EDGE), "127.0.0.1");
  const over = (error) => {
    if (isOver) return;
    isOver = true;
    clearInterval(asking);
    clearTimeout(silence);
    socket.destroy();
    if (ready) lose("Failed to serve tunnel connection", error);
    else log("error", "Unable to establish connection with Cloudflare edge", { error, connIndex: 0 });
    waitAndDial(asking === undefined ? failures : 0);
  };
  // The idle time of QUIC: nothing at all has come for so long.
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(over, fakeMs(5_000), "timeout: no recent network activity");
  };
  heard();
  socket.on("error", (error) => over(`failed to dial to edge with quic: ${error.code}`));
  socket.on("close", () => over("failed to accept QUIC stream: connection closed"));
  socket.on("connect", () => socket.write(`REGISTER ${host} ${key}\n`));
  socket.setEncoding("utf8").on("data", (text) => {
    if (text === "PONG\n") return heard();
    if (text === "DENIED\n")
      fatal("Register tunnel error from server side: Unauthorized: Invalid tunnel secret");
    if (text !== "REGISTERED\n" || asking !== undefined) return over("a frame that makes no sense");
    heard();
    asking = setInterval(() => socket.write("PING\n"), fakeMs(1_000));
    register();
  });
}

/** One wait of up to a second and one of up to ten, doubled with each failure as often as --retries says; both at random. */
function waitAndDial(failures) {
  const cap = 2 ** Math.min(failures + 1, Number(flags["--retries"] ?? 5));
  log("info", `Retrying connection in up to ${cap}s`, { connIndex: 0 });
  setTimeout(dialEdge, fakeMs((Math.random() * 1_000 + Math.random() * 10_000) * cap), failures + 1);
}

/** All that goes through ends with the connection to the edge; the name stays. */
function lose(message, error) {
  ready = false;
  log("warn", message, { connIndex: 0, ...(error === undefined ? {} : { error }) });
  for (const socket of sockets) socket.destroy();
}

function register() {
  ready = true;
  log("info", "Registered tunnel connection", {
    connIndex: 0,
    connection: "6b1ffbd4-0b5b-4b41-9d7f-3f6d2c3c7c10",
    event: 0,
    ip: "198.41.192.7",
    location: "ams01",
    protocol: flags["--protocol"] === "http2" ? "http2" : "quic",
  });
}

function answerMetrics(request, response) {
  const answer = (status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  switch (request.url) {
    case "/ready":
      return answer(
        ready ? 200 : 503,
        JSON.stringify({ status: ready ? 200 : 503, readyConnections: ready ? 1 : 0, connectorId: "0" }),
      );
    case "/quicktunnel":
      return answer(200, JSON.stringify({ hostname: host }));
    case "/healthcheck":
      return answer(200, "OK\n");
    case "/config":
      return answer(200, JSON.stringify({ version: 0, config: { ingress: [{ service: target }] } }));
    case "/metrics":
      return answer(200, `cloudflared_tunnel_ha_connections ${ready ? 1 : 0}\n`);
    case "/fake/lose":
      lose("Lost connection with the edge");
      return answer(200, "");
    case "/fake/restore":
      register();
      return answer(200, "");
    case "/fake/exit":
      return answer(200, "").once("close", () => process.exit(Number(env.FAKE_CF_EXIT_CODE ?? 1)));
    default:
      return answer(404, "");
  }
}

function edgeHeaders(request) {
  const kept = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name, value] = request.rawHeaders.slice(at, at + 2);
    if (!/^(?:host|cf-|x-forwarded-)/i.test(name)) kept.push([name, value]);
  }
  return [
    ["Host", host],
    ...kept,
    ["Cf-Connecting-Ip", "203.0.113.7"],
    ["Cf-Ray", "0-AMS"],
    ["X-Forwarded-For", "203.0.113.7"],
    ["X-Forwarded-Proto", "https"],
  ];
}

/** An ingress of a config file replaces --url: every visitor gets 404 while all looks healthy. */
const hijacked = () => /^\s*ingress:/m.test(config ?? "");

function forward(request, response) {
  if (!ready) return response.writeHead(530).end("error code: 1033");
  if (hijacked()) return response.writeHead(404).end();
  const onward = http.request(new URL(request.url, target), {
    method: request.method,
    headers: edgeHeaders(request).flat(),
    agent: false,
  });
  onward.on("response", (answer) => answer.pipe(response.writeHead(answer.statusCode, answer.headers)));
  onward.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  request.pipe(onward);
}

function forwardUpgrade(request, socket, head) {
  if (!ready || hijacked())
    return socket.end(
      `HTTP/1.1 ${ready ? "404 Not Found" : "530 Origin Error"}\r\nConnection: close\r\n\r\n`,
    );
  const { hostname, port } = new URL(target);
  const onward = net.connect(Number(port), hostname);
  const close = () => {
    onward.destroy();
    socket.destroy();
  };
  for (const end of [onward, socket]) end.on("error", close).on("close", close);
  const lines = edgeHeaders(request).map(([name, value]) => `${name}: ${value}\r\n`);
  onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
  onward.write(head);
  onward.pipe(socket).pipe(onward);
}

/** Waits for what is in flight, at most the grace period, as the real one does. */
function shutDown() {
  log("info", "Initiating graceful shutdown due to signal terminated ...");
  if (sockets.size === 0) process.exit(0);
  setTimeout(() => process.exit(0), Number.parseFloat(flags["--grace-period"] ?? "30s") * 1000);
}

function readFlags(args) {
  const found = {};
  for (let at = args[0] === "tunnel" ? 1 : 0; at < args.length; at++) {
    const [name, inline] = args[at].split(/=(.*)/s);
    if (SWITCHES.includes(name)) found[name] = inline ?? "true";
    else if (VALUE_FLAGS.includes(name)) found[name] = inline ?? args[++at];
    else usage(name);
  }
  return found;
}

function usage(flag) {
  process.stderr.write(`Incorrect Usage: flag provided but not defined: ${flag.replace(/^-/, "")}\n\n`);
  process.stderr.write("NAME:\n   cloudflared tunnel - Use Cloudflare Tunnel to expose private services\n");
  process.exit(0);
}

function readConfig() {
  const named = flags["--config"];
  if (named !== undefined && !existsSync(named))
    fatal(`Cannot read ${named}: open ${named}: no such file or directory`);
  const path = named ?? join(env.HOME ?? "/nonexistent", ".cloudflared", "config.yml");
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  if (text.includes("\t"))
    fatal("error parsing YAML in config file: found character that cannot start any token");
  return text;
}

function banner() {
  const lines = [
    "Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):",
    `https://${host}`,
  ];
  const width = Math.max(...lines.map((line) => line.length));
  log("info", `+${"-".repeat(width + 4)}+`);
  for (const line of lines) log("info", `|  ${line.padEnd(width)}  |`);
  log("info", `+${"-".repeat(width + 4)}+`);
}

function log(level, message, fields = {}) {
  const time = new Date().toISOString();
  const short = { info: "INF", error: "ERR", warn: "WRN" }[level];
  const tail = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${/\s/.test(value) ? JSON.stringify(value) : value}`,
  );
  write(
    json
      ? JSON.stringify({ level, ...fields, time, message })
      : `${time} ${short} ${message}${tail.join("")}`,
  );
}

function write(line) {
  const cut = env.FAKE_CF_SPLIT === "1" ? line.length >> 1 : line.length;
  process.stderr.write(line.slice(0, cut));
  process.stderr.write(`${line.slice(cut)}\n`);
}

function fatal(text) {
  write(text);
  process.exit(1);
}

function recordStart() {
  if (env.FAKE_CF_STATE === undefined) return;
  const given = Object.keys(env).filter((name) => !name.startsWith("FAKE_CF_"));
  const state = {
    pid: process.pid,
    args: process.argv.slice(2),
    host,
    metricsPort,
    proxyPort,
    env: given,
  };
  appendFileSync(env.FAKE_CF_STATE, `${JSON.stringify(state)}\n`);
}

function listen(server, port = 0) {
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server.address().port)));
}

function readKept() {
  const path = env.FAKE_CF_KEEP;
  return path === undefined || !existsSync(path) ? undefined : JSON.parse(readFileSync(path, "utf8"));
}
