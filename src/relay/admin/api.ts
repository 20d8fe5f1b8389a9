import type * as z from "zod/mini";
import type { NodeAnswer, NodeQuestion } from "../cluster/peers/questions.ts";
import type { TokenEntry } from "../auth/tokens.ts";
import type { Host } from "../hosts/host.ts";
import type { Tags } from "../log/tags.ts";
import type { Relay } from "../node/relay.ts";
import type { Caller } from "./callers.ts";
import type { History } from "../records/history.ts";
import type { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import type { Records, TunnelRecords } from "../records/visits.ts";
import { Others, parsed } from "./others.ts";
import { FAILURES, routeFor, ROUTES, type FailureCode, type RouteName } from "./routes.ts";
import {
  historyQuery,
  requestsQuery,
  tunnels as tunnelsShape,
  tunnelsQuery,
  type Status,
  type TokenView,
} from "./schemas.ts";
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

type OwnQuestion = Omit<NodeQuestion, "caller"> & { readonly caller: Caller };

/** A part of the tunnels of this node, the oldest first. */
interface OwnPage {
  readonly total: number;
  readonly hosts: readonly Host[];
  readonly hasMore: boolean;
}

const json = (body: unknown, status = 200): Answer => ({ kind: "json", status, body });
const failed = (code: FailureCode, detail?: string): Answer =>
  detail === undefined ? { kind: "failed", code } : { kind: "failed", code, detail };

/** Answers the questions of the operator, and of those who hold a token of the relay. */
export class Api {
  readonly #options: ApiOptions;

  readonly #others: Others | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    const { cluster } = options.relay;
    this.#others =
      cluster === undefined
        ? undefined
        : new Others({ questions: cluster.questions, own: (question) => this.#answerNode(question) });
  }

  /** For the whole cluster, where this node is one of many. */
  async answer(question: Question): Promise<Answer> {
    const { name, id, query, caller } = question;
    if (this.#others === undefined) return this.#own(question);
    const own = await this.#own(question);
    if (name === "tunnels" && own.kind === "json" && own.status === 200)
      return this.#allTunnels(tunnelsQuery.parse(Object.fromEntries(query)), caller);
    if (name === "tokens")
      return json({ tokens: await this.#others.tokens(this.#ownTokens(caller), caller) });
    const isElsewhere = own.kind === "failed" && own.code === "not-found";
    if (!isElsewhere || !isOfTunnel(name)) return own;
    const { method, path } = ROUTES[name];
    const target = `${path.replace(":id", id)}${query.size === 0 ? "" : `?${query.toString()}`}`;
    const told = await this.#others.first(method, target, caller);
    if (told === undefined) return own;
    return told.status === 204 ? { kind: "done" } : json(parsed(told.body), told.status);
  }

  /** A question of another node, about this one alone. */
  async #answerNode({ method, path, caller }: OwnQuestion): Promise<NodeAnswer> {
    const [place = "", ...rest] = path.split("?");
    const found = routeFor(method, place);
    const query = new URLSearchParams(rest.join("?"));
    if (found.kind !== "route") return { status: 404, body: "" };
    if (found.name === "tunnels") {
      const page = this.#page(tunnelsQuery.parse(Object.fromEntries(query)), caller);
      const epochs = page.hosts.map(({ facts }) => facts.epoch);
      return { status: 200, body: JSON.stringify({ ...this.#shown(page), epochs }) };
    }
    if (!isOfTunnel(found.name) && found.name !== "tokens") return { status: 404, body: "" };
    const answer = await this.#own({ name: found.name, id: found.id, query, caller });
    if (answer.kind === "json") return { status: answer.status, body: JSON.stringify(answer.body) };
    return { status: answer.kind === "failed" ? FAILURES[answer.code] : 204, body: "" };
  }

  async #own({ name, id, query, caller }: Question): Promise<Answer> {
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
        return json({ tokens: this.#ownTokens(caller) });
      case "history":
        return this.#history(historyQuery.parse(given), caller);
    }
  }

  #tunnels(asked: ReturnType<typeof tunnelsQuery.parse>, caller: Caller): Answer {
    return json(this.#shown(this.#page(asked, caller)));
  }

  /** Epochs are of the whole cluster, too: the pages of all nodes are parts of one order. */
  async #allTunnels(asked: ReturnType<typeof tunnelsQuery.parse>, caller: Caller): Promise<Answer> {
    const { limit, kind, after } = asked;
    const given = {
      limit: String(limit),
      ...(kind === undefined ? {} : { kind }),
      ...(after === undefined ? {} : { after }),
    };
    const pages = (await this.#others?.tunnels(new URLSearchParams(given).toString(), caller)) ?? [];
    const own = this.#page(asked, caller);
    const rows = [
      ...own.hosts.map((host) => ({ epoch: host.facts.epoch, view: this.#viewOf(host) })),
      ...pages.flatMap(({ tunnels, epochs }) =>
        tunnels.map((view, at) => ({ epoch: epochs[at] ?? 0, view })),
      ),
    ].toSorted((one, other) => one.epoch - other.epoch);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const hasMore = rows.length > page.length || own.hasMore || pages.some((other) => other.hasMore);
    return json({
      total: pages.reduce((sum, { total }) => sum + total, own.total),
      tunnels: page.map(({ view }) => view),
      next: hasMore && last !== undefined ? String(last.epoch) : null,
    });
  }

  #shown({ total, hosts, hasMore }: OwnPage): z.infer<typeof tunnelsShape> {
    const last = hosts.at(-1);
    const next = hasMore && last !== undefined ? String(last.facts.epoch) : null;
    return { total, tunnels: hosts.map((host) => this.#viewOf(host)), next };
  }

  #page({ limit, kind, after }: ReturnType<typeof tunnelsQuery.parse>, caller: Caller): OwnPage {
    const seen = this.#options.relay.hosts.all
      .filter(
        (host) => maySee(caller, host.grant.tokenId) && (kind === undefined || host.facts.kind === kind),
      )
      .toSorted((one, other) => one.facts.epoch - other.facts.epoch);
    // The epoch grows with every registration: a page begins where the last one ended, whoever has come and gone.
    const later = after === undefined ? seen : seen.filter(({ facts }) => facts.epoch > Number(after));
    const page = later.slice(0, limit);
    return { total: seen.length, hosts: page, hasMore: later.length > page.length };
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

  #ownTokens(caller: Caller): readonly TokenView[] {
    const { relay, history, tokens } = this.#options;
    const { perToken } = relay.hosts;
    const now = relay.context.clock.now();
    const seen = tokens().filter((entry) => maySee(caller, entry.id));
    return seen.map((entry) =>
      tokenView(entry, { now, lastUse: history.lastUseOf(entry.id), tunnels: perToken.of(entry.id) }),
    );
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

/** Routes that are about one tunnel, which may be at another node. */
const isOfTunnel = (name: RouteName): name is "tunnel" | "closeTunnel" | "requests" =>
  name === "tunnel" || name === "closeTunnel" || name === "requests";

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
