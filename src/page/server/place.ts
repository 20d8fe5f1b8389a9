import type { Server } from "node:http";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { SERVICES_LIMITS } from "../../services/limits.ts";

/** Where the page is. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

const ONLY = "127.0.0.1";

/** 127.0.0.0/8 without its first and last networks, which others use. */
function ownAddress(primitives: Pick<Primitives, "random">): string {
  const [a = 0, b = 0, c = 0] = primitives.random(3);
  return `127.${1 + (a % 254)}.${b}.${1 + (c % 254)}`;
}

/** The ports that no listener of a service takes, beginning somewhere among them. */
function ports(primitives: Pick<Primitives, "random">): readonly number[] {
  const { first, last } = SERVICES_LIMITS.pagePorts;
  const count = last - first + 1;
  const [start = 0] = primitives.random(1);
  return Array.from({ length: count }, (_, at) => first + ((start + at) % count));
}

/**
 * Listens on one literal loopback address. A name would not do: `localhost` leads to `::1` first, where anybody of this machine can
 * listen on the same port. Where the browser is on this system, the address is one that nothing else has, so that the page shares no
 * cookie, storage or worker with other local programs; some systems have 127.0.0.1 alone, and a forwarded port leads there.
 * @throws {TunnelError} page-no-port
 */
export async function listenAt(
  server: Server,
  primitives: Pick<Primitives, "random">,
  isBrowserHere: boolean,
): Promise<Place> {
  const addresses = isBrowserHere ? [ownAddress(primitives), ONLY] : [ONLY];
  let cause: unknown;
  for (const address of addresses) {
    for (const port of ports(primitives)) {
      try {
        await listening(server, address, port);
        return { address, port };
      } catch (thrown) {
        cause = thrown;
        if (codeOf(thrown) === "EADDRNOTAVAIL") break;
      }
    }
  }
  throw new TunnelError("page-no-port", { cause });
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.off("listening", done);
      reject(error);
    };
    const done = (): void => {
      server.off("error", failed);
      resolve();
    };
    server.once("error", failed).once("listening", done).listen({ host, port, exclusive: true });
  });
}
