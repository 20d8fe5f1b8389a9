import type { Socket } from "node:net";
import { ipLiteral } from "../../net/address.ts";
import type { Clock } from "../../runtime/clock.ts";

/** What a proxy says at the beginning of a connection, before anything of the visitor. */
export type ProxyHeader =
  /** Not all of it has come. */
  | { readonly kind: "more" }
  /** `source` is undefined for a connection of the proxy's own, such as its health check. */
  | { readonly kind: "header"; readonly source: string | undefined; readonly length: number }
  | { readonly kind: "none" };

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
/** The longest line of version 1, with its end. */
const MAX_LINE = 107;
const MAX_HEADER = 536;

/** Reads the header of the PROXY protocol, version 1 or 2. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (isStart(bytes, SIGNATURE)) return readBinary(bytes);
  if (isStart(bytes, Buffer.from("PROXY "))) return readLine(bytes);
  return { kind: "none" };
}

/** As far as there are bytes. */
function isStart(bytes: Buffer, of: Buffer): boolean {
  const length = Math.min(bytes.length, of.length);
  return bytes.subarray(0, length).equals(of.subarray(0, length));
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf("\r\n");
  if (end === -1) return bytes.length < MAX_LINE ? { kind: "more" } : { kind: "none" };
  const [, family = "", source, destination, ports] = bytes.toString("latin1", 0, end).split(" ");
  if (end + 2 > MAX_LINE) return { kind: "none" };
  if (family === "UNKNOWN") return { kind: "header", source: undefined, length: end + 2 };
  const address = ipLiteral(source ?? "");
  const isGood =
    /^TCP[46]$/.test(family) && address !== undefined && destination !== undefined && ports !== undefined;
  return isGood ? { kind: "header", source: address, length: end + 2 } : { kind: "none" };
}

function readBinary(bytes: Buffer): ProxyHeader {
  if (bytes.length < 16) return { kind: "more" };
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const length = 16 + bytes.readUInt16BE(14);
  if (command >> 4 !== 2 || (command & 0x0f) > 1 || length > MAX_HEADER) return { kind: "none" };
  if (bytes.length < length) return { kind: "more" };
  // LOCAL: the proxy itself.
  if ((command & 0x0f) === 0) return { kind: "header", source: undefined, length };
  const source = family >> 4 === 1 ? four(bytes, length) : family >> 4 === 2 ? six(bytes, length) : undefined;
  return { kind: "header", source, length };
}

const four = (bytes: Buffer, length: number): string | undefined =>
  length < 28 ? undefined : [...bytes.subarray(16, 20)].join(".");

function six(bytes: Buffer, length: number): string | undefined {
  if (length < 52) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(16 + 2 * at).toString(16));
  return ipLiteral(groups.join(":"));
}

/**
 * Takes the header off a connection, and tells the source. What came behind it is put back, and the connection is paused. One without a
 * header is closed: it has not come through the proxy.
 */
export function behindProxy(
  socket: Socket,
  { clock, limitMs }: { readonly clock: Clock; readonly limitMs: number },
  then: (source: string | undefined) => void,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const stop = clock.after(limitMs, () => socket.destroy());
  const end = (): void => {
    stop();
    socket.off("data", read).off("close", end);
  };
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    const header = readProxyHeader(bytes);
    if (header.kind === "more") return;
    end();
    if (header.kind === "none") return void socket.destroy();
    socket.pause();
    const rest = bytes.subarray(header.length);
    if (rest.length > 0) socket.unshift(rest);
    then(header.source);
  };
  socket.on("data", read).once("close", end);
}
