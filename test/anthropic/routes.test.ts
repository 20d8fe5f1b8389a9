import { describe, expect, it } from "vitest";
import { domainProblem, isPerhapsToken, labelProblem, shown } from "../../src/anthropic/names.ts";
import { parseRoute, rangeProblem, routeProblems, type Reach } from "../../src/anthropic/routes.ts";

const PRIVATE: Reach = { allowedIps: [], upstreamCas: "none" };

describe("a route", () => {
  it.each([
    ["wiki=http://wiki:3000", "wiki", "http://wiki:3000"],
    ["a=https://my_server.internal:8443", "a", "https://my_server.internal:8443"],
    ["a-1=http://10.0.0.7:1", "a-1", "http://10.0.0.7:1"],
    [
      `${"a".repeat(63)}=http://host.docker.internal:65535`,
      "a".repeat(63),
      "http://host.docker.internal:65535",
    ],
  ])("is taken: %s", (typed, label, upstream) => {
    expect(parseRoute(typed)).toEqual({ label, upstream });
  });

  it.each([
    ["wiki", "NAME=URL"],
    ["=http://wiki:1", "NAME=URL"],
    ["Wiki=http://wiki:1", "capital letters"],
    ["-a=http://wiki:1", "is none for a route"],
    ["a.b=http://wiki:1", "is none for a route"],
    [`${"a".repeat(64)}=http://wiki:1`, "is none for a route"],
    ["wiki=wiki:1", "begins with http"],
    ["wiki=tcp://wiki:1", "begins with http"],
    ["wiki=HTTP://wiki:1", "small letters"],
    ["wiki=http://wiki", "no port"],
    ["wiki=http://wiki:", "no port"],
    ["wiki=http://wiki:1/", "has a path"],
    ["wiki=http://wiki:1/mcp", "has a path"],
    ["wiki=http://wiki:1?x", "has a path"],
    ["wiki=http://me:secret@wiki:1", "user name or password"],
    ["wiki=http://wiki:0", "1 to 65535"],
    ["wiki=http://wiki:65536", "1 to 65535"],
    ["wiki=http://wi ki:1", "not exactly"],
    ["wiki=http://a..b:1", "no name"],
  ])("is refused: %s", (typed, why) => {
    const said = parseRoute(typed);
    expect(said).toEqual(expect.stringContaining(why));
    expect(said).not.toContain("secret");
  });
});

describe("where routes may lead", () => {
  const problems = (upstream: string, reach: Reach = PRIVATE): string =>
    routeProblems([{ label: "wiki", upstream }], reach).join("\n");

  it.each(["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "wiki", "host.docker.internal"])(
    "is by default private: %s",
    (host) => expect(problems(`http://${host}:80`)).toBe(""),
  );

  it.each([
    ["8.8.8.8", "--allow-ip 8.8.8.8"],
    ["172.32.0.1", "not a private address"],
    ["100.64.0.1", "not a private address"],
    ["169.254.169.254", "not a private address"],
    ["127.0.0.1", "loopback"],
    ["127.1", "loopback"],
    ["2130706433", "loopback"],
    ["0x7f000001", "loopback"],
    ["0.0.0.0", "loopback"],
    ["localhost", "loopback"],
    ["LOCALHOST", "loopback"],
    ["a.localhost", "loopback"],
    ["[::1]", "loopback"],
    ["[fd00::1]", "IPv4 only"],
    ["10.1", "write the address as 10.0.0.1"],
  ])("is refused: %s", (host, why) => expect(problems(`http://${host}:80`)).toContain(why));

  it("is replaced and not widened by a list of one's own", () => {
    const reach: Reach = { allowedIps: ["203.0.113.0/24", "8.8.8.8"], upstreamCas: "none" };
    expect(problems("http://203.0.113.9:80", reach)).toBe("");
    expect(problems("http://8.8.8.8:80", reach)).toBe("");
    expect(problems("http://10.0.0.1:80", reach)).toContain("not among");
  });

  it("needs certificates for https", () => {
    expect(problems("https://wiki:443")).toContain("--upstream-ca");
    expect(problems("https://wiki:443", { ...PRIVATE, upstreamCas: "system" })).toBe("");
    expect(problems("https://wiki:443", { ...PRIVATE, upstreamCas: "file" })).toBe("");
  });

  it("is said of sets: none, two of one name, too many", () => {
    expect(routeProblems([], PRIVATE)).toEqual(["there is no route"]);
    const one = { label: "wiki", upstream: "http://wiki:1" };
    expect(routeProblems([one, one], PRIVATE)).toEqual(["the route wiki is there twice"]);
    const many = Array.from({ length: 101 }, (_, at) => ({ ...one, label: `a${at}` }));
    expect(routeProblems(many, PRIVATE)).toEqual(["there are more than 100 routes"]);
  });

  it.each(["10.0.0.0/8", "1.2.3.4", "1.2.3.4/32", "0.0.0.0/4"])("takes the range %s", (range) =>
    expect(rangeProblem(range)).toBeUndefined(),
  );
  it.each([
    "",
    "10.0.0/8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "::1",
    "wiki",
    "0.0.0.0/0",
    "0.0.0.0/3",
  ])("takes no range %j", (range) => expect(rangeProblem(range)).toBeDefined());
});

describe("names", () => {
  it("of a tunnel are names alone", () => {
    expect(domainProblem("abcd1234.tunnel.anthropic.com")).toBeUndefined();
    for (const bad of [
      "",
      "a.b",
      "https://a.b.c",
      "a.b.c/x",
      "a.b.c:1",
      "A.b.c",
      "a..c",
      "-a.b.c",
      "a b.c.d",
      `${"a.".repeat(120)}com`,
    ])
      expect(domainProblem(bad), bad).toBeDefined();
  });

  it("never show what may be the token, or could command a terminal", () => {
    const token = "eyJhIjoiYWJjIn0abcdefghijklmnop";
    expect(isPerhapsToken(token)).toBe(true);
    expect(labelProblem(token)).not.toContain("eyJ");
    expect(shown("\u001b[2J")).toBe("(not shown)");
    expect(shown("wiki")).toBe("wiki");
  });
});
