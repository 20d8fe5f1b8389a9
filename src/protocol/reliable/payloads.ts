import { readU64be, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** Fields of frames that are not JSON (PROTOCOL §5). All throw protocol-violation. */

/** A frame of fixed size carries that and nothing else: nothing may ride along unread (F3). */
export function exactly(length: number, payload: Bytes): Bytes {
  if (payload.length !== length)
    throw new TunnelError("protocol-violation", { detail: "a frame of the wrong size" });
  return payload;
}

export function readNumber(payload: Bytes, at: number): number {
  const number = readU64be(payload, at);
  if (number === undefined) throw new TunnelError("protocol-violation", { detail: "a short frame" });
  return number;
}
