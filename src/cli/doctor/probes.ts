import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { access, constants } from "node:fs/promises";
import { connect, isIP } from "node:net";
import path from "node:path";
import { must } from "../../errors/must.ts";
import { hostForUrl } from "../../net/address.ts";
import { orAborted } from "../../net/deadline.ts";
import { CLOUDFLARE_DOH, createDohResolver, GOOGLE_DOH } from "../../net/doh.ts";
import { type BinaryReport, inspectBinary } from "../../tunnel/cloudflared/binary.ts";
import { binaryEnvironment } from "../../tunnel/cloudflared/environment.ts";
import type { CloudflaredFact, Probes } from "./checks.ts";
import type { Environment } from "../io/environment.ts";

/** For one probe: generous for a slow line, and two in a row still fit into the doctor's deadline. */
const PROBE_MS = 3_000;

/** The settings that the probes depend on. */
interface ProbeSettings {
  /** Whether names may be resolved by DNS-over-HTTPS. */
  readonly doh: boolean;
  /** Path of a cloudflared program to use instead of the verified copy. */
  readonly cloudflaredPath: string | undefined;
  /** IP address to listen on. */
  readonly bind: string;
  /** TCP port to listen on; 0 takes any free one. */
  readonly port: number;
}

/** The probes that touch the real machine and network. They read and connect, but leave nothing behind. */
export function realProbes(config: ProbeSettings, env: Environment): Probes {
  const environment = binaryEnvironment(env);
  const doh = createDohResolver({ servers: [...CLOUDFLARE_DOH, ...GOOGLE_DOH], negativeIsFinal: true });
  const { cacheHome } = environment;
  return {
    nodeVersion: process.version,
    dohEnabled: config.doh,
    cacheDirectory: cacheHome === undefined ? undefined : path.join(cacheHome, "tunnel-mcp"),
    cloudflared: async (signal) =>
      cloudflaredFact(await inspectBinary({ environment, explicitPath: config.cloudflaredPath }, signal)),
    systemLookup: async (name, signal) => {
      const found = await orAborted(limited(signal), lookup(name, { all: true, family: 4 }));
      return found.map(({ address }) => address);
    },
    dohLookup: (name, signal) => doh(name, 4, limited(signal)),
    tcpConnect: (address, port, signal) => tcpConnect(address, port, limited(signal)),
    quicProbe: (address, port, signal) => quicProbe(address, port, limited(signal)),
    loopback: (signal) => webSocketToSelf(config.bind, config.port, limited(signal)),
    writable,
  };
}

function limited(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
}

/** The report of the tunnel, in the words of the doctor. */
export function cloudflaredFact(report: BinaryReport): CloudflaredFact {
  const { origin, path: file, version, sha256, verified, problem } = report;
  if (problem?.code === "cloudflared-hash-mismatch") {
    return {
      state: "absent",
      text: `the copy at ${must(file, "the path of the copy")} was altered and will be fetched again`,
    };
  }
  if (problem !== undefined) return { state: "unusable", text: problem.message, fix: problem.nextForPerson };
  if (origin === "none")
    return { state: "absent", text: "not here yet; a verified copy is fetched on first use" };
  const where = { explicit: "TUNNEL_CLOUDFLARED", cache: "our copy", path: "PATH", npm: "npm package" }[
    origin
  ];
  const text = `${must(version, "the version of a program")} (${where}) ${must(file, "the path of a program")}`;
  if (verified) return { state: "verified", text: `${text}, SHA-256 as pinned` };
  return {
    state: "unverified",
    text: `${text}, SHA-256 ${must(sha256, "the hash of a program").slice(0, 16)}... is not the pinned one`,
  };
}

async function tcpConnect(address: string, port: number, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: address, port });
  try {
    await once(socket, "connect", { signal });
  } finally {
    socket.destroy();
  }
}

async function quicProbe(address: string, port: number, signal: AbortSignal): Promise<void> {
  const socket = createSocket(isIP(address) === 6 ? "udp6" : "udp4");
  try {
    // Connected, so that an ICMP refusal arrives as an error instead of as silence.
    socket.connect(port, address);
    await once(socket, "connect", { signal });
    socket.send(versionNegotiationRequest());
    await once(socket, "message", { signal });
  } finally {
    socket.close();
  }
}

/**
 * A QUIC packet of a version that does not exist: every server answers it with the versions it knows (RFC 9000 §6). The
 * size is the smallest that servers have to look at.
 */
export function versionNegotiationRequest(): Uint8Array {
  const packet = new Uint8Array(1_200);
  const connectionId = randomBytes(8);
  packet.set([0xc0, 0x1a, 0x2a, 0x3a, 0x4a, connectionId.length], 0);
  packet.set(connectionId, 6);
  packet.set([connectionId.length, ...randomBytes(8)], 14);
  return packet;
}

async function webSocketToSelf(bind: string, port: number, signal: AbortSignal): Promise<string> {
  const { WebSocket, WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ host: bind, port });
  try {
    await once(server, "listening", { signal });
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no address");
    const target = { "0.0.0.0": "127.0.0.1", "::": "::1" }[bind] ?? bind;
    const client = new WebSocket(`ws://${hostForUrl(target)}:${bound.port}`);
    try {
      await once(client, "open", { signal });
    } finally {
      client.terminate();
    }
    return `${hostForUrl(bind)}:${bound.port}`;
  } finally {
    for (const client of server.clients) client.terminate();
    server.close();
  }
}

/** Rejects unless the folder, or the nearest one above it that exists, may be written to. */
async function writable(directory: string): Promise<void> {
  try {
    await access(directory, constants.W_OK);
  } catch (error) {
    const parent = path.dirname(directory);
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!isMissing || parent === directory) throw error;
    await writable(parent);
  }
}
