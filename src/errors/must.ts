import { TunnelError } from "./tunnel-error.ts";

/**
 * The value, where it cannot be missing. Never for what a peer, a user or a system decides: bad input has codes of its own.
 * @param what a literal that names the value, without any data
 * @throws {TunnelError} internal
 */
export function must<Value>(value: Value, what: string): NonNullable<Value> {
  if (value === undefined || value === null)
    throw new TunnelError("internal", { detail: `${what} is missing` });
  return value;
}
