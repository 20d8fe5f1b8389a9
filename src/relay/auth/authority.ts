import type { Reason } from "../../uplink/close-codes.ts";
import type { ClaimKind } from "../../uplink/messages.ts";

/** The limits that a token may have of its own; those of the relay count where one is left out. */
interface TokenLimits {
  readonly tunnels?: number | undefined;
  /** Names of services that it may hold in all; a name stays its key's when its service ends. */
  readonly names?: number | undefined;
  /** Guests, requests and connections at once, of each tunnel. */
  readonly inFlight?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  /** Bytes of one body, of HTTP services alone. 0 is no limit. */
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
}

/** The rights of a host here. */
export interface Grant {
  /** Names the token and is none: it may be shown to operators. */
  readonly tokenId: string;
  readonly kinds: ReadonlySet<ClaimKind>;
  /** Names of HTTP services, or patterns with one `*`. */
  readonly names: readonly string[];
  readonly limits: TokenLimits;
  /** By the clock of the relay: then the token is asked for again, and whoever has none any more is closed. */
  readonly recheckAt: number | undefined;
  /** From then on this counts no more, whether or not the authority could be asked again. */
  readonly lapsesAt?: number;
}

export type Verdict =
  | { readonly kind: "granted"; readonly grant: Grant }
  /** `text` is the authority's own and goes to the host; short, and never the token. */
  | { readonly kind: "refused"; readonly reason: Reason; readonly text?: string }
  /** It cannot be told now: nobody is let in (fails closed), and who is in stays until their grant lapses. */
  | { readonly kind: "unavailable" };

/** Decides who may register. */
export interface Authority {
  /** Whether names are open to everybody who has heard of this relay. */
  readonly isOpen: boolean;
  /** @param name of an HTTP service, where the host has asked for one */
  check(token: string | undefined, asked: { kind: ClaimKind; name: string | undefined }): Promise<Verdict>;
  /** Tokens have changed: everybody who is in is checked again. */
  onChange(listener: () => void): () => void;
}
