import { hostForUrl } from "../../net/address.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Upstream } from "../upstream.ts";
import { get, speaksTls, type Heard, type Question } from "./ask.ts";
import type { ServiceTarget } from "./parse.ts";

export type Means = Pick<Question, "clock" | "signal">;

export interface Outcome {
  readonly upstream: Upstream;
  readonly heard: Heard;
}

/** A dev server that compiles its first page takes about that long. */
export const PATIENCE_MS = 20_000;
/** For each question besides the first. */
export const SIDE_LIMIT_MS = 2_000;

/** The error of a target at which no address has answered in HTTP: as exact as one more question can make it. */
export async function failureOf(
  target: ServiceTarget,
  outcomes: readonly Outcome[],
  means: Means,
): Promise<TunnelError> {
  const alive = outcomes.filter(({ heard }) => heard.kind !== "refused");
  if (alive.some(({ heard }) => heard.kind === "no-tls" && heard.why === "untrusted"))
    return new TunnelError("expose-target-untrusted");
  for (const { upstream } of alive)
    if (await speaksOther(upstream, means)) return notHttp(otherScheme(target));
  const spoken = alive.find(({ heard }) => heard.kind !== "silent")?.heard;
  if (spoken?.kind === "noise") return notHttp(languageOf(spoken.first));
  if (spoken !== undefined) return notHttp(spoken.kind === "no-tls" ? NO_TLS : MUTE);
  const detail = alive.length > 0 ? NO_WORD : `nobody listens on ${placesOf(outcomes)}`;
  return new TunnelError("expose-target-silent", { detail });
}

/** A server for HTTPS often tells a visitor without TLS so, with status 400. @throws {TunnelError} expose-target-not-http */
export async function assertNotSecure(
  target: ServiceTarget,
  upstream: Upstream,
  means: Means,
): Promise<void> {
  if (upstream.scheme === "http" && (await speaksOther(upstream, means))) throw notHttp(otherScheme(target));
}

async function speaksOther(upstream: Upstream, means: Means): Promise<boolean> {
  const { clock, signal } = means;
  if (upstream.scheme === "http") return speaksTls(upstream, { clock, signal, limitMs: SIDE_LIMIT_MS });
  return (await get({ ...upstream, scheme: "http" }, "/", SIDE_LIMIT_MS, means)).kind === "http";
}

function otherScheme({ scheme, host, port }: ServiceTarget): string {
  const [other, spoken] = scheme === "http" ? ["https", "HTTPS"] : ["http", "plain HTTP"];
  return `it speaks ${spoken}; write ${other}://${hostForUrl(host)}:${port}`;
}

const NO_TLS = "no TLS connection can be made to it, and it speaks no plain HTTP";
const MUTE = "it ends the connection without an answer";
const NO_WORD = `it takes connections, and has not answered in ${PATIENCE_MS / 1_000} s; if it is still starting, call again`;

const placesOf = (outcomes: readonly Outcome[]): string =>
  outcomes.map(({ upstream: { address, port } }) => `${hostForUrl(address)}:${port}`).join(" or ");

/** Services that greet, or complain, in a language of their own. Each character is one byte. */
const LANGUAGES: readonly (readonly [is: (first: string) => boolean, name: string])[] = [
  [(first) => first.startsWith("HTTP/"), "HTTP, but breaks its rules"],
  [(first) => first.startsWith("SSH-"), "SSH"],
  [(first) => first.startsWith("RFB "), "VNC"],
  [(first) => /^220[ -]/.test(first), "a mail or file protocol"],
  [(first) => /^(?:\+OK|\* OK)/.test(first), "a mail protocol"],
  [(first) => /^-(?:ERR|NOAUTH|DENIED)/.test(first), "the protocol of Redis"],
  [(first) => first.startsWith("ERROR\r\n"), "the protocol of Memcached"],
  // RFC 9113 §3.4: a server begins with a SETTINGS frame, type 4 on stream 0.
  [(first) => first.charCodeAt(3) === 4 && first.slice(5, 9) === "\0\0\0\0", "HTTP/2 without TLS alone"],
];

function languageOf(first: string): string {
  const name = LANGUAGES.find(([is]) => is(first))?.[1];
  return name === undefined ? "it answers in a language of its own" : `it speaks ${name}`;
}

function notHttp(detail: string): TunnelError {
  return new TunnelError("expose-target-not-http", { detail });
}
