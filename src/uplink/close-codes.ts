/** Codes with which the WebSocket between host and relay is closed. */
export const CLOSE = {
  /** By the host: its claim is over, and visitors get 404 from now on. */
  released: 4000,
  /** Token, name or kind are not allowed: somebody has to change something first. */
  refused: 4001,
  /** A newer registration has proved the same key. The host must not come back by itself. */
  evicted: 4002,
  /** Nothing is wrong with the host; the reason may end in the milliseconds to wait. */
  tryLater: 4003,
  /** This host will never be served as it is: another version, a broken rule, a blocked name. */
  never: 4004,
} as const;

/** The closed table of reasons, as they travel in the close frame. */
export const REASONS = {
  "token-missing": CLOSE.refused,
  "token-invalid": CLOSE.refused,
  "token-expired": CLOSE.refused,
  "kind-not-allowed": CLOSE.refused,
  "name-invalid": CLOSE.refused,
  "name-reserved": CLOSE.refused,
  "name-not-allowed": CLOSE.refused,
  "name-needed": CLOSE.refused,
  "name-taken": CLOSE.refused,
  "proof-invalid": CLOSE.refused,
  "no-domain": CLOSE.refused,
  "no-ports": CLOSE.refused,
  evicted: CLOSE.evicted,
  closed: CLOSE.refused,
  "too-many": CLOSE.tryLater,
  "too-slow": CLOSE.tryLater,
  "auth-unavailable": CLOSE.tryLater,
  "claims-unavailable": CLOSE.tryLater,
  "ports-used-up": CLOSE.tryLater,
  "going-away": CLOSE.tryLater,
  blocked: CLOSE.never,
  "wrong-version": CLOSE.never,
  "broken-rules": CLOSE.never,
} as const satisfies Readonly<Record<string, number>>;

export type Reason = keyof typeof REASONS;

/** A reason with the wait that goes with it, as the text of a close frame. */
export function reasonText(reason: Reason, waitMs?: number): string {
  return waitMs === undefined ? reason : `${reason} ${Math.round(waitMs)}`;
}

/** Undefined for a text that no relay of this version sends, such as that of a proxy on the way. */
export function parseReason(
  text: string,
): { readonly reason: Reason; readonly waitMs: number | undefined } | undefined {
  const [, word = "", wait] = /^([a-z-]{1,40})(?: (\d{1,7}))?$/.exec(text) ?? [];
  if (!isReason(word)) return undefined;
  return { reason: word, waitMs: wait === undefined ? undefined : Number(wait) };
}

const isReason = (word: string): word is Reason => Object.hasOwn(REASONS, word);
