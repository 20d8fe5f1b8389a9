import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { openApi } from "../../../src/relay/admin/openapi.ts";
import { FAILURES, ROUTES, routeFor } from "../../../src/relay/admin/routes.ts";
import { managed } from "./support.ts";

const document = z.object({
  openapi: z.literal("3.1.0"),
  info: z.object({ version: z.string() }),
  components: z.object({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        operationId: z.string(),
        summary: z.string().check(z.minLength(5)),
        security: z.array(z.unknown()),
        parameters: z.array(
          z.looseObject({ name: z.string(), in: z.string(), schema: z.record(z.string(), z.unknown()) }),
        ),
        responses: z.record(z.string(), z.looseObject({ description: z.string() })),
      }),
    ),
  ),
});

const described = document.parse(openApi("1.2.3"));

describe("openapi.json", () => {
  it("is served as it is made, to everybody", async () => {
    const { ask } = await managed();
    const answer = await ask("/openapi.json", { token: "" });
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.as(z.unknown())).toEqual(openApi("1.2.3"));
  });

  it("lies in the documents, and is the same there", () => {
    const file = fileURLToPath(new URL("../../../docs/openapi.json", import.meta.url));
    const kept = document.parse(JSON.parse(readFileSync(file, "utf8")));
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(
      JSON.parse(JSON.stringify(openApi(kept.info.version))),
    );
  });

  it("describes every route, with shapes that are there", () => {
    const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => [operationId, method, path]),
    );
    expect(operations).toHaveLength(Object.keys(ROUTES).length);
    for (const [id = "", method = "", path = ""] of operations)
      expect(routeFor(method.toUpperCase(), path.replace("{id}", "0123456789abcdef"))).toMatchObject({
        kind: "route",
        name: id,
      });
    const refs = [...JSON.stringify(described).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(refs.length).toBeGreaterThan(20);
    for (const [, name = ""] of refs) expect(described.components.schemas).toHaveProperty(name);
  });

  it("says where no token is needed, and what every parameter must be", () => {
    const open = Object.entries(described.paths).filter(([, { get }]) => get?.security.length === 0);
    expect(open.map(([path]) => path)).toEqual(["/healthz", "/readyz", "/openapi.json"]);
    const limit = described.paths["/api/history"]?.["get"]?.parameters.find(({ name }) => name === "limit");
    expect(limit?.schema).toMatchObject({ type: "integer", minimum: 1, maximum: 500, default: 50 });
  });

  it("lists every answer that the guards give", async () => {
    const { ask } = await managed();
    const statuses = new Set(Object.keys(described.paths["/api/tunnels/{id}"]?.["get"]?.responses ?? {}));
    const given = await Promise.all([
      ask("/api/tunnels/0123456789abcdef", { token: "" }),
      ask("/api/tunnels/0123456789abcdef", { token: "x" }),
      ask("/api/tunnels/0123456789abcdef"),
      ask("/api/tunnels/0123456789abcdef?x=1"),
      ask("/api/tunnels/0123456789abcdef", { headers: { origin: "null" } }),
    ]);
    expect(given.map(({ status }) => status)).toEqual([401, 401, 404, 400, 403]);
    for (const { status } of given) expect(statuses).toContain(String(status));
    expect(Object.values(FAILURES).every((status) => status >= 400 && status < 600)).toBe(true);
  });
});
