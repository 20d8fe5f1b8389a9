import { createHmac, randomBytes } from "node:crypto";
import type { RawFields } from "../message.ts";

/**
 * Names as they are compared: in lower case, without what systems write differently, such as `-`, `_`, `.` and the brackets of
 * `user[password]`.
 */
function folded(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** Fields whose whole value is a credential. `Authorization` keeps its scheme, cookies keep their names. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(
  ["X-Auth", "X-Auth-Key", "X-Authorization", "X-Session", "X-Session-Id"].map(folded),
);
/** Parts of such names, folded: `X-Api-Key`, `X-Tunnel-Token`, `X-Vault-Token`, `PRIVATE-TOKEN`, `X-Client-Secret` … */
const SECRET_FIELD_PARTS = /token|secret|passw(?:or)?d|passwd|apikey|accesskey|privatekey|credential|jwt/;

const SCHEME_FIELDS: ReadonlySet<string> = new Set(
  ["Authorization", "Proxy-Authorization", "X-Forwarded-Authorization"].map(folded),
);
/** Schemes that are told (from the IANA registry, and in common use); anything else may be the credential itself. */
const SCHEMES =
  /^(?:basic|bearer|digest|dpop|gnap|hoba|mutual|negotiate|ntlm|oauth|privatetoken|scram-sha-(?:1|256)|vapid|token|apikey|api-key|key|hawk|aws4-hmac-sha256|sharedkey|signature)(?= )/i;

/** Parameters of a query whose value is a credential, folded. `code` is what OAuth trades for a token (RFC 6749 §4.1.2). */
const SECRET_PARAMETERS: ReadonlySet<string> = new Set([
  "auth",
  "authorization",
  "bearer",
  "claim",
  "code",
  "hmac",
  "key",
  "otp",
  "pass",
  "pin",
  "pwd",
  "samlresponse",
  "session",
  "sid",
  "sig",
  "ticket",
]);
/** Parts of such names, folded: `access_token`, `client_secret`, `X-Amz-Signature`, `api_key` … */
const SECRET_PARAMETER_PARTS =
  /token|secret|passw(?:or)?d|passwd|apikey|accesskey|privatekey|credential|signature|jwt|assertion|sess(?:ion)?id|passphrase|passcode|verifier|(?:auth|authorization|device|user)code/;

/** User and password before a host (RFC 3986 §3.2.1), also where the address is the value of a parameter and escaped. */
const USER_INFO = /(?<=\/\/|%2f%2f)[^\s/?#@]{1,1024}?(?=@|%40)/gi;
/** A parameter of a query or a fragment, up to its value. Escapes can stand in one another. */
const PARAMETER = /(?:[?&#;]|%(?:25){0,3}(?:3f|26|23|3b))([^ \t=&#;?]{1,128}?)(?:=|%(?:25){0,3}3d)/gi;
/** The value. A `;` is part of it unless another parameter begins there. */
const VALUE = /(?:[^ \t&#;]|;(?![^ \t&#;=]*=))+/y;
/** Credentials that are known by their form, wherever they stand: a JSON web token (RFC 7519), and what follows a scheme. */
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<=\b(?:bearer|basic)[ +])[\w.~+/=-]{8,}/gi;

/** The secret in the path by which our own gate lets fetchers in; one that it refused is recorded as it came. */
const PREFIX = /(?<=\/\.tunnel\/p\/)[^\s/?#]+/g;

/** Shown in the place of a secret; a replay must not send it. */
export const REDACTED = /\[redacted [0-9a-f]{8}\]/;

/** Fields as they are shown: name and value. */
export type ShownFields = readonly (readonly [name: string, value: string])[];

/**
 * Takes credentials out of what is shown of a request. The same secret gets the same short mark, so that one can tell whether
 * two requests had the same. The mark is made with a key that dies with the process: nobody can try passwords on it.
 */
export class Redactor {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array = randomBytes(32)) {
    this.#key = key;
  }

  /** A target, an address, or a text with one in it: without passwords, tokens, and the values of secret parameters. */
  address(text: string): string {
    const shown = /[=%]/.test(text) ? this.#withoutParameters(text) : text;
    return shown
      .replace(PREFIX, (secret) => this.#mark(secret))
      .replace(USER_INFO, (secret) => this.#mark(secret))
      .replace(TOKEN, (secret) => this.#mark(secret));
  }

  #withoutParameters(text: string): string {
    let shown = "";
    let from = 0;
    PARAMETER.lastIndex = 0;
    for (let found = PARAMETER.exec(text); found !== null; found = PARAMETER.exec(text)) {
      // The value of any other parameter may be an address that has some of its own.
      if (!isSecretParameter(found[1] ?? "")) continue;
      const start = PARAMETER.lastIndex;
      VALUE.lastIndex = start;
      const [value = ""] = VALUE.exec(text) ?? [];
      if (value === "") continue;
      shown += text.slice(from, start) + this.#mark(value);
      from = start + value.length;
      PARAMETER.lastIndex = from;
    }
    return shown + text.slice(from);
  }

  fields(fields: RawFields): ShownFields {
    const shown: [string, string][] = [];
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const name = fields[index] ?? "";
      shown.push([name, this.value(name, fields[index + 1] ?? "")]);
    }
    return shown;
  }

  /** One field's value. */
  value(name: string, value: string): string {
    const its = folded(name);
    if (value === "") return value;
    if (its === "cookie") return this.#cookies(value);
    if (its === "setcookie") return this.#setCookie(value);
    if (SCHEME_FIELDS.has(its)) {
      const scheme = SCHEMES.exec(value)?.[0];
      return scheme === undefined
        ? this.#mark(value)
        : `${scheme} ${this.#mark(value.slice(scheme.length + 1))}`;
    }
    if (SECRET_FIELDS.has(its) || SECRET_FIELD_PARTS.test(its)) return this.#mark(value);
    return this.address(value);
  }

  #cookies(value: string): string {
    return value.replace(
      COOKIE,
      (_, name: string, secret: string) => name + (secret === "" ? "" : this.#mark(secret)),
    );
  }

  #setCookie(value: string): string {
    const [pair = "", ...attributes] = value.split(";");
    const shown = attributes.map((attribute) =>
      ATTRIBUTE.test(attribute) ? attribute : this.#cookies(attribute),
    );
    return [this.#cookies(pair), ...shown].join(";");
  }

  #mark(secret: string): string {
    const digest = createHmac("sha256", this.#key).update(secret, "latin1").digest("hex");
    return `[redacted ${digest.slice(0, 8)}]`;
  }
}

/** Attributes of `Set-Cookie` (RFC 6265bis §4.1.2, and those of browsers). */
const ATTRIBUTE =
  /^\s*(?:domain|expires|httponly|max-age|partitioned|path|priority|samesite|secure)\s*(?:=|$)/i;
/** Each cookie of `Cookie`: what stands before its value, and that. One without a name is all value (RFC 6265bis §5.7). */
const COOKIE = /(\s*(?:[^=;]*=)?)([^;]*)/g;

/** `user[pwd]` is a `pwd`. */
function isSecretParameter(raw: string): boolean {
  const name = decoded(raw);
  if (SECRET_PARAMETER_PARTS.test(folded(name))) return true;
  return name.split(/[[\].]/).some((part) => SECRET_PARAMETERS.has(folded(part)));
}

/** Names can be escaped as well, as often as addresses stand in one another. A malformed escape stays what it is. */
function decoded(text: string): string {
  return text.replace(/%(?:25)*([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
