import { equalBytes, toBase64url, toHex } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { encodeUtf8 } from "../../protocol/base/utf8.ts";
import type { Clock } from "../../runtime/clock.ts";
import { hashOf, newSecret } from "../access/secret.ts";
import { Kept } from "./kept.ts";
import { OAUTH } from "./limits.ts";
import type { ClientFace, SignInNotice } from "./notices.ts";
import { isOnly } from "./parameters.ts";

/** The consent of a person: for whom, where the answer goes, and who may fetch it. */
export interface Agreed {
  readonly clientId: string;
  readonly redirect: string;
  /** S256, base64url (RFC 7636 §4.2). */
  readonly challenge: string;
  readonly face: ClientFace;
}

export interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

export interface GrantFault {
  readonly error: "invalid_grant" | "invalid_target";
  readonly description: string;
}

/** One client that is let in, with all that was ever issued to it. */
interface Grant {
  readonly agreed: Agreed;
  /** Hashes, the newest last. */
  readonly access: string[];
  readonly usedRefresh: string[];
  refresh: string;
  refreshEndsAt: number;
}

type Code =
  | { readonly kind: "unused"; readonly agreed: Agreed; readonly endsAt: number }
  /** `grant`: what came of it; undefined where its one use failed. */
  | { readonly kind: "used"; readonly grant: Grant | undefined };

/** RFC 7636 §4.1 */
const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/;

const fault = (description: string): GrantFault => ({ error: "invalid_grant", description });
const WRONG_RESOURCE: GrantFault = {
  error: "invalid_target",
  description: "tokens are for the resource that was signed in to alone",
};

/**
 * Codes and tokens. They are random, kept as hashes and in memory alone: with the process, all of them end. A code or a refresh token
 * that comes a second time ends all that its client has (RFC 9700 §4.5, §4.14.2): one of the two is a thief.
 */
export class Grants {
  readonly #clock: Clock;
  readonly #primitives: Primitives;
  readonly #announce: (notice: SignInNotice) => void;
  readonly #codes: Kept<Code>;
  /** The one that was seen last comes last. */
  readonly #grants = new Set<Grant>();
  readonly #access = new Map<string, { readonly grant: Grant; readonly endsAt: number }>();
  readonly #refresh = new Map<string, Grant>();

  constructor(clock: Clock, primitives: Primitives, announce: (notice: SignInNotice) => void) {
    this.#clock = clock;
    this.#primitives = primitives;
    this.#announce = announce;
    this.#codes = new Kept(clock, OAUTH.codes);
  }

