import type { Primitives } from "../../protocol/base/primitives.ts";
import { parseJson } from "../../protocol/base/json.ts";
import { addressKind } from "../../net/address.ts";
import type { PublicGet } from "../../net/public-get.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isForged } from "../access/cross-site.ts";
import { Rates } from "../access/failures.ts";
import type { Authorization, AuthorizationRequest, AuthorizationResponse } from "../authorization.ts";
import { valuesOf } from "../message.ts";
import { json, notice, oauthError, preflight, wrongMethod } from "./answers.ts";
import { checkAuthorize } from "./authorize.ts";
import { faceOf, Registrations, type OAuthClient } from "./clients.ts";
import { Documents, isDocumentId, type DocumentFault } from "./documents.ts";
import { Grants, type GrantFault, type Tokens } from "./grants.ts";
import { GUESS_RATE, OAUTH, REGISTRATION_RATE, SIGN_IN_RATE } from "./limits.ts";
import { PATHS, RESOURCE_PATH, resourceMetadata, SCOPE, serverMetadata } from "./metadata.ts";
import type { SignInNotice } from "./notices.ts";
import { faultPage, onwardPage, signInPage } from "./pages.ts";
import { parametersOf, type Parameters } from "./parameters.ts";
import { isRegistered, redirectWith } from "./redirects.ts";
import { SignIns, type SignIn } from "./sign-ins.ts";

export interface AuthorizationServerOptions {
  /** The exposure's, shown on the page. */
  readonly name: string;
  readonly clock: Clock;
  readonly primitives: Primitives;
  /** Fetches the documents of clients; undefined where that cannot be done safely, as behind a proxy. They register themselves then. */
  readonly documents: PublicGet | undefined;
  /** Tells the owner, and nobody else. */
  readonly announce: (notice: SignInNotice) => void;
  /** It has ended, and nobody waits any more. */
  readonly ended?: () => void;
}

/** Before there is a public address. */
const NO_ORIGIN = "http://unpublished.invalid";
const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;
const JSON_BODY = /^application\/json\s*(?:;|$)/i;
const READ = "GET, HEAD, OPTIONS";
const POST = "POST, OPTIONS";

/** One request, and the address that it came by. */
interface Visit {
  readonly request: AuthorizationRequest;
  readonly query: string;
  /** Without a slash at its end; the issuer (RFC 9207, RFC 8414). */
  readonly origin: string;
  readonly resource: string;
}

/**
 * An OAuth 2.1 authorization server of one person, for clients that cannot be given a token (MCP authorization, 2025-03-26 to
 * 2026-07-28). Nobody signs in by a password: whoever has begun a sign-in types the code that the owner alone is shown.
 */
export class AuthorizationServer implements Authorization {
  readonly #options: AuthorizationServerOptions;
  readonly #registrations: Registrations;
  readonly #documents: Documents | undefined;
  readonly #signIns: SignIns;
  readonly #grants: Grants;
  readonly #signInRate: Rates;
  readonly #registrationRate: Rates;
  readonly #guessRate: Rates;
  /** Without a slash at its end. */
  #origin = NO_ORIGIN;
  #phase: "unpublished" | "insecure" | "open" | "over" = "unpublished";

  constructor(options: AuthorizationServerOptions) {
    const { clock, primitives, documents, announce } = options;
    this.#options = options;
    this.#registrations = new Registrations(clock, primitives);
    this.#documents = documents && new Documents(clock, documents);
    this.#signIns = new SignIns(clock, primitives);
    this.#grants = new Grants(clock, primitives, announce);
    this.#signInRate = new Rates(clock, SIGN_IN_RATE);
    this.#registrationRate = new Rates(clock, REGISTRATION_RATE);
    this.#guessRate = new Rates(clock, GUESS_RATE);
  }

  /** Sign-ins that wait for the owner, for a face that comes late. */
  get waiting(): readonly SignInNotice[] {
    return this.#signIns.waiting.map((signIn) => this.#codeNotice(signIn));
  }

  /** How much is remembered of clients that are let in. */
  get counts(): Grants["counts"] {
    return this.#grants.counts;
  }

  get resourceMetadata(): URL {
    return new URL(`${this.#origin}${PATHS.resource}${RESOURCE_PATH}`);
  }

