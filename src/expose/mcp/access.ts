import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AccessControl, AccessWays, ClaimLink, ClaimState } from "../access/access.ts";
import { GONE, NO_SOCKET, NO_SUCH_PAGE, refusal, tooMany, type Refusal } from "../access/answers.ts";
import { isPreflight } from "../access/cross-site.ts";
import { Failures } from "../access/failures.ts";
import { isAmong, newSecret, type Secret } from "../access/secret.ts";
import {
  MAX_AUTHORIZATION_BODY,
  type Authorization,
  type AuthorizationRequest,
  type AuthorizationResponse,
} from "../authorization.ts";
import type { Admission, Gate, Source, WayIn } from "../gate.ts";
import { valuesOf, without, type OwnAnswer, type RawFields, type RequestHead } from "../message.ts";
import { RESERVED_PREFIX } from "../probes.ts";
import { AUTHORIZATION_FAILED, challenge, FOREIGN_PAGE, NOT_MCP } from "./answers.ts";
import { corsFields, preflightAnswer } from "./pages.ts";

/** The path of the server, and the end of its public address. */
export const MCP_PATH = "/mcp";

export interface McpAccessOptions {
  /** `open`: nobody needs a token. */
  readonly kind: "bearer" | "open";
  /** Pages that may call, besides none: each origin as browsers send it. */
  readonly origins: readonly string[];
  /** For clients that cannot be given a token. */
  readonly authorization?: Authorization | undefined;
  /** The same address can be had again after it was lost, or after a new start. */
  readonly keepsAddress: boolean;
  readonly clock: Clock;
  readonly primitives: Primitives;
}

/** The credential of a request, and fields that a page adds. They are for us: a server has no part in them. */
const OURS: ReadonlySet<string> = new Set(["authorization", "cookie", "origin"]);
const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "cookie"]);
const CDN_CACHE: ReadonlySet<string> = new Set(["cdn-cache-control", "cloudflare-cdn-cache-control"]);
/** RFC 6750 §2.1. */
const BEARER = /^[ \t]*Bearer[ \t]+([A-Za-z0-9._~+/-]{1,4096}=*)[ \t]*$/i;
const SERVER_PATH = /^\/mcp\/?(?:\?|$)/;

/**
 * Decides who reaches an MCP server: whoever has its token, or one that the authorization has issued. Pages of other origins are refused
 * unless they are allowed, and need the token all the same.
 */
