import { TunnelError } from "../../errors/tunnel-error.ts";
import { CLOSE, parseReason, type Reason } from "../../uplink/close-codes.ts";

/** Why a line to a relay could not be made, or has ended. */
export interface LineFailure {
  readonly error: TunnelError;
  /** `later`: by itself, after `waitMs` at least. `changed`: somebody has to do something first. `evicted`: never by itself. */
  readonly comesBack: "later" | "changed" | "evicted";
  readonly waitMs: number;
}

const BY_REASON: Readonly<Partial<Record<Reason, ConstructorParameters<typeof TunnelError>[0]>>> = {
  "token-missing": "relay-token",
  "token-invalid": "relay-token",
  "token-expired": "relay-token",
  "name-invalid": "relay-name",
  "name-reserved": "relay-name",
  "name-not-allowed": "relay-name",
  "name-needed": "relay-name",
  "name-taken": "relay-name",
  "names-used-up": "relay-names",
  "wrong-version": "relay-version",
};

/** A line that was open and is closed. */
export function closedFailure(code: number, text: string): LineFailure {
  const told = parseReason(text);
  const waitMs = told?.waitMs ?? 0;
  const said = told?.said === undefined ? "" : `: ${JSON.stringify(told.said)}`;
  const detail = told === undefined ? {} : { detail: `${told.reason}${said}` };
  switch (code) {
    case CLOSE.evicted:
      return { error: new TunnelError("relay-evicted"), comesBack: "evicted", waitMs };
    case CLOSE.refused:
    case CLOSE.never: {
      const named = told === undefined ? undefined : BY_REASON[told.reason];
      return { error: new TunnelError(named ?? "relay-refused", detail), comesBack: "changed", waitMs };
    }
    case CLOSE.tryLater:
      return { error: new TunnelError("relay-busy", detail), comesBack: "later", waitMs };
    default:
      return { error: new TunnelError("relay-unreachable"), comesBack: "later", waitMs };
  }
}

const TLS_ERROR =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH$|EPROTO$)/;

/** A line that was never open. */
export function dialFailure(error: Error): LineFailure {
  if (error instanceof TunnelError)
    return { error, comesBack: error.retryable ? "later" : "changed", waitMs: 0 };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined && TLS_ERROR.test(code))
    return {
      error: new TunnelError("relay-untrusted", { detail: code, cause: error }),
      comesBack: "changed",
      waitMs: 0,
    };
  const detail = code === undefined ? {} : { detail: code };
  return {
    error: new TunnelError("relay-unreachable", { ...detail, cause: error }),
    comesBack: "later",
    waitMs: 0,
  };
}

/** Something else answers there: a proxy without its relay, a login page, another service. */
export function foreignFailure(status: number): LineFailure {
  const code = status >= 500 || status === 429 ? "relay-unreachable" : "relay-not-ours";
  return { error: new TunnelError(code, { detail: `HTTP ${status}` }), comesBack: "later", waitMs: 0 };
}
