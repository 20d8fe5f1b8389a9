import {
  Client,
  StreamableHTTPClientTransport,
  type OAuthClientMetadata,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import { later, type SdkEra } from "../../bridge/support.ts";

export const APP_REDIRECT = "http://127.0.0.1:33418/callback";
export const APP_DOCUMENT = "https://app.example/client.json";

/** A client program as the SDK wants it. */
export class App implements OAuthClientProvider {
  readonly redirectUrl = APP_REDIRECT;
  readonly clientMetadata: OAuthClientMetadata = { client_name: "An app", redirect_uris: [APP_REDIRECT] };
  readonly clientMetadataUrl?: string;
  page: URL | undefined;
  information: StoredOAuthClientInformation | undefined;
  issued: StoredOAuthTokens | undefined;
  #verifier = "";
  #discovered: OAuthDiscoveryState | undefined;

  constructor(about: { readonly hasDocument: boolean }) {
    if (about.hasDocument) this.clientMetadataUrl = APP_DOCUMENT;
  }
  state = (): string => "some state";
  clientInformation = (): StoredOAuthClientInformation | undefined => this.information;
  saveClientInformation = (information: StoredOAuthClientInformation): void =>
    void (this.information = information);
  tokens = (): StoredOAuthTokens | undefined => this.issued;
  saveTokens = (tokens: StoredOAuthTokens): void => void (this.issued = tokens);
  redirectToAuthorization = (page: URL): void => void (this.page = page);
  saveCodeVerifier = (verifier: string): void => void (this.#verifier = verifier);
  codeVerifier = (): string => this.#verifier;
  saveDiscoveryState = (state: OAuthDiscoveryState): void => void (this.#discovered = state);
  discoveryState = (): OAuthDiscoveryState | undefined => this.#discovered;
  invalidateCredentials = (scope: string): void => {
    if (scope === "all" || scope === "client") this.information = undefined;
    if (scope === "all" || scope === "tokens") this.issued = undefined;
    if (scope === "all" || scope === "discovery") this.#discovered = undefined;
  };
}

/** A connection that is not open yet. */
export function connection(url: URL, app: App, era: SdkEra) {
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: "2026-07-28" } } },
  );
  later(() => client.close());
  return { client, transport: new StreamableHTTPClientTransport(url, { authProvider: app }) };
}

/** What the owner does: opens the page, types the code, and is led on to the client. */
export async function consentAt(page: URL, code: () => string): Promise<URL> {
  const html = await (await fetch(page)).text();
  const ticket = /name="ticket" value="([^"]+)"/.exec(html)?.[1] ?? "";
  const body = new URLSearchParams({ ticket, code: code(), decision: "allow" });
  const decided = await fetch(new URL("/authorize", page), { method: "POST", body });
  const onward = /url=(.*)$/.exec(decided.headers.get("refresh") ?? "")?.[1];
  if (onward === undefined) throw new Error(`not let in: ${decided.status} ${html}`);
  return new URL(onward);
}
