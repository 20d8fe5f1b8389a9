import { Agent } from "node:http";
import { Duplex } from "node:stream";
import { claimId, type Claim, type ClaimEvent, type Claims } from "../claims/claims.ts";
import type { Elsewhere } from "../elsewhere.ts";

const IDLE_MS = 10_000;
const MAX_IDLE = 16;
/** Services at other nodes whose connections are kept. */
const MAX_POOLS = 4_096;

/** Connections to the node of one claim. Each was accepted for this name and this epoch, and carries one request after the other. */
class NodePool extends Agent {
  readonly claim: Claim;
  readonly #elsewhere: Elsewhere;
  readonly #onGone: () => void;
  readonly #spares: Duplex[] = [];

  /** @param onGone the node does not serve it, or is not there */
  constructor(claim: Claim, elsewhere: Elsewhere, onGone: () => void) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS, scheduling: "lifo" });
    this.claim = claim;
    this.#elsewhere = elsewhere;
    this.#onGone = onGone;
  }

  /** Whether a request would not have to wait for a connection. */
  get isOpen(): boolean {
    return Object.keys(this.sockets).length + Object.keys(this.freeSockets).length > 0;
  }

  /** Used by the next request. */
  add(connection: Duplex): void {
    this.#spares.push(connection);
  }

  override createConnection(
    _options: object,
    onEnd: (error: Error | null, connection: Duplex) => void,
  ): Duplex | undefined {
    const spare = this.#spares.pop();
    if (spare?.writable === true) return spare;
    void this.#connect(onEnd);
    return undefined;
  }

  async #connect(onEnd: (error: Error | null, connection: Duplex) => void): Promise<void> {
    const connection = await this.#elsewhere.reach(this.claim);
    if (connection !== undefined) return onEnd(null, connection);
    this.#onGone();
    onEnd(new Error("the node does not serve this name"), NO_CONNECTION);
  }
}

/** Goes with an error, and is not used. */
const NO_CONNECTION = new Duplex();

/** Connections to the services that are at other nodes. */
export class NodePools {
  readonly #elsewhere: Elsewhere;
  readonly #claims: Claims;
  readonly #pools = new Map<string, NodePool>();
  readonly #stop: () => void;

  constructor(elsewhere: Elsewhere, claims: Claims) {
    this.#elsewhere = elsewhere;
    this.#claims = claims;
    // An owner that is over answers nobody: its connections are cut, those in use with them.
    this.#stop = claims.watch((event) => {
      const id = claimId(event.claim);
      const pool = this.#pools.get(id);
      const epoch = event.type === "lost" || event.type === "released" ? event.epoch : event.claim.epoch;
      if (pool !== undefined && epoch >= pool.claim.epoch && !isSame(event, pool.claim)) this.#end(id, pool);
    });
  }

  /** Where connections to its node are there already. */
  get(claim: Claim): Agent | undefined {
    const pool = this.#pools.get(claimId(claim));
    return pool?.claim.epoch === claim.epoch && pool.isOpen ? pool : undefined;
  }

  /** With a connection that was just accepted. */
  with(claim: Claim, connection: Duplex): Agent {
    const id = claimId(claim);
    let pool = this.#pools.get(id);
    if (pool === undefined || pool.claim.epoch !== claim.epoch) {
      pool?.destroy();
      pool = new NodePool(claim, this.#elsewhere, () => this.#claims.forget(claim));
    }
    this.#pools.delete(id);
    this.#pools.set(id, pool);
    pool.add(connection);
    for (const [oldest, old] of this.#pools) {
      if (this.#pools.size <= MAX_POOLS) break;
      this.#end(oldest, old);
    }
    return pool;
  }

  close(): void {
    this.#stop();
    for (const [id, pool] of this.#pools) this.#end(id, pool);
  }

  #end(id: string, pool: NodePool): void {
    this.#pools.delete(id);
    pool.destroy();
  }
}

/** The news of the very claim that is used. */
const isSame = (event: ClaimEvent, claim: Claim): boolean =>
  event.type === "claimed" && event.claim.epoch === claim.epoch;