  /** Bounds for all clients together. */
  get counts(): { readonly grants: number; readonly access: number; readonly refresh: number } {
    return { grants: this.#grants.size, access: this.#access.size, refresh: this.#refresh.size };
  }

  /** An authorization code, good once and for a minute. */
  agree(agreed: Agreed): string {
    const { text } = newSecret(this.#primitives);
    const endsAt = this.#clock.now() + OAUTH.authorizationCodeMs;
    this.#codes.set(this.#key(text), { kind: "unused", agreed, endsAt }, OAUTH.usedCodeMs);
    return text;
  }

  /** Whatever comes of it, the code is used up. */
  redeem(
    code: string,
    shown: {
      readonly clientId: string;
      readonly redirect: string;
      readonly verifier: string;
      readonly resources: readonly string[];
    },
    resource: string,
  ): Tokens | GrantFault {
    const key = this.#key(code);
    const found = this.#codes.get(key);
    if (found === undefined) return fault("the code is unknown or too old");
    if (found.kind === "used") {
      if (found.grant !== undefined) this.#reused(found.grant, "code");
      return fault("the code was used before");
    }
    const { agreed, endsAt } = found;
    const used = (grant: Grant | undefined): void =>
      this.#codes.set(key, { kind: "used", grant }, OAUTH.usedCodeMs);
    used(undefined);
    if (endsAt <= this.#clock.now()) return fault("the code is unknown or too old");
    if (shown.clientId !== agreed.clientId || shown.redirect !== agreed.redirect)
      return fault("the code was issued for another client or another way back");
    if (!this.#isVerified(shown.verifier, agreed.challenge))
      return fault("the verifier does not fit the challenge");
    if (!isOnly(shown.resources, resource)) return WRONG_RESOURCE;
    const grant: Grant = { agreed, access: [], usedRefresh: [], refresh: "", refreshEndsAt: 0 };
    this.#seen(grant);
    used(grant);
    return this.#issue(grant);
  }

  /** New tokens for a refresh token, which is used up (RFC 9700 §4.14.2). */
  renew(
    refresh: string,
    shown: { readonly clientId: string; readonly resources: readonly string[] },
    resource: string,
  ): Tokens | GrantFault {
    const key = this.#key(refresh);
    const grant = this.#refresh.get(key);
    if (grant === undefined) return fault("the refresh token is unknown, or its time is over");
    if (grant.refresh !== key) {
      this.#reused(grant, "refresh-token");
      return fault("the refresh token was used before, so all that came of the sign-in is void");
    }
    if (grant.refreshEndsAt <= this.#clock.now()) {
      this.#end(grant);
      return fault("the refresh token is unknown, or its time is over");
    }
    if (grant.agreed.clientId !== shown.clientId)
      return fault("the refresh token was issued to another client");
    if (!isOnly(shown.resources, resource)) return WRONG_RESOURCE;
    this.#seen(grant);
    return this.#issue(grant);
  }

  /** Whether an access token lets its bearer in at this moment. */
  isValid(access: string): boolean {
    const found = this.#access.get(this.#key(access));
    if (found === undefined || found.endsAt <= this.#clock.now()) return false;
    this.#seen(found.grant);
    return true;
  }

  /** Of a refresh token all that came of the sign-in ends, of an access token itself (RFC 7009 §2.1). */
  revoke(token: string, clientId: string | undefined): void {
    const key = this.#key(token);
    const isOwn = ({ agreed }: Grant): boolean => clientId === undefined || clientId === agreed.clientId;
    const grant = this.#refresh.get(key);
    if (grant !== undefined && isOwn(grant)) this.#end(grant);
    const access = this.#access.get(key);
    if (access !== undefined && isOwn(access.grant)) this.#access.delete(key);
  }

  clear(): void {
    this.#codes.clear();
    this.#grants.clear();
    this.#access.clear();
    this.#refresh.clear();
  }

  #issue(grant: Grant): Tokens {
    const now = this.#clock.now();
    const access = newSecret(this.#primitives).text;
    const refresh = newSecret(this.#primitives).text;
    const accessKey = this.#key(access);
    grant.access.push(accessKey);
    this.#access.set(accessKey, { grant, endsAt: now + OAUTH.accessTokenMs });
    if (grant.refresh !== "") grant.usedRefresh.push(grant.refresh);
    grant.refresh = this.#key(refresh);
    grant.refreshEndsAt = now + OAUTH.refreshTokenMs;
    this.#refresh.set(grant.refresh, grant);
    const oldAccess = grant.access.length > OAUTH.accessTokens ? grant.access.shift() : undefined;
    if (oldAccess !== undefined) this.#access.delete(oldAccess);
    const oldRefresh =
      grant.usedRefresh.length > OAUTH.usedRefreshTokens ? grant.usedRefresh.shift() : undefined;
    if (oldRefresh !== undefined) this.#refresh.delete(oldRefresh);
    return { access, refresh };
  }

  #seen(grant: Grant): void {
    this.#grants.delete(grant);
    this.#grants.add(grant);
    const [oldest] = this.#grants;
    if (this.#grants.size > OAUTH.grants && oldest !== undefined) this.#end(oldest);
  }

  #reused(grant: Grant, reused: "code" | "refresh-token"): void {
    if (!this.#grants.has(grant)) return;
    this.#end(grant);
    this.#announce({ what: "revoked", client: grant.agreed.face, reused });
  }

  #end(grant: Grant): void {
    this.#grants.delete(grant);
    for (const key of grant.access) this.#access.delete(key);
    for (const key of [grant.refresh, ...grant.usedRefresh]) this.#refresh.delete(key);
  }

  /** RFC 7636 §4.6 */
  #isVerified(verifier: string, challenge: string): boolean {
    if (!VERIFIER.test(verifier)) return false;
    const made = toBase64url(this.#primitives.sha256(encodeUtf8(verifier)));
    return equalBytes(encodeUtf8(made), encodeUtf8(challenge));
  }

  #key(secret: string): string {
    return toHex(hashOf(this.#primitives, secret));
  }
}
