/**
 * What the relay's benchmark runs in processes of their own: hosts with a room or a service behind a relay, and guests. A room here
 * is a WebSocket server that sends back what it gets, or sends all the time.
 */
import { createServer, request } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { WebSocket, WebSocketServer } from "ws";
import { NO_PROXIES } from "../src/net/proxy.ts";
import { trustOf } from "../src/net/trust.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { createRelayOpener } from "../src/tunnel/relay/opener.ts";
import { now, serve, sleep, usage } from "./side.mjs";

const BLOCK = Buffer.alloc(64 * 1024, 7);
const options = { perMessageDeflate: false };
let opened = 0;

function openAt(relay, purpose, port) {
  opened += 1;
  const home = tmpdir();
  const open = createRelayOpener({
    relay,
    network: { proxies: NO_PROXIES, trust: trustOf({}) },
    env: { XDG_STATE_HOME: home },
    cwd: `${home}/${process.pid}`,
    home,
    clock: systemClock,
  });
  const proof = { path: `/${opened}`, answer: "" };
  return open({ port, proof, purpose, signal: new AbortController().signal });
}

const listen = (server) =>
  new Promise((resolve) => void server.listen(0, "127.0.0.1", () => resolve(server.address().port)));

/** Its own address, and that of the same room at a relay. */
async function room({ relay, id }) {
  const server = createServer();
  const sockets = new WebSocketServer({ server, ...options });
  sockets.on("connection", (socket, { socket: raw }) => {
    raw.setNoDelay(true);
    socket.on("error", () => socket.terminate());
    socket.on("message", (data, isBinary) => {
      if (data.length > 0) return socket.send(data, { binary: isBinary });
      // What is written to a socket that has failed is gone at once, so that its buffer never fills.
      const isOpen = () => socket.readyState === WebSocket.OPEN && raw.writable;
      const more = () => {
        while (isOpen() && socket.bufferedAmount < 2 ** 20) socket.send(BLOCK);
      };
      raw.on("drain", more);
      more();
    });
  });
  const port = await listen(server);
  const tunnel = await openAt(relay, { kind: "room", room: id }, port);
  return { direct: `ws://127.0.0.1:${port}/t/${id}`, relayed: `${tunnel.url}/t/${id}` };
}

/** A room for guests who say nothing: an upgrade and no more. */
async function silentRooms({ relay, ids }) {
  const server = createTcpServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    );
  });
  const port = await listen(server);
  for (let at = 0; at < ids.length; at += 50)
    await Promise.all(ids.slice(at, at + 50).map((id) => openAt(relay, { kind: "room", room: id }, port)));
}

const idle = [];
async function join({ port, id, count }) {
  for (let at = 0; at < count; at += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, count - at) }, () => {
        const socket = connect({ port, host: "127.0.0.1" });
        idle.push(socket);
        socket.write(
          `GET /t/${id} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n`,
        );
        return new Promise((resolve, reject) => {
          socket.once("data", (data) =>
            data.includes(" 101 ") ? resolve() : reject(new Error(data.toString())),
          );
          socket.once("error", reject);
          socket.once("close", () => reject(new Error(`closed as guest ${idle.length}`)));
        });
      }),
    );
  }
}

async function dial(url) {
  const socket = new WebSocket(url, options);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

/** Median of so many round trips, in ms. */
async function roundTrips({ url, bytes, count }) {
  const socket = await dial(url);
  const message = Buffer.alloc(bytes, 1);
  const times = [];
  for (let at = 0; at < count; at += 1) {
    const began = now();
    socket.send(message);
    await new Promise((resolve) => socket.once("message", resolve));
    times.push(now() - began);
  }
  socket.terminate();
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

/** MiB a second that so many guests together get. */
async function flood({ url, guests, ms }) {
  const sockets = await Promise.all(Array.from({ length: guests }, () => dial(url)));
  let bytes = 0;
  for (const socket of sockets) {
    socket.on("message", (data) => (bytes += data.length));
    socket.send(Buffer.alloc(0));
  }
  await sleep(300);
  bytes = 0;
  const began = now();
  await sleep(ms);
  const rate = bytes / 2 ** 20 / ((now() - began) / 1_000);
  for (const socket of sockets) socket.terminate();
  return rate;
}

const page = Buffer.alloc(1_000, "a");
async function service({ relay }) {
  const server = createServer((incoming, response) => {
    const bytes = Number(incoming.url.slice(1));
    if (bytes === 0) return void response.end(page);
    response.writeHead(200, { "content-length": bytes });
    let left = bytes;
    const fill = () => {
      while (left > 0) {
        left -= BLOCK.length;
        if (!response.write(BLOCK)) return;
      }
      response.end();
    };
    response.on("drain", fill);
    fill();
  });
  const port = await listen(server);
  const tunnel = await openAt(relay, { kind: "http", label: "bench", subdomain: undefined }, port);
  return { port, host: new URL(tunnel.url.replace("ws", "http")).host };
}

function get({ port, host, path, agent }) {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, agent, headers: { host } }, (response) => {
      let bytes = 0;
      response
        .on("data", (chunk) => (bytes += chunk.length))
        .once("end", () => resolve(bytes))
        .once("error", reject);
    })
      .once("error", reject)
      .end();
  });
}

async function requests({ port, host, count }) {
  const { Agent } = await import("node:http");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times = [];
  for (let at = 0; at < count; at += 1) {
    const began = now();
    await get({ port, host, path: "/0", agent });
    times.push(now() - began);
  }
  agent.destroy();
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

async function downloads({ port, host, bytes, at = 4 }) {
  const began = now();
  await Promise.all(Array.from({ length: at }, () => get({ port, host, path: `/${bytes}`, agent: false })));
  return (at * bytes) / 2 ** 20 / ((now() - began) / 1_000);
}

serve({ room, silentRooms, join, roundTrips, flood, service, requests, downloads, usage });
