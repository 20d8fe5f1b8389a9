import { connect, createServer, type Server, type Socket } from "node:net";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { openGateway } from "../../expose/gateway/gateway.ts";
import type { Gateway } from "../../expose/gateway/options.ts";
import type { Upstream } from "../../expose/upstream.ts";
import type { Clock } from "../../runtime/clock.ts";
import { join } from "../connection/join.ts";
import type { StreamSocket } from "../connection/stream-socket.ts";
import { isPagePort } from "../limits.ts";
import { BrowserGuard } from "./browser-guard.ts";
import { asSocket } from "./dialler.ts";
import { Door } from "./door.ts";

/** Where programs of this machine reach a service of a peer. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** An HTTP service has a new one each time it is asked for, which works once. That of an MCP server stays, and needs the token. */
  newUrl(): string;
  /** An HTTP service lets programs in by it. */
  readonly token: { readonly field: string; readonly value: string } | undefined;
  /** Sockets of this machine that are connected. */
  readonly open: number;
  close(): Promise<void>;
}

/** Connects to the service. `origin`: where programs of this machine see it. */
type Dial = (origin: string) => StreamSocket;

export interface ListenOptions {
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly dial: Dial;
  /** The port to try first. */
  readonly wanted: number | undefined;
  /** That one and no other. */
  readonly isExact: boolean;
  /** For a service that programs alone use, by their token: no browser is let in. */
  readonly path?: string;
}

const ANY_PORT_TRIES = 8;

/** Ports to listen on, in the order in which they are tried; 0 is any that is free. */
function portsOf({ wanted, isExact }: ListenOptions): readonly number[] {
  const usable = wanted !== undefined && !isPagePort(wanted) ? [wanted] : [];
  return isExact ? usable : [...usable, ...Array<number>(ANY_PORT_TRIES).fill(0)];
}

/**
 * The first port on which `listen` succeeds; one that belongs to the page of a person is given back.
 * @throws {TunnelError} service-port-taken
 */
async function firstPort<Found extends { readonly port: number; close(): Promise<void> }>(
  options: ListenOptions,
  listen: (port: number) => Promise<Found>,
): Promise<Found> {
  let cause: unknown;
  for (const port of portsOf(options)) {
    try {
      const found = await listen(port);
      if (!isPagePort(found.port)) return found;
      await found.close();
    } catch (thrown) {
      if (isNoAddress(thrown)) throw thrown;
      cause = thrown;
    }
  }
  throw new TunnelError("service-port-taken", cause === undefined ? {} : { cause });
}

/** Whether the system has no such address, so that no port of it helps. */
function isNoAddress(thrown: unknown): boolean {
  const cause = thrown instanceof TunnelError ? thrown.cause : thrown;
  return cause instanceof Error && "code" in cause && cause.code === "EADDRNOTAVAIL";
}

/** For programs that speak what the service speaks: no key is between, so any user of this machine can use it. */
export async function listenTcp(options: ListenOptions): Promise<Listening> {
  const sockets = new Set<Socket>();
  const host = "127.0.0.1";
  const connected = (local: Socket): void => {
    sockets.add(local);
    local.once("close", () => sockets.delete(local));
    const through = options.dial("");
    local.on("error", () => undefined);
    const guard = new BrowserGuard((answer) => {
      through.unpipe(local);
      local.end(answer);
      through.resetWith("cancelled");
    });
    join(local, through, guard);
  };
  const { server, port } = await firstPort(options, async (wanted) => {
    if (wanted !== 0 && (await isTaken(wanted))) throw new TunnelError("service-port-taken");
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, connected);
    const port = await listening(server, host, wanted);
    return { server, port, close: () => closed(server) };
  });
  return {
    host,
    port,
    newUrl: () => `tcp://${host}:${port}`,
    token: undefined,
    get open() {
      return sockets.size;
    },
    async close() {
      const over = closed(server);
      for (const socket of sockets) socket.resetAndDestroy();
      await over;
    },
  };
}

/**
 * Whether somebody listens on this port at either loopback address. Where it is the other one, both could have the port, and who types
 * `localhost` could mean either.
 */
async function isTaken(port: number): Promise<boolean> {
  const answers = ["127.0.0.1", "::1"].map(
    (host) =>
      new Promise<boolean>((resolve) => {
        const socket = connect({ host, port, timeout: LOOK_MS });
        const answer = (isThere: boolean) => (): void => {
          socket.destroy();
          resolve(isThere);
        };
        socket.once("connect", answer(true)).once("error", answer(false)).once("timeout", answer(false));
      }),
  );
  return (await Promise.all(answers)).includes(true);
}

const LOOK_MS = 500;

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A name of its own for each service, so that cookies meet no others where this machine has one loopback address alone (RFC 6761 §6.3). */
function ownName(primitives: Pick<Primitives, "random">): string {
  return `s${toHex(primitives.random(8))}.localhost`;
}

/** 127.0.0.0/8 without its first and last networks, which others use. */
function ownAddress(primitives: Pick<Primitives, "random">): string {
  const [a = 0, b = 0, c = 0] = primitives.random(3);
  return `127.${1 + (a % 254)}.${b}.${1 + (c % 254)}`;
}

/**
 * For browsers and for programs that speak HTTP: on an address that shares no cookie with anything else, behind a door of its own. A
 * system that has 127.0.0.1 alone, such as macOS, gets a name of its own instead.
 */
export async function listenHttp(options: ListenOptions): Promise<Listening> {
  const { primitives } = options;
  const address = ownAddress(primitives);
  const found = await doorAt(options, address, address).catch((thrown: unknown) => {
    if (isNoAddress(thrown)) return doorAt(options, "127.0.0.1", ownName(primitives));
    throw thrown;
  });
  const { gateway, door, host } = found;
  const origin = `http://${host}:${gateway.port}`;
  return {
    host,
    port: gateway.port,
    newUrl: () => `${origin}${options.path ?? door.newEntry()}`,
    token: door.token,
    get open() {
      return gateway.stats.open;
    },
    close: () => gateway.close(),
  };
}

async function doorAt(
  options: ListenOptions,
  bind: string,
  host: string,
): Promise<{ readonly gateway: Gateway; readonly door: Door; readonly host: string }> {
  const { clock, primitives, dial } = options;
  const door = new Door(primitives);
  let origin = "";
  let upstream: Upstream | undefined;
  const gateway: Gateway = await firstPort(options, (port) =>
    openGateway({
      bind,
      port,
      gate: door.gate,
      upstream: () => must(upstream, "the way to a service"),
      sourceHeader: undefined,
      hostHeader: undefined,
      pseudonym: `tunnel-${toHex(primitives.random(6))}`,
      clock,
    }),
  );
  const authority = `${host}:${gateway.port}`;
  upstream = {
    scheme: "http",
    address: host,
    port: gateway.port,
    // The owner's side gives the service its own name: here the visitor's stays.
    host: authority,
    dial: () => asSocket(dial(origin)),
  };
  origin = `http://${authority}`;
  door.publish(origin);
  gateway.publish(new URL(origin));
  return { gateway, door, host };
}
