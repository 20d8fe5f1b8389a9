import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../../runtime/clock.ts";
import type { Claim } from "../../claims/claims.ts";
import type { Elsewhere } from "../../hosts/elsewhere.ts";
import type { NodeTls } from "./node-tls.ts";
import { firstLine, greet, type Wanted } from "./greeting.ts";

export interface PeersOptions {
  readonly clock: Clock;
  readonly key: Buffer;
  /** Undefined on loopback alone. */
  readonly tls: NodeTls | undefined;
  /** HOST and PORT of a node; undefined where it is not known, or not there any more. */
  readonly addressOf: (node: string) => Promise<{ readonly host: string; readonly port: number } | undefined>;
}

/** Until another node has answered, the connection included. */
const ANSWER_MS = 1_000;

/** Connections to other nodes: one hop, straight to the owner. */
export class Peers implements Elsewhere {
  readonly #options: PeersOptions;
  readonly #open = new Set<Socket>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  async reach({ kind, name, epoch, node }: Claim): Promise<Duplex | undefined> {
    return node === undefined ? undefined : this.#reach(node, { kind, name, epoch });
  }

  reachTicket(node: string, ticket: string): Promise<Duplex | undefined> {
    return this.#reach(node, { ticket });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async #reach(node: string, wanted: Wanted): Promise<Duplex | undefined> {
    const { addressOf, clock, key } = this.#options;
    const address = await addressOf(node);
    if (address === undefined) return undefined;
    const socket = this.#dial(address);
    socket.on("error", () => socket.destroy());
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    const { line, isAccepted } = greet(key, node, clock, wanted);
    socket.write(line);
    const answer = await firstLine(socket, clock, ANSWER_MS);
    if (answer !== undefined && isAccepted(answer)) return socket;
    socket.destroy();
    return undefined;
  }

  #dial({ host, port }: { readonly host: string; readonly port: number }): Socket {
    const { tls } = this.#options;
    // Half open, as the connections are that it carries.
    if (tls === undefined) return connectTcp({ host, port, noDelay: true, allowHalfOpen: true });
    // Half open by a socket of its own: the types of TLS do not have the option.
    const socket = connectTcp({ host, port, noDelay: true, allowHalfOpen: true });
    const dialled = connectTls({
      socket,
      ...tls,
      // Whoever the cluster's own authority has signed is a node, whatever its name; which one is proved by its answer.
      checkServerIdentity: () => undefined,
    });
    socket.once("error", (error) => dialled.destroy(error));
    return dialled;
  }
}
