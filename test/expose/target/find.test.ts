import { spawn } from "node:child_process";
import type { RequestListener } from "node:http";
import type { LookupFunction } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import type { AllowedTarget } from "../../../src/expose/target/allow.ts";
import { openGateway } from "../../../src/expose/gateway/gateway.ts";
import { Inspector } from "../../../src/expose/inspector/inspector.ts";
import { replay } from "../../../src/expose/inspector/replay/replay.ts";
import { findService, type FindOptions, type TargetFacts } from "../../../src/expose/target/find.ts";
import { parseTarget } from "../../../src/expose/target/parse.ts";
import { trustOf } from "../../../src/net/trust.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { ask, later, OPEN_GATE, PROOF, PUBLIC, request, statusOf } from "../gateway/harness.ts";
import { fastClock } from "../../support/fake-tunnel-clock.ts";
import { HAS_IPV6, LocalServers, selfSigned } from "../../support/local-servers.ts";
import { rejection } from "../../support/rejection.ts";

const servers = new LocalServers();
afterEach(() => servers.close());

const never = new AbortController().signal;
const unasked: LookupFunction = () => {
  throw new Error("no name is to be resolved");
};

function find(typed: string | number, options: Partial<FindOptions> = {}): Promise<TargetFacts> {
  const target = parseTarget(typed);
  if (target.kind !== "service") throw new Error("a folder");
  const defaults = { allow: [], ownPorts: () => [], lookup: unasked, clock: systemClock, signal: never };
  return findService(target, { ...defaults, ...options });
}

async function refusal(typed: string | number, options: Partial<FindOptions> = {}): Promise<string> {
  const error = await rejection(find(typed, options));
  return error === "nothing" ? error : `${error.code}: ${error.detail ?? ""}`;
}

const page: RequestListener = (_, response) =>
  response.writeHead(200, { "content-type": "text/html", server: "a server" }).end("<title>Page</title>");

const on6 = it.skipIf(!HAS_IPV6);

