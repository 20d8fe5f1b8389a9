import { createHash, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { type OwnAnswer, valuesOf } from "../message.ts";
import {
  PROBE_PREFIX,
  PROBES,
  type Probe,
  type Probes,
  type ServiceReport,
  STREAM_PROBE,
} from "../probes.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Visit } from "./forward.ts";
import { lingerOver } from "./lingering.ts";
import { OWN, OWN_ANSWER_FIELD, own, sendOwnAnswer } from "./rules/own-answers.ts";
import { fieldLines } from "./outgoing/field-lines.ts";

/** The constant of RFC 6455 §1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** A text frame `ok`, and a close frame with 1000 (RFC 6455 §5.2, §5.5.1). */
const SOCKET_BYTES = Buffer.from([0x81, 0x02, 0x6f, 0x6b, 0x88, 0x02, 0x03, 0xe8]);
/** How long the visitor has for its own close frame, in ms. */
const CLOSE_MS = 5_000;

export interface ProbeContext {
  readonly clock: Clock;
  readonly lingerMs: number;
  /** The answer of the service to a GET of `/`. */
  askService(then: (report: ServiceReport) => void): void;
}

/** Answers below the path of the probes, where the nonce is right; all else there is not found. */
export function answerProbe(
  visit: Visit,
  target: string,
  probes: Probes | undefined,
  context: ProbeContext,
): void {
  const { request, response } = visit;
  lingerOver(request, context.clock, context.lingerMs);
  switch (probes === undefined ? undefined : probeOf(target, probes)) {
    case "stream":
      if (request.method === "GET" || request.method === "POST") stream(visit, context.clock);
      else sendOwnAnswer(response, OWN.method);
      return;
    case "socket":
      if (visit.upgrade === undefined) sendOwnAnswer(response, OWN.reserved);
      else openSocket(visit, visit.upgrade.socket, context.clock);
      return;
    case "service":
      if (request.method !== "GET") sendOwnAnswer(response, OWN.method);
      else context.askService((report) => sendOwnAnswer(response, asJson(report)));
      return;
    case undefined:
      sendOwnAnswer(response, OWN.reserved, visit.upgrade !== undefined);
  }
}

function probeOf(target: string, { nonce }: Probes): Probe | undefined {
  const [given = "", name = ""] = target.slice(PROBE_PREFIX.length).split("/");
  if (!isSame(given, nonce)) return undefined;
  return PROBES.find((probe) => probe === name.split("?", 1)[0]);
}

/** In a time that does not depend on how much is right. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function stream({ response }: Visit, clock: Clock): void {
  const fields = [
    "Content-Type",
    "text/event-stream",
    "Cache-Control",
    "no-store",
    "X-Accel-Buffering",
    "no",
    OWN_ANSWER_FIELD,
    "probe",
  ];
  response.writeHead(200, fields);
  response.flushHeaders();
  let sent = 0;
  let stop = (): void => undefined;
  const send = (): void => {
    sent += 1;
    response.write(`data: ${sent}\n\n`);
    if (sent === STREAM_PROBE.events) response.end();
    else stop = clock.after(STREAM_PROBE.apartMs, send);
  };
  response.once("close", () => stop());
  send();
}

function openSocket({ request, response }: Visit, socket: Socket, clock: Clock): void {
  const [key = ""] = valuesOf(request.rawHeaders, "sec-websocket-key");
  const [version] = valuesOf(request.rawHeaders, "sec-websocket-version");
  if (key === "" || version !== "13") {
    sendOwnAnswer(response, own(400, "bad-websocket", "This is no WebSocket handshake."), true);
    return;
  }
  const accept = createHash("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
  const fields = ["Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", accept];
  response.detachSocket(socket);
  const stop = clock.after(CLOSE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy()).once("close", stop);
  // Its close frame is all that the visitor owes.
  socket.on("data", () => socket.end()).on("end", () => socket.end());
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fieldLines(fields)}\r\n`, "latin1");
  socket.write(SOCKET_BYTES);
  socket.resume();
}

function asJson(report: ServiceReport): OwnAnswer {
  return {
    status: 200,
    why: "probe",
    fields: ["Content-Type", "application/json"],
    body: JSON.stringify(report),
  };
}
