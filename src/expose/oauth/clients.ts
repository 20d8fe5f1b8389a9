import * as z from "zod/mini";
import { replaceHidden } from "../../protocol/base/hidden-text.ts";
import { isLabelUpTo } from "../../protocol/base/text.ts";
import { OAUTH } from "./limits.ts";
import type { ClientFace } from "./notices.ts";
import { isRedirect, placeOf } from "./redirects.ts";

/** A client that wants to be let in. All are public: they have no secret (RFC 6749 §2.1), and PKCE stands for it. */
export interface OAuthClient {
  readonly id: string;
  /** What it calls itself. */
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

/** What a client says of itself. @param redirects those that are taken; one that is not refuses all where `isStrict` */
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
