import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { StdioMeans } from "../../src/bridge/stdio/stdio-servers.ts";
import { MemberServices } from "../../src/services/tunnels/member-services.ts";
import type { TunnelServices } from "../../src/services/tunnels/tunnel-services.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { Config } from "../../src/cli/settings.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { createLookup } from "../../src/net/resolve.ts";
import type { Listening } from "../../src/services/taker/listener.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { until } from "../support/processes.ts";
import type { Proxy } from "../support/proxy.ts";
import { atEnd } from "../support/at-end.ts";
import { NO_STDIO } from "./services-on.ts";

export const later: (close: () => Promise<unknown> | void) => void = atEnd;

/** One member with its services. */
export interface Side {
  readonly sessions: Sessions;
  readonly session: Session;
  readonly services: TunnelServices;
  readonly all: MemberServices;
}

export interface SceneOptions {
  readonly config?: Partial<Config>;
  readonly isShared?: boolean;
  readonly stdio?: StdioMeans;
  /** Of what MCP servers answer. */
  readonly scanner?: TextScanner;
  /** The way of the guests to the host. */
  readonly wire?: Proxy;
}

function sideOf(
  sessions: Sessions,
  session: Session,
  { config, isShared = false, stdio = NO_STDIO, scanner }: SceneOptions,
): Side {
  const all = new MemberServices({
    clock: systemClock,
    primitives: nodePrimitives,
    overseer: sessions.overseer,
    find: {
      allow: config?.shareServices ?? [],
      ownPorts: () => [],
      lookup: createLookup({ doh: false }),
    },
    scanner: scanner ?? sessions.scanner,
    stdio,
    isShared: () => Promise.resolve(isShared),
  });
  later(() => all.shutDown());
  return { sessions, session, services: all.of(session), all };
}

/** A host and guests in one room, over real sockets, whose people let everything through unless `config` says otherwise. */
export async function room<Names extends string>(
  names: readonly Names[],
  options: SceneOptions = {},
): Promise<Record<"ana" | Names, Side>> {
  const config = { unattended: true, ...options.config };
  const { wire } = options;
  const host = sessionsOn(systemClock, config, wire === undefined ? {} : { direct: wire.provider });
  later(() => host.shutDown());
  const { hosting, invites } = await host.host({ ...hostRequest(), invites: Math.max(1, names.length) });
  const sides: [string, Side][] = [["ana", sideOf(host, hosting, options)]];
  for (const [at, name] of names.entries()) {
    const guest = sessionsOn(systemClock, config);
    later(() => guest.shutDown());
    const joined = await guest.join({ ...joinRequest(invites[at]?.joinLink), name });
    sides.push([name, sideOf(guest, joined, options)]);
  }
  const everybody = names.length + 1;
  await until("all are there", () =>
    sides.every(([, { session }]) => session.presence().length === everybody),
  );
  return Object.fromEntries(sides) as Record<"ana" | Names, Side>;
}

export const never = new AbortController().signal;

/** A TCP service on a free port. */
export async function service(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  later(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Says back what it hears, and ends when it has heard the end. */
export const echo = (): Promise<number> => service((socket) => socket.pipe(socket));

/** The owner offers, the taker hears of it and connects. */
export async function share(
  owner: Side,
  taker: Side,
  request: Partial<Parameters<TunnelServices["offer"]>[0]> & { readonly target: number },
): Promise<{ readonly serviceId: string; readonly listening: Listening }> {
  const { own } = await owner.services.offer({ kind: "tcp", ...request }, never);
  const { serviceId } = own;
  await until("it is heard of", () => taker.session.serviceOffers.find(serviceId) !== undefined);
  const found = await taker.services.connect(serviceId, { port: undefined, timeoutMs: 5_000, signal: never });
  if (found === "asked") throw new Error("its owner's person is asked");
  return { serviceId, listening: found.taken.listening };
}

export async function dial({ host, port }: Pick<Listening, "host" | "port">): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.on("error", () => undefined);
  later(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** All that comes until the end. */
export async function rest(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Resolves when a socket is closed, however that came. */
export function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.once("close", () => resolve()));
}
