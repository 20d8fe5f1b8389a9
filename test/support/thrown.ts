import { TunnelError, type ErrorCode } from "../../src/errors/tunnel-error.ts";

/** The code of the TunnelError that `call` throws; `undefined` when it does not; anything else passes through. */
export function codeOf(call: () => unknown): ErrorCode | undefined {
  return errorOf(call)?.code;
}

/** The TunnelError that `call` throws; `undefined` when it does not; anything else passes through. */
export function errorOf(call: () => unknown): TunnelError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof TunnelError) return error;
    throw error;
  }
}

/** The TunnelError that `call` throws; anything else passes through. */
export function thrownBy(call: () => unknown): TunnelError {
  try {
    call();
  } catch (error) {
    if (error instanceof TunnelError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
