import { createHmac, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { ipLiteral } from "../../net/address.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Makes tags by which a room can tell its guests' sources apart, and nothing else of them. */
export class SourceTags {
  readonly #secret = randomBytes(32);

  /** The same for one source, in one room, on one day. */
  tag(room: string, address: string, now: number): string {
    const day = Math.floor(now / DAY_MS);
    const key = createHmac("sha256", this.#secret).update(`${room}\n${day}`).digest();
    return createHmac("sha256", key).update(sourceOf(address)).digest("hex").slice(0, 16);
  }
}

/** One who has an IPv6 address has 2^64 of them: the network counts. An IPv4 address counts in whatever spelling. */
export function sourceOf(address: string): string {
  const literal = ipLiteral(address) ?? address;
  if (!isIPv6(literal)) return literal;
  const [head = "", tail] = literal.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array.from({ length: zeros }, () => "0"), ...last];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
