import { appendFileSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { addressOf, listeningAt } from "../../../src/relay/admin/addresses.ts";
import { trustedProxies } from "../../../src/relay/front/sources.ts";
import * as S from "../../../src/relay/admin/schemas.ts";
import { until } from "../../support/processes.ts";
import { aRelay, echoed, echoRoom, folder, guest, hostOf, roomId, tcpServer } from "../support.ts";
import { adminFor, asking, codeOf, http, managed, service, visit, type Managed } from "./support.ts";

const room = (id: string) => ({ kind: "room", room: id }) as const;

async function withService(m: Managed, name: string, who: "one" | "other" = "one"): Promise<void> {
  const port = await service((incoming, response) => {
    incoming.resume().once("end", () => response.end("0123456789"));
  });
  await hostOf(m.relay, { token: m[who].token })(port, http(name));
}

const listed = async ({ ask }: Managed, token?: string, query = "") =>
  (await ask(`/api/tunnels${query}`, token === undefined ? {} : { token })).as(S.tunnels);

describe("the addresses of tunnels", () => {
  const listening = new URL("http://127.0.0.1:1");
  const of = (
    about: Partial<Parameters<typeof addressOf>[0]>,
    tcpHost?: string,
    chosen: URL | undefined = new URL("https://relay.example.com:8443"),
  ) =>
    addressOf(
      {
        kind: "http",
        name: "demo",
        dialled: "http://dialled.test",
        host: undefined,
        port: undefined,
        ...about,
      },
      { chosen, listening, tcpHost },
    );

  it("are whole", () => {
    expect(of({ host: "demo.tunnel.test" })).toBe("https://demo.tunnel.test:8443");
    expect(of({ kind: "room", name: "r".repeat(22) })).toBe(
      `wss://relay.example.com:8443/t/${"r".repeat(22)}`,
    );
    expect(of({ kind: "tcp", name: "k1", port: 20_001 })).toBe("tcp://relay.example.com:20001");
    expect(of({ kind: "tcp", port: 1 }, "2001:db8::1")).toBe("tcp://[2001:db8::1]:1");
    expect(of({ host: "a.b" }, undefined, new URL("https://x.test"))).toBe("https://a.b");
    expect(of({ host: "a.b" }, undefined, new URL("http://127.0.0.1:8080"))).toBe("http://a.b:8080");
  });

  it("are those that the host has dialled where nobody has said how the relay is reached", () => {
    const dialled = (text: string) =>
      addressOf(
        { kind: "room", name: "r", dialled: text, host: undefined, port: undefined },
        { chosen: undefined, listening, tcpHost: undefined },
      );
    expect(dialled("https://relay.test")).toBe("wss://relay.test/t/r");
    expect(dialled("http://[::1]:8080")).toBe("ws://[::1]:8080/t/r");
    for (const odd of ["http://a b", "http://a@b.test", "http://a/b", "http://a?b", "x", "http://a:99999"])
      expect(dialled(odd)).toBe("ws://127.0.0.1:1/t/r");
  });

  it("begin where it listens, unless that is everywhere", () => {
    const at = (host: string, domain?: string) =>
      listeningAt({ scheme: "http", host, port: 8080, domain }).origin;
    expect(at("127.0.0.1")).toBe("http://127.0.0.1:8080");
    expect(at("::1")).toBe("http://[::1]:8080");
    expect(at("0.0.0.0", "tunnel.test")).toBe("http://tunnel.test:8080");
    expect(at("::")).toBe("http://localhost:8080");
  });
});

describe("open tunnels", () => {
  it("are listed with whole addresses and what has come through them", async () => {
    const m = await managed();
    await withService(m, "shop");
    const id = roomId();
    const echo = await echoRoom();
    await hostOf(m.relay, { token: m.other.token })(echo.port, room(id));
    expect(await visit(m.relay, "shop", "/a?b=c")).toBe(200);
    const inside = await guest(m.relay.port, id);
    await echoed(inside, Buffer.from("hello"));
    const { total, tunnels, next } = await listed(m);
    expect([total, next]).toEqual([2, null]);
    const [shop, live] = tunnels;
    expect(shop).toMatchObject({
      kind: "http",
      name: "shop",
      url: "https://shop.tunnel.test",
      state: "ready",
      tokenId: m.one.id,
      tokenLabel: "one",
      source: "127.0.0.1",
      visitors: 0,
      visits: 1,
      bytesOut: 10,
    });
    expect(live).toMatchObject({
      kind: "room",
      url: `wss://relay.example.com/t/${id}`,
      visitors: 1,
      tokenLabel: "other",
    });
    const one = await m.ask(`/api/tunnels/${shop?.id ?? ""}`);
    expect(one.as(S.tunnel)).toEqual(shop);
    const { visitors, tunnels: counts } = (await m.ask("/api/status")).as(S.status);
    expect([visitors, counts]).toEqual([1, { total: 2, room: 1, http: 1, tcp: 0 }]);
    expect((await listed(m, undefined, "?kind=room")).tunnels.map(({ kind }) => kind)).toEqual(["room"]);
  });

  it("have the scheme that a trusted proxy tells, and that of nobody else", async () => {
    const loopback = trustedProxies(["loopback"]);
    for (const [isTrusted, url] of [
      [loopback, "https://shop.tunnel.test"],
      [trustedProxies([]), "http://shop.tunnel.test"],
    ] as const) {
      const m = await managed(isTrusted === undefined ? {} : { isTrusted }, {
        address: { chosen: undefined, listening: new URL("http://127.0.0.1:1"), tcpHost: undefined },
      });
      // What a proxy does that ends TLS for relay.test.
      const proxy = await tcpServer((visitor) => {
        const inside = connect(m.relay.port, "127.0.0.1");
        inside.on("error", () => visitor.destroy());
        let isFirst = true;
        visitor.on("data", (chunk: Buffer) => {
          const text = chunk.toString("latin1");
          inside.write(isFirst ? text.replace("\r\n", "\r\nX-Forwarded-Proto: https\r\n") : text, "latin1");
          isFirst = false;
        });
        inside.pipe(visitor);
      });
      const port = await service((_incoming, response) => void response.end());
      await hostOf(proxy, { token: m.one.token })(port, http("shop"));
      expect((await listed(m)).tunnels[0]?.url).toBe(`${url}:${proxy}`);
    }
  });

  it("come in pages that miss none, whoever comes meanwhile", async () => {
    const m = await managed();
    for (const name of ["aaa", "bbb", "ccc"]) await withService(m, name);
    const first = await listed(m, undefined, "?limit=2");
    expect(first.tunnels.map(({ name }) => name)).toEqual(["aaa", "bbb"]);
    await withService(m, "ddd");
    const second = await listed(m, undefined, `?limit=2&after=${first.next ?? ""}`);
    expect(second.tunnels.map(({ name }) => name)).toEqual(["ccc", "ddd"]);
    expect(second.next).toBeNull();
  });

  it("are closed by their id, and their hosts stay away", async () => {
    const m = await managed();
    await withService(m, "shop");
    const id = (await listed(m)).tunnels[0]?.id ?? "";
    const closed = await m.ask(`/api/tunnels/${id}`, { method: "DELETE" });
    expect([closed.status, closed.text]).toEqual([204, ""]);
    await until("it is gone", () => m.relay.hosts.size === 0);
    for (const method of ["GET", "DELETE"]) {
      const again = await m.ask(`/api/tunnels/${id}`, { method });
      expect([again.status, codeOf(again)]).toEqual([404, "not-found"]);
    }
    expect((await m.ask(`/api/tunnels/${id}`, { method: "HEAD" })).status).toBe(404);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(m.relay.hosts.size).toBe(0);
    const [ended] = (await m.ask("/api/history")).as(S.history).history;
    expect(ended).toMatchObject({ tunnel: id, name: "shop", why: "closed", url: "https://shop.tunnel.test" });
  });

  it("that nobody has are 404, whatever stands for their id", async () => {
    const { ask } = await managed();
    for (const id of ["0".repeat(16), "shop", "http.shop", "..", "%2e%2e", "a%00b"])
      for (const [where, method] of [
        [`/api/tunnels/${id}`, "GET"],
        [`/api/tunnels/${id}`, "DELETE"],
        [`/api/tunnels/${id}/requests`, "GET"],
      ] as const)
        expect([id, (await ask(where, { method })).status]).toEqual([id, 404]);
  });
});

describe("a token of the relay", () => {
  it("sees and closes what was opened with it, and nothing else", async () => {
    const m = await managed();
    await withService(m, "mine", "one");
    await withService(m, "theirs", "other");
    await visit(m.relay, "theirs", "/private");
    const all = (await listed(m)).tunnels;
    const [mine, theirs] = ["mine", "theirs"].map((name) => all.find((one) => one.name === name)?.id ?? "");
    const { token } = m.one;
    const own = await listed(m, token);
    expect([own.total, own.tunnels.map(({ name }) => name)]).toEqual([1, ["mine"]]);
    for (const [where, method] of [
      [`/api/tunnels/${theirs ?? ""}`, "GET"],
      [`/api/tunnels/${theirs ?? ""}`, "DELETE"],
      [`/api/tunnels/${theirs ?? ""}/requests`, "GET"],
    ] as const) {
      const answer = await m.ask(where, { method, token });
      expect([answer.status, codeOf(answer)]).toEqual([404, "not-found"]);
    }
    const status = await m.ask("/api/status", { token });
    expect([status.status, codeOf(status)]).toEqual([403, "not-allowed"]);
    expect((await m.ask("/metrics", { token })).status).toBe(403);
    const tokens = (await m.ask("/api/tokens", { token })).as(S.tokens).tokens;
    expect(tokens.map(({ id }) => id)).toEqual([m.one.id]);
    expect((await m.ask(`/api/tunnels/${mine ?? ""}`, { method: "DELETE", token })).status).toBe(204);
    await until("it is gone", () => m.relay.hosts.size === 1);
    expect((await m.ask("/api/history", { token })).as(S.history).total).toBe(1);
    expect((await m.ask("/api/history", { token: m.other.token })).as(S.history).total).toBe(0);
  });

  it("is of no use here once it is revoked", async () => {
    const m = await managed();
    expect((await m.ask("/api/tunnels", { token: m.one.token })).status).toBe(200);
    m.authority.replace([]);
    expect((await m.ask("/api/tunnels", { token: m.one.token })).status).toBe(401);
  });
});

describe("tokens", () => {
  it("are listed with their use, and without anything that could pass for one", async () => {
    const m = await managed();
    await withService(m, "shop");
    const answer = await m.ask("/api/tokens");
    const { tokens } = answer.as(S.tokens);
    expect(tokens).toHaveLength(2);
    expect(tokens[0]).toMatchObject({
      id: m.one.id,
      label: "one",
      kinds: ["room", "http", "tcp"],
      names: ["*"],
      expiresAt: null,
      isExpired: false,
      tunnels: 1,
    });
    expect(Math.abs(Date.parse(tokens[0]?.lastUsedAt ?? "") - Date.now())).toBeLessThan(60_000);
    expect([tokens[1]?.lastUsedAt, tokens[1]?.tunnels]).toEqual([null, 0]);
    for (const { sha256 } of m.authority.tokens) expect(answer.text).not.toContain(sha256);
    expect(answer.text).not.toContain("tmr_");
  });
});

describe("the visits of a tunnel", () => {
  it("are told with the newest first, without queries, secrets in paths and addresses", async () => {
    const m = await managed();
    await withService(m, "shop");
    await visit(m.relay, "shop", "/first?key=secret");
    await visit(m.relay, "shop", `/.tunnel/p/${"s".repeat(43)}/feed.xml`, "POST");
    await visit(m.relay, "shop", `/${"x".repeat(400)}`);
    const id = (await listed(m)).tunnels[0]?.id ?? "";
    const answer = await m.ask(`/api/tunnels/${id}/requests`);
    const { total, requests } = answer.as(S.requests);
    expect(total).toBe(3);
    expect(requests.map(({ method, path: one, status }) => [method, one, status])).toEqual([
      ["GET", `/${"x".repeat(199)}`, 200],
      ["POST", "/.tunnel/p/.../feed.xml", 200],
      ["GET", "/first", 200],
    ]);
    expect(answer.text).not.toMatch(/secret|sss|127\.0\.0\.1/);
    expect(requests[0]?.source).toMatch(/^[0-9a-f]{16}$/);
    const last = (await m.ask(`/api/tunnels/${id}/requests?limit=1`)).as(S.requests);
    expect([last.total, last.requests.length, last.requests[0]?.id]).toEqual([3, 1, requests[0]?.id]);
  });

  it("of a room are its guests, and can be read when it is over", async () => {
    const m = await managed();
    const id = roomId();
    const echo = await echoRoom();
    const tunnel = await hostOf(m.relay, { token: m.one.token })(echo.port, room(id));
    const inside = await guest(m.relay.port, id);
    await echoed(inside, Buffer.from("hello"));
    inside.destroy();
    const tunnelId = (await listed(m)).tunnels[0]?.id ?? "";
    const where = `/api/tunnels/${tunnelId}/requests`;
    let seen = (await m.ask(where)).as(S.requests);
    await until("it is told", async () => (seen = (await m.ask(where)).as(S.requests)).total === 1);
    expect(seen.requests[0]).toMatchObject({ type: "connection", method: null, path: null, status: null });
    await tunnel.stop();
    await until("it is over", () => m.relay.hosts.size === 0);
    expect((await m.ask(where)).as(S.requests).total).toBe(1);
  });

  it("have addresses in whole where the operator has asked for that", async () => {
    const m = await managed({}, { hasNames: true });
    await withService(m, "shop");
    await visit(m.relay, "shop");
    const id = (await listed(m)).tunnels[0]?.id ?? "";
    const { requests } = (await m.ask(`/api/tunnels/${id}/requests`)).as(S.requests);
    expect(requests[0]?.source).toBe("127.0.0.1");
  });
});

describe("the history", () => {
  it("outlives a restart in the folder of the relay, and comes in pages", async () => {
    const state = folder();
    const places = { state, folders: [], platform: process.platform };
    const m = await managed({ state: folder() }, { places });
    for (const name of ["aaa", "bbb", "ccc"]) {
      const port = await service((_incoming, response) => void response.end());
      const tunnel = await hostOf(m.relay, { token: m.one.token })(port, http(name));
      await tunnel.stop();
      await until("it is over", () => m.relay.hosts.size === 0);
    }
    await m.admin.close();
    const file = path.join(state, "history.jsonl");
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(4);
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).not.toContain("127.0.0.1");
    // A line that was cut, and one of somebody else's making.
    appendFileSync(file, '{"id":1}\n{"id":9,"kind":"ht');
    const again = await adminFor(m.relay, { authority: m.authority, places });
    const page = async (query: string) => (await asking(again.port, `/api/history?${query}`)).as(S.history);
    const first = await page("limit=2");
    expect([first.total, first.history.map(({ name, why }) => [name, why])]).toEqual([
      3,
      [
        ["ccc", "released"],
        ["bbb", "released"],
      ],
    ]);
    const second = await page(`limit=2&before=${first.next ?? ""}`);
    expect([second.history.map(({ name }) => name), second.next]).toEqual([["aaa"], null]);
    expect((await page("kind=room")).total).toBe(0);
    const tokens = (await asking(again.port, "/api/tokens")).as(S.tokens).tokens;
    expect(tokens.find(({ id }) => id === m.one.id)?.lastUsedAt).toMatch(/Z$/);
  });

  it("that cannot be written is trouble for the operator, and for nobody else", async () => {
    const relay = await aRelay();
    const troubles: string[] = [];
    relay.events.subscribe((event) => event.type === "trouble" && troubles.push(event.what));
    const { authority } = relay.context;
    const state = path.join(folder(), "gone");
    await adminFor(relay, { authority, places: { state, folders: [], platform: process.platform } });
    expect(troubles).toEqual(["the history cannot be written to the folder of state"]);
  });
});

it("knows the hosts that were there before its own start", async () => {
  const m = await managed();
  await withService(m, "shop");
  const later = await adminFor(m.relay, { authority: m.authority });
  await visit(m.relay, "shop");
  const { tunnels } = (await asking(later.port, "/api/tunnels")).as(S.tunnels);
  const id = tunnels[0]?.id ?? "";
  expect((await asking(later.port, `/api/tunnels/${id}/requests`)).as(S.requests).total).toBe(1);
  expect((await asking(later.port, `/api/tunnels/${id}`, { method: "DELETE" })).status).toBe(204);
  await until("it is gone", () => m.relay.hosts.size === 0);
  expect((await asking(later.port, "/api/history")).as(S.history).total).toBe(1);
});

it("cannot start where another listens, and says at which port", async () => {
  const { relay, authority, admin } = await managed();
  await expect(adminFor(relay, { authority, port: admin.port })).rejects.toMatchObject({
    code: "port-in-use",
    message: expect.stringContaining(`admin-listen, port ${admin.port}`),
  });
});
