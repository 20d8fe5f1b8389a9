import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import {
  CROSS_SITE,
  NO_SUCH_PAGE,
  refusal,
  TOKEN_FIELD,
  welcome,
  type Refusal,
} from "../../expose/access/answers.ts";
import { cookieName, setCookie, takeCookies, withoutOurSetCookies } from "../../expose/access/cookies.ts";
import { isForged, isOwnOrigin } from "../../expose/access/cross-site.ts";
import { isAmong, newSecret, type Secret } from "../../expose/access/secret.ts";
import type { Admission, Gate } from "../../expose/gate.ts";
import { valuesOf, without, type RequestHead } from "../../expose/message.ts";
import { RESERVED_PREFIX } from "../../expose/probes.ts";

const ENTER = `${RESERVED_PREFIX}enter/`;
const OWN_PATHS = /^\/\.tunnel(?:[/?]|$)/;
const TOKEN: ReadonlySet<string> = new Set([TOKEN_FIELD.toLowerCase()]);
/** Entries that are not used yet, and cookies: of a person who opens the service here and there. */
const MAX_ENTRIES = 8;
const MAX_COOKIES = 32;
const MAX_PRESENTED = 8;
const DAY_SEC = 24 * 60 * 60;

const CLOSED: Refusal = {
  status: 403,
  why: "no-access",
  title: "This service of a peer is not open to you",
  lines: [
    "It is for the person at this machine. Ask your agent for a new address (tunnel_connect); each works once.",
    `Programs send the field ${TOKEN_FIELD} with the token that tunnel_connect has given.`,
  ],
};

const USED: Refusal = {
  status: 403,
  why: "entry-used",
  title: "This address has been used",
  lines: ["Each works once, in one browser. Ask your agent for a new one (tunnel_connect)."],
};

/**
 * The door to a peer's HTTP service on this machine: another user of the machine, or a page in the browser, does not get in. A person
 * comes by an address that works once and gets a cookie of this host alone; programs send a token. Both end here, and the peer never
 * sees them.
 */
export class Door {
  readonly gate: Gate = { judge: (head, _source, about) => this.#judge(head, about) };
  readonly #primitives: Primitives;
  readonly #token: Secret;
  readonly #cookie;
  #entries: readonly Secret[] = [];
  #cookies: readonly Secret[] = [];
  #origin: string | undefined;

  constructor(primitives: Primitives) {
    this.#primitives = primitives;
    this.#token = newSecret(primitives);
    this.#cookie = cookieName(toHex(primitives.random(4)));
  }

  /** Where it stands: no other `Host` and no other `Origin` is let in. */
  publish(origin: string): void {
    this.#origin = origin;
  }

  /** For programs. */
  get token(): { readonly field: string; readonly value: string } {
    return { field: TOKEN_FIELD, value: this.#token.text };
  }

  /** The path of a new address that lets one browser in. */
  newEntry(): string {
    const entry = newSecret(this.#primitives);
    this.#entries = [...this.#entries, entry].slice(-MAX_ENTRIES);
    return `${ENTER}${entry.text}`;
  }

  #judge(head: RequestHead, { isUpgrade }: { readonly isUpgrade: boolean }): Admission {
    const tokens = valuesOf(head.fields, TOKEN_FIELD).slice(0, MAX_PRESENTED);
    const { fields, values } = takeCookies(without(head.fields, TOKEN), this.#cookie);
    const { method, target } = head;
    const shown = { ...head, target: target.startsWith(ENTER) ? ENTER : target, fields };
    const refuse = (refused: Refusal): Admission => ({
      kind: "answer",
      answer: refusal(refused, isForPerson(head)),
      shown,
    });
    // A browser that is led here by a page of somebody else's says so (RFC 6455 §10.2; Fetch §2.2.5).
    if (isUpgrade && !isOwnOrigin(head.fields, this.#origin)) return refuse(CROSS_SITE);
    if (target.startsWith(ENTER)) return this.#enter(head, refuse);
    if (OWN_PATHS.test(target)) return refuse(NO_SUCH_PAGE);
    const byToken = isAmong(this.#primitives, tokens, this.#token.hash);
    const byCookie = this.#cookies.some(({ hash }) =>
      isAmong(this.#primitives, values.slice(0, MAX_PRESENTED), hash),
    );
    if (!byToken && !byCookie) return refuse(CLOSED);
    const origin = this.#origin;
    const isFromElsewhere =
      isForged(method, head.fields, { origin, isNullOwn: true }) || !isPlainRead(head, origin);
    if (isFromElsewhere) return refuse(CROSS_SITE);
    return {
      kind: "pass",
      way: byToken ? "token" : "claim",
      visitor: undefined,
      target,
      fields,
      respond: (answer) => ({ ...answer, fields: withoutOurSetCookies(answer.fields) }),
    };
  }

  /** A look ahead by a browser or a program that shows previews does not use it up: only a GET that is meant does. */
  #enter({ method, target, fields }: RequestHead, refuse: (refused: Refusal) => Admission): Admission {
    const isAhead = [...valuesOf(fields, "sec-purpose"), ...valuesOf(fields, "purpose")].length > 0;
    const [secret = ""] = target.slice(ENTER.length).split("?", 1);
    const entry = this.#entries.find(({ hash }) => isAmong(this.#primitives, [secret], hash));
    if (method !== "GET" || isAhead || entry === undefined) return refuse(USED);
    this.#entries = this.#entries.filter((one) => one !== entry);
    const cookie = newSecret(this.#primitives);
    this.#cookies = [...this.#cookies, cookie].slice(-MAX_COOKIES);
    const set = setCookie(this.#cookie, cookie.text, { isSecure: false, maxAgeSec: DAY_SEC });
    return { kind: "answer", answer: welcome(set) };
  }
}

/** A page of another origin may link here, and no more: it gets no image, script or answer of the service with this person's cookie. */
function isPlainRead({ fields }: RequestHead, origin: string | undefined): boolean {
  if (!isOwnOrigin(fields, origin) && !valuesOf(fields, "origin").every((value) => value === "null"))
    return false;
  const sites = valuesOf(fields, "sec-fetch-site");
  const isNavigation = valuesOf(fields, "sec-fetch-mode").every((mode) => mode === "navigate");
  return sites.every((site) => site === "same-origin" || site === "none") || isNavigation;
}

/** Whether a browser asks for a page, as opposed to what a page or a script asks for. */
function isForPerson({ fields }: RequestHead): boolean {
  return valuesOf(fields, "accept").some((value) => /\btext\/html\b/i.test(value));
}
