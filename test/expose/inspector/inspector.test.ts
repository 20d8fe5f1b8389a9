import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryBudget } from "../../../src/expose/inspector/budget.ts";
import type { ExchangeEvent } from "../../../src/expose/inspector/exchange.ts";
import { INSPECTED_BYTES, INSPECTOR, OVERHEAD } from "../../../src/expose/inspector/limits.ts";
import type { Inspector } from "../../../src/expose/inspector/inspector.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { errorOf } from "../../support/thrown.ts";
import { bytes, inspectorFor, report, visit } from "./recorded.ts";

const KIB = 1024;
const ids = (inspector: Inspector): number[] => inspector.list({ limit: 500 }).requests.map(({ id }) => id);

describe("what the inspector keeps", () => {
  it("keeps the raw bytes of both bodies, in one piece, and the fields as they stood", () => {
    const inspector = inspectorFor();
    const fields = ["Host", "a", "X-Twice", "1", "x-twice", "2", "X-Latin", "caf\u00e9"];
    const recording = inspector.begin(visit({ method: "POST", target: "/a//b/%2f?q#no", fields }));
    for (const part of ["\u0000\u00ff", "b", ""]) recording.requestChunk(bytes(part));
    recording.responseHead({ status: 103, reason: "Early Hints", fields: ["Link", "</a.css>"] });
    recording.responseHead({
      status: 201,
      reason: "Made",
      fields: ["Set-Cookie", "a=1", "Set-Cookie", "b=2"],
    });
    recording.responseChunk(bytes("done"));
    recording.trailers("response", ["Grpc-Status", "0"]);
    recording.end("complete");
    expect(inspector.get(1)).toMatchObject({
      id: 1,
      method: "POST",
      target: "/a//b/%2f?q#no",
      interim: [103],
      request: { fields, areFieldsCut: false, body: { bytes: 4, isCut: false } },
      response: {
        status: 201,
        reason: "Made",
        fields: ["Set-Cookie", "a=1", "Set-Cookie", "b=2"],
        trailers: ["Grpc-Status", "0"],
      },
      end: { how: "complete", why: undefined },
    });
    expect(Buffer.from(inspector.get(1).request.body.kept)).toEqual(Buffer.from("\u0000\u00ffb"));
  });

  it("copies chunks: they belong to the caller", () => {
    const inspector = inspectorFor();
    const recording = inspector.begin(visit());
    const chunk = bytes("mine");
    recording.requestChunk(chunk);
    chunk.fill(0);
    expect(Buffer.from(inspector.get(1).request.body.kept).toString()).toBe("mine");
  });

  it("keeps 64 KiB of a body in whatever chunks it comes, counts all of it, and leaves no gap in what is kept", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 * KIB }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 255 }),
        (sizes, seed) => {
          const inspector = inspectorFor();
          const recording = inspector.begin(visit());
          const whole = Buffer.concat(
            sizes.map((size, at) => {
              const chunk = Buffer.alloc(size, (seed + at) % 256);
              recording.requestChunk(chunk);
              return chunk;
            }),
          );
          const { body } = inspector.get(1).request;
          expect(body.bytes).toBe(whole.length);
          expect(body.isCut).toBe(whole.length > INSPECTOR.bodyBytes);
          expect(whole.subarray(0, INSPECTOR.bodyBytes).equals(body.kept)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("does not grow by many small chunks, and charges what it takes", () => {
    const budget = new MemoryBudget(INSPECTED_BYTES);
    const inspector = inspectorFor({ budget });
    const recording = inspector.begin(visit());
    const before = budget.used;
    for (let count = 0; count < 200_000; count += 1) recording.requestChunk(bytes("x"));
    const { body } = inspector.get(1).request;
    expect(body).toMatchObject({ bytes: 200_000, isCut: true });
    expect(body.kept.length).toBe(64 * KIB);
    expect(body.kept.buffer.byteLength).toBeLessThanOrEqual(64 * KIB);
    expect(budget.used - before).toBe(64 * KIB);
  });

  it("keeps no more of a head than 64 KiB, and says that it is cut", () => {
    const inspector = inspectorFor();
    const fields = Array.from({ length: 4_000 }, (_, at) => (at % 2 === 0 ? `X-${at}` : "v".repeat(500)));
    const { request } = report(inspector, { request: { fields } });
    expect(request.areFieldsCut).toBe(true);
    expect(request.fields.join("").length).toBeLessThanOrEqual(INSPECTOR.headBytes);
    expect(request.fields).toEqual(fields.slice(0, request.fields.length));
  });

  it("keeps metadata only where it is told to: no field, no byte, no secret of the query", () => {
    const budget = new MemoryBudget(INSPECTED_BYTES);
    const inspector = inspectorFor({ keepsBodies: false, budget });
    const exchange = report(inspector, {
      request: { target: "/cb?code=s3cret&x=1", fields: ["Authorization", "Bearer s3cret"] },
      body: "s3cret",
      answer: "s3cret too",
      fields: ["Set-Cookie", "a=s3cret"],
    });
    expect(JSON.stringify(exchange)).not.toContain("s3cret");
    expect(exchange.target).toMatch(/^\/cb\?code=\[redacted [0-9a-f]{8}\]&x=1$/);
    expect(exchange).toMatchObject({
      isWhole: false,
      request: { fields: [], body: { bytes: 6 } },
      response: { status: 200, fields: [], body: { bytes: 10 } },
    });
    expect(exchange.request.body.kept.length).toBe(0);
    expect(budget.used).toBeLessThan(2 * OVERHEAD.exchange);
  });

  it("counts bytes of a WebSocket and keeps none", () => {
    const inspector = inspectorFor();
    const recording = inspector.begin(visit());
    recording.responseHead({ status: 101, reason: "Switching Protocols", fields: ["Upgrade", "websocket"] });
    recording.upgraded();
    recording.requestChunk(new Uint8Array(1_000));
    recording.responseChunk(new Uint8Array(3_000));
    recording.end("visitor-left");
    expect(inspector.get(1)).toMatchObject({
      upgraded: { bytesIn: 1_000, bytesOut: 3_000 },
      request: { body: { bytes: 0 } },
      response: { status: 101, body: { bytes: 0 } },
    });
  });

  it("tells when the head and the end came", async () => {
    const clock = new FakeClock();
    const inspector = inspectorFor({ clock });
    const recording = inspector.begin(visit());
    await clock.advance(40);
    recording.responseHead({ status: 200, reason: "OK", fields: [] });
    await clock.advance(60);
    recording.end("limit", "size");
    recording.end("complete");
    const { response, end } = inspector.get(1);
    expect(response?.headMs).toBe(40);
    expect(end).toEqual({ how: "limit", why: "size", ms: 100 });
  });

  it("tells of each beginning and end, also of one that is forgotten meanwhile", () => {
    const inspector = inspectorFor({ limits: { ...INSPECTOR, requests: 1 } });
    const told: [ExchangeEvent["event"], number][] = [];
    const stop = inspector.onRequest(({ event, exchange }) => told.push([event, exchange.id]));
    const first = inspector.begin(visit());
    report(inspector);
    first.end("complete");
    stop();
    report(inspector);
    expect(told).toEqual([
      ["began", 1],
      ["began", 2],
      ["ended", 2],
      ["ended", 1],
    ]);
  });
});

