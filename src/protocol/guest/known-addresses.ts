import { isOrigin } from "../handshake/invite-link.ts";

const MAX_RETIRED = 64;
const SECURE = "wss://";
/** The host part of an origin that is an address and no name, as a URL parser sees it: the last label is a number. */
const LITERAL = /^wss?:\/\/(?:\[|(?:[^/:]*\.)?(?:[0-9]+|0x[0-9a-f]*)(?::|$))/;

/**
 * Whether a host may send its member to these addresses (U2). Who joined over TLS by a name stays with that: nobody
 * agreed to be led to `ws://` or into a private network, and a certificate vouches for names.
 */
export function areAddresses(link: string, announced: readonly string[]): boolean {
  return announced.every((origin) => {
    if (!isOrigin(origin)) return false;
    return (
      !link.startsWith(SECURE) || LITERAL.test(link) || (origin.startsWith(SECURE) && !LITERAL.test(origin))
    );
  });
}

/** The way that worked last, and those that the host has told last. */
export interface KnownAddresses {
  readonly worked: string;
  readonly announced: readonly string[];
}

/**
 * Where a member may find its host (PROTOCOL §4.5), likeliest first, and which of them this round has not tried yet. The way
 * that worked last comes first, also where the host does not know of it: there may be a proxy in between.
 */
export class Addresses {
  readonly #link: string;
  #worked: string;
  #announced: readonly string[] = [];
  /** Announced once and not any more: these lead nowhere, or to somebody else. */
  readonly #retired = new Set<string>();
  #current: string;
  #untried: string[] = [];

  constructor(link: string) {
    this.#link = link;
    this.#worked = link;
    this.#current = link;
  }

  /** For a stay that is kept: what an earlier process knew. */
  get known(): KnownAddresses {
    return { worked: this.#worked, announced: this.#announced };
  }

  restore({ worked, announced }: KnownAddresses): void {
    this.#worked = worked;
    this.#announced = announced;
  }

  /** The one to dial. */
  get current(): string {
    return this.#current;
  }

  /** How many of this round are left, the current one included. */
  get left(): number {
    return 1 + this.#untried.length;
  }

  /** A new round begins with the likeliest one. */
  begin(): void {
    const known = new Set([this.#worked, ...this.#announced, this.#link]);
    const [first, ...others] = [...known].filter((origin) => !this.#retired.has(origin));
    this.#current = first ?? this.#current;
    this.#untried = others;
  }

  /** The next one of this round; `false` when all have been tried. */
  advance(): boolean {
    const next = this.#untried.shift();
    this.#current = next ?? this.#current;
    return next !== undefined;
  }

  /** This one has led to the host. */
  succeeded(origin: string): void {
    this.#worked = origin;
  }

  /** The host says where it is now, best first; nothing at all says nothing (U1). */
  announced(origins: readonly string[]): void {
    if (origins.length === 0) return;
    for (const origin of this.#announced) this.#retired.add(origin);
    for (const origin of origins) this.#retired.delete(origin);
    // A host that calls itself by ever new names must not fill the memory; what is forgotten is tried in vain.
    for (const oldest of this.#retired) if (this.#retired.size > MAX_RETIRED) this.#retired.delete(oldest);
    this.#announced = origins;
  }

  /** A fresh link to the same host leads here: likelier than what was known. */
  prefer(origin: string): void {
    this.#worked = origin;
    this.#retired.delete(origin);
    // Also in the round that is under way.
    this.#untried = [origin, ...this.#untried.filter((other) => other !== origin)];
  }
}
