import { createServer, type Server, type Socket } from "node:net";
import { request, type IncomingMessage } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { NO_PROXIES } from "../../src/net/proxy.ts";
import { trustOf } from "../../src/net/trust.ts";
import { openAuthority } from "../../src/relay/auth/open.ts";
import { trustedProxies } from "../../src/relay/front/sources.ts";
import { RELAY_LIMITS } from "../../src/relay/limits/limits.ts";
import { startRelay, type Relay, type RelayOptions } from "../../src/relay/node/relay.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Tunnel, TunnelPurpose } from "../../src/tunnel/provider.ts";
import { createRelayOpener } from "../../src/tunnel/relay/opener.ts";
import { atEnd } from "../support/at-end.ts";

export { atEnd };

export function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), "relay-test-"));
  // Windows keeps a file for a moment after the process that had it open.
  atEnd(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

export async function aRelay(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const isTrusted = trustedProxies([]);
  if (isTrusted === undefined) throw new Error("no range");
  const relay = await startRelay({
    clock: systemClock,
    host: "127.0.0.1",
    port: 0,
    domain: undefined,
    authority: openAuthority(false),
    limits: { ...RELAY_LIMITS, forgetfulMs: 0 },
    isTrusted,
    isBlocked: () => false,
    state: undefined,
    ...options,
  });
  atEnd(() => relay.close());
  return relay;
}

export interface HostOptions {
  readonly port: number;
  readonly token?: string;
  /** Where its keys lie. */
  readonly home?: string;
}

const PROOF = { path: "/proof", answer: "proof" };
let proofs = 0;

/** Opens tunnels at a relay, as a server would. */
export function hostOf(relay: Relay | number, { token, home = folder() }: Omit<HostOptions, "port"> = {}) {
  const port = typeof relay === "number" ? relay : relay.port;
  const open = createRelayOpener({
    relay: `http://127.0.0.1:${port}`,
    relayToken: token,
    network: { proxies: NO_PROXIES, trust: trustOf({}) },
    env: { XDG_STATE_HOME: home },
    cwd: home,
    home,
    clock: systemClock,
  });
  return async (target: number, purpose: TunnelPurpose): Promise<Tunnel> => {
    proofs += 1;
    const tunnel = await open({
      port: target,
      proof: { ...PROOF, path: `/proof/${proofs}` },
      purpose,
      signal: new AbortController().signal,
    });
    atEnd(() => tunnel.stop());
    return tunnel;
  };
}

/** A server of bytes. */
export async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    atEnd(() => socket.destroy());
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => server.close());
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/** A room that takes every upgrade and sends back what it reads; `heads` are the requests that came. */
export async function echoRoom(): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = [];
  const port = await tcpServer((socket) => {
    let head = "";
    const read = (chunk: Buffer): void => {
      head += chunk.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.off("data", read);
      heads.push(head.slice(0, end));
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      socket.write(Buffer.from(head.slice(end + 4), "latin1"));
      socket.pipe(socket);
    };
    socket.on("data", read);
  });
  return { port, heads };
}

export type Upgraded =
  | { readonly status: 101; readonly socket: Socket; readonly first: Buffer }
  | { readonly status: number; readonly response: IncomingMessage };

/** Asks for an upgrade. */
export function upgrade(
  port: number,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: "127.0.0.1",
      port,
      path: target,
      agent: false,
      headers: { Connection: "Upgrade", Upgrade: "websocket", ...headers },
    });
    asked.once("error", reject);
    asked.once("response", (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, response });
    });
    asked.once("upgrade", (_response, socket, first) => {
      socket.on("error", () => socket.destroy());
      atEnd(() => socket.destroy());
      resolve({ status: 101, socket, first });
    });
    asked.end();
  });
}

/** A guest that is in. */
export async function guest(
  port: number,
  room: string,
  headers?: Readonly<Record<string, string>>,
): Promise<Socket> {
  const result = await upgrade(port, `/t/${room}`, headers);
  if (!("socket" in result)) throw new Error(`the guest got ${result.status}`);
  return result.socket;
}

/** Sends, and waits until as many bytes have come back. */
export function echoed(socket: Socket, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const read = (chunk: Buffer): void => {
      parts.push(chunk);
      length += chunk.length;
      if (length < bytes.length) return;
      socket.off("data", read).off("close", closed);
      resolve(Buffer.concat(parts));
    };
    const closed = (): void => reject(new Error(`closed after ${length} of ${bytes.length} bytes`));
    socket.on("data", read).once("close", closed);
    socket.write(bytes);
  });
}

let rooms = 0;
/** An id of the right form that no other test has. */
export function roomId(): string {
  rooms += 1;
  return `${"r".repeat(16)}${String(rooms).padStart(6, "0")}`;
}