describe("the ring", () => {
  it("lets the oldest go first, and counts on", () => {
    const inspector = inspectorFor({ limits: { ...INSPECTOR, requests: 3 } });
    for (let count = 0; count < 10; count += 1) report(inspector);
    expect(ids(inspector)).toEqual([10, 9, 8]);
    expect(inspector.total).toBe(10);
    expect(errorOf(() => inspector.get(7))).toMatchObject({ code: "request-unknown" });
  });

  it("lets those who only knock push out each other alone", () => {
    const inspector = inspectorFor({ limits: { ...INSPECTOR, refused: 2 } });
    report(inspector);
    for (let count = 0; count < 50; count += 1)
      report(inspector, { request: { decided: { refused: "no-access" } }, status: 401 });
    expect(ids(inspector)).toEqual([51, 50, 1]);
  });

  it("stays within the one budget of all exposures, whatever comes", () => {
    const exchange = fc.record({
      which: fc.integer({ min: 0, max: 2 }),
      head: fc.integer({ min: 0, max: 3_000 }),
      chunks: fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 6 }),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(exchange, { maxLength: 60 }), (all) => {
        const max = 40_000;
        const budget = new MemoryBudget(max);
        const inspectors = [inspectorFor({ budget }), inspectorFor({ budget }), inspectorFor({ budget })];
        for (const { which, head, chunks, ends } of all) {
          const recording = inspectors[which]?.begin(visit({ fields: ["X", "h".repeat(head)] }));
          recording?.responseHead({ status: 200, reason: "", fields: [] });
          for (const size of chunks) {
            recording?.requestChunk(new Uint8Array(size));
            recording?.responseChunk(new Uint8Array(size));
            expect(budget.used).toBeLessThanOrEqual(max);
          }
          if (ends) recording?.end("complete");
        }
        const kept = inspectors
          .flatMap((inspector) => inspector.list({ limit: 500 }).requests)
          .reduce(
            (sum, { request, response }) =>
              sum +
              request.body.kept.length +
              (response?.body.kept.length ?? 0) +
              request.fields.join("").length,
            0,
          );
        expect(kept).toBeLessThanOrEqual(budget.used);
        for (const inspector of inspectors) inspector.clear();
        expect(budget.used).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it("takes the oldest of all exposures, not of the one that asks for more", () => {
    const budget = new MemoryBudget(300 * KIB);
    const [quiet, busy] = [inspectorFor({ budget }), inspectorFor({ budget })];
    report(quiet, { body: new Uint8Array(60 * KIB) });
    report(busy, { body: new Uint8Array(60 * KIB) });
    for (let count = 0; count < 4; count += 1) report(busy, { body: new Uint8Array(60 * KIB) });
    expect(ids(quiet)).toEqual([]);
    expect(ids(busy)).toEqual([5, 4, 3, 2]);
  });

  it("frees what a forgotten one that still runs has kept, and keeps nothing more of it", () => {
    const budget = new MemoryBudget(INSPECTED_BYTES);
    const inspector = inspectorFor({ budget });
    const recording = inspector.begin(visit());
    recording.requestChunk(new Uint8Array(1_000));
    inspector.clear();
    expect(budget.used).toBe(0);
    recording.requestChunk(new Uint8Array(1_000));
    recording.responseHead({ status: 200, reason: "", fields: ["A", "b"] });
    recording.responseChunk(new Uint8Array(1_000));
    recording.end("complete");
    expect(budget.used).toBe(0);
    expect(ids(inspector)).toEqual([]);
  });

  it("survives a request that is larger than all there is", () => {
    const inspector = inspectorFor({ budget: new MemoryBudget(500) });
    const recording = inspector.begin(visit({ fields: ["X", "y".repeat(1_000)] }));
    recording.end("complete");
    expect(ids(inspector)).toEqual([]);
  });
});

describe("the list", () => {
  function filled(): Inspector {
    const inspector = inspectorFor();
    report(inspector, { request: { method: "GET", target: "/" } });
    report(inspector, { request: { method: "POST", target: "/hooks/pay?token=abc" }, status: 500 });
    report(inspector, { request: { method: "post", target: "/hooks/ship" }, status: 204 });
    report(inspector, { request: { target: "/api/hooks/x" }, status: 404 });
    report(inspector, { request: { target: "/slow" }, status: 0, end: undefined });
    return inspector;
  }

  it.each([
    [{}, [5, 4, 3, 2, 1]],
    [{ sinceId: 3 }, [5, 4]],
    [{ sinceId: 5 }, []],
    [{ method: "Post" }, [3, 2]],
    [{ path: "hooks" }, [4, 3, 2]],
    [{ path: "/hooks/*" }, [3, 2]],
    [{ path: "*" }, [5, 4, 3, 2, 1]],
    [{ status: 500 }, [2]],
    [{ status: "404" }, [4]],
    [{ status: "2xx" }, [3, 1]],
    [{ status: "4XX", path: "/api*" }, [4]],
  ])("finds by %j", (filter, wanted) => {
    const { requests, more } = filled().list(filter);
    expect(requests.map(({ id }) => id)).toEqual(wanted);
    expect(more).toBe(false);
  });

  it("says when there are more than it gives", () => {
    const inspector = filled();
    expect(inspector.list({ limit: 2 }).requests.map(({ id }) => id)).toEqual([5, 4]);
    expect(inspector.list({ limit: 2 }).more).toBe(true);
    expect(inspector.list({ limit: 2, method: "POST" }).more).toBe(false);
  });

  it("does not find out a secret by its letters", () => {
    expect(filled().list({ path: "token=abc" }).requests).toEqual([]);
    expect(filled().list({ path: "token=" }).requests).toHaveLength(1);
  });

  it.each([
    [{ sinceId: -1 }, "sinceId must be"],
    [{ sinceId: 1.5 }, "sinceId must be"],
    [{ limit: 0 }, "limit must be"],
    [{ limit: 501 }, "limit must be"],
    [{ method: "GET /" }, "method must be"],
    [{ method: "" }, "method must be"],
    [{ path: "" }, "path must be"],
    [{ path: "/a/*/b" }, "path must be"],
    [{ status: 99 }, "status must be"],
    [{ status: 600 }, "status must be"],
    [{ status: "ok" }, "status must be"],
    [{ status: "5x" }, "status must be"],
    [{ status: 200.5 }, "status must be"],
  ])("refuses %j with the form that is right", (filter, detail) => {
    expect(errorOf(() => filled().list(filter))).toMatchObject({
      code: "input-invalid",
      detail: expect.stringContaining(detail),
    });
  });
});
