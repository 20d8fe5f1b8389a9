import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../../runtime/clock.ts";
import type { Claim } from "../../claims/claims.ts";
import type { Elsewhere } from "../../elsewhere.ts";
import type { NodeTls } from "./node-tls.ts";
import type { PeerAnswer, PeerTalk } from "../witnesses.ts";
import { firstLine, greet, type Wanted } from "./greeting.ts";

/** Where a node is, and what it speaks. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  readonly versions: readonly number[];
}

export interface PeersOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly key: Buffer;
  /** Undefined on loopback alone. */
  readonly tls: NodeTls | undefined;
  readonly versions: readonly number[];
  /** Undefined where it is not known, or not there any more. */
  readonly addressOf: (node: string) => Promise<PeerAddress | undefined>;
}

/** Until another node has answered, the connection included. */
const ANSWER_MS = 1_000;

type Reached =
  | {
      readonly kind: "accepted";
      readonly socket: Socket;
      readonly said: (line: string) => string | undefined;
    }
  | { readonly kind: "gone" }
  | { readonly kind: "silent" };

/** Connections to other nodes: one hop, straight to the owner. */
export class Peers implements Elsewhere, PeerTalk {
  readonly #options: PeersOptions;
  readonly #open = new Set<Socket>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  async reach({ kind, name, epoch, node }: Claim): Promise<Duplex | undefined> {
    return node === undefined ? undefined : this.#connection(node, { kind, name, epoch });
  }

  reachTicket(node: string, ticket: string): Promise<Duplex | undefined> {
    return this.#connection(node, { ticket });
  }

  reachAdmin(node: string): Promise<Duplex | undefined> {
    return this.#connection(node, { isAdmin: true });
  }

  async meet(node: string): Promise<void> {
    await this.#options.addressOf(node);
  }

  async ask(node: string, text: string, withinMs: number): Promise<PeerAnswer> {
    const reached = await this.#reach(node, { message: text }, withinMs);
    if (reached.kind !== "accepted") return reached;
    const { socket, said } = reached;
    const line = await firstLine(socket, this.#options.clock, withinMs);
    socket.destroy();
    const words = line === undefined ? undefined : said(line);
    return words === undefined ? { kind: "silent" } : { kind: "said", text: words };
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async #connection(node: string, wanted: Wanted): Promise<Duplex | undefined> {
    const reached = await this.#reach(node, wanted, ANSWER_MS);
    return reached.kind === "accepted" ? reached.socket : undefined;
  }

  async #reach(node: string, wanted: Wanted, withinMs: number): Promise<Reached> {
    const { node: from, addressOf, clock, key, versions } = this.#options;
    const address = await addressOf(node);
    const version = Math.max(...versions.filter((own) => address?.versions.includes(own)));
    if (address === undefined || !Number.isFinite(version)) return { kind: "silent" };
    const socket = this.#dial(address);
    let isRefused = false;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      isRefused = error.code === "ECONNREFUSED";
      socket.destroy();
    });
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    const { line, read, said } = greet(key, clock, { from, to: node, version, wanted });
    socket.write(line);
    const answer = await firstLine(socket, clock, withinMs);
    const how = answer === undefined ? undefined : read(answer);
    if (how === "accepted") return { kind: "accepted", socket, said };
    socket.destroy();
    return { kind: how === "gone" || isRefused ? "gone" : "silent" };
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
      // Every certificate of the cluster's own authority is a node's, whatever its name; which one is proved by its answer.
      checkServerIdentity: () => undefined,
    });
    socket.once("error", (error) => dialled.destroy(error));
    return dialled;
  }
}
