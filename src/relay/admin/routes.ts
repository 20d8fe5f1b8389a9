import type * as z from "zod/mini";
import * as S from "./schemas.ts";

/**
 * `open`: health and the description. `metrics`: also without a token where the listener is on loopback and no token was set.
 * `any`: the operator, or a token of the relay for what was opened with it. `operator`: nobody else.
 */
export type Access = "open" | "metrics" | "any" | "operator";

/** The codes of failures, with their statuses. */
export const FAILURES = {
  "bad-request": 400,
  "token-missing": 401,
  "token-wrong": 401,
  "not-allowed": 403,
  "wrong-host": 403,
  "no-pages": 403,
  "no-admin-token": 403,
  "not-found": 404,
  "wrong-method": 405,
  "too-slow": 408,
  "body-unwanted": 413,
  "head-too-long": 431,
  internal: 500,
  "host-away": 503,
} as const;
export type FailureCode = keyof typeof FAILURES;

export interface Route {
  readonly method: "GET" | "DELETE";
  /** `:id` is one segment. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  readonly query: z.ZodMiniType<Readonly<Record<string, unknown>>>;
  /** By status; undefined where there is no body, a text for one that is no JSON. */
  readonly answers: Readonly<Record<number, z.ZodMiniType | string | undefined>>;
  /** Beyond those that every route may give. */
  readonly failures: readonly FailureCode[];
}

/** All of the API, written once: the listener, openapi.json and the documents are made of it. */
export const ROUTES = {
  healthz: {
    method: "GET",
    path: "/healthz",
    summary: "Whether the process lives",
    access: "open",
    query: S.noQuery,
    answers: { 200: S.health },
    failures: [],
  },
  readyz: {
    method: "GET",
    path: "/readyz",
    summary: "Whether it takes new hosts and visitors, and why not",
    access: "open",
    query: S.noQuery,
    answers: { 200: S.readiness, 503: S.readiness },
    failures: [],
  },
  openapi: {
    method: "GET",
    path: "/openapi.json",
    summary: "This description",
    access: "open",
    query: S.noQuery,
    answers: { 200: "application/json" },
    failures: [],
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    summary: "Figures for Prometheus; no label holds a name, a token or an address",
    access: "metrics",
    query: S.noQuery,
    answers: { 200: "text/plain" },
    failures: [],
  },
  status: {
    method: "GET",
    path: "/api/status",
    summary: "The state of this node",
    access: "operator",
    query: S.noQuery,
    answers: { 200: S.status },
    failures: [],
  },
  tunnels: {
    method: "GET",
    path: "/api/tunnels",
    summary: "Open tunnels, the oldest first",
    access: "any",
    query: S.tunnelsQuery,
    answers: { 200: S.tunnels },
    failures: [],
  },
  tunnel: {
    method: "GET",
    path: "/api/tunnels/:id",
    summary: "One open tunnel",
    access: "any",
    query: S.noQuery,
    answers: { 200: S.tunnel },
    failures: ["not-found"],
  },
  closeTunnel: {
    method: "DELETE",
    path: "/api/tunnels/:id",
    summary: "Closes a tunnel; its host is told and does not come back by itself",
    access: "any",
    query: S.noQuery,
    answers: { 204: undefined },
    failures: ["not-found", "host-away"],
  },
  requests: {
    method: "GET",
    path: "/api/tunnels/:id/requests",
    summary: "The last visits of a tunnel that is open or has just ended, the newest first",
    access: "any",
    query: S.requestsQuery,
    answers: { 200: S.requests },
    failures: ["not-found"],
  },
  tokens: {
    method: "GET",
    path: "/api/tokens",
    summary: "Tokens of the relay, without anything that could be used as one",
    access: "any",
    query: S.noQuery,
    answers: { 200: S.tokens },
    failures: [],
  },
  history: {
    method: "GET",
    path: "/api/history",
    summary: "Tunnels that are over, the last one first",
    access: "any",
    query: S.historyQuery,
    answers: { 200: S.history },
    failures: [],
  },
} as const satisfies Readonly<Record<string, Route>>;

export type RouteName = keyof typeof ROUTES;
const isRouteName = (name: string): name is RouteName => Object.hasOwn(ROUTES, name);
const NAMES: readonly RouteName[] = Object.keys(ROUTES).filter(isRouteName);

export type Found =
  | { readonly kind: "route"; readonly name: RouteName; readonly id: string }
  | { readonly kind: "wrong-method"; readonly allowed: readonly string[] }
  | { readonly kind: "not-found" };

/** HEAD is GET without the body (RFC 9110 §9.3.2). */
export function routeFor(method: string, path: string): Found {
  const there = NAMES.flatMap((name) => {
    const id = idIn(ROUTES[name].path, path);
    return id === undefined ? [] : [{ name, id }];
  });
  const asked = method === "HEAD" ? "GET" : method;
  const route = there.find(({ name }) => ROUTES[name].method === asked);
  if (route !== undefined) return { kind: "route", ...route };
  if (there.length === 0) return { kind: "not-found" };
  const methods = there.map(({ name }) => ROUTES[name].method);
  return {
    kind: "wrong-method",
    allowed: methods.flatMap((one) => (one === "GET" ? ["GET", "HEAD"] : [one])),
  };
}

/** What stands in the place of `:id`, or an empty text where there is none; undefined for another path. */
function idIn(template: string, path: string): string | undefined {
  const [wanted, given] = [template.split("/"), path.split("/")];
  if (wanted.length !== given.length) return undefined;
  let id = "";
  for (const [index, segment] of wanted.entries()) {
    const there = given[index] ?? "";
    if (segment === ":id") id = there;
    else if (segment !== there) return undefined;
  }
  return template.includes("/:id") && id === "" ? undefined : id;
}
