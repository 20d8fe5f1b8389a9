import { hidePrefix } from "../../expose/access/prefix.ts";
import { claimId, type ClaimName } from "../claims/claims.ts";
import type { RelayEvent } from "../events.ts";

/** How much is remembered. */
export const RECORDS = {
  visitsPerTunnel: 200,
  visits: 20_000,
  /** Tunnels that are over and whose visits can still be read. */
  endedTunnels: 1_000,
  pathChars: 200,
  methodChars: 20,
} as const;

type Visited = Extract<RelayEvent, { type: "connection" | "request" }>;

/** One visit that is over. */
export interface VisitRecord {
  /** Grows by one with each visit of this process. */
  readonly id: number;
  readonly at: number;
  readonly lastedMs: number;
  readonly type: Visited["type"];
  readonly request: { readonly method: string; readonly path: string; readonly status: number } | undefined;
  readonly end: Visited["end"];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly source: string;
}

export interface TunnelRecords extends ClaimName {
  readonly tokenId: string;
  readonly visits: readonly VisitRecord[];
}

interface Kept extends ClaimName {
  tokenId: string;
  isOpen: boolean;
  readonly visits: VisitRecord[];
}

/**
 * The last visits of each tunnel, in memory alone and bounded. Names that nobody has registered leave nothing: strangers could fill it.
 */
export class Records {
  readonly #now: () => number;
  readonly #shown: (source: string, now: number) => string;
  /** By claim, the one that has been quiet for longest first. */
  readonly #tunnels = new Map<string, Kept>();
  #visits = 0;
  #ended = 0;
  #next = 1;

  /** @param shown what is kept of an address */
  constructor(now: () => number, shown: (source: string, now: number) => string) {
    this.#now = now;
    this.#shown = shown;
  }

  take(event: RelayEvent): void {
    switch (event.type) {
      case "registered":
        return this.#opened(event, event.tokenId);
      case "unregistered":
        return this.#closed(event);
      case "connection":
      case "request":
        return this.#visited(event);
      default:
    }
  }

  of(name: ClaimName): TunnelRecords | undefined {
    return this.#tunnels.get(claimId(name));
  }

  get all(): Iterable<TunnelRecords> {
    return this.#tunnels.values();
  }

  #opened({ kind, name }: ClaimName, tokenId: string): void {
    const id = claimId({ kind, name });
    const known = this.#tunnels.get(id);
    if (known === undefined) {
      this.#tunnels.set(id, { kind, name, tokenId, isOpen: true, visits: [] });
      return;
    }
    if (!known.isOpen) this.#ended -= 1;
    known.isOpen = true;
    // What came with another token is not this one's to read.
    if (known.tokenId !== tokenId) this.#visits -= known.visits.splice(0).length;
    known.tokenId = tokenId;
  }

  #closed({ kind, name, why }: Extract<RelayEvent, { type: "unregistered" }>): void {
    const known = this.#tunnels.get(claimId({ kind, name }));
    // The successor of one that was evicted goes on.
    if (known === undefined || !known.isOpen || why === "evicted") return;
    known.isOpen = false;
    this.#ended += 1;
    if (this.#ended > RECORDS.endedTunnels) this.#forgetOneEnded();
  }

  #forgetOneEnded(): void {
    for (const [id, { isOpen, visits }] of this.#tunnels) {
      if (isOpen) continue;
      this.#tunnels.delete(id);
      this.#visits -= visits.length;
      this.#ended -= 1;
      return;
    }
  }

  #visited(event: Visited): void {
    const id = claimId({ kind: event.type === "request" ? "http" : event.kind, name: event.name });
    const known = this.#tunnels.get(id);
    if (known === undefined) return;
    this.#tunnels.delete(id);
    this.#tunnels.set(id, known);
    const { end, bytesIn, bytesOut, lastedMs, type } = event;
    const now = this.#now();
    const source = this.#shown(event.source, now);
    const request = event.type === "request" ? requestOf(event) : undefined;
    const at = now - lastedMs;
    known.visits.push({ id: this.#next, at, lastedMs, type, request, end, bytesIn, bytesOut, source });
    this.#next += 1;
    this.#visits += 1;
    if (known.visits.length > RECORDS.visitsPerTunnel) this.#forgetVisit(known);
    else if (this.#visits > RECORDS.visits) this.#forgetQuietest();
  }

  #forgetQuietest(): void {
    for (const [id, kept] of this.#tunnels) {
      if (kept.visits.length === 0) continue;
      this.#forgetVisit(kept);
      // The quietest is asked first the next time, too; one that has nothing left would only be in the way.
      if (kept.visits.length === 0) {
        this.#tunnels.delete(id);
        this.#tunnels.set(id, kept);
      }
      return;
    }
  }

  #forgetVisit({ visits }: Kept): void {
    visits.shift();
    this.#visits -= 1;
  }
}

function requestOf({
  method,
  path,
  status,
}: Extract<RelayEvent, { type: "request" }>): VisitRecord["request"] {
  return {
    method: method.slice(0, RECORDS.methodChars),
    path: copied(hidePrefix(path), RECORDS.pathChars),
    status,
  };
}

/** The beginning of a text, as characters of its own: a slice would keep the whole text in memory. */
function copied(text: string, chars: number): string {
  return Buffer.from(text.slice(0, chars)).toString();
}
