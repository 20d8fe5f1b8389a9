import * as z from "zod/mini";
import { FAILURES, ROUTES, type FailureCode, type Route } from "./routes.ts";
import * as S from "./schemas.ts";

/** Components are the shapes that have a name. */
const NAMED = [
  S.failure,
  S.health,
  S.readiness,
  S.status,
  S.tunnel,
  S.tunnels,
  S.visit,
  S.requests,
  S.token,
  S.tokens,
  S.ended,
  S.history,
];

/** What any route but the open ones may answer. */
const ALWAYS: readonly FailureCode[] = ["bad-request", "wrong-host", "no-pages"];
const GUARDED: readonly FailureCode[] = ["token-missing", "token-wrong", "no-admin-token"];

/** The description of the API (OpenAPI 3.1), made of the tables that the listener works with. */
export function openApi(version: string): unknown {
  return {
    openapi: "3.1.0",
    info: {
      title: "tunnel-mcp relay, for its operator",
      version,
      description:
        "Served at the admin listener alone. Failures have one form, and their codes do not change. Times are UTC. A token of the relay sees and closes what was opened with it; the operator's token sees all.",
    },
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: componentSchemas(),
    },
    paths: paths(),
  };
}

function componentSchemas(): Readonly<Record<string, unknown>> {
  const registry = z.registry<{ id: string }>();
  for (const schema of NAMED) registry.add(schema, { id: nameOf(schema) });
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: refTo });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutFrame(schema)]));
}

const refTo = (id: string): string => `#/components/schemas/${id}`;

function nameOf(schema: z.ZodMiniType): string {
  const id = z.globalRegistry.get(schema)?.id;
  if (id === undefined) throw new Error("a shape of the API has no name");
  return id;
}

/** Inside of a larger document a schema needs neither its own address nor the dialect. */
function withoutFrame(schema: object): object {
  const frame: ReadonlySet<string> = new Set(["$schema", "$id", "id"]);
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !frame.has(key)));
}

function paths(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const all = new Map<string, Record<string, unknown>>();
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    const path = route.path.replace(":id", "{id}");
    const methods = all.get(path) ?? {};
    all.set(path, methods);
    methods[route.method.toLowerCase()] = operation(name, route);
  }
  return Object.fromEntries(all);
}

function operation(name: string, route: Route): object {
  const { summary, access, answers } = route;
  return {
    operationId: name,
    summary,
    security: access === "open" ? [] : [{ bearer: [] }],
    ...(access === "metrics"
      ? { description: "Answered without a token where the listener is on loopback and no token was set." }
      : {}),
    ...(access === "operator" ? { description: "For the operator's token alone." } : {}),
    parameters: parameters(route),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([code, shape]) => [code, response(shape)])),
      ...failures(route),
    },
  };
}

function parameters({ path, query }: Route): readonly object[] {
  const inPath = path.includes(":id")
    ? [{ name: "id", in: "path", required: true, schema: { type: "string", pattern: "^[0-9a-f]{16}$" } }]
    : [];
  const { properties = {} } = z.toJSONSchema(query, { io: "input" });
  // Numbers come as text, so their input is anything: the output says what they must be.
  const { properties: values = {} } = z.toJSONSchema(query, { io: "output" });
  const inQuery = Object.keys(properties).map((name) => ({
    name,
    in: "query",
    required: false,
    schema: values[name],
  }));
  return [...inPath, ...inQuery];
}

function response(shape: z.ZodMiniType | string | undefined): object {
  if (shape === undefined) return { description: "done" };
  if (typeof shape === "string") return { description: "the text", content: { [shape]: {} } };
  const schema = { $ref: refTo(nameOf(shape)) };
  return { description: nameOf(shape), content: { "application/json": { schema } } };
}

function failures({ access, failures: own }: Route): Readonly<Record<string, object>> {
  const guarded = access === "open" ? [] : GUARDED;
  const operator: readonly FailureCode[] = access === "operator" ? ["not-allowed"] : [];
  const byStatus = new Map<number, FailureCode[]>();
  for (const code of [...ALWAYS, ...guarded, ...operator, ...own])
    byStatus.set(FAILURES[code], [...(byStatus.get(FAILURES[code]) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.join(", "),
        content: { "application/json": { schema: { $ref: refTo("Failure") } } },
      },
    ]),
  );
}
