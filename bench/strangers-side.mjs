/**
 * Strangers at the door of a host, in a process of their own: they ask for what does not exist, prove what they cannot
 * prove, or only hold sockets. On Linux all of 127.0.0.0/8 is this machine, so each can have a source address of its own.
 */
import { randomBytes } from "node:crypto";
import { get } from "node:http";
import { connect } from "node:net";
import { WebSocket } from "ws";
import { serve } from "./side.mjs";

const AUTH_BYTES = 146;
const AUTH_KIND = 0x02;
/** What a host allows one source, with a failure to spare. */
const FAILURES_PER_SOURCE = 9;
const COME_BACK_AFTER_MS = 1_000;

let lastSource = 0;
let held = [];

/** An address that has not been used in this run. */
function newSource() {
  lastSource += 1;
  return `127.${1 + ((lastSource >> 16) & 0x7f)}.${(lastSource >> 8) & 0xff}.${lastSource & 0xff}`;
}

/** `count` times `attempt`, several at a time; how often each outcome was met. */
async function many({ count, inFlight }, attempt) {
  const outcomes = {};
  let left = count;
  async function stranger() {
    const state = {};
    while (left > 0) {
      left -= 1;
      const outcome = await attempt(state);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, stranger));
  return outcomes;
}

function fetchStatus(url) {
  return new Promise((resolve) => {
    const request = get(url.replace(/^ws/, "http"), { agent: false }, (response) => {
      response.resume().once("close", () => resolve(String(response.statusCode)));
    });
    request.once("error", (error) => resolve(error.code));
  });
}

/** A socket that answers the challenge with an AUTH of the right form and nothing right in it. */
function prove(url, localAddress) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: false, localAddress });
    let outcome = "closed";
    socket.once("message", () => {
      const auth = randomBytes(AUTH_BYTES);
      auth[0] = AUTH_KIND;
      socket.once("message", () => (outcome = "denied"));
      socket.send(auth);
    });
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      resolve(String(response.statusCode));
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(outcome));
  });
}

/** Its own source for a few attempts, then the next one. */
function proveFromFreshSources(url) {
  return (state) => {
    if ((state.used ?? FAILURES_PER_SOURCE) >= FAILURES_PER_SOURCE)
      Object.assign(state, { used: 0, source: newSource() });
    state.used += 1;
    return prove(url, state.source);
  };
}

/** A stranger that stays as long as it is let, and comes back a second after it was cut. */
function hold(open) {
  const stranger = { opened: 0, isOpen: false, release: () => undefined };
  let timer;
  function come() {
    const source = newSource();
    const socket = open(source);
    socket.on("error", () => undefined);
    socket.once(socket instanceof WebSocket ? "open" : "connect", () => {
      stranger.opened += 1;
      stranger.isOpen = true;
    });
    socket.once("close", () => {
      stranger.isOpen = false;
      timer = setTimeout(come, COME_BACK_AFTER_MS);
    });
    stranger.release = () => {
      clearTimeout(timer);
      socket.removeAllListeners("close");
      if (socket instanceof WebSocket) socket.terminate();
      else socket.destroy();
    };
  }
  come();
  return stranger;
}

const HOLDERS = {
  /** A TCP connection and the first line of a request. */
  silent: (url) => (localAddress) => {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), localAddress });
    socket.write(`GET ${pathname} HTTP/1.1\r\n`);
    return socket;
  },
  /** A WebSocket at the right place that never answers the challenge. */
  knocking: (url) => (localAddress) => new WebSocket(url, { perMessageDeflate: false, localAddress }),
};

serve({
  fetch: ({ url, ...how }) => many(how, () => fetchStatus(url)),
  prove: ({ url, ...how }) => many(how, proveFromFreshSources(url)),
  /** All from one source, which soon has used up its attempts. */
  insist({ url, ...how }) {
    const source = newSource();
    return many(how, () => prove(url, source));
  },
  hold({ url, count, kind }) {
    held = Array.from({ length: count }, () => hold(HOLDERS[kind](url)));
  },
  release() {
    const open = held.filter(({ isOpen }) => isOpen).length;
    const opened = held.reduce((sum, stranger) => sum + stranger.opened, 0);
    for (const { release } of held.splice(0)) release();
    return { open, opened };
  },
});
