import { stepsWhileOpen, type ErrorCode, type TunnelError } from "../errors/tunnel-error.ts";

/** An error as every reader sees it: a stable code, the sentence for it, and the next step. */
export interface ErrorView {
  readonly code: ErrorCode;
  readonly message: string;
  /** The next step for an agent; the chat puts the step for a person in its place. */
  readonly next: string;
  readonly retryable: boolean;
}

export function errorView({ code, message, next, retryable }: TunnelError): ErrorView {
  return { code, message, next, retryable };
}

/** An error of the address of an open tunnel: another step is next there than where a tunnel could not be opened. */
export function addressErrorView(error: TunnelError): ErrorView {
  return { ...errorView(error), next: stepsWhileOpen(error.code).next };
}
