import * as z from "zod/mini";
import { toHex } from "../../protocol/base/bytes.ts";
import { replaceHidden } from "../../protocol/base/hidden-text.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { isLabelUpTo } from "../../protocol/base/text.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Kept } from "./kept.ts";
import { OAUTH } from "./limits.ts";
import type { ClientFace } from "./notices.ts";
import { isRedirect, placeOf } from "./redirects.ts";

/** A client that wants to be let in. All are public: they have no secret (RFC 6749 §2.1), and PKCE stands for it. */
export interface OAuthClient {
  readonly id: string;
  /** The name that it gives itself. */
  readonly name: string | undefined;
  /** The host that its description was fetched from. */
  readonly publisher: string | undefined;
  readonly redirects: readonly string[];
}

/** Why a description of a client is not taken. */
export interface MetadataFault {
  readonly error: "invalid_client_metadata" | "invalid_redirect_uri";
  readonly description: string;
}

/** Client metadata (RFC 7591 §2), as far as it matters here; values that are not known here are passed over. */
const metadataSchema = z.looseObject({
  redirect_uris: z.array(z.string()).check(z.minLength(1), z.maxLength(OAUTH.redirects)),
  client_name: z.optional(z.string()),
  grant_types: z.optional(z.array(z.string())),
  response_types: z.optional(z.array(z.string())),
});

/** Reads the words of a client on itself. @param redirects those that are taken; one that is not refuses all where `isStrict` */
export function describedClient(
  value: unknown,
  about: { readonly id: string; readonly publisher: string | undefined; readonly isStrict: boolean },
): OAuthClient | MetadataFault {
  const parsed = metadataSchema.safeParse(value);
  if (!parsed.success)
    return { error: "invalid_client_metadata", description: "redirect_uris must list where answers go" };
  const { redirect_uris, client_name, grant_types, response_types } = parsed.data;
  if (grant_types?.includes("authorization_code") === false || response_types?.includes("code") === false)
    return {
      error: "invalid_client_metadata",
      description: "the grant authorization_code with the response type code is the only one",
    };
  const redirects = redirect_uris.filter(isRedirect);
  if (redirects.length === 0 || (about.isStrict && redirects.length < redirect_uris.length))
    return {
      error: "invalid_redirect_uri",
      description: "a redirect is https, http on a loopback address, or a scheme of the program's own",
    };
  const name = client_name === undefined ? undefined : shownName(client_name);
  return { id: about.id, name, publisher: about.publisher, redirects };
}

export function faceOf({ name, publisher }: OAuthClient, redirect: string): ClientFace {
  return { name, publisher, returnsTo: placeOf(redirect) };
}

/** A stranger's name as one line that hides nothing. */
function shownName(text: string): string | undefined {
  const line = replaceHidden(text.slice(0, 512), () => "").replace(/\s+/g, " ");
  const name = Array.from(line.trim()).slice(0, OAUTH.nameChars).join("").trim();
  return isLabelUpTo(name, OAUTH.nameChars) ? name : undefined;
}

/**
 * Clients that have registered themselves (RFC 7591), as those do that have no document of their own: the MCP Inspector, programs made
 * with an SDK, older ones. Anybody may; one that no person ever lets in is soon forgotten, and cannot push out one that was.
 */
export class Registrations {
  readonly #primitives: Primitives;
  readonly #strangers: Kept<OAuthClient>;
  readonly #known: Kept<OAuthClient>;

  constructor(clock: Clock, primitives: Primitives) {
    this.#primitives = primitives;
    this.#strangers = new Kept(clock, OAUTH.strangers);
    this.#known = new Kept(clock, OAUTH.known);
  }

  add(metadata: unknown): OAuthClient | MetadataFault {
    const id = `client-${toHex(this.#primitives.random(16))}`;
    const client = describedClient(metadata, { id, publisher: undefined, isStrict: true });
    if (!("error" in client)) this.#strangers.set(id, client, OAUTH.strangerMs);
    return client;
  }

  find(id: string): OAuthClient | undefined {
    return this.#known.get(id) ?? this.#strangers.get(id);
  }

  /** A person has let it in. */
  letIn(id: string): void {
    const client = this.find(id);
    if (client === undefined) return;
    this.#strangers.delete(id);
    this.#known.set(id, client, Number.POSITIVE_INFINITY);
  }

  clear(): void {
    this.#strangers.clear();
    this.#known.clear();
  }
}
