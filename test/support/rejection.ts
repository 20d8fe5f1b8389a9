import { TunnelError, type ErrorCode } from "../../src/errors/tunnel-error.ts";

/** The TunnelError that a promise is rejected with; "nothing" when it is not; anything else passes through. */
export async function rejection(promise: Promise<unknown>): Promise<TunnelError | "nothing"> {
  try {
    await promise;
    return "nothing";
  } catch (error) {
    if (error instanceof TunnelError) return error;
    throw error;
  }
}

export async function rejectedWith(promise: Promise<unknown>): Promise<ErrorCode | "nothing"> {
  const error = await rejection(promise);
  return error === "nothing" ? error : error.code;
}
