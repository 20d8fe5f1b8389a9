import * as z from "zod/mini";
import { parseJson } from "../../protocol/base/json.ts";
import { decodeUtf8 } from "../../protocol/base/utf8.ts";
import type { PublicDocument, PublicGet } from "../../net/public-get.ts";
import type { Clock } from "../../runtime/clock.ts";
import { describedClient, type OAuthClient } from "./clients.ts";
import { Kept } from "./kept.ts";
import { OAUTH } from "./limits.ts";

/** Why a client that is named by a URL is not taken, as a sentence for a person. */
export interface DocumentFault {
  readonly fault: string;
  /** It may go better in a moment. */
  readonly isPassing: boolean;
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** What would make a client more than a public one: a secret in a public document is none. */
const SECRET_METHODS: readonly unknown[] = ["client_secret_basic", "client_secret_post", "client_secret_jwt"];
const documentSchema = z.looseObject({
  client_id: z.string(),
  client_secret: z.optional(z.never()),
  client_secret_expires_at: z.optional(z.never()),
  token_endpoint_auth_method: z.optional(z.string()),
});

/** Whether a client is named by the URL of its metadata, well or badly. */
export function isDocumentId(id: string): boolean {
  return /^https?:/i.test(id);
}

/**
 * Clients that are named by the https URL of their metadata (client ID metadata documents, as MCP 2026-07-28 prefers them). We fetch
 * what a stranger names, so only public hosts are asked, on their usual port, and never ourselves.
 */
export class Documents {
  readonly #get: PublicGet;
  readonly #found: Kept<OAuthClient>;
  readonly #fetching = new Map<string, Promise<OAuthClient | DocumentFault>>();
  readonly #abort = new AbortController();

  constructor(clock: Clock, get: PublicGet) {
    this.#get = get;
    this.#found = new Kept(clock, OAUTH.documents);
  }

  /** @param ownHost ours in public. Never rejects. */
  async find(id: string, ownHost: string): Promise<OAuthClient | DocumentFault> {
    const known = this.#found.get(id) ?? this.#fetching.get(id);
    if (known !== undefined) return known;
    const url = documentUrl(id, ownHost);
    if (url === undefined)
      return {
        fault: "Its name must be the https URL of a document on a public host.",
        isPassing: false,
      };
    if (this.#fetching.size >= OAUTH.fetches)
      return { fault: "Too many clients are being looked up.", isPassing: true };
    const fetching = this.#fetch(url, id).finally(() => this.#fetching.delete(id));
    this.#fetching.set(id, fetching);
    return fetching;
  }

  end(): void {
    this.#abort.abort();
    this.#found.clear();
  }

  async #fetch(url: URL, id: string): Promise<OAuthClient | DocumentFault> {
    let document: PublicDocument;
    try {
      document = await this.#get(url, this.#abort.signal);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { fault: "The document that describes it could not be fetched.", isPassing: true };
    }
    const client = clientOf(document, id, url.host);
    if (!("fault" in client)) this.#found.set(id, client, OAUTH.documentMs);
    return client;
  }
}

function documentUrl(id: string, ownHost: string): URL | undefined {
  if (id.length > OAUTH.clientIdChars || !URL.canParse(id)) return undefined;
  const url = new URL(id);
  const { protocol, username, password, port, pathname, hash, hostname, host } = url;
  // Written as it is fetched: no dots in its path, no other spelling of its host.
  if (url.href !== id || protocol !== "https:" || port !== "" || pathname === "/") return undefined;
  if (username !== "" || password !== "" || hash !== "" || id.includes("#")) return undefined;
  return hostname.includes(".") && !hostname.endsWith(".") && host !== ownHost ? url : undefined;
}

function clientOf(
  { status, type, body }: PublicDocument,
  id: string,
  host: string,
): OAuthClient | DocumentFault {
  const wrong = (fault: string): DocumentFault => ({ fault, isPassing: false });
  if (status !== 200 || type === undefined || !JSON_TYPE.test(type))
    return wrong("There is no document of JSON where it says.");
  const value = parsed(body);
  const document = documentSchema.safeParse(value);
  if (!document.success || document.data.client_id !== id)
    return wrong("The document describes no client of that name.");
  if (SECRET_METHODS.includes(document.data.token_endpoint_auth_method))
    return wrong("The document asks for a shared secret, which a public document cannot hold.");
  const client = describedClient(value, { id, publisher: host, isStrict: false });
  return "error" in client ? wrong("The document names no way back that is allowed.") : client;
}

/** Undefined for bytes that are no JSON in UTF-8 (RFC 8259 §8.1). */
function parsed(body: Uint8Array): unknown {
  const text = decodeUtf8(body);
  return text === undefined ? undefined : parseJson(text);
}
