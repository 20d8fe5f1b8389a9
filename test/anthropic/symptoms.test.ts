import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { ALL_SYMPTOMS, LogMatcher } from "../../src/anthropic/symptoms.ts";
import { LOG, readLog } from "../../src/cli/anthropic/read-log.ts";

function idsOf(...lines: readonly string[]): readonly string[] {
  const matcher = new LogMatcher();
  for (const line of lines) matcher.read(line);
  return matcher.diagnosis().found.map(({ symptom }) => symptom.id);
}

/** As the programs write them, behind what docker compose puts in front. */
const SEEN: readonly (readonly [string, string])[] = [
  [
    "no-ingress",
    "cloudflared-1  | WRN No ingress rules were defined in provided config (if any) nor from the cli",
  ],
  [
    "routes-list",
    String.raw`{"error":"yaml: unmarshal errors:\n  line 9: cannot unmarshal !!seq into map[string]string"}`,
  ],
  ["upstream-form", "mcp-proxy-1 | route wiki: invalid upstream (must be scheme://host:port)"],
  ["key-unreadable", "mcp-proxy-1 | open /data/tls.key: permission denied"],
  ["no-route", '{"msg":"no route for host","host":"x"}'],
  ["no-route", "502 No route configured for host"],
  ["unknown-ca", '{"msg":"tls handshake failed","error":"remote error: tls: unknown certificate authority"}'],
  ["bad-certificate", '{"msg":"tls handshake failed","error":"remote error: tls: bad certificate"}'],
  ["address-refused", "IP validation failed: 127.0.0.1 is not a private address"],
  ["host-refused", "dial host.docker.internal:3000: connect: connection refused"],
  ["not-registered", "HTTP/2 502"],
  ["not-registered", '{"status":502}'],
  ["receive-buffer", "failed to sufficiently increase receive buffer size (was: 208 kiB)"],
  ["picker", "my tunnel is missing in the picker"],
  ["ten-tunnels", "Organization already has the maximum of 10 non-archived Tunnels"],
  ["wrong-version", "curl: (35) error:0A00010B:SSL routines::wrong version number"],
  ["bare-404", "the bare hostname gives 404"],
  ["oauth", "the sign-in page does not load"],
  ["oauth", "token exchange fails"],
  ["no-effect", "my edit has no effect"],
];

describe("a symptom", () => {
  it.each(SEEN)("is known: %s in %s", (id, line) => expect(idsOf(line)).toEqual([id]));

  it("has a cause and a fix, and every one is tried here", () => {
    expect(new Set(SEEN.map(([id]) => id))).toEqual(new Set(ALL_SYMPTOMS.map(({ id }) => id)));
    for (const { cause, fix } of ALL_SYMPTOMS) expect(Math.min(cause.length, fix.length)).toBeGreaterThan(10);
  });

  it.each([
    "mcp-proxy-1 | request completed status=200 duration=502ms",
    "dial tcp 10.0.0.404:80",
    "INF Registered tunnel connection connIndex=0 ip=198.41.192.77",
    "connection refused on wiki:3000",
    "POST /token 200",
    "",
  ])("is not seen in %j", (line) => expect(idsOf(line)).toEqual([]));

  it("of 502 is about cloudflared only where the proxy has seen no request", () => {
    expect(idsOf("status=502", "request started")).toEqual([]);
  });
});

describe("a log", () => {
  const found = async (...chunks: readonly (string | Buffer)[]) => readLog(Readable.from(chunks));

  it("is counted, whatever pieces it comes in", async () => {
    const text = `route configured echo\n${"INF Registered tunnel connection\n".repeat(4)}INF Unregistered tunnel connection\nno route for host\r\nno route for host`;
    const pieces = text.split("").map((char) => Buffer.from(char));
    const { lines, routes, connections, found: seen } = await found(...pieces);
    expect({ lines, routes, connections }).toEqual({ lines: 8, routes: 1, connections: 4 });
    expect(seen).toMatchObject([{ count: 2, line: 7 }]);
  });

  it("may be UTF-16, as PowerShell writes it", async () => {
    const { found: seen } = await found(Buffer.from("\ufeffno route for host\r\n", "utf16le"));
    expect(seen).toMatchObject([{ symptom: { id: "no-route" }, count: 1 }]);
  });

  it("without a line end takes no more memory than one line", async () => {
    const endless = function* () {
      for (let sent = 0; sent < LOG.maxBytes * 2; sent += 1_048_576) yield Buffer.alloc(1_048_576, "a");
    };
    const { lines, isCut } = await readLog(Readable.from(endless()));
    expect({ lines, isCut }).toEqual({ lines: 1, isCut: true });
  });

  it("without anything has no lines", async () =>
    expect(await found()).toMatchObject({ lines: 0, found: [] }));
});