describe("a service on this machine", () => {
  it("is found on 127.0.0.1, asked politely, and dialled by the literal", async () => {
    const asked: { method: string; url: string; host: string; agent: string; accept: string }[] = [];
    const port = await servers.http(({ method = "", url = "", headers }, response) => {
      const { host = "", accept = "", "user-agent": agent = "" } = headers;
      asked.push({ method, url, host, agent, accept });
      response.writeHead(200, { server: "a server" }).end("hello");
    });
    const facts = await find(port);
    expect(facts).toMatchObject({
      upstream: { scheme: "http", address: "127.0.0.1", port, host: `localhost:${port}` },
      status: 200,
      server: "a server",
      warnings: [],
    });
    expect(asked.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      "GET /",
      "GET /json/version",
      "GET /version",
    ]);
    expect(asked[0]).toMatchObject({ host: `localhost:${port}`, agent: "tunnel-mcp" });
    expect(asked[0]?.accept).toContain("text/html");
  });

  on6("is found where it listens on ::1 alone (skipped without IPv6)", async () => {
    const port = await servers.http(page, "::1");
    expect((await find(port)).upstream).toMatchObject({ address: "::1", host: `localhost:${port}` });
    expect(await refusal(`127.0.0.1:${port}`)).toMatch(
      /^expose-target-silent: nobody listens on 127\.0\.0\.1/,
    );
  });

  on6(
    "is asked for on both families, and a rival on the other one is named (skipped without IPv6)",
    async () => {
      const port = await servers.http(page);
      await servers.http((_, response) => response.writeHead(404).end("another"), "::1", port);
      const { upstream, warnings } = await find(port);
      expect(upstream.address).toBe("127.0.0.1");
      expect(warnings).toEqual([expect.stringContaining(`[::1]:${port}`)]);
      expect((await find(`[::1]:${port}`)).status).toBe(404);
    },
  );

  on6("is one service where both families give the same answer (skipped without IPv6)", async () => {
    const port = await servers.http(page);
    await servers.http(page, "::1", port);
    expect((await find(port)).warnings).toEqual([]);
  });

  on6("does not wait for a family that says nothing (skipped without IPv6)", async () => {
    const port = await servers.http(page, "::1");
    await servers.tcp(() => undefined, "127.0.0.1", port);
    const begun = Date.now();
    expect((await find(port)).upstream.address).toBe("::1");
    expect(Date.now() - begun).toBeLessThan(4_000);
  });

  it.each([301, 401, 404, 426, 500, 503])("may answer %i: that is reported", async (status) => {
    const port = await servers.http((_, response) => response.writeHead(status).end());
    expect((await find(port)).status).toBe(status);
  });

  it("may have a long head", async () => {
    const port = await servers.http((_, response) =>
      response.writeHead(200, { "x-long": "x".repeat(60_000) }).end(),
    );
    expect((await find(port)).status).toBe(200);
  });

  it("tells its server in a bounded text without hidden characters", async () => {
    const port = await servers.http((_, response) =>
      response.writeHead(200, { "x-powered-by": `Express\u00ad${"x".repeat(500)}` }).end(),
    );
    const { server = "" } = await find(port);
    expect(server).toMatch(/^Expressx+$/);
    expect(server.length).toBeLessThanOrEqual(100);
  });

  it("sees the Host that it wants to see", async () => {
    const hosts = new Set<string | undefined>();
    const port = await servers.http(({ headers }, response) => {
      hosts.add(headers.host);
      response.end();
    });
    const { upstream } = await find(port, { hostHeader: "app.test" });
    expect(upstream.host).toBe("app.test");
    expect([...hosts]).toEqual(["app.test"]);
    expect((await find(`app.localhost:${port}`)).upstream).toMatchObject({
      address: "127.0.0.1",
      host: `app.localhost:${port}`,
    });
  });

  it("may stream its page for ever, and may be large", async () => {
    const endless = await servers.http((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("x".repeat(1_000_000)), 5);
      response.once("close", () => clearInterval(timer));
    });
    expect((await find(endless)).status).toBe(200);
    const open = await servers.http((_, response) => response.writeHead(200).write("event"));
    expect((await find(open)).status).toBe(200);
  });

  it("may have been started a moment ago", async () => {
    const port = await servers.freePort();
    const found = find(port);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await servers.http(page, "127.0.0.1", port);
    expect((await found).status).toBe(200);
  });

  it("speaks HTTPS with a certificate of its own", async () => {
    const port = await servers.https(page);
    expect(await find(`https://localhost:${port}`)).toMatchObject({
      status: 200,
      upstream: { scheme: "https", address: "127.0.0.1" },
    });
  });

  it("may need long for its page, if it answers for itself", async () => {
    const told: string[] = [];
    const port = await servers.http(({ method }, response) => {
      if (method === "OPTIONS") response.writeHead(204).end();
    });
    const facts = await find(port, { clock: fastClock(20), onProgress: ({ message }) => told.push(message) });
    expect(facts.status).toBeUndefined();
    expect(facts.warnings).toEqual([expect.stringContaining("20 s")]);
    expect(told.length).toBeGreaterThan(2);
  });
});

