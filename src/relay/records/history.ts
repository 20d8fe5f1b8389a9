import { claimId, type ClaimName } from "../claims/claims.ts";
import type { RelayEvent } from "../events.ts";
import type { Hosts } from "../hosts/hosts.ts";
import type { Host } from "../hosts/host.ts";
import type { HistoryFile } from "./history-file.ts";
import { HISTORY, type EndedTunnel } from "./ended-tunnel.ts";

export interface HistoryOptions {
  readonly now: () => number;
  readonly hosts: Pick<Hosts, "get">;
  /** The whole address of a host's tunnel. */
  readonly addressOf: (host: Host) => string;
  /** What is kept of an address. */
  readonly shown: (source: string, now: number) => string;
  readonly file: HistoryFile | undefined;
  readonly kept: readonly EndedTunnel[];
}

/** Tunnels that are over, the last {@link HISTORY.entries} of them. */
export class History {
  readonly #options: HistoryOptions;
  readonly #entries: EndedTunnel[];
  /** Open ones, by claim and epoch: when one ends, the register of hosts may have its successor already. */
  readonly #open = new Map<string, Host>();
  readonly #lastUse = new Map<string, number>();
  #next: number;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#entries = [...options.kept];
    this.#next = (this.#entries.at(-1)?.id ?? 0) + 1;
    for (const { tokenId, since } of this.#entries) this.#used(tokenId, since);
  }

  /** The oldest first. */
  get entries(): readonly EndedTunnel[] {
    return this.#entries;
  }

  /** The last registration with this token that is remembered. */
  lastUseOf(tokenId: string): number | undefined {
    return this.#lastUse.get(tokenId);
  }

  take(event: RelayEvent): void {
    if (event.type === "registered") {
      const host = this.#options.hosts.get(event);
      if (host?.facts.epoch === event.epoch) this.#open.set(openId(event, event.epoch), host);
      this.#used(event.tokenId, this.#options.now());
    } else if (event.type === "unregistered") {
      const id = openId(event, event.epoch);
      const host = this.#open.get(id);
      this.#open.delete(id);
      if (host !== undefined) this.#ended(host, event);
    }
  }

  #ended(host: Host, { why, lastedMs, tokenId }: Extract<RelayEvent, { type: "unregistered" }>): void {
    const { now, addressOf, shown, file } = this.#options;
    const { kind, name, source } = host.facts;
    const until = now();
    const entry: EndedTunnel = {
      id: this.#next,
      kind,
      name,
      url: addressOf(host),
      tokenId,
      source: shown(source, until),
      since: until - lastedMs,
      until,
      why,
      visits: host.requests,
      bytesIn: host.bytesIn,
      bytesOut: host.bytesOut,
    };
    this.#next += 1;
    this.#entries.push(entry);
    // In one step for many: taking the first one out of a long list costs as much as its length.
    if (this.#entries.length > HISTORY.entries + HISTORY.slack)
      this.#entries.splice(0, this.#entries.length - HISTORY.entries);
    file?.add(entry, this.#entries);
  }

  #used(tokenId: string, at: number): void {
    this.#lastUse.delete(tokenId);
    this.#lastUse.set(tokenId, at);
    const [oldest] = this.#lastUse.keys();
    if (this.#lastUse.size > HISTORY.tokens && oldest !== undefined) this.#lastUse.delete(oldest);
  }
}

const openId = (name: ClaimName, epoch: number): string => `${claimId(name)}#${epoch}`;
