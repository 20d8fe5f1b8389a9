import type { IncomingMessage } from "node:http";
import { own } from "../../expose/gateway/rules/own-answers.ts";
import { valuesOf, type OwnAnswer, type RawFields } from "../../expose/message.ts";

/** A form is sent here; the gateway behind has nothing below this path either. */
const GO_ON = "/.tunnel/relay/continue";
const COOKIE = "tunnel_relay_seen";
const WEEK_SECONDS = 7 * 24 * 60 * 60;
/** A script says by this field that it needs no warning. */
const SKIP_FIELD = "tunnel-skip-warning";

/**
 * A page before the first one of a name, for names that strangers may have: it says who serves what follows, once per name and week. Only
 * people in browsers see it; a script never meets it by surprise. Undefined: the request is the service's.
 */
export function interstitial(
  request: IncomingMessage,
  target: string,
  about: { readonly authority: string; readonly contact: string | undefined },
): OwnAnswer | undefined {
  const { method = "", rawHeaders } = request;
  if (target.startsWith(`${GO_ON}?`) && method === "POST") return goneOn(target, rawHeaders, about.authority);
  return isBrowsing(method, rawHeaders) && !hasSeen(rawHeaders) ? warning(target, about) : undefined;
}

/** A person follows a link: never a script, a fetch of a page, a preflight, or whoever has credentials for the service. */
function isBrowsing(method: string, fields: RawFields): boolean {
  const first = (name: string): string => valuesOf(fields, name)[0]?.toLowerCase() ?? "";
  if (method !== "GET" && method !== "HEAD") return false;
  if (["authorization", "upgrade", SKIP_FIELD].some((name) => valuesOf(fields, name).length > 0))
    return false;
  if (!first("accept").includes("text/html") || !first("user-agent").startsWith("mozilla/")) return false;
  return ["", "document", "iframe", "frame"].includes(first("sec-fetch-dest"));
}

const hasSeen = (fields: RawFields): boolean =>
  valuesOf(fields, "cookie")
    .flatMap((value) => value.split(";"))
    .some((pair) => pair.trim() === `${COOKIE}=1`);

/** Only the page itself may send the form: a link or a form elsewhere would lead past it. */
function goneOn(target: string, fields: RawFields, authority: string): OwnAnswer {
  const [origin = ""] = valuesOf(fields, "origin");
  const isOwn =
    /^https?:\/\//.test(origin) &&
    origin.replace(/^https?:\/\//, "").toLowerCase() === authority.toLowerCase();
  const to = new URLSearchParams(target.slice(GO_ON.length)).get("to") ?? "/";
  // A path of this name, and nothing that a browser would take for another host.
  if (!isOwn || !/^\/(?![/\\])[\x21-\x7e]*$/.test(to))
    return own(403, "no-access", "This page has been asked for from elsewhere.");
  const cookie = `${COOKIE}=1; Path=/; Max-Age=${WEEK_SECONDS}; HttpOnly; SameSite=Lax`;
  return own(303, "continue", "", "Location", to, "Set-Cookie", cookie);
}

const PAGE_FIELDS: RawFields = Object.entries({
  "Content-Type": "text/html; charset=utf-8",
  "X-Robots-Tag": "noindex",
  // With the form goes the origin, by which it is known as the page's own.
  "Referrer-Policy": "same-origin",
  "Content-Security-Policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
}).flat();

function warning(
  target: string,
  { authority, contact }: { authority: string; contact: string | undefined },
): OwnAnswer {
  const to = `${GO_ON}?to=${encodeURIComponent(target)}`;
  const complaint = contact === undefined ? "" : `<p>Complaints: ${escaped(contact)}</p>`;
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>Before you go on</title>
<body style="font:16px/1.5 sans-serif;max-width:36em;margin:3em auto;padding:0 1em">
<h1>Before you go on</h1>
<p><b>${escaped(authority)}</b> leads to a program on somebody's own computer. Whoever runs this relay does not know it and has not checked it.</p>
<p>Go on only if you know who gave you this address. Never enter a password of another site here.</p>
<form method="post" action="${escaped(to)}"><button>Go on</button></form>${complaint}
`;
  return {
    status: 403,
    why: "interstitial",
    fields: PAGE_FIELDS,
    body,
  };
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