export class McpAccess implements AccessControl {
  readonly gate: Gate = { judge: (head, source, about) => this.#judge(head, source, about) };
  readonly #options: McpAccessOptions;
  readonly #token: Secret;
  readonly #failures: Failures;
  #origin: URL | undefined;
  #isOver = false;

  constructor(options: McpAccessOptions) {
    this.#options = options;
    this.#token = newSecret(options.primitives);
    this.#failures = new Failures(options.clock);
  }

  publish(origin: URL): void {
    this.#origin = origin;
    this.#options.authorization?.publish(origin);
  }

  waysIn(): AccessWays {
    const { kind, authorization, keepsAddress } = this.#options;
    const isPlain = this.#origin?.protocol === "http:";
    return {
      claim: undefined,
      token: undefined,
      prefix: undefined,
      basic: undefined,
      openPaths: undefined,
      open: kind === "open" ? { for: "anybody who learns the address, without a credential" } : undefined,
      ...(kind === "bearer" ? { bearer: this.#token.text } : {}),
      ...(authorization === undefined || isPlain
        ? {}
        : {
            oauth: {
              for: "clients that sign in, such as claude.ai: they are given the address alone, and your human types the code that tunnel-mcp watch shows them",
            },
          }),
      warnings: [
        ...(kind === "open" ? ["Anybody who learns the address can call its tools."] : []),
        ...(keepsAddress
          ? []
          : [
              "After a new start the address may be another one, as that of a Quick Tunnel is: clients then have to be set up again.",
            ]),
        ...(isPlain
          ? ["The address is plain http: whoever is on the way reads the token and every call."]
          : []),
      ],
    };
  }

  /** Nobody gets in any more. */
  end(): void {
    this.#isOver = true;
    this.#options.authorization?.end();
  }

  /** @throws {TunnelError} expose-access-invalid */
  addClaims(): readonly ClaimLink[] {
    throw new TunnelError("expose-access-invalid", { detail: "claim links are no way into an MCP server" });
  }

  claims(): readonly ClaimState[] {
    return [];
  }

  revoke(): boolean {
    return false;
  }

  onClaimed(): () => void {
    return () => undefined;
  }

  #judge(head: RequestHead, source: Source, { isUpgrade }: { readonly isUpgrade: boolean }): Admission {
    const shown = { ...head, fields: without(head.fields, CREDENTIALS) };
    const answer = (own: OwnAnswer): Admission => ({ kind: "answer", answer: own, shown });
    const refuse = (refused: Refusal, fields: RawFields = []): Admission => {
      const own = refusal(refused, false);
      return answer({ ...own, fields: [...(own.fields ?? []), ...fields] });
    };
    if (this.#isOver) return refuse(GONE);
    if (isUpgrade) return refuse(NO_SOCKET);
    if (head.target.startsWith(RESERVED_PREFIX)) return refuse(NO_SUCH_PAGE);
    const isServer = SERVER_PATH.test(head.target);
    const { authorization } = this.#options;
    if (!isServer && authorization !== undefined) return this.#authorize(authorization, head, source, shown);
    const origins = valuesOf(head.fields, "origin");
    if (!origins.every((one) => this.#lets(one))) return refuse(FOREIGN_PAGE);
    const [page] = origins;
    const cors = page === undefined ? [] : corsFields(page);
    if (!isServer) return refuse(NOT_MCP, cors);
    if (page !== undefined && isPreflight(head.method, head.fields))
      return answer(preflightAnswer(page, head.fields));
    const way = this.#wayOf(head.fields);
    if (way === "none" || way === "wrong") return refuse(this.#closed(way, source), cors);
    return {
      kind: "pass",
      way,
      visitor: undefined,
      target: head.target,
      fields: without(head.fields, OURS),
      // No edge answers others with it (RFC 9213).
      respond: (answered) => ({
        ...answered,
        fields: [...without(answered.fields, CDN_CACHE), "CDN-Cache-Control", "no-store", ...cors],
      }),
    };
  }

  /** A page of the public address itself is none of another site. */
  #lets(origin: string): boolean {
    return origin === this.#origin?.origin || this.#options.origins.includes(origin);
  }

  #wayOf(fields: RawFields): WayIn | "none" | "wrong" {
    const { kind, primitives, authorization } = this.#options;
    if (kind === "open") return "open";
    const [presented, ...more] = valuesOf(fields, "authorization");
    if (presented === undefined) return "none";
    const token = more.length === 0 ? BEARER.exec(presented)?.[1] : undefined;
    if (token === undefined) return "wrong";
    if (isAmong(primitives, [token], this.#token.hash)) return "bearer";
    return authorization?.check(token) === true ? "oauth" : "wrong";
  }

  #closed(how: "none" | "wrong", { address }: Source): Refusal {
    const isWrong = how === "wrong";
    const retrySec = isWrong ? this.#failures.note(address) : undefined;
    if (retrySec !== undefined) return tooMany(retrySec);
    return challenge({ isWrong, resourceMetadata: this.#options.authorization?.resourceMetadata });
  }

  /** The rules of its paths are the authorization's own, and what it says is private. */
  #authorize(
    authorization: Authorization,
    head: RequestHead,
    { address: source }: Source,
    shown: RequestHead,
  ): Admission {
    const inquire = async (body: string): Promise<OwnAnswer> => {
      try {
        if (this.#isOver) return refusal(GONE, false);
        const { method, target, fields } = head;
        const request: AuthorizationRequest = { method, target, fields, body, source };
        const answered = await authorization.handle(request);
        return answered === undefined ? refusal(NOT_MCP, false) : privateAnswer(answered);
      } catch {
        return refusal(AUTHORIZATION_FAILED, false);
      }
    };
    return { kind: "inquiry", maxBytes: MAX_AUTHORIZATION_BODY, inquire, shown };
  }
}

function privateAnswer(answered: AuthorizationResponse): OwnAnswer {
  return { ...answered, why: "authorization", isPrivate: true };
}
