import type { StepsWhileOpen } from "./base/entry.ts";
import { ERRORS, type ErrorCode } from "./table.ts";

export { ERRORS, type ErrorCode };

/** Marks the class across copies: every file of the bundle has its own (scripts/build.mjs). */
const BRAND = Symbol.for("tunnel-mcp.TunnelError");

/** The one error class. `detail` is safe to show: never a key, a link, message text or a peer's words. */
export class TunnelError extends Error {
  override readonly name = "TunnelError";
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly [BRAND] = true;

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  constructor(code: ErrorCode, options: { detail?: string; cause?: unknown } = {}) {
    const entry = ERRORS[code];
    super(options.detail === undefined ? entry.message : `${entry.message}: ${options.detail}`, {
      cause: options.cause,
    });
    this.code = code;
    this.detail = options.detail;
  }

  /** The next step for an agent. */
  get next(): string {
    return ERRORS[this.code].next;
  }

  /** The next step for a person at a keyboard. */
  get nextForPerson(): string {
    return nextForPerson(this.code);
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** The next steps where an error befell the address of an open tunnel, which gets another one by itself. */
export function stepsWhileOpen(code: ErrorCode): StepsWhileOpen {
  const { whileOpen, next } = ERRORS[code];
  return whileOpen ?? { next, nextForPerson: nextForPerson(code) };
}

/** The next step of a code for a person at a keyboard. */
export function nextForPerson(code: ErrorCode): string {
  const { nextForPerson: own, next } = ERRORS[code];
  return own ?? next;
}

/** The value as a TunnelError; anything unforeseen becomes `internal` with the original as its cause. */
export function asTunnelError(thrown: unknown): TunnelError {
  return thrown instanceof TunnelError ? thrown : new TunnelError("internal", { cause: thrown });
}