describe("what does not speak HTTP", () => {
  it("nobody listens", async () => {
    const port = await servers.freePort();
    expect(await refusal(port, { clock: fastClock(20) })).toBe(
      `expose-target-silent: nobody listens on 127.0.0.1:${port} or [::1]:${port}`,
    );
  });

  it("it takes connections and says nothing", async () => {
    const port = await servers.tcp(() => undefined);
    expect(await refusal(port, { clock: fastClock(20) })).toMatch(
      /^expose-target-silent: it takes connections/,
    );
  });

  it("it hangs up", async () => {
    const port = await servers.tcp((socket) => socket.once("data", () => socket.end()));
    expect(await refusal(port)).toMatch(/^expose-target-not-http: it ends the connection/);
  });

  it.each([
    ["SSH-2.0-OpenSSH_9.2\r\n", "SSH"],
    ["RFB 003.008\n", "VNC"],
    ["220 mail.example ESMTP\r\n", "mail"],
    ["-ERR wrong number of arguments for 'get' command\r\n", "Redis"],
    ["ERROR\r\n", "Memcached"],
    ["\0\0\u0012\u0004\0\0\0\0\0", "HTTP/2"],
    ["HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n", "breaks its rules"],
    ["hello?\r\n", "language of its own"],
  ])("it greets with %j", async (greeting, language) => {
    const port = await servers.tcp((socket) => socket.once("data", () => socket.write(greeting, "latin1")));
    const told = await refusal(port);
    expect(told).toMatch(/^expose-target-not-http: /);
    expect(told).toContain(language);
    expect(told).not.toContain(greeting.trim());
  });

  it("it speaks HTTPS although http was meant, whatever it says to that", async () => {
    const port = await servers.https(page);
    expect(await refusal(port)).toBe(
      `expose-target-not-http: it speaks HTTPS; write https://localhost:${port}`,
    );
  });

  it("it speaks plain HTTP although https was meant", async () => {
    const port = await servers.http(page);
    expect(await refusal(`https://127.0.0.1:${port}`)).toBe(
      `expose-target-not-http: it speaks plain HTTP; write http://127.0.0.1:${port}`,
    );
  });

  it("a call that is cancelled says so", async () => {
    const port = await servers.tcp(() => undefined);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    expect(await refusal(port, { signal: abort.signal })).toMatch(/^cancelled/);
  });
});

