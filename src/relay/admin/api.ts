import type { TokenEntry } from "../auth/tokens.ts";
import type { Host } from "../hosts/host.ts";
import type { Tags } from "../log/tags.ts";
import type { Relay } from "../node/relay.ts";
import type { Caller } from "./callers.ts";
import type { History } from "../records/history.ts";
import type { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import type { Records, TunnelRecords } from "../records/visits.ts";
import type { FailureCode, RouteName } from "./routes.ts";
import { ROUTES } from "./routes.ts";
import { historyQuery, requestsQuery, tunnelsQuery, type Status } from "./schemas.ts";
import { endedView, readinessOf, statusOf, tokenView, tunnelView, visitView } from "./views.ts";

export type Answer =
  | { readonly kind: "json"; readonly status: number; readonly body: unknown }
  | { readonly kind: "text"; readonly type: string; readonly text: string }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: FailureCode; readonly detail?: string };

export interface ApiOptions {
  readonly relay: Relay;
  readonly version: string;
  readonly startedAt: number;
  readonly auth: Status["auth"];
  readonly tags: Tags;
  readonly addressOf: (host: Host) => string;
  readonly records: Records;
  readonly history: History;
  readonly metrics: Metrics;
  /** Those of the file of tokens; none where another authority decides. */
  readonly tokens: () => readonly TokenEntry[];
}

interface Question {
  readonly name: RouteName;
  /** What stands in the path, or an empty text. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly caller: Caller;
}

const json = (body: unknown, status = 200): Answer => ({ kind: "json", status, body });
const failed = (code: FailureCode, detail?: string): Answer =>
  detail === undefined ? { kind: "failed", code } : { kind: "failed", code, detail };

/** Answers the questions of the operator, and of those who hold a token of the relay. */
export class Api {
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  async answer({ name, id, query, caller }: Question): Promise<Answer> {
    const { relay, metrics, version } = this.#options;
    const given = valuesOf(query);
    if (typeof given === "string") return failed("bad-request", given);
    const parsed = ROUTES[name].query.safeParse(given);
    if (!parsed.success) return failed("bad-request", problemIn(parsed.error.issues[0]));
    switch (name) {
      case "healthz":
        return json({ status: "alive" });
      case "readyz": {
        const readiness = readinessOf(relay);
        return json(readiness, readiness.ready ? 200 : 503);
      }
      case "openapi":
        return json(openApi(version));
      case "metrics":
        return { kind: "text", type: metrics.contentType, text: await metrics.text() };
      case "status":
        return json(await statusOf(relay, this.#options));
      case "tunnels":
        return this.#tunnels(tunnelsQuery.parse(given), caller);
      case "tunnel": {
        const host = this.#hostOf(id, caller);
        return host === undefined ? failed("not-found", NO_TUNNEL) : json(this.#viewOf(host));
      }
      case "closeTunnel":
        return this.#close(id, caller);
      case "requests":
        return this.#requests(id, requestsQuery.parse(given), caller);
      case "tokens":
        return this.#tokens(caller);
      case "history":
        return this.#history(historyQuery.parse(given), caller);
    }
  }

  #tunnels({ limit, kind, after }: ReturnType<typeof tunnelsQuery.parse>, caller: Caller): Answer {
    const seen = this.#options.relay.hosts.all
      .filter(
        (host) => maySee(caller, host.grant.tokenId) && (kind === undefined || host.facts.kind === kind),
      )
      .toSorted((one, other) => one.facts.epoch - other.facts.epoch);
    // The epoch grows with every registration: a page begins where the last one ended, whoever has come and gone.
    const later = after === undefined ? seen : seen.filter(({ facts }) => facts.epoch > Number(after));
    const page = later.slice(0, limit);
    const last = page.at(-1);
    const next = later.length > page.length && last !== undefined ? String(last.facts.epoch) : null;
    return json({ total: seen.length, tunnels: page.map((host) => this.#viewOf(host)), next });
  }

  async #close(id: string, caller: Caller): Promise<Answer> {
    const { claims } = this.#options.relay.context;
    const host = this.#hostOf(id, caller);
    if (host === undefined) return failed("not-found", NO_TUNNEL);
    const { kind, name, epoch } = host.facts;
    const claim = await claims.find({ kind, name });
    const isHeard =
      claim?.node !== undefined &&
      (await claims.tell(claim.node, { type: "close", claim: { kind, name }, epoch }));
    return isHeard ? { kind: "done" } : failed("host-away");
  }

  #requests(id: string, { limit }: ReturnType<typeof requestsQuery.parse>, caller: Caller): Answer {
    const found = this.#recordsOf(id);
    if (found === undefined || !maySee(caller, found.tokenId)) return failed("not-found", NO_TUNNEL);
    const { visits } = found;
    return json({ total: visits.length, requests: visits.slice(-limit).toReversed().map(visitView) });
  }

  #tokens(caller: Caller): Answer {
    const { relay, history, tokens } = this.#options;
    const { perToken } = relay.hosts;
    const now = relay.context.clock.now();
    const seen = tokens().filter((entry) => maySee(caller, entry.id));
    return json({
      tokens: seen.map((entry) =>
        tokenView(entry, { now, lastUse: history.lastUseOf(entry.id), tunnels: perToken.of(entry.id) }),
      ),
    });
  }

  #history({ limit, kind, before }: ReturnType<typeof historyQuery.parse>, caller: Caller): Answer {
    const { history, tags } = this.#options;
    const seen = history.entries.filter(
      (entry) => maySee(caller, entry.tokenId) && (kind === undefined || entry.kind === kind),
    );
    const earlier = before === undefined ? seen : seen.filter(({ id }) => id < Number(before));
    const page = earlier.slice(-limit).toReversed();
    const last = page.at(-1);
    const next = earlier.length > page.length && last !== undefined ? String(last.id) : null;
    return json({
      total: seen.length,
      history: page.map((entry) => endedView(entry, tags.tunnel(entry))),
      next,
    });
  }

  #hostOf(id: string, caller: Caller): Host | undefined {
    const { relay, tags } = this.#options;
    return relay.hosts.all.find(
      (host) => tags.tunnel(host.facts) === id && maySee(caller, host.grant.tokenId),
    );
  }

  #recordsOf(id: string): TunnelRecords | undefined {
    const { records, tags } = this.#options;
    for (const kept of records.all) if (tags.tunnel(kept) === id) return kept;
    return undefined;
  }

  #viewOf(host: Host): ReturnType<typeof tunnelView> {
    const { tags, addressOf, tokens } = this.#options;
    const { tokenId } = host.grant;
    const tokenLabel = tokens().find((entry) => entry.id === tokenId)?.label;
    return tunnelView(host, { id: tags.tunnel(host.facts), url: addressOf(host), tokenLabel });
  }
}

const NO_TUNNEL = "no tunnel has this id";

const maySee = (caller: Caller, tokenId: string): boolean =>
  caller.kind === "operator" || (caller.kind === "tenant" && caller.tokenId === tokenId);

/** Each parameter once, or a sentence. */
function valuesOf(query: URLSearchParams): Readonly<Record<string, string>> | string {
  const names = [...query.keys()];
  if (new Set(names).size < names.length) return "a parameter is given twice";
  return Object.fromEntries(query);
}

function problemIn(
  issue: { readonly code: string; readonly path: readonly PropertyKey[] } | undefined,
): string {
  if (issue?.code === "unrecognized_keys") return "a parameter is not known here";
  return `the parameter ${issue?.path.map(String).join(".") ?? ""} is not as it must be`;
}
