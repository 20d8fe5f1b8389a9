import { toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Emitter } from "../../runtime/emitter.ts";
import type { Admission, Gate, Source, WayIn } from "../gate.ts";
import { valuesOf, without, type OwnAnswer, type RawFields, type RequestHead } from "../message.ts";
import {
  CLAIM_REFUSED,
  CROSS_SITE,
  GONE,
  methodRefused,
  noAccess,
  NO_SOCKET,
  NO_SUCH_PAGE,
  NOT_A_FORM,
  NOT_LISTED,
  NOT_YET,
  refusal,
  TOKEN_FIELD,
  tooMany,
  welcome,
  type Refusal,
} from "./answers.ts";
import { takeBasic } from "./basic.ts";
import { Claims, type ClaimState, type Visitor } from "./claims.ts";
import { cookieName, setCookie, takeCookies, withoutOurSetCookies, type CookieName } from "./cookies.ts";
import { isForged, isOwnOrigin, isPreflight } from "./cross-site.ts";
import { Failures } from "./failures.ts";
import type { AccessKind } from "./kinds.ts";
import { isOpenTo, type OpenPath } from "./open-paths.ts";
import { OVERRIDES } from "./overrides.ts";
import { CLAIM_PATH, claimPage } from "./pages.ts";
import { hidePrefix, prefixPath, splitPrefix, throughPrefix, withoutPrefixes } from "./prefix.ts";
import { isAmong, newSecret, secretOf, type Secret } from "./secret.ts";
import { waysOf, type AccessWays, type ClaimLink } from "./ways.ts";

export type { AccessWays, ClaimLink, ClaimState };

/** Everything below it is ours, and never reaches the service. */
const OWN_PATHS = /^\/\.tunnel(?:[/?]|$)/;
const MAX_FORM_BYTES = 4096;
/** Values of one credential that are looked at: a browser may send a cookie twice, and nobody needs to send more. */
const MAX_PRESENTED = 8;
const READING: readonly string[] = ["GET", "HEAD"];
const TOKEN: ReadonlySet<string> = new Set([TOKEN_FIELD.toLowerCase()]);
const CDN_CACHE: ReadonlySet<string> = new Set(["cdn-cache-control", "cloudflare-cdn-cache-control"]);

export interface AccessOptions {
  /** At least one, or open paths; `open` alone. */
  readonly kinds: readonly AccessKind[];
  readonly openPaths: readonly OpenPath[];
  /** Claim links to begin with. */
  readonly claims: number;
  /** The exposure's, shown on the claim page. */
  readonly name: string;
  /** How long the exposure may last at most: no cookie lives longer. */
  readonly lastsMs: number;
  readonly clock: Clock;
  readonly primitives: Primitives;
}

/** A link has been used. */
export interface Claimed {
  readonly id: string;
  readonly at: number;
  readonly address: string;
}

/** A request without what was for the gate alone, and what that was. */
interface Presented {
  readonly fields: RawFields;
  readonly cookies: readonly string[];
  readonly tokens: readonly string[];
  readonly basics: readonly string[];
}

type Way = { readonly way: WayIn; readonly visitor?: Visitor } | "forged" | undefined;

/** The part that decides who gets in, as an exposure needs it. */
export type AccessControl = Pick<
  Access,
  "gate" | "publish" | "addClaims" | "claims" | "revoke" | "onClaimed" | "waysIn" | "end"
>;

