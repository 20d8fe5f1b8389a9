/**
 * Baseline of `session-side`: the same commands on bare WebSockets. Every message is as long as the sealed one, the host
 * has as many on their way at once, and a listener confirms every 32 of them with the smallest record.
 */
import { WebSocket, WebSocketServer } from "ws";
import { Ear, heardByAll, live, nextTurn, now, paced, serve, usage } from "./side.mjs";

const OPTIONS = { perMessageDeflate: false, skipUTF8Validation: true };
/** Of PROTOCOL: whole messages that a record may fill, what of it is no payload, and when a receiver acknowledges. */
const RECORD_BUCKETS = [256, 1_024, 4_096, 16_384, 65_536, 131_072];
const RECORD_OVERHEAD_BYTES = 1 + 16 + 1 + 4;
const DATA_HEADER_BYTES = 16;
const FRAME_HEADER_LENGTH_BYTES = 2;
const WINDOW_BYTES = 1024 * 1024;
const ACK_EVERY_FRAMES = 32;
const MESSAGES_PER_TURN = 16;
const ACK = new Uint8Array(RECORD_BUCKETS[0]);

const ears = [];
const sockets = [];
const acknowledged = new Map();
let sent = 0;
let onAck = () => undefined;

const base64url = (bytes) => Buffer.alloc(bytes).toString("base64url");

/** How long a chat event of so much text is before sealing, and the message afterwards. */
function sizesOf(textBytes) {
  const hash = base64url(32);
  const event = {
    kind: "chat",
    from: "AAAAAAAAAAA",
    n: 9_999,
    prev: hash,
    view: { seq: 9_999, chain: hash },
    sig: base64url(64),
  };
  const frame = { t: "event", seq: 9_999, ts: Date.now(), event };
  const payload = FRAME_HEADER_LENGTH_BYTES + JSON.stringify(frame).length + textBytes;
  const least = payload + DATA_HEADER_BYTES + RECORD_OVERHEAD_BYTES;
  return { payload, message: RECORD_BUCKETS.find((bucket) => bucket >= least) };
}

const slowest = () => Math.min(...sockets.map((socket) => acknowledged.get(socket)));

async function sayOne(window, message) {
  while (sent - slowest() >= window) await new Promise((resolve) => (onAck = resolve));
  sent += 1;
  for (const socket of sockets) socket.send(message);
}

function stampedMessage(bytes, stamped) {
  const message = Buffer.alloc(sizesOf(bytes).message);
  message.writeDoubleLE(stamped ? now() : 0);
  return message;
}

const windowOf = (bytes) => Math.ceil(WINDOW_BYTES / sizesOf(bytes).payload);

function dial(url) {
  const socket = new WebSocket(url, OPTIONS);
  const ear = new Ear();
  let unacknowledged = 0;
  ears.push(ear);
  socket.on("message", (data) => {
    ear.hear(data.readDoubleLE(0));
    unacknowledged += 1;
    if (unacknowledged < ACK_EVERY_FRAMES) return;
    unacknowledged = 0;
    socket.send(ACK);
  });
  return new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
}

serve({
  async open({ members }) {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...OPTIONS });
    server.on("connection", (socket) => {
      sockets.push(socket);
      acknowledged.set(socket, sent);
      socket.on("message", () => {
        acknowledged.set(socket, acknowledged.get(socket) + ACK_EVERY_FRAMES);
        onAck();
      });
    });
    await new Promise((resolve) => server.once("listening", resolve));
    return { links: Array.from({ length: members }, () => `ws://127.0.0.1:${server.address().port}`) };
  },
  async join({ links }) {
    for (const link of links) await dial(link);
  },
  async say({ count, bytes }) {
    const began = now();
    const window = windowOf(bytes);
    for (let said = 1; said <= count; said += 1) {
      await sayOne(window, stampedMessage(bytes, false));
      if (said % MESSAGES_PER_TURN === 0) await nextTurn();
    }
    return { began, sent: count, queued: 0 };
  },
  pace: ({ count, bytes, everyMs }) =>
    paced(count, everyMs, () => sayOne(Infinity, stampedMessage(bytes, true))),
  hear: ({ count }) => heardByAll(ears, count),
  sizes: ({ bytes }) => ({ ...sizesOf(bytes), window: windowOf(bytes) }),
  state: () => ears.map(({ heard }) => ({ heard, end: null, alarms: [] })),
  usage,
  live,
});
