import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { describedClient, type MetadataFault, type OAuthClient } from "./clients.ts";
import { Kept } from "./kept.ts";
import { OAUTH } from "./limits.ts";

/**
 * Clients that have registered themselves (RFC 7591), as those do that have no document of their own: the MCP Inspector, programs made
 * with an SDK, older ones. Anybody may; one that no person ever lets in is soon forgotten, and cannot push out one that was.
 */
export class Registrations {
  readonly #primitives: Primitives;
  readonly #strangers: Kept<OAuthClient>;
  readonly #known: Kept<OAuthClient>;

  constructor(clock: Clock, primitives: Primitives) {
    this.#primitives = primitives;
    this.#strangers = new Kept(clock, OAUTH.strangers);
    this.#known = new Kept(clock, OAUTH.known);
  }

  add(metadata: unknown): OAuthClient | MetadataFault {
    const id = `client-${toHex(this.#primitives.random(16))}`;
    const client = describedClient(metadata, { id, publisher: undefined, isStrict: true });
    if (!("error" in client)) this.#strangers.set(id, client, OAUTH.strangerMs);
    return client;
  }

  find(id: string): OAuthClient | undefined {
    return this.#known.get(id) ?? this.#strangers.get(id);
  }

  /** A person has let it in. */
  letIn(id: string): void {
    const client = this.find(id);
    if (client === undefined) return;
    this.#strangers.delete(id);
    this.#known.set(id, client, Number.POSITIVE_INFINITY);
  }

  clear(): void {
    this.#strangers.clear();
    this.#known.clear();
  }
}