/** Decides who gets into an exposure. Closed by default: a request without a credential meets open paths alone. */
export class Access {
  readonly gate: Gate = { judge: (head, source, about) => this.#judge(head, source, about) };
  readonly #options: AccessOptions;
  readonly #kinds: ReadonlySet<AccessKind>;
  readonly #endsAt: number;
  readonly #claims: Claims;
  readonly #failures: Failures;
  readonly #claimed = new Emitter<Claimed>();
  readonly #cookie: CookieName;
  readonly #token: Secret;
  readonly #prefix: Secret;
  readonly #basic: { readonly user: string; readonly password: string; readonly secret: Secret };
  /** Open to everybody. */
  readonly #openPaths: readonly OpenPath[];
  /** Open behind the prefix; undefined for all. */
  readonly #prefixPaths: readonly OpenPath[] | undefined;
  #origin: URL | undefined;
  #isOver = false;

  /** @throws {TunnelError} expose-access-invalid, claims-too-many */
  constructor(options: AccessOptions) {
    const { kinds, openPaths, claims, lastsMs, clock, primitives } = options;
    this.#options = options;
    this.#kinds = new Set(kinds);
    if (this.#kinds.has("open") && this.#kinds.size > 1) throw new TunnelError("expose-access-invalid");
    if (this.#kinds.size === 0 && openPaths.length === 0)
      throw new TunnelError("expose-access-invalid", { detail: "nobody would get in" });
    this.#endsAt = clock.now() + lastsMs;
    this.#claims = new Claims(clock, primitives);
    this.#failures = new Failures(clock);
    this.#cookie = cookieName(toHex(primitives.random(4)));
    this.#token = newSecret(primitives);
    this.#prefix = newSecret(primitives);
    const user = `guest-${toHex(primitives.random(2))}`;
    const password = newSecret(primitives).text;
    this.#basic = { user, password, secret: secretOf(primitives, `${user}:${password}`) };
    // With a prefix, paths that are listed for reading alone are opened behind it, and to nobody else.
    const isForFetchers = ({ methods }: OpenPath): boolean =>
      this.#kinds.has("prefix") && methods?.every((method) => READING.includes(method)) === true;
    const isReadable = ({ methods }: OpenPath): boolean =>
      methods?.some((method) => READING.includes(method)) !== false;
    this.#openPaths = openPaths.filter((path) => !isForFetchers(path));
    this.#prefixPaths = openPaths.some(isForFetchers) ? openPaths.filter(isReadable) : undefined;
    if (this.#kinds.has("claim")) this.#claims.add(claims);
  }

  /** The public address, which is known once the tunnel is open, and may change. Cookies and links are made for it. */
  publish(origin: URL): void {
    this.#origin = origin;
  }

  /**
   * Makes more links. The address must be published.
   * @throws {TunnelError} expose-access-invalid where claims are no way in; claims-too-many
   */
  addClaims(count: number): readonly ClaimLink[] {
    if (!this.#kinds.has("claim"))
      throw new TunnelError("expose-access-invalid", { detail: "claim links are no way into this exposure" });
    const made = new Set(this.#claims.add(count));
    return this.#links().filter(({ id }) => made.has(id));
  }

  claims(): readonly ClaimState[] {
    return this.#claims.list();
  }

  /** Ends a link, and what was got by it, at once; connections that are open are the gateway's to cut. False where there is none. */
  revoke(claimId: string): boolean {
    return this.#claims.revoke(claimId);
  }

  /** The returned function ends it. */
  onClaimed(listener: (claimed: Claimed) => void): () => void {
    return this.#claimed.subscribe(listener);
  }

  /** Ways in with their secrets. Those that are part of an address are there once it is published. */
  waysIn(): AccessWays {
    const origin = this.#origin;
    const url = origin && `${origin.origin}${prefixPath(this.#prefix.text)}/`;
    const { user, password } = this.#basic;
    return waysOf(this.#kinds, {
      origin,
      links: this.#links(),
      token: { field: TOKEN_FIELD, value: this.#token.text },
      prefix: url === undefined ? undefined : { url, paths: this.#prefixPaths },
      basic: { user, password },
      openPaths: this.#openPaths,
    });
  }

  /** Nobody gets in any more, and no link or cookie is kept. */
  end(): void {
    this.#isOver = true;
    this.#claims.end();
  }

  #links(): readonly ClaimLink[] {
    const origin = this.#origin?.origin;
    if (origin === undefined) return [];
    return this.#claims.unused().map(({ id, secret }) => ({ id, url: `${origin}${CLAIM_PATH}#${secret}` }));
  }

  #judge(head: RequestHead, source: Source, about: { readonly isUpgrade: boolean }): Admission {
    const presented = this.#take(head.fields);
    const admission = this.#decide(head, presented, source, about);
    if (admission.kind === "pass") return admission;
    return { ...admission, shown: { ...head, target: hidePrefix(head.target), fields: presented.fields } };
  }

  #decide(
    head: RequestHead,
    presented: Presented,
    source: Source,
    about: { readonly isUpgrade: boolean },
  ): Admission {
    if (this.#isOver) return this.#refuse(head, GONE);
    // For every way in, also where a browser could not have sent the credential: one rule without an exception.
    if (about.isUpgrade && !isOwnOrigin(head.fields, this.#origin?.origin))
      return this.#refuse(head, CROSS_SITE);
    if (OWN_PATHS.test(head.target)) return this.#ownPath(head, presented, source, about);
    const pass = (way: WayIn, visitor?: Visitor): Admission =>
      this.#pass(way, head.target, presented, visitor);
    if (isPreflight(head.method, head.fields)) return pass("preflight");
    const way = this.#wayOf(head, presented);
    if (way !== undefined && way !== "forged") return pass(way.way, this.#seen(way.visitor, source));
    if (isOpenTo(this.#openPaths, head.method, head.target)) return pass("path");
    if (way === "forged") return this.#refuse(head, CROSS_SITE);
    const { cookies, tokens, basics } = presented;
    const isAttempt = cookies.length + tokens.length + basics.length > 0;
    return this.#closed(head, isAttempt ? source : undefined);
  }

  /** Takes out what is for us. Credentials of ways that are not on are taken out as well, and count for nothing. */
  #take(all: RawFields): Presented {
    const tokens = this.#kinds.has("token") ? valuesOf(all, TOKEN_FIELD) : [];
    const cookies = takeCookies(withoutPrefixes(without(all, TOKEN)), this.#cookie);
    const basic = this.#kinds.has("basic")
      ? takeBasic(cookies.fields, this.#basic.user)
      : { fields: cookies.fields, values: [] };
    return {
      fields: basic.fields,
      cookies: this.#kinds.has("claim") ? cookies.values.slice(0, MAX_PRESENTED) : [],
      tokens: tokens.slice(0, MAX_PRESENTED),
      basics: basic.values.slice(0, MAX_PRESENTED),
    };
  }

  /** The way that a credential opens; `forged` where a browser may have added it to what another site sends. */
  #wayOf({ method, fields }: RequestHead, { cookies, tokens, basics }: Presented): Way {
    if (this.#kinds.has("open")) return { way: "open" };
    const { primitives } = this.#options;
    const origin = this.#origin?.origin;
    if (isAmong(primitives, tokens, this.#token.hash)) return { way: "token" };
    const visitor = this.#claims.visitorOf(cookies);
    // A cookie of ours is not sent with what other sites post (SameSite=Lax); a password that the browser remembers is.
    if (visitor !== undefined)
      return isForged(method, fields, { origin, isNullOwn: true }) ? "forged" : { way: "claim", visitor };
    if (isAmong(primitives, basics, this.#basic.secret.hash))
      return isForged(method, fields, { origin, isNullOwn: false }) ? "forged" : { way: "basic" };
    return undefined;
  }

  #seen(visitor: Visitor | undefined, { address }: Source): Visitor | undefined {
    if (visitor !== undefined) {
      visitor.visit.lastSeenAt = this.#options.clock.now();
      visitor.visit.address = address;
    }
    return visitor;
  }

  #pass(way: WayIn, target: string, { fields }: Presented, visitor: Visitor | undefined): Admission {
    const isPublic = way === "open" || way === "path" || way === "preflight";
    const isNarrow = way === "path" || way === "preflight" || way === "prefix";
    return {
      kind: "pass",
      way,
      visitor: visitor?.id,
      target,
      fields: isNarrow ? without(fields, OVERRIDES) : fields,
      respond: (head) => {
        const own = withoutOurSetCookies(head.fields);
        // An edge between us must not answer others with it (RFC 9213); browsers go by the service's own Cache-Control.
        return {
          ...head,
          fields: isPublic ? own : [...without(own, CDN_CACHE), "CDN-Cache-Control", "no-store"],
        };
      },
    };
  }

  #ownPath(
    head: RequestHead,
    presented: Presented,
    source: Source,
    about: { readonly isUpgrade: boolean },
  ): Admission {
    const split = this.#kinds.has("prefix") ? splitPrefix(head.target) : undefined;
    if (split !== undefined) return this.#prefixed(head, presented, split, source, about);
    const isClaim = this.#kinds.has("claim") && head.target.split("?", 1)[0] === CLAIM_PATH;
    return isClaim ? this.#claimForm(head, presented, source) : this.#refuse(head, NO_SUCH_PAGE);
  }

  #prefixed(
    head: RequestHead,
    presented: Presented,
    { secret, rest }: { readonly secret: string; readonly rest: string },
    source: Source,
    about: { readonly isUpgrade: boolean },
  ): Admission {
    if (!isAmong(this.#options.primitives, [secret], this.#prefix.hash)) return this.#closed(head, source);
    const isAsking = isPreflight(head.method, head.fields);
    if (about.isUpgrade) return this.#refuse(head, NO_SOCKET);
    if (!isAsking && !READING.includes(head.method)) return this.#refuse(head, methodRefused(READING));
    if (OWN_PATHS.test(rest)) return this.#refuse(head, NO_SUCH_PAGE);
    const isListed =
      this.#prefixPaths === undefined || isOpenTo(this.#prefixPaths, isAsking ? "GET" : head.method, rest);
    if (!isListed) return this.#refuse(head, NOT_LISTED);
    const passed = this.#pass(isAsking ? "preflight" : "prefix", rest, presented, undefined);
    if (passed.kind !== "pass") return passed;
    const origin = this.#origin?.origin ?? "";
    const way = { prefix: prefixPath(this.#prefix.text), origin, target: rest };
    return { ...passed, respond: (answer) => throughPrefix(passed.respond(answer), way) };
  }

  /** The page of a link, which changes nothing, and the form that it posts. */
  #claimForm(head: RequestHead, { cookies }: Presented, source: Source): Admission {
    if (READING.includes(head.method)) {
      const isIn = this.#claims.visitorOf(cookies) !== undefined;
      return { kind: "answer", answer: claimPage(this.#options.name, { isIn }) };
    }
    if (head.method !== "POST") return this.#refuse(head, methodRefused([...READING, "POST"]));
    if (this.#origin === undefined) return this.#refuse(head, NOT_YET);
    // Nobody is let in by a page of somebody else without knowing it.
    if (isForged("POST", head.fields, { origin: this.#origin.origin, isNullOwn: false }))
      return this.#refuse(head, CROSS_SITE);
    const types = valuesOf(head.fields, "content-type");
    if (!types.every((type) => /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)))
      return this.#refuse(head, NOT_A_FORM);
    return {
      kind: "form",
      maxBytes: MAX_FORM_BYTES,
      submit: (body) => this.#submit(head, new URLSearchParams(body).getAll("claim"), source),
    };
  }

  #submit(head: RequestHead, secrets: readonly string[], source: Source): OwnAnswer {
    const { clock } = this.#options;
    if (this.#isOver) return answerTo(head, GONE);
    const [secret = ""] = secrets.length === 1 ? secrets : [];
    const claimed = this.#claims.redeem(secret, source.address);
    if (claimed === undefined) {
      const retrySec = this.#failures.note(source.address);
      return answerTo(head, retrySec === undefined ? CLAIM_REFUSED : tooMany(retrySec));
    }
    const now = clock.now();
    this.#claimed.emit({ id: claimed.id, at: now, address: source.address });
    const isSecure = must(this.#origin, "the public address").protocol === "https:";
    const maxAgeSec = Math.max(1, Math.floor((this.#endsAt - now) / 1000));
    return welcome(setCookie(this.#cookie, claimed.cookie, { isSecure, maxAgeSec }));
  }

  /** Nobody gets in without a credential. @param failed where a wrong one came from */
  #closed(head: RequestHead, failed: Source | undefined): Admission {
    const retrySec = failed && this.#failures.note(failed.address);
    if (retrySec !== undefined) return this.#refuse(head, tooMany(retrySec));
    const why = failed === undefined ? "no-access" : "wrong-credential";
    return this.#refuse(head, noAccess(this.#kinds, { why, isPerson: isForPerson(head) }));
  }

  #refuse(head: RequestHead, refused: Refusal): Admission {
    return { kind: "answer", answer: answerTo(head, refused) };
  }
}

function answerTo(head: RequestHead, refused: Refusal): OwnAnswer {
  return refusal(refused, isForPerson(head));
}

/** Whether a browser asks for a page, as opposed to what a page or a script asks for. */
function isForPerson({ fields }: RequestHead): boolean {
  return valuesOf(fields, "accept").some((value) => /\btext\/html\b/i.test(value));
}
