import { describe, expect, it } from "vitest";
import { requestLine, requestName } from "../../../src/cli/expose/request-line.ts";
import { RequestFlood } from "../../../src/cli/expose/request-flood.ts";
import { openedText } from "../../../src/cli/expose/opened-text.ts";
import { paintFor } from "../../../src/cli/io/output.ts";
import { widthOf } from "../../../src/cli/io/width.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { AT, linkOf, ORIGIN, PLAIN, requestOf, startedOf } from "./support.ts";

const shown = (over: Parameters<typeof requestOf>[0], columns?: number): string =>
  requestLine(requestOf(over), "12", { paint: PLAIN, columns });

describe("the line of a request", () => {
  it("has the time of its end, its number, method, status, duration, path and way in", () => {
    const time = new Date(Date.parse(AT) + 2_345).toTimeString().slice(0, 8);
    expect(shown({ method: "POST", path: "/hooks/pay?x=1", status: 201, ms: 2_345, way: "path" })).toBe(
      `${time}   12 POST   201  2.3 s  /hooks/pay?x=1  open path (webhook)`,
    );
  });

  it.each([
    [{ way: undefined, refused: "no-access", status: 401 }, "kept out: no-access"],
    [{ way: undefined, replayOf: 7 }, "replay of 7"],
    [{ websocket: true, status: 101 }, "claim link, WebSocket"],
    [{ end: "visitor-left" }, "claim link, the visitor left"],
    [{ end: "service-cut" }, "claim link, cut off by the service"],
    [{ end: "own-answer", status: 502 }, "claim link, answered here"],
    [{ way: "basic" }, "password"],
    [{ way: "preflight" }, "preflight"],
  ] as const)("tells how: %j", (over, words) => {
    expect(shown(over).endsWith(`  ${words}`)).toBe(true);
  });

  it.each([
    [200, 32],
    [304, 36],
    [404, 33],
    [503, 31],
    [undefined, 31],
    [101, 36],
  ])("colours the status %s", (status, color) => {
    const line = requestLine(requestOf({ status }), "1", { paint: paintFor(true), columns: 80 });
    expect(line).toContain(`\u001b[${color}m${status ?? "---"}\u001b[39m`);
  });

  it.each([40, 60, 80, 120])("is one row of %s columns, however long the path is", (columns) => {
    const line = shown({ path: `/${"long/".repeat(200)}`, method: "VERYLONGMETHOD" }, columns);
    expect(line.split("\n")).toHaveLength(1);
    if (columns >= 80) expect(line.length).toBeLessThan(columns);
    expect(line).toContain("…");
  });

  it("writes out what a stranger hides in a path or a method", () => {
    const line = shown({ path: "/\u001b[2J\u202e\u0007x\ny", method: "G\u001bT" }, 200);
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f\u007f\u202e]/);
    expect(line).toContain("\\u{1B}[2J\\u{202E}\\u{7}x\\u{A}y");
  });

  it("calls a request by its number, and by its exposure where there are several", () => {
    expect([requestName(12, "web", false), requestName(12, "web", true)]).toEqual(["12", "12@web"]);
  });
});

describe("very many requests", () => {
  it("become one line that counts them by their status, and later ones are shown again", async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const flood = new RequestFlood(clock, (name, text) => told.push(`${name}: ${text}`));
    const passed = (count: number, status: number | undefined): number =>
      Array.from({ length: count }, () => flood.passes("web", { status })).filter(Boolean).length;
    expect([passed(60, 200), passed(30, 200), passed(5, 503), passed(2, undefined)]).toEqual([60, 0, 0, 0]);
    expect(flood.passes("other", { status: 200 })).toBe(true);
    await clock.advance(3_000);
    expect(told).toEqual([
      "web: 37 more requests in this time: 2 without an answer, 30 with 2xx, 5 with 5xx",
    ]);
    expect(passed(3, 200)).toBe(3);
  });

  it("are told of at the end, and leave no timer", () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const flood = new RequestFlood(clock, (_, text) => told.push(text));
    for (let count = 0; count < 61; count += 1) flood.passes("web", { status: 404 });
    flood.stop();
    expect([told, clock.waiting]).toEqual([["1 more request in this time: 1 with 4xx"], 0]);
  });
});

describe("an exposure that is open", () => {
  const text = (view = startedOf(), columns: number | undefined = 100): string =>
    openedText(view, { paint: PLAIN, columns, platform: "linux", now: Date.parse(AT) });

  it("tells the address, the link with words to pass on, and what passes", () => {
    const all = text();
    expect(all).toContain(`web is open at ${ORIGIN}`);
    expect(all).toContain(
      `Open this in a browser. It lets one browser in, once:\n  ${linkOf("claim-1").url}`,
    );
    expect(all).toContain("It leads to http://localhost:3000, which answers 200 (demo).");
    expect(all).toContain("Seen from outside it answers 200, after 412 ms.");
    expect(all).toContain(
      "Event streams by GET are held back on the way until they end; by POST they arrive as they are sent.",
    );
    expect(all).toContain("WebSockets pass.");
    expect(all).toMatch(/It ends at \d\d:\d\d, in 1 h\.$/);
  });

  it("tells each kind of visitor how they get in, ready to be used", () => {
    const all = text(
      startedOf(
        { warnings: ["The address is plain http."] },
        {
          claim: { for: "people", links: [linkOf("claim-1"), linkOf("claim-2")] },
          token: { for: "scripts", field: "X-Tunnel-Token", value: "s3cret" },
          prefix: { for: "fetchers", url: `${ORIGIN}/.tunnel/p/abc/`, paths: ["GET /images/*"] },
          basic: { for: "clients", user: "guest-1", password: "p$w" },
          openPaths: { for: "anybody", paths: ["POST /hooks/*"] },
        },
      ),
    );
    expect(all).toContain(`  claim-2  ${linkOf("claim-2").url}`);
    expect(all).toContain(`  curl -H 'X-Tunnel-Token: s3cret' ${ORIGIN}/`);
    expect(all).toContain(`in front of GET /images/*:\n  ${ORIGIN}/.tunnel/p/abc/`);
    expect(all).toContain(`  user guest-1, password p$w\n  curl -u 'guest-1:p$w' ${ORIGIN}/`);
    expect(all).toContain("For anybody, without any of these:\n  POST /hooks/*");
    expect(all).toContain("! The address is plain http.");
  });

  it("says so where it is open to anybody, and where nobody has looked", () => {
    const all = text(
      startedOf(
        {
          public: { unchecked: "TUNNEL_SKIP_REACHABILITY_CHECK is set" },
          streaming: undefined,
          websocket: undefined,
          local: { target: "/srv/dist", status: undefined, server: undefined },
        },
        { open: { for: "anybody" } },
      ),
    );
    expect(all).toContain(`For anybody who learns the address:\n  ${ORIGIN}`);
    expect(all).toContain("It leads to /srv/dist.\nNobody has visited it from outside: TUNNEL_SKIP");
  });

  it("keeps links whole where the window is narrow, and no other row is wider", () => {
    const rows = text(startedOf(), 50).split("\n");
    expect(rows).toContain(`  ${linkOf("claim-1").url}`);
    for (const row of rows)
      if (!row.startsWith("  ") && !row.includes("https://")) expect(widthOf(row)).toBeLessThan(50);
  });
});
