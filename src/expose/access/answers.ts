import type { OwnAnswer, RawFields } from "../message.ts";
import type { AccessKind } from "./kinds.ts";
import { CLAIM_PATH, plainPage } from "./pages.ts";

/** The field in which a script shows its token; `Authorization` stays the service's. */
export const TOKEN_FIELD = "X-Tunnel-Token";

const PLAIN = ["Content-Type", "text/plain; charset=utf-8", "Cache-Control", "no-store"];

/** What is said to a visitor. Nothing in it comes from the visitor, and nothing is secret. */
export interface Refusal {
  readonly status: number;
  readonly why: string;
  readonly title: string;
  readonly lines: readonly string[];
  readonly fields?: RawFields;
}

/** The refusal as a page for people, or as text for everything else. */
export function refusal({ status, why, title, lines, fields = [] }: Refusal, isPage: boolean): OwnAnswer {
  if (!isPage)
    return { status, why, fields: [...PLAIN, ...fields], body: `${[title, ...lines].join("\n")}\n` };
  const page = plainPage(title, lines);
  return { status, why, fields: [...page.fields, ...fields], body: page.body };
}

/** The ways in that a visitor is told of: how each is challenged for (RFC 9110 §11.6.1), for people and for scripts. */
const WAYS: readonly {
  readonly kind: AccessKind;
  readonly challenge: string;
  /** undefined: nothing that a person does in a browser. */
  readonly person: string | undefined;
  readonly script: string;
}[] = [
  {
    kind: "claim",
    challenge: `Tunnel-Claim realm="tunnel", page="${CLAIM_PATH}"`,
    person:
      "If you were sent a link, open that link first, the whole of it. It works once, in one browser. If you have used it already, ask for a new one.",
    script: `People open the link they were sent (${CLAIM_PATH}#...) in a browser.`,
  },
  {
    kind: "token",
    challenge: `Tunnel-Token realm="tunnel", field="${TOKEN_FIELD}"`,
    person: undefined,
    script: `Scripts send the token they were given as ${TOKEN_FIELD}: TOKEN.`,
  },
  {
    kind: "basic",
    challenge: `Basic realm="tunnel", charset="UTF-8"`,
    person: "If you were given a user name and a password, sign in with them.",
    script: "Whoever has a user name and a password sends them by HTTP Basic.",
  },
];

/** Nobody gets in without a credential, and a person or a program is told how they get in. */
export function noAccess(
  kinds: ReadonlySet<AccessKind>,
  about: { readonly why: "no-access" | "wrong-credential"; readonly isPerson: boolean },
): Refusal {
  const { why, isPerson } = about;
  const ways = WAYS.filter(({ kind }) => kinds.has(kind));
  const challenges = ways.length === 0 ? ['Tunnel realm="tunnel"'] : ways.map(({ challenge }) => challenge);
  const lines = ways.flatMap(({ person, script }) => (isPerson ? (person ?? []) : script));
  return {
    status: 401,
    why,
    title: isPerson ? "This page is not public" : "This address is not public.",
    lines: lines.length === 0 ? ["Ask whoever gave you the address."] : lines,
    fields: challenges.flatMap((challenge) => ["WWW-Authenticate", challenge]),
  };
}

export const GONE: Refusal = {
  status: 410,
  why: "gone",
  title: "This address is no longer in use",
  lines: ["Whoever shared it has ended that. Ask for a new link."],
};

/** The same for a link that is used, revoked, or never was. */
export const CLAIM_REFUSED: Refusal = {
  status: 403,
  why: "claim-refused",
  title: "This link does not work",
  lines: ["Each link works once, in one browser. Ask whoever sent it for a new one."],
};

export const CROSS_SITE: Refusal = {
  status: 403,
  why: "cross-site",
  title: "Refused: this comes from a page of another site.",
  lines: [
    "Pages of other sites open no WebSocket here, and send nothing with the rights of somebody who is signed in.",
    `A program that is no browser leaves Origin out, or sends the address itself.`,
  ],
};

export const NO_SUCH_PAGE: Refusal = {
  status: 404,
  why: "no-such-page",
  title: "There is no such page.",
  lines: ["Paths that begin with /.tunnel/ belong to the exposure, not to the service behind it."],
};

export const NOT_A_FORM: Refusal = {
  status: 415,
  why: "claim-form",
  title: "A claim is posted as a form.",
  lines: ["Send application/x-www-form-urlencoded with the field claim."],
};

export const NOT_LISTED: Refusal = {
  status: 403,
  why: "path-not-listed",
  title: "This address opens other paths only.",
  lines: ["Ask whoever gave it to you to list this path."],
};

export const NO_SOCKET: Refusal = {
  status: 403,
  why: "read-only",
  title: "This address only reads.",
  lines: ["A WebSocket needs another way in."],
};

export const NOT_YET: Refusal = {
  status: 503,
  why: "not-yet",
  title: "This address is not ready yet.",
  lines: ["Try again in a moment."],
  fields: ["Retry-After", "2"],
};

export function methodRefused(allowed: readonly string[]): Refusal {
  return {
    status: 405,
    why: "method-refused",
    title: "This method is not let through here.",
    lines: [`Allowed: ${allowed.join(", ")}.`],
    fields: ["Allow", allowed.join(", ")],
  };
}

export function tooMany(retrySec: number): Refusal {
  return {
    status: 429,
    why: "too-many-failures",
    title: "Too many attempts failed",
    lines: ["Wait a little, then try again with a link, a token or a password that is right."],
    fields: ["Retry-After", String(retrySec)],
  };
}

/** The claim has been used: on to the service, with the cookie. */
export function welcome(cookie: readonly [name: string, value: string]): OwnAnswer {
  const fields = ["Location", "/", ...cookie, ...PLAIN, "Referrer-Policy", "no-referrer"];
  return { status: 303, why: "claimed", fields, body: "You are in.\n" };
}
