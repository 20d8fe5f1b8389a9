import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressKind, isForbiddenDialAddress } from "../../src/net/address.ts";
import { decodeAnswer } from "../../src/net/doh.ts";
import { extractFile } from "../../src/tunnel/cloudflared/archive.ts";
import { parseLogLine } from "../../src/tunnel/cloudflared/log.ts";
import { LineSplitter } from "../../src/children/lines.ts";
import { tarEntry } from "../support/tunnels/fake-tar.ts";
import { anyBytes, mutated, oddJson, oddText, seeded } from "../hostile-peers/support/input.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Uint8Array => encodeUtf8(text);

describe("what other programs and servers say", () => {
  it("a log is cut into the same lines however it is chunked, and no line is kept beyond its limit", () => {
    const text = fc
      .array(fc.oneof(oddText, fc.constantFrom("\n", "\r\n", "\r", "x".repeat(20_000))))
      .map((all) => all.join(""));
    fc.assert(
      fc.property(text, fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }), (log, sizes) => {
        const [whole, pieces] = [new LineSplitter(), new LineSplitter()];
        const expected = [...whole.push(log), whole.flush()];
        const lines: string[] = [];
        let at = 0;
        for (let turn = 0; at < log.length; turn += 1) {
          const size = turn < 500 ? 1 + (sizes[turn % sizes.length] ?? 0) : log.length;
          lines.push(...pieces.push(log.slice(at, at + size)));
          at += size;
        }
        expect([...lines, pieces.flush()]).toEqual(expected);
        expect(expected.every((line) => line.length <= 16 * 1024)).toBe(true);
      }),
      seeded(7, 100),
    );
  });

  it("a line of cloudflared is an event, whatever it holds, and names no address but below trycloudflare.com", () => {
    const line = fc.oneof(
      oddText,
      oddJson,
      fc
        .tuple(fc.constantFrom("info", "error", "__proto__"), oddText)
        .map(([level, message]) => JSON.stringify({ level, message, error: message })),
      oddText.map((text) => `2026-01-01T00:00:00Z INF |  https://${text}.trycloudflare.com  |`),
      oddText.map((text) => `2026-01-01T00:00:00Z INF |  https://a.trycloudflare.com${text}`),
      fc
        .nat(99_999)
        .map((port) => `2026-01-01T00:00:00Z INF Starting metrics server on 127.0.0.1:${port}/metrics`),
    );
    fc.assert(
      fc.property(line, (text) => {
        const event = parseLogLine(text.slice(0, 16 * 1024));
        if (event.kind === "url")
          expect(new URL(event.url).hostname).toMatch(/^[a-z0-9.-]+\.trycloudflare\.com$/);
        if (event.kind === "metrics") expect(event.port > 0 && event.port < 65_536).toBe(true);
      }),
      seeded(8, 500),
    );
  });

  it("a DNS answer gives addresses of the family asked for, or an Error that its caller expects", () => {
    const record = fc.record({
      type: fc.constantFrom<unknown>(1, 28, 5, -1, "1", Number.MAX_VALUE),
      data: fc.oneof(oddText, fc.ipV4(), fc.ipV6()),
    });
    const body = fc.oneof(
      anyBytes(),
      oddJson.map(utf8),
      fc.array(record, { maxLength: 110 }).map((Answer) => utf8(JSON.stringify({ Status: 0, Answer }))),
    );
    fc.assert(
      fc.property(body, fc.constantFrom<4 | 6>(4, 6), (bytes, family) => {
        try {
          const addresses = decodeAnswer(bytes, family);
          expect(addresses.length).toBeLessThanOrEqual(100);
          expect(addresses.every((one) => (family === 4 ? /^[0-9.]+$/ : /:/).test(one))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(error).not.toBeInstanceOf(RangeError);
        }
      }),
      seeded(9, 300),
    );
  });

  it("an address is of one kind or none, and no spelling of a metadata service is let through", () => {
    fc.assert(
      fc.property(fc.oneof(oddText, fc.ipV4Extended(), fc.ipV6(), fc.domain()), (host) => {
        expect([undefined, "string"]).toContain(
          addressKind(host) === undefined ? undefined : typeof addressKind(host),
        );
        expect(typeof isForbiddenDialAddress(host)).toBe("boolean");
      }),
      seeded(10, 300),
    );
    for (const host of [
      "169.254.169.254",
      "[::ffff:169.254.169.254]",
      "::FFFF:A9FE:A9FE",
      "0:0:0:0:0:ffff:a9fe:a9fe",
    ])
      expect(isForbiddenDialAddress(host)).toBe(true);
  });

  it("an archive gives the one file, at most of the size allowed, or throws an Error", async () => {
    const LIMIT = 2_048;
    const valid = Buffer.concat([
      tarEntry("other", Buffer.alloc(700, 1)),
      tarEntry("cloudflared", Buffer.alloc(1_500, 2)),
      Buffer.alloc(1_024),
    ]);
    const archive = fc.oneof(
      mutated(new Uint8Array(valid)),
      anyBytes(1_600),
      fc.constant(new Uint8Array(valid)),
    );
    await fc.assert(
      fc.asyncProperty(archive, fc.integer({ min: 1, max: 4_000 }), async (bytes, size) => {
        async function* chunks(): AsyncGenerator<Uint8Array> {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }
        let taken = 0;
        try {
          for await (const chunk of extractFile(chunks(), "cloudflared", LIMIT)) taken += chunk.length;
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
        expect(taken).toBeLessThanOrEqual(LIMIT);
      }),
      seeded(11, 150),
    );
  });
});
