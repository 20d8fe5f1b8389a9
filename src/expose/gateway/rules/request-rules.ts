import type { IncomingMessage } from "node:http";
import { type OwnAnswer, type RawFields, valuesOf } from "../../message.ts";
import { OWN } from "./own-answers.ts";

/** A request is refused before anything else looks at it, or has a target and a framing of which there are no two readings. */
export type Checked =
  | { readonly kind: "refused"; readonly answer: OwnAnswer; readonly closes: boolean }
  | {
      readonly kind: "good";
      /** Origin-form, byte for byte; `*` for OPTIONS of the whole server. */
      readonly target: string;
      /** The host that is asked for. */
      readonly authority: string;
      /** The target names it, and not `Host` (RFC 9112 §3.2.2). */
      readonly isAbsolute: boolean;
      readonly body: IncomingBody;
    };

export type IncomingBody =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

const refused = (answer: OwnAnswer, closes = false): Checked => ({ kind: "refused", answer, closes });

/**
 * The rules on method, framing, target and `Host` that Node's server leaves open (RFC 9112 §3.2, §6; RFC 9110 §9.3.6, §9.3.8). It
 * refuses by itself: Content-Length beside Transfer-Encoding, two lengths, `chunked` that is not last, bare CR or LF, NUL,
 * folded lines.
 */
export function checkRequest(request: IncomingMessage): Checked {
  const { method = "", url = "", rawHeaders, httpVersion } = request;
  const body = bodyOf(rawHeaders, httpVersion);
  if (body === "faulty") return refused(OWN.badFraming, true);
  if (body === "unknown") return refused(OWN.coding, true);
  const hosts = valuesOf(rawHeaders, "host");
  const [host = ""] = hosts;
  if (hosts.length !== 1 || !isAuthority(host)) return refused(OWN.badHost, true);
  if (method === "CONNECT" || method === "TRACE") return refused(OWN.method);
  const asked = readTarget(method, url, host);
  return asked === undefined ? refused(OWN.badTarget) : { kind: "good", ...asked, body };
}

/** A fragment, a scheme of its own or no path at all: no target (RFC 9112 §3.2). */
function readTarget(
  method: string,
  url: string,
  host: string,
): { readonly target: string; readonly authority: string; readonly isAbsolute: boolean } | undefined {
  if (url.includes("#")) return undefined;
  // Never through a parser of URLs: `//host/x` is a path here, and `..` or %2f must reach the service as they are.
  if (url.startsWith("/")) return { target: url, authority: host, isAbsolute: false };
  if (url === "*") {
    return method === "OPTIONS" ? { target: url, authority: host, isAbsolute: false } : undefined;
  }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/is.exec(url);
  if (absolute === null) return undefined;
  const [, authority = "", rest = ""] = absolute;
  if (!isAuthority(authority)) return undefined;
  if (rest === "" && method === "OPTIONS") return { target: "*", authority, isAbsolute: true };
  return { target: rest.startsWith("/") ? rest : `/${rest}`, authority, isAbsolute: true };
}

/** A host and perhaps a port, without user information (RFC 3986 §3.2.2). */
function isAuthority(text: string): boolean {
  return /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]*)?$/.test(text);
}

/** How the body is framed. Node has refused lengths that are no number, or two (RFC 9112 §6.3). */
function bodyOf(fields: RawFields, version: string): IncomingBody | "faulty" | "unknown" {
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    // RFC 9112 §6.1: such a message is faulty, and so is one with both.
    if (version === "1.0" || lengths.length > 0) return "faulty";
    return codings.length === 1 && codings[0]?.trim().toLowerCase() === "chunked"
      ? { kind: "chunked" }
      : "unknown";
  }
  if (lengths.length === 0) return { kind: "none" };
  const bytes = Number(lengths[0]);
  if (lengths.length > 1 || !/^[0-9]+$/.test(lengths[0] ?? "") || !Number.isSafeInteger(bytes))
    return "faulty";
  return { kind: "length", bytes };
}

/** Whether an authority is that of our public address: without regard to case, and with or without the usual port. */
export function isOurs(authority: string, origin: URL): boolean {
  const asked = authority.toLowerCase();
  if (asked === origin.host) return true;
  const usual = origin.protocol === "https:" ? ":443" : ":80";
  return origin.port === "" && (asked === `${origin.host}${usual}` || asked === `${origin.host}:`);
}
