import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseLogLine, quickTunnelUrl } from "../../../src/tunnel/cloudflared/log.ts";
import { LineSplitter } from "../../../src/children/lines.ts";

const KINDS = ["url", "metrics", "registered", "lost", "dial-failed", "fault", "other"];
const json = (level: string, message: string, fields: object = {}): string =>
  JSON.stringify({ level, message, ...fields });
const text = (level: string, message: string): string => `2026-09-30T10:00:00Z ${level} ${message}`;

describe("a log line", () => {
  it.each([
    [
      json("info", "|  https://a-b-c.trycloudflare.com     |"),
      { kind: "url", url: "https://a-b-c.trycloudflare.com" },
    ],
    [
      text("INF", "|  https://a-b-c.trycloudflare.com  |"),
      { kind: "url", url: "https://a-b-c.trycloudflare.com" },
    ],
    [json("info", "Starting metrics server on 127.0.0.1:4321/metrics"), { kind: "metrics", port: 4321 }],
    [json("info", "Starting metrics server on 0.0.0.0:4321/metrics"), { kind: "other" }],
    [json("info", "Starting metrics server on 127.0.0.1:99999/metrics"), { kind: "other" }],
    [text("INF", "Registered tunnel connection connIndex=0 protocol=quic"), { kind: "registered" }],
    [json("warn", "Lost connection with the edge"), { kind: "lost" }],
    [json("error", "Connection terminated", { error: "timeout" }), { kind: "lost" }],
    [json("error", "Configuration file /tmp/x/config.yml was empty"), { kind: "other" }],
    ["", { kind: "other" }],
    ["{", { kind: "other" }],
  ])("%s", (line, event) => expect(parseLogLine(line)).toEqual(event));

  it.each([
    [
      "cloudflared-rate-limited",
      json("error", "Error unmarshaling QuickTunnel response: error code: 1015", {
        status_code: "429 Too Many Requests",
      }),
    ],
    [
      "cloudflared-rate-limited",
      json("error", "Error unmarshaling QuickTunnel response: <html>\n</html>", {
        status_code: "429 Too Many Requests",
      }),
    ],
    [
      "cloudflared-rate-limited",
      text(
        "ERR",
        'Error unmarshaling QuickTunnel response: error code: 1015 error="invalid" status_code="429 Too Many Requests"',
      ),
    ],
    [
      "cloudflared-api-down",
      "failed to unmarshal quick Tunnel: invalid character 'e' looking for beginning of value",
    ],
    ["cloudflared-api-down", "failed to parse quick Tunnel ID: invalid UUID length: 0"],
    [
      "cloudflared-api-down",
      'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": context deadline exceeded',
    ],
    [
      "cloudflared-edge-unknown",
      json("error", "edge discovery: error looking up Cloudflare edge IPs: the DNS query failed"),
    ],
    [
      "cloudflared-edge-unknown",
      "Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com: no such host",
    ],
    ["cloudflared-config", "Incorrect Usage: flag provided but not defined: -output"],
    ["cloudflared-config", "error parsing YAML in config file at /tmp/x: yaml: line 1"],
  ])("means %s", (code, line) => expect(parseLogLine(line)).toEqual({ kind: "fault", code }));

  it("tells a blocked edge from other errors", () => {
    const lines = [
      json("error", "Unable to establish connection with Cloudflare edge", {
        error: "DialContext error: dial tcp 198.41.192.7:7844: i/o timeout",
      }),
      json("error", "Failed to dial a quic connection", {
        error: "failed to dial to edge with quic: timeout: no recent network activity",
      }),
      text("ERR", "TLS handshake with edge error error=EOF"),
    ];
    expect(lines.map((line) => parseLogLine(line).kind)).toEqual([
      "dial-failed",
      "dial-failed",
      "dial-failed",
    ]);
  });

  it("has some meaning, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => KINDS.includes(parseLogLine(line).kind)),
    );
  });
});

describe("a quick tunnel's URL", () => {
  it.each([
    "https://api.trycloudflare.com",
    "http://a.trycloudflare.com",
    "https://a.trycloudflare.com.evil.example",
    "https://a.trycloudflare.com/path",
    "https://a.trycloudflare.com:8443",
    "https://user@a.trycloudflare.com",
    "https://trycloudflare.com",
    "https://a.eviltrycloudflare.com",
    "https://-a.trycloudflare.com",
    "https://A.trycloudflare.com",
    'Post "https://a.trycloudflare.com": refused',
    "see https://a.trycloudflare.com",
  ])("is not %s", (line) => expect(quickTunnelUrl(line)).toBeUndefined());

  it("does not take long to refuse", () => {
    expect(quickTunnelUrl(`|  https://${"a-".repeat(8000)}`)).toBeUndefined();
  });
});

describe("LineSplitter", () => {
  it("gives the same lines on any chunking", () => {
    const lineText = fc.string().map((line) => line.replaceAll(/[\r\n]/g, ""));
    fc.assert(
      fc.property(fc.array(lineText), fc.array(fc.nat(20)), fc.boolean(), (lines, cuts, crlf) => {
        let rest = lines.map((line) => `${line}${crlf ? "\r\n" : "\n"}`).join("");
        const splitter = new LineSplitter();
        const seen: string[] = [];
        for (const cut of cuts) {
          seen.push(...splitter.push(rest.slice(0, cut)));
          rest = rest.slice(cut);
        }
        seen.push(...splitter.push(rest));
        expect(seen).toEqual(lines);
        expect(splitter.flush()).toBe("");
      }),
    );
  });

  it("bounds a line and recovers after it", () => {
    const splitter = new LineSplitter();
    for (let i = 0; i < 100; i++) expect(splitter.push("x".repeat(1024))).toEqual([]);
    const [long = "", next = ""] = splitter.push("\nnext\n");
    expect([long.length, next]).toEqual([16 * 1024, "next"]);
  });
});
