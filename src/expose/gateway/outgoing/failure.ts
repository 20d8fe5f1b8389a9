/** Proxy error types of RFC 9209 §2.3 that the outgoing side can meet. */
export type FailureKind =
  | "connection_refused"
  | "connection_timeout"
  | "connection_terminated"
  | "destination_ip_unroutable"
  | "destination_unavailable"
  | "tls_protocol_error"
  | "http_response_incomplete"
  | "http_response_header_section_size"
  | "http_response_transfer_coding"
  | "http_response_timeout"
  | "http_protocol_error";

/** The service gave no whole response. `detail` names no address and no bytes of the service. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly kind: FailureKind;

  constructor(kind: FailureKind, detail: string, options?: { readonly cause: unknown }) {
    super(detail, options);
    this.kind = kind;
  }
}

const BY_CODE: ReadonlyMap<string, FailureKind> = new Map([
  ["ECONNREFUSED", "connection_refused"],
  ["ETIMEDOUT", "connection_timeout"],
  ["EHOSTUNREACH", "destination_ip_unroutable"],
  ["ENETUNREACH", "destination_ip_unroutable"],
  ["EADDRNOTAVAIL", "destination_ip_unroutable"],
  ["EPROTO", "tls_protocol_error"],
  // A service of a member, as its stream says (PROTOCOL §9.1).
  ["silent", "connection_refused"],
  ["away", "destination_unavailable"],
  ["asked", "destination_unavailable"],
  ["busy", "destination_unavailable"],
]);

/** An error of a socket as a failure. */
export function failureOf(error: NodeJS.ErrnoException): Failure {
  const code = error.code ?? "";
  const isTls = code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS") || code.includes("CERT");
  const kind = isTls ? "tls_protocol_error" : (BY_CODE.get(code) ?? "connection_terminated");
  return new Failure(kind, code === "" ? "connection failed" : code, { cause: error });
}
