import type { Duplex } from "node:stream";
import type { Claim } from "./claims/claims.ts";

/** The other nodes, for visitors whose hosts are there. */
export interface Elsewhere {
  /**
   * A connection to the node that holds the claim. What is written to it is served there like a visitor's own connection, for this claim
   * alone.
   * @returns undefined where that node cannot be reached, or does not hold the claim under this epoch any more
   */
  reach(claim: Claim): Promise<Duplex | undefined>;
  /** The same for a host that fetches a guest at another node. */
  reachTicket(node: string, ticket: string): Promise<Duplex | undefined>;
}
