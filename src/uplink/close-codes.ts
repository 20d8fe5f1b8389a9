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
  "names-used-up": CLOSE.refused,
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

/** The words that may follow a reason: one line of plain characters, so that the whole fits into a close frame (RFC 6455 §5.5). */
export const MAX_SAID_CHARS = 80;

/**
 * A reason with the wait that goes with it, as the text of a close frame.
 * @param said words of whoever decides on tokens, of at most {@link MAX_SAID_CHARS} printable characters of ASCII
 */
export function reasonText(reason: Reason, waitMs?: number, said?: string): string {
  const coded = waitMs === undefined ? reason : `${reason} ${Math.round(waitMs)}`;
  return said === undefined ? coded : `${coded}: ${said}`;
}

/** Undefined for a text that no relay of this version sends, such as that of a proxy on the way. */
export function parseReason(
  text: string,
): { readonly reason: Reason; readonly waitMs: number | undefined; readonly said?: string } | undefined {
  const [, word = "", wait, said] =
    /^([a-z-]{1,40})(?: (\d{1,7}))?(?:: ([\x20-\x7e]{1,80}))?$/.exec(text) ?? [];
  if (!isReason(word)) return undefined;
  const waitMs = wait === undefined ? undefined : Number(wait);
  return said === undefined ? { reason: word, waitMs } : { reason: word, waitMs, said };
}

const isReason = (word: string): word is Reason => Object.hasOwn(REASONS, word);
