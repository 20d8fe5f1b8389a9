import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Redactor } from "../../../src/expose/inspector/secrets.ts";
import { replayView, requestView, wholeRequestView } from "../../../src/view/expose/exposure-requests.ts";
import { differenceOf } from "../../../src/expose/inspector/replay/difference.ts";
import { bytes, inspectorFor, report, visit } from "../../expose/inspector/recorded.ts";

const redactor = new Redactor();

describe("the view of a request", () => {
  it("is short in a list, and tells true sizes", () => {
    const exchange = report(inspectorFor(), {
      request: { method: "POST", target: "/hooks?token=abc", decided: { way: "path", visitor: undefined } },
      body: new Uint8Array(70_000),
      answer: "ok",
    });
    expect(requestView(exchange, redactor)).toEqual({
      id: 1,
      at: "2027-01-15T08:00:00.000Z",
      method: "POST",
      path: expect.stringMatching(/^\/hooks\?token=\[redacted [0-9a-f]{8}\]$/),
      status: 200,
      ms: 0,
      requestBytes: 70_000,
      responseBytes: 2,
      way: "path",
      refused: undefined,
      replayOf: undefined,
      end: "complete",
      websocket: undefined,
    });
  });

  it("says what the gate decided, what runs still, and what is a replay", () => {
    const inspector = inspectorFor();
    const refused = report(inspector, {
      request: { decided: { refused: "no-access" } },
      status: 401,
      end: "own-answer",
    });
    expect(requestView(refused, redactor)).toMatchObject({
      refused: "no-access",
      way: undefined,
      end: "own-answer",
    });
    const running = report(inspector, { status: 0, end: undefined });
    expect(requestView(running, redactor)).toMatchObject({
      end: "running",
      status: undefined,
      ms: undefined,
    });
    const { exchange } = inspector.beginReplay(1, { method: "GET", target: "/", fields: [] });
    expect(wholeRequestView(exchange, redactor)).toMatchObject({
      replayOf: 1,
      way: undefined,
      from: undefined,
    });
  });

  it("has headers as pairs without credentials, and bodies as text", () => {
    const exchange = report(inspectorFor(), {
      request: {
        fields: ["Cookie", "sid=s3cret", "X-A", "1", "X-A", "2"],
        decided: { way: "claim", visitor: "c1" },
      },
      body: '{"password":"shown"}',
      fields: ["Set-Cookie", "sid=s3cret; Path=/", "Content-Type", "text/plain"],
      answer: "grün",
    });
    const view = wholeRequestView(exchange, redactor);
    expect(JSON.stringify(view)).not.toContain("s3cret");
    expect(view).toMatchObject({
      from: "203.0.113.9",
      visitor: "c1",
      request: {
        headers: [
          ["Cookie", expect.stringMatching(/^sid=\[redacted/)],
          ["X-A", "1"],
          ["X-A", "2"],
        ],
        body: { bytes: 20, cut: undefined, content: { text: '{"password":"shown"}' } },
      },
      response: {
        headers: [
          ["Set-Cookie", expect.stringMatching(/^sid=\[redacted [0-9a-f]{8}\]; Path=\/$/)],
          ["Content-Type", "text/plain"],
        ],
        body: { bytes: 5, content: { text: "grün" } },
      },
    });
  });

  it("has bodies as base64 where they are no text, and says what is cut", () => {
    const exchange = report(inspectorFor(), {
      body: Buffer.alloc(70_000, 0xff),
      answer: new Uint8Array([0, 1, 2]),
    });
    const { request, response } = wholeRequestView(exchange, redactor);
    expect(request?.body).toMatchObject({
      bytes: 70_000,
      keptBytes: 65_536,
      cut: true,
      content: { base64: Buffer.alloc(65_536, 0xff).toString("base64") },
    });
    expect(response?.body).toMatchObject({ bytes: 3, keptBytes: undefined, content: { base64: "AAEC" } });
  });

  it("undoes an encoding and tells both sizes", () => {
    const packed = gzipSync("hello");
    const exchange = report(inspectorFor(), { fields: ["Content-Encoding", "gzip"], answer: packed });
    expect(wholeRequestView(exchange, redactor).response?.body).toEqual({
      bytes: packed.length,
      keptBytes: undefined,
      cut: undefined,
      contentEncoding: "gzip",
      decoding: "decoded",
      decodedBytes: 5,
      content: { text: "hello" },
    });
  });

  it("has no headers and bodies where only metadata is kept", () => {
    const exchange = report(inspectorFor({ keepsBodies: false }), { body: "a", answer: "b" });
    expect(wholeRequestView(exchange, redactor)).toMatchObject({
      request: undefined,
      response: undefined,
      status: 200,
      requestBytes: 1,
      responseBytes: 1,
    });
  });

  it("tells bytes of a WebSocket", () => {
    const inspector = inspectorFor();
    const recording = inspector.begin(visit());
    recording.responseHead({ status: 101, reason: "", fields: [] });
    recording.upgraded();
    recording.responseChunk(bytes("frame"));
    expect(requestView(inspector.get(1), redactor)).toMatchObject({
      websocket: true,
      status: 101,
      responseBytes: 5,
    });
  });
});

describe("the view of a replay", () => {
  it("has no credentials in the difference, and still shows that they differ", () => {
    const inspector = inspectorFor();
    const original = report(inspector, { fields: ["Set-Cookie", "sid=s3cret1", "Date", "a"] });
    const replay = report(inspector, { fields: ["Set-Cookie", "sid=s3cret2", "Date", "b"] });
    if (original.response === undefined || replay.response === undefined) throw new Error("no response");
    const difference = differenceOf(original.response, replay.response);
    const view = replayView({ original, replay, difference }, redactor);
    expect(JSON.stringify(view)).not.toContain("s3cret");
    const [cookie, date] = view.difference.headers;
    expect(cookie).toMatchObject({ change: "changed", name: "Set-Cookie", noise: undefined });
    expect(cookie?.before).not.toEqual(cookie?.after);
    expect(date).toMatchObject({ name: "Date", noise: true });
    expect(view.difference.same).toBe(false);
  });
});