const lookupTo =
  (...addresses: string[]): LookupFunction =>
  (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

describe("where a target may be", () => {
  it.each([
    "192.168.0.1:80",
    "10.0.0.1:3000",
    "[fd00::1]:80",
    "1.1.1.1:80",
    "example.com:80",
    "host.docker.internal:80",
    "localhost.evil.example:3000",
    "127.0.0.1.nip.example:3000",
    "[::127.0.0.1]:3000",
  ])("%s is not this machine, and is neither resolved nor dialled", async (typed) =>
    expect(await refusal(typed)).toMatch(/^expose-target-not-local/),
  );

  it("a name is not local just because it resolves there", async () => {
    const lookup = lookupTo("127.0.0.1");
    expect(await refusal("localhost.evil.example:3000", { lookup })).toMatch(/^expose-target-not-local/);
  });

  it.each([
    "169.254.169.254:80",
    "[fe80::1]:80",
    "[fd00:ec2::254]:80",
    "[::ffff:169.254.169.254]:80",
    "100.100.100.200:80",
    "168.63.129.16:80",
    "224.0.0.1:80",
    "255.255.255.255:80",
    "0.1.2.3:80",
  ])("%s is never exposed, listed or not", async (typed) => {
    const target = parseTarget(typed);
    const allow = target.kind === "service" ? [target] : [];
    expect(await refusal(typed)).toMatch(/^expose-target-forbidden/);
    expect(await refusal(typed, { allow })).toMatch(/^expose-target-forbidden/);
  });

  it("a listed name is resolved once, and dialled by the literal with its own name", async () => {
    let resolved = 0;
    const hosts: (string | undefined)[] = [];
    const port = await servers.http(({ headers }, response) => {
      hosts.push(headers.host);
      response.end();
    });
    const lookup: LookupFunction = (name, options, callback) => {
      resolved += 1;
      lookupTo(resolved === 1 ? "127.0.0.1" : "169.254.169.254")(name, options, callback);
    };
    const allow = [{ host: "db.lan", port }];
    const { upstream } = await find(`db.lan:${port}`, { allow, lookup });
    expect(upstream).toMatchObject({ address: "127.0.0.1", host: `db.lan:${port}` });
    expect(resolved).toBe(1);
    expect(new Set(hosts)).toEqual(new Set([`db.lan:${port}`]));
  });

  it("a listed name that leads to metadata among others is refused", async () => {
    const allow = [{ host: "db.lan", port: 80 }];
    const lookup = lookupTo("127.0.0.1", "169.254.169.254");
    expect(await refusal("db.lan:80", { allow, lookup })).toMatch(/^expose-target-forbidden/);
  });

  it("a listed name that nobody knows is silent", async () => {
    const lookup: LookupFunction = (_name, _options, callback) => callback(new Error("ENOTFOUND"), "");
    const allow = [{ host: "db.lan", port: 80 }];
    expect(await refusal("db.lan:80", { allow, lookup })).toBe("expose-target-silent: its name is not known");
  });
});

const [outward] = Object.values(networkInterfaces())
  .flatMap((one) => one ?? [])
  .filter(({ internal, family }) => !internal && family === "IPv4");

describe.skipIf(outward === undefined)("a listed service elsewhere (skipped without a network)", () => {
  const address = outward?.address ?? "";
  const lookup = lookupTo(address);

  it("is exposed with a certificate that is trusted here, and not with one of its own", async () => {
    const port = await servers.https(page, address);
    const allow = [{ host: "far.example", port }];
    const target = `https://far.example:${port}`;
    expect(await refusal(target, { allow, lookup })).toMatch(/^expose-target-untrusted/);
    const trust = trustOf({ SSL_CERT_FILE: "/cert" }, [], (file) => {
      if (file !== "/cert") throw new Error("no bundle");
      return selfSigned().cert;
    });
    const found = await find(target, { allow, lookup, trust });
    expect(found).toMatchObject({ status: 200, upstream: { address, host: `far.example:${port}` } });
    const clock = systemClock;
    const gateway = await openGateway({
      bind: "127.0.0.1",
      port: 0,
      gate: OPEN_GATE,
      upstream: () => found.upstream,
      proof: PROOF,
      sourceHeader: undefined,
      hostHeader: undefined,
      pseudonym: "gateway-of-the-test",
      clock,
    });
    later(() => gateway.close());
    gateway.publish(PUBLIC);
    // The gateway and a replay take the certificate that was taken here.
    expect(statusOf(await ask(gateway.port, request("GET /")))).toBe(200);
    const inspector = new Inspector({ clock, keepsBodies: true });
    const recording = inspector.begin({
      method: "GET",
      target: "/",
      fields: [],
      source: { address: "127.0.0.1" },
      decided: { way: "open", visitor: undefined },
    });
    recording.end("complete");
    const { signal } = new AbortController();
    const { id } = inspector.list().requests[0] ?? { id: 0 };
    const again = await replay({ id }, { inspector, upstream: found.upstream, clock, signal });
    expect(again.replay.response?.status).toBe(200);
    const other = { allow: [{ host: "other.example", port }], lookup, trust };
    expect(await refusal(`https://other.example:${port}`, other)).toMatch(/^expose-target-untrusted/);
  });

  it("is not exposed by its address where its name is listed", async () => {
    const port = await servers.http(page, address);
    expect(await refusal(`${address}:${port}`, { allow: [{ host: "far.example", port }], lookup })).toMatch(
      /^expose-target-not-local/,
    );
    expect((await find(`${address}:${port}`, { allow: [{ host: address, port }] })).upstream.address).toBe(
      address,
    );
  });
});

describe("dangerous ports", () => {
  it.each([
    [22, "SSH"],
    [25, "mail"],
    [445, "Windows file sharing"],
    [2375, "Docker"],
    [2376, "Docker"],
    [2379, "etcd"],
    [3306, "MySQL"],
    [3389, "Remote Desktop"],
    [5432, "PostgreSQL"],
    [6379, "Redis"],
    [6443, "Kubernetes"],
    [9000, "admin"],
    [9042, "Cassandra"],
    [9050, "admin"],
    [9100, "admin"],
    [9200, "Elasticsearch"],
    [9229, "inspector of Node"],
    [10250, "Kubelet"],
    [11211, "Memcached"],
    [15672, "RabbitMQ"],
    [27017, "MongoDB"],
  ])("%i is refused before it is dialled: %s", async (port, name) => {
    const told = await refusal(port);
    expect(told).toMatch(/^expose-target-refused: /);
    expect(told).toContain(name);
    expect(await refusal(`https://[::1]:${port}`)).toMatch(/^expose-target-refused: /);
  });

  it.each([
    21, 22, 23, 25, 110, 111, 135, 139, 143, 389, 445, 1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389,
    5432, 5672, 5900, 5984, 6379, 6443, 8086, 9042, 9200, 9300, 9229, 10250, 11211, 15672, 27017,
  ])("%i is on the list", async (port) => expect(await refusal(port)).toMatch(/^expose-target-refused/));

  it.each([80, 443, 1234, 3000, 3001, 4200, 4321, 5000, 5173, 6006, 8000, 8080, 8443, 8888, 8999, 9101])(
    "%i is not",
    async (port) => expect(await refusal(port, { ownPorts: () => [port] })).toMatch(/^expose-target-own/),
  );

  it("may be listed by a human", async () => {
    const allow: AllowedTarget[] = [{ host: "localhost", port: 9229 }];
    const told = await refusal(9229, { allow, ownPorts: () => [9229] });
    expect(told).toMatch(/^expose-target-own/);
  });
});

describe("ports of our own", () => {
  it("are refused, also when they are listed", async () => {
    const port = await servers.http(page);
    const allow = [{ host: "localhost", port }];
    expect(await refusal(port, { ownPorts: () => [port] })).toMatch(/^expose-target-own/);
    expect(await refusal(port, { ownPorts: () => [port], allow })).toMatch(/^expose-target-own/);
    const others = { ownPorts: () => [port], ownAddresses: () => ["192.0.2.7"] };
    expect(await refusal(`192.0.2.7:${port}`, { ...others, allow: [{ host: "192.0.2.7", port }] })).toMatch(
      /^expose-target-own/,
    );
  });

  it("include those of this user's other servers", async () => {
    const port = await servers.http(page);
    const portHolder = (asked: number): Promise<string | undefined> =>
      Promise.resolve(asked === port ? "process 7, started in /somewhere" : undefined);
    expect(await refusal(port, { portHolder })).toBe("expose-target-own: process 7, started in /somewhere");
  });
});

type Answers = Readonly<Record<string, { status?: number; fields?: Record<string, string>; body?: string }>>;

function serving(answers: Answers): Promise<number> {
  return servers.http(({ url = "" }, response) => {
    const { status = 200, fields = {}, body = "" } = answers[url] ?? { status: 404 };
    response.writeHead(status, fields).end(body);
  });
}

const json = { "content-type": "application/json" };

describe("answers that look like a service that must not be seen", () => {
  it.each<[string, Answers]>([
    [
      "Docker",
      { "/": { status: 404, fields: { ...json, "api-version": "1.47", "docker-experimental": "false" } } },
    ],
    ["Docker", { "/": { status: 404, fields: { server: "Docker/27.3.1 (linux)" } } }],
    ["Docker", { "/version": { fields: json, body: '{"ApiVersion":"1.47","MinAPIVersion":"1.24"}' } }],
    ["Docker", { "/": { status: 404, fields: { "libpod-api-version": "5.2.0" } } }],
    ["etcd", { "/version": { fields: json, body: '{"etcdserver":"3.5.9","etcdcluster":"3.5.0"}' } }],
    ["Kubernetes", { "/": { status: 403, body: '{"kind": "Status", "apiVersion": "v1", "code": 403}' } }],
    ["Kubernetes", { "/version": { body: '{"gitVersion": "v1.31.0", "platform": "linux/amd64"}' } }],
    ["Elasticsearch", { "/": { fields: json, body: '{"name":"n","tagline" : "You Know, for Search"}' } }],
    ["Elasticsearch", { "/": { status: 401, fields: { "x-elastic-product": "Elasticsearch" } } }],
    ["inspector", { "/": { status: 400, body: "WebSockets request was expected\r\n" } }],
    [
      "inspector",
      {
        "/": { body: "<html>fine</html>" },
        "/json/version": { body: '{"Browser":"node.js/v20","Protocol-Version":"1.1"}' },
      },
    ],
    ["CouchDB", { "/": { body: '{"couchdb":"Welcome","version":"3.3.3"}' } }],
    [
      "MongoDB",
      {
        "/": {
          body: "It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n",
        },
      },
    ],
    ["Jupyter", { "/": { status: 302, fields: { server: "TornadoServer/6.4", location: "/tree?" } } }],
  ])("%s: %j", async (name, answers) => {
    const port = await serving(answers);
    const told = await refusal(port);
    expect(told).toMatch(/^expose-target-refused: it looks like /);
    expect(told).toContain(name);
    const { warnings } = await find(port, { allow: [{ host: "localhost", port }] });
    expect(warnings).toEqual([expect.stringContaining(name)]);
  });

  it("the real inspector of Node", async () => {
    const node = spawn(process.execPath, ["--inspect=127.0.0.1:0", "-e", "setInterval(() => {}, 1000)"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    try {
      const said = await new Promise<string>((resolve) =>
        node.stderr.setEncoding("utf8").once("data", resolve),
      );
      const [, port = ""] = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said) ?? [];
      expect(await refusal(port)).toMatch(/^expose-target-refused: it looks like the inspector/);
    } finally {
      node.kill();
    }
  });

  it.each<[string, Answers]>([
    ["listing", { "/": { body: "<html><head><title>Directory listing for /</title></head>" } }],
    ["listing", { "/": { body: "<html><head><title>Index of /</title></head>" } }],
    ["listing", { "/": { body: "<html><head><title>listing directory /</title>" } }],
    ["Vite", { "/": { body: '<script type="module" src="/@vite/client"></script>' } }],
    ["Flask", { "/": { fields: { server: "Werkzeug/3.0 Python/3.12" } } }],
    ["Prometheus", { "/": { status: 302, body: '<a href="/graph">Found</a>.\n\n' } }],
    ["listing", { "/": { body: '<pre>\n<a href="a.txt">a.txt</a>\n</pre>' } }],
    [
      "Jupyter",
      { "/": { status: 302, fields: { server: "TornadoServer/6.4", location: "/login?next=%2Ftree" } } },
    ],
  ])("%s is exposed with a warning: %j", async (name, answers) => {
    const { warnings } = await find(await serving(answers));
    expect(warnings).toEqual([expect.stringContaining(name)]);
  });

  it.each<[string, Answers]>([
    [
      "an app with a version",
      { "/": { body: "hi" }, "/version": { fields: json, body: '{"version":"1.0.0"}' } },
    ],
    ["an app that begins elsewhere", { "/": { status: 302, fields: { location: "/query" } } }],
    ["an API of errors", { "/": { status: 404, fields: json, body: '{"message":"Not Found"}' } }],
    ["a page about Docker", { "/": { body: "<p>Docker, etcd, Elasticsearch: You Know, for Search</p>" } }],
    [
      "an app that answers every path with its page",
      { "/": { body: "<p>a</p>" }, "/version": { body: "<p>a</p>" }, "/json/version": { body: "<p>a</p>" } },
    ],
  ])("%s is none of them", async (_, answers) => {
    expect((await find(await serving(answers))).warnings).toEqual([]);
  });
});
