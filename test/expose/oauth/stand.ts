import { createHash } from "node:crypto";
import type { PublicDocument, PublicGet } from "../../../src/net/public-get.ts";
import type { AuthorizationResponse } from "../../../src/expose/authorization.ts";
import { valuesOf, type RawFields } from "../../../src/expose/message.ts";
import type { SignInNotice } from "../../../src/expose/oauth/notices.ts";
import { AuthorizationServer } from "../../../src/expose/oauth/server.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { seededPrimitives } from "../../support/random.ts";

export const ORIGIN = "https://quiet-river.example";
export const RESOURCE = `${ORIGIN}/mcp`;
export const REDIRECT = "https://claude.ai/api/mcp/auth_callback";
export const DOCUMENT = "https://claude.ai/oauth/mcp-oauth-client-metadata";
export const VERIFIER = "v".repeat(43);
export const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");

const FORM = ["Content-Type", "application/x-www-form-urlencoded"];

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A query or form; undefined leaves a parameter out, a list repeats it. */
export function encoded(parameters: Query): string {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    for (const one of value === undefined ? [] : [value].flat()) all.append(name, one);
  return all.toString();
}

export interface Shown {
  readonly status: number;
  readonly body: string;
  readonly response: AuthorizationResponse;
  field(name: string): string | undefined;
  json(): Record<string, unknown>;
  /** The ticket in the form of the page. */
  ticket(): string;
  /** Where the page goes on to by itself. */
  onward(): URL;
}

/** An authorization server with a clock that stands still, its owner, and those who come to it. */
export class Stand {
  readonly clock = new FakeClock();
  readonly notices: SignInNotice[] = [];
  /** What is fetched, in turn. */
  readonly fetched: string[] = [];
  readonly server: AuthorizationServer;
  document: PublicDocument | Error | ((url: URL) => Promise<PublicDocument>);

  constructor(
    about: { readonly seed?: string; readonly takesDocuments?: boolean; readonly origin?: string } = {},
  ) {
    this.document = jsonDocument({ client_id: DOCUMENT, client_name: "Claude", redirect_uris: [REDIRECT] });
    const documents: PublicGet = async (url) => {
      this.fetched.push(url.href);
      if (this.document instanceof Error) throw this.document;
      return typeof this.document === "function" ? this.document(url) : this.document;
    };
    this.server = new AuthorizationServer({
      name: "notes",
      clock: this.clock,
      primitives: seededPrimitives(about.seed ?? "stand"),
      documents: about.takesDocuments === false ? undefined : documents,
      announce: (notice) => void this.notices.push(notice),
    });
    this.server.publish(new URL(about.origin ?? ORIGIN));
  }

  async ask(
    method: string,
    target: string,
    {
      fields = [],
      body = "",
      source = "192.0.2.1",
    }: { fields?: RawFields; body?: string; source?: string } = {},
  ): Promise<Shown> {
    const response = await this.server.handle({ method, target, fields, body, source });
    if (response === undefined) throw new Error(`${target} is no path of it`);
    const { status, body: text } = response;
    return {
      status,
      body: text,
      response,
      field: (name) => valuesOf(response.fields, name)[0],
      json: () => JSON.parse(text) as Record<string, unknown>,
      ticket: () => /name="ticket" value="([^"]+)"/.exec(text)?.[1] ?? "",
      onward: () =>
        new URL(/url=(.*)$/.exec(valuesOf(response.fields, "refresh")[0] ?? "")?.[1] ?? "about:blank"),
    };
  }

  post(path: string, form: Query, more: { fields?: RawFields; source?: string } = {}): Promise<Shown> {
    return this.ask("POST", path, {
      ...more,
      fields: [...FORM, ...(more.fields ?? [])],
      body: encoded(form),
    });
  }

  register(metadata: unknown, source?: string): Promise<Shown> {
    return this.ask("POST", "/register", {
      fields: ["Content-Type", "application/json"],
      body: typeof metadata === "string" ? metadata : JSON.stringify(metadata),
      ...(source === undefined ? {} : { source }),
    });
  }

  /** The page that a browser comes to. */
  authorize(over: Query = {}, source?: string): Promise<Shown> {
    const query = {
      response_type: "code",
      client_id: DOCUMENT,
      redirect_uri: REDIRECT,
      code_challenge: CHALLENGE,
      code_challenge_method: "S256",
      state: "a state & more",
      resource: RESOURCE,
      scope: "mcp",
      ...over,
    };
    return this.ask("GET", `/authorize?${encoded(query)}`, source === undefined ? {} : { source });
  }

  decide(
    ticket: string,
    code: string,
    more: { fields?: RawFields; source?: string; decision?: string } = {},
  ): Promise<Shown> {
    return this.post("/authorize", { ticket, code, decision: more.decision ?? "allow" }, more);
  }

  /** The code that the owner was shown last. */
  get code(): string {
    const last = this.notices.findLast((notice) => notice.what === "code");
    return last?.what === "code" ? last.code : "none";
  }

  /** An authorization code, after the owner has typed theirs. */
  async agreed(over: Query = {}): Promise<string> {
    const page = await this.authorize(over);
    const decided = await this.decide(page.ticket(), this.code);
    return decided.onward().searchParams.get("code") ?? "";
  }

  redeem(code: string, over: Query = {}): Promise<Shown> {
    return this.post("/token", {
      grant_type: "authorization_code",
      client_id: DOCUMENT,
      code,
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
      resource: RESOURCE,
      ...over,
    });
  }

  renew(refresh: string, over: Query = {}): Promise<Shown> {
    return this.post("/token", {
      grant_type: "refresh_token",
      client_id: DOCUMENT,
      refresh_token: refresh,
      ...over,
    });
  }

  /** Both tokens of a client that the owner has let in. */
  async signedIn(over: Query = {}): Promise<{ access: string; refresh: string }> {
    return tokensOf(await this.redeem(await this.agreed(over)));
  }
}

export function tokensOf(shown: Shown): { access: string; refresh: string } {
  const { access_token, refresh_token } = shown.json();
  return { access: String(access_token), refresh: String(refresh_token) };
}

export function jsonDocument(value: unknown, over: Partial<PublicDocument> = {}): PublicDocument {
  return { status: 200, type: "application/json", body: Buffer.from(JSON.stringify(value)), ...over };
}

/** A letter of the code made another one. */
export const wrong = (code: string): string => (code.startsWith("B") ? "C" : "B") + code.slice(1);