  publish({ origin, protocol, hostname }: URL): void {
    if (origin === this.#origin || this.#phase === "over") return;
    // Clients know an issuer by its address, and tokens are for a resource of it: nothing of it is good at another one.
    this.#forget();
    this.#origin = origin;
    // Codes and tokens pass through: without TLS everybody on the way would have them (RFC 9700 §2.6).
    const isSecure =
      protocol === "https:" || hostname === "localhost" || addressKind(hostname) === "loopback";
    this.#phase = isSecure ? "open" : "insecure";
  }

  check(bearerToken: string): boolean {
    return this.#grants.isValid(bearerToken);
  }

  end(): void {
    this.#phase = "over";
    this.#forget();
    this.#documents?.end();
    this.#options.ended?.();
  }

  async handle(request: AuthorizationRequest): Promise<AuthorizationResponse | undefined> {
    const [path = "", ...rest] = request.target.split("?");
    const answer = this.#answerer(path);
    if (answer === undefined) return undefined;
    if (this.#phase !== "open") return CLOSED[this.#phase];
    const origin = this.#origin;
    const head =
      request.method === "HEAD" && answer.methods === READ ? { ...request, method: "GET" } : request;
    if (head.method === "OPTIONS" && answer.isOpen) return preflight(answer.methods);
    if (!answer.methods.split(", ").includes(head.method)) return wrongMethod(answer.methods);
    const resource = `${origin}${RESOURCE_PATH}`;
    return answer.to({ request: head, query: rest.join("?"), origin, resource });
  }

  /** @returns undefined for a path that is not of ours */
  #answerer(path: string):
    | {
        readonly methods: string;
        /** Pages of other origins may call it. */
        readonly isOpen: boolean;
        readonly to: (visit: Visit) => AuthorizationResponse | Promise<AuthorizationResponse>;
      }
    | undefined {
    const { name } = this.#options;
    switch (path) {
      case PATHS.resource:
      case `${PATHS.resource}${RESOURCE_PATH}`:
        return { methods: READ, isOpen: true, to: ({ origin }) => json(200, resourceMetadata(origin, name)) };
      case PATHS.server:
      // Clients that found no metadata of the resource look for this one below its path.
      case `${PATHS.server}${RESOURCE_PATH}`: {
        const takesDocuments = this.#documents !== undefined;
        return {
          methods: READ,
          isOpen: true,
          to: ({ origin }) => json(200, serverMetadata(origin, takesDocuments)),
        };
      }
      case PATHS.authorize:
        return {
          methods: "GET, POST",
          isOpen: false,
          to: (visit) => (visit.request.method === "GET" ? this.#authorize(visit) : this.#decide(visit)),
        };
      case PATHS.token:
        return { methods: POST, isOpen: true, to: (visit) => this.#token(visit) };
      case PATHS.register:
        return { methods: POST, isOpen: true, to: (visit) => this.#register(visit) };
      case PATHS.revoke:
        return { methods: POST, isOpen: true, to: (visit) => this.#revoke(visit) };
      default:
        return undefined;
    }
  }

  /** Until client and redirect are known to belong together, every fault is a page, and leads nowhere (RFC 9700 §4.11.2). */
  async #authorize({ request, query, origin, resource }: Visit): Promise<AuthorizationResponse> {
    const begun = this.#signIns.begun(query);
    if (begun !== undefined) return signInPage(begun, { name: this.#options.name, isWrong: false });
    const parameters = parametersOf(query);
    const [id, redirect] = [parameters.get("client_id"), parameters.get("redirect_uri")];
    if (parameters.twice !== undefined || id === undefined || redirect === undefined)
      return notice(400, "This is no sign-in", [
        "The program that has sent you here must say who it is and where it wants the answer, once each.",
      ]);
    const retrySec = this.#signInRate.note(request.source);
    if (retrySec !== undefined) return tooMany(retrySec);
    const client = await this.#client(id, origin);
    // While it was looked up, the address may have become another one.
    if (this.#origin !== origin || this.#phase !== "open") return UNKNOWN_CLIENT;
    if (client === undefined) return UNKNOWN_CLIENT;
    if ("fault" in client)
      return notice(client.isPassing ? 503 : 400, "This program is not known", [client.fault]);
    if (!isRegistered(redirect, client.redirects))
      return notice(400, "This is no sign-in", [
        "The program wants the answer at an address that is not among those it has named before.",
      ]);
    const face = faceOf(client, redirect);
    const state = parameters.get("state");
    const checked = checkAuthorize(parameters, resource);
    if ("error" in checked) {
      const { error, description } = checked;
      const answer = { error, error_description: description, state: stateOf(state), iss: origin };
      return faultPage(description, redirectWith(redirect, answer), face);
    }
    const agreed = { clientId: client.id, redirect, challenge: checked.challenge, face };
    const signIn = this.#signIns.begin(agreed, state, query);
    this.#options.announce(this.#codeNotice(signIn));
    return signInPage(signIn, { name: this.#options.name, isWrong: false });
  }

  async #client(id: string, origin: string): Promise<OAuthClient | DocumentFault | undefined> {
    if (!isDocumentId(id)) return this.#registrations.find(id);
    return this.#documents?.find(id, new URL(origin).host) ?? NO_DOCUMENTS;
  }

  /** The form of the page. */
  #decide({ request, origin }: Visit): AuthorizationResponse {
    const form = formOf(request);
    if (form === undefined || form.twice !== undefined)
      return notice(400, "This is no form of ours", ["Go back, and load the page again."]);
    // The ticket is what counts: nobody else was shown it. A browser that tells where a form comes from is believed besides.
    if (isForged("POST", request.fields, { origin, isNullOwn: true }))
      return notice(403, "Refused", ["The form comes from a page of another site."]);
    const ticket = form.get("ticket") ?? "";
    if (form.get("decision") === "refuse") return this.#refuse(this.#signIns.end(ticket), origin, "person");
    const tried = this.#signIns.try(ticket, form.get("code") ?? "");
    if (tried === undefined) return SIGN_IN_OVER;
    const { signIn } = tried;
    const isTooOften = tried.kind !== "right" && this.#guessRate.note(request.source) !== undefined;
    if (tried.kind === "over" || isTooOften) {
      this.#signIns.end(ticket);
      return this.#refuse(signIn, origin, "tries");
    }
    if (tried.kind === "wrong") return signInPage(signIn, { name: this.#options.name, isWrong: true });
    const { agreed, state } = signIn;
    const code = this.#grants.agree(agreed);
    this.#registrations.letIn(agreed.clientId);
    this.#options.announce({ what: "signed-in", client: agreed.face });
    return onwardPage(redirectWith(agreed.redirect, { code, state, iss: origin }), agreed.face, true);
  }

  #refuse(signIn: SignIn | undefined, origin: string, why: "person" | "tries"): AuthorizationResponse {
    if (signIn === undefined) return SIGN_IN_OVER;
    const { agreed, state } = signIn;
    this.#options.announce({ what: "refused", client: agreed.face, why });
    const answer = { error: "access_denied", error_description: REFUSED[why], state, iss: origin };
    return onwardPage(redirectWith(agreed.redirect, answer), agreed.face, false);
  }

  /** RFC 6749 §4.1.3, §6 */
  #token({ request, resource }: Visit): AuthorizationResponse {
    const form = formOf(request);
    if (form === undefined || form.twice !== undefined)
      return oauthError("invalid_request", "a form with each parameter once is expected");
    const clientId = form.get("client_id");
    if (clientId === undefined) return oauthError("invalid_request", "client_id is missing");
    if (!isDocumentId(clientId) && this.#registrations.find(clientId) === undefined)
      return oauthError("invalid_client", "the client is not registered here, or not any more");
    switch (form.get("grant_type")) {
      case "authorization_code":
        return this.#redeem(form, clientId, resource);
      case "refresh_token": {
        const refresh = form.get("refresh_token");
        if (refresh === undefined) return oauthError("invalid_request", "refresh_token is missing");
        return tokenAnswer(this.#grants.renew(refresh, { clientId, resources: form.resources }, resource));
      }
      case undefined:
        return oauthError("invalid_request", "grant_type is missing");
      default:
        return oauthError("unsupported_grant_type", "authorization_code and refresh_token are supported");
    }
  }

  #redeem(form: Parameters, clientId: string, resource: string): AuthorizationResponse {
    const [code, redirect, verifier] = [
      form.get("code"),
      form.get("redirect_uri"),
      form.get("code_verifier"),
    ];
    if (code === undefined || redirect === undefined || verifier === undefined)
      return oauthError("invalid_request", "code, redirect_uri and code_verifier are required");
    const shown = { clientId, redirect, verifier, resources: form.resources };
    return tokenAnswer(this.#grants.redeem(code, shown, resource));
  }

  /** RFC 7591 §3 */
  #register({ request }: Visit): AuthorizationResponse {
    const { fields, body, source } = request;
    const isJson = valuesOf(fields, "content-type").some((type) => JSON_BODY.test(type));
    if (!isJson || body.length > OAUTH.registrationBytes)
      return oauthError("invalid_client_metadata", "JSON of at most 8 KiB is expected");
    const retrySec = this.#registrationRate.note(source);
    if (retrySec !== undefined)
      return oauthError("temporarily_unavailable", "too many clients have registered", retrySec);
    const client = this.#registrations.add(parseJson(body));
    if ("error" in client) return oauthError(client.error, client.description);
    return json(201, {
      client_id: client.id,
      client_id_issued_at: Math.floor(this.#options.clock.now() / 1000),
      ...(client.name === undefined ? {} : { client_name: client.name }),
      redirect_uris: client.redirects,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: SCOPE,
    });
  }

  /** RFC 7009 §2: the answer is the same whether there was such a token. */
  #revoke({ request }: Visit): AuthorizationResponse {
    const form = formOf(request);
    const token = form?.get("token");
    if (form === undefined || form.twice !== undefined || token === undefined)
      return oauthError("invalid_request", "a form with a token is expected");
    this.#grants.revoke(token, form.get("client_id"));
    return json(200, {});
  }

  #codeNotice({ code, agreed, endsAt }: SignIn): SignInNotice {
    return {
      what: "code",
      code,
      client: agreed.face,
      page: `${this.#origin}${PATHS.authorize}`,
      endsAt,
    };
  }

  #forget(): void {
    this.#registrations.clear();
    this.#signIns.clear();
    this.#grants.clear();
  }
}

const NOT_EXPOSED = notice(503, "Nobody is let in here", ["The MCP server is not exposed at the moment."]);

/** Why nobody signs in. */
const CLOSED = {
  unpublished: NOT_EXPOSED,
  over: NOT_EXPOSED,
  insecure: notice(403, "Nobody is let in here", ["Signing in needs an address that begins with https."]),
} as const;

const REFUSED = { person: "the owner has refused", tries: "too many codes were wrong" } as const;

const UNKNOWN_CLIENT = notice(400, "This program is not known any more", [
  "It registered with this address before, and the address has forgotten it: the server was exposed anew, or an hour has passed.",
  "Remove the connection in that program, then add it again.",
]);

const NO_DOCUMENTS: DocumentFault = {
  fault: "It is named by a document, and documents are not fetched here. It has to register itself.",
  isPassing: false,
};

const SIGN_IN_OVER = notice(410, "This sign-in is over", [
  "It was decided, had too many wrong codes, or has waited for more than ten minutes. Begin again in the program that has sent you here.",
]);

function tooMany(retrySec: number): AuthorizationResponse {
  const page = notice(429, "Too many sign-ins", ["Wait a little, then try again."]);
  return { ...page, fields: [...page.fields, "Retry-After", String(retrySec)] };
}

/** One that is too long is not sent back. */
const stateOf = (state: string | undefined): string | undefined =>
  state !== undefined && state.length <= OAUTH.stateChars ? state : undefined;

function formOf({ fields, body }: AuthorizationRequest): Parameters | undefined {
  const types = valuesOf(fields, "content-type");
  const isForm = types.length === 1 && types.every((type) => FORM.test(type));
  return isForm && body.length <= OAUTH.formBytes ? parametersOf(body) : undefined;
}

function tokenAnswer(issued: Tokens | GrantFault): AuthorizationResponse {
  if ("error" in issued) return oauthError(issued.error, issued.description);
  return json(
    200,
    {
      access_token: issued.access,
      token_type: "Bearer",
      expires_in: OAUTH.accessTokenMs / 1000,
      refresh_token: issued.refresh,
      scope: SCOPE,
    },
    ["Pragma", "no-cache"],
  );
}
