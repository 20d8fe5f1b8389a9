import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SERVICES_LIMITS } from "../../src/services/limits.ts";
import {
  codeIn,
  ask,
  act,
  enter,
  openPage,
  openRoom,
  post,
  streamOf,
  terminal,
  type Room,
} from "./support.ts";

let room: Room;
let at: Awaited<ReturnType<typeof openPage>>;

beforeEach(async () => {
  room = await openRoom();
  at = await openPage(room.folder);
});

afterEach(async () => {
  await at.page.close();
  await room.close();
});

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

async function tab(after?: number) {
  const token = await enter(at);
  const stream = streamOf(at, token, after);
  await until("the server is shown", () => stream.events().some(({ t }) => t === "tunnel"));
  return { token, ...stream };
}

describe("the door", () => {
  it.each([
    ["GET", "/stream"],
    ["POST", "/stream"],
    ["POST", "/do"],
    ["POST", "/leave"],
    ["GET", "/anything"],
    ["PUT", "/"],
    ["DELETE", "/do"],
  ])("H1: %s %s is 401 without a token, and with a wrong one", async (method, path) => {
    for (const headers of [{}, { authorization: `Bearer ${"a".repeat(32)}` }, { cookie: "token=1" }]) {
      expect((await ask(at, { method, path, headers })).status).toBe(401);
    }
  });

  it("H1, H3: gives the empty page to anybody of this machine, and no cookie", async () => {
    for (const path of ["/", "/page.js", "/page.css", "/icon.svg"]) {
      const { status, headers } = await ask(at, { path });
      expect(status).toBe(200);
      expect(headers["set-cookie"]).toBeUndefined();
    }
    const entered = await post(at, "/enter", { code: codeIn(at.page.newUrl()) });
    expect(entered.status).toBe(200);
    expect(entered.headers["set-cookie"]).toBeUndefined();
  });

  it("H2, P7, P8: an address that is used twice shuts out its page, and every other is told", async () => {
    const other = await tab();
    const url = at.page.newUrl();
    const token = await enter(at, url);
    const stream = streamOf(at, token);
    await until("it is shown", () => stream.events().length > 0);
    expect(await post(at, "/enter", { code: codeIn(url) })).toMatchObject({
      status: 401,
      body: expect.stringContaining("address-used-twice"),
    });
    await until(
      "it is shut out, and knows why",
      () => stream.isOver() && stream.told().some(({ t }) => t === "alarm"),
    );
    expect((await post(at, "/do", {}, token)).status).toBe(401);
    await until("the other is told", () => other.told().some(({ t }) => t === "alarm"));
    expect(at.news).toContain("used-twice");
    other.close();
  });

  const elsewhere: readonly (readonly [string, Record<string, string | string[]>])[] = [
    ["P1: a name that was bound to this address", { host: "evil.example" }],
    ["P1: a name that looks local", { host: "127.0.0.1.evil.example:28600" }],
    ["P1: no name", { host: "" }],
    ["P2: another site", { origin: "https://evil.example" }],
    ["P2: a page without an origin", { origin: "null" }],
    ["P2: another site without an origin", { "sec-fetch-site": "cross-site" }],
    ["P4: another port of this machine", { origin: "http://127.0.0.1:8080", "sec-fetch-site": "same-site" }],
    ["P4: the same host on another port", { "sec-fetch-site": "same-site" }],
    ["P5: a worker's script", { "service-worker": "script" }],
  ];

  it.each(elsewhere)(
    "H4, P1, P2, P4, P5: %s is refused for every method and path, whatever it knows",
    async (_title, headers) => {
      const token = await enter(at);
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
        for (const path of ["/", "/page.js", "/enter", "/stream", "/do", "/nowhere"]) {
          const { status } = await ask(at, {
            method,
            path,
            headers: { authorization: `Bearer ${token}`, ...headers },
          });
          expect([method, path, status]).toEqual([method, path, 403]);
        }
    },
  );

  it("H4: takes a person's own navigation to the empty page alone", async () => {
    const typed = { "sec-fetch-site": "none" };
    expect((await ask(at, { headers: typed })).status).toBe(200);
    expect((await ask(at, { path: "/page.js", headers: typed })).status).toBe(403);
    expect((await ask(at, { method: "POST", path: "/enter", headers: typed })).status).toBe(403);
  });

  it.each(["127.0.0.1:5", "localhost:5", "[::1]:5", "LOCALHOST"])(
    "takes a forwarded port as %s",
    async (host) => {
      const own = { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" };
      expect((await ask(at, { path: "/page.js", headers: own })).status).toBe(200);
    },
  );

  it("H4: changes nothing by a GET", async () => {
    const token = await enter(at);
    for (const path of ["/enter", "/stream", "/do", "/leave"]) {
      const { status } = await ask(at, { path, headers: { authorization: `Bearer ${token}` } });
      expect([path, status]).toEqual([path, 405]);
    }
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])(
    "P2: takes no form (%j)",
    async (type) => {
      const url = at.page.newUrl();
      const body = JSON.stringify({ code: codeIn(url) });
      expect(
        (await ask(at, { method: "POST", path: "/enter", headers: { "content-type": type }, body })).status,
      ).toBe(400);
      await enter(at, url);
    },
  );

  it("H5: every answer has the policy, and none lets another site read it", async () => {
    const token = await enter(at);
    const bearer = { authorization: `Bearer ${token}` };
    const answers = [
      await ask(at, {}),
      await ask(at, { path: "/page.js" }),
      await ask(at, { path: "/nowhere" }),
      await ask(at, { method: "POST", path: "/nowhere", headers: bearer }),
      await ask(at, { path: "/do", headers: bearer }),
      await ask(at, {
        method: "OPTIONS",
        path: "/do",
        headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
      }),
      await post(at, "/enter", { code: "wrong" }),
      await post(at, "/do", { server: "1", command: { do: "pause" } }, token),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 401, 404, 405, 403, 401, 200]);
    for (const { headers } of answers) {
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(headers["content-security-policy"]).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
      );
      expect(headers).toMatchObject({
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
      });
    }
  });

  it("H6: stands on a literal loopback address, on a port that no listener takes", () => {
    const { address, port } = at.page.place;
    expect(address).toMatch(/^127(?:\.\d{1,3}){3}$/);
    if (process.platform === "linux") expect(address).not.toBe("127.0.0.1");
    expect(port).toBeGreaterThanOrEqual(SERVICES_LIMITS.pagePorts.first);
    expect(port).toBeLessThanOrEqual(SERVICES_LIMITS.pagePorts.last);
  });

  it("H6: stands on 127.0.0.1 where the browser is elsewhere, and several find a port each", async () => {
    const pages = await Promise.all([1, 2, 3].map(() => openPage(room.folder, { isBrowserHere: false })));
    expect(pages.map(({ page }) => page.place.address)).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
    expect(new Set(pages.map(({ page }) => page.place.port)).size).toBe(3);
    for (const { page } of pages) await page.close();
  });

  it("P3: has no WebSocket", async () => {
    const { address, port } = at.page.place;
    const socket = connect(port, address);
    const heard: Buffer[] = [];
    socket.on("data", (chunk) => heard.push(chunk)).on("error", () => undefined);
    socket.write(
      `GET /stream HTTP/1.1\r\nHost: ${address}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    await new Promise((resolve) => socket.once("close", resolve));
    expect(Buffer.concat(heard).toString()).not.toContain("101");
  });

  it("P10: takes nothing from the query", async () => {
    const plain = await ask(at, {});
    expect(
      (await ask(at, { path: `/?server=http://evil.example&code=${codeIn(at.page.newUrl())}` })).body,
    ).toBe(plain.body);
  });

  it("bounds what it reads", async () => {
    const token = await enter(at);
    expect(
      (await post(at, "/do", { server: "1", command: { do: "x".repeat(3 * 1024 * 1024) } }, token)).status,
    ).toBe(413);
  });
});

describe("a tab", () => {
  it("H8, P13: is told to every other face and to the audit, when it comes and when it goes", async () => {
    const { events } = await terminal(room);
    await until("the terminal is there", () => events.some(({ t }) => t === "hello"));
    const { token, close } = await tab();
    await until("it is told", () =>
      events.some((event) => event.t === "faces" && event.face === "page" && event.change === "opened"),
    );
    const other = await tab();
    await post(at, "/leave", {}, token);
    await until("its end is told", () =>
      events.some((event) => event.t === "faces" && event.face === "page" && event.change === "closed"),
    );
    await until("to the other tab, too", () =>
      other.events().some((event) => event.t === "news" && event.face?.change === "closed"),
    );
    expect(
      room.host.oversight.audit.records.filter((one) => one.kind === "face" && one.face === "page").length,
    ).toBeGreaterThanOrEqual(2);
    close();
    other.close();
  });

  it("H9, H10, P12: decides about exactly what it was shown, and the first of three faces counts", async () => {
    const { client, events } = await terminal(room);
    room.host.oversight.hold("out", { path: "watch" });
    const [one, other] = [await tab(), await tab()];
    await room.host.say({ text: "an answer" });
    const asked = () => one.events().find((event) => event.t === "ask");
    await until(
      "all are asked",
      () =>
        [one, other].every((at) => at.events().some(({ t }) => t === "ask")) &&
        events.some(({ t }) => t === "ask"),
    );
    const event = asked();
    if (event?.t !== "ask") throw new Error("nothing was asked");
    const approve = {
      do: "decide",
      ask: event.ask.ask,
      digest: event.ask.digest,
      decision: { verdict: "approve" },
    } as const;
    expect(await act(at, one.token, { ...approve, digest: "0".repeat(64) })).toMatchObject({
      ok: false,
      code: "ask-changed",
    });
    const answers = await Promise.all([
      act(at, one.token, approve),
      act(at, other.token, approve),
      client.ask(approve).then(
        () => ({ ok: true }),
        () => ({ ok: false }),
      ),
    ]);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    await until("all learn who was first", () =>
      [one, other].every((tab) =>
        tab
          .events()
          .some(
            (told) => told.t === "ask" && /was approved (?:on a page|in a term)/.test(told.ask.end ?? ""),
          ),
      ),
    );
    await until("so does the terminal", () =>
      events.some((told) => told.t === "ask" && told.ask.state === "approved" && told.ask.by !== undefined),
    );
    await until("it has arrived once", () => room.guest.inbox.unread === 1);
    expect(room.host.oversight.audit.records.filter(({ kind }) => kind === "decided")).toHaveLength(1);
  });

  it("H12: begins with everything that waits, and again after it was loaded anew", async () => {
    await room.guest.say({ text: "hello" });
    room.host.oversight.hold("out", { path: "watch" });
    await room.host.say({ text: "an answer" });
    const first = await tab();
    await until("it has both", () =>
      ["entry", "ask"].every((kind) => first.events().some(({ t }) => t === kind)),
    );
    first.close();
    const again = streamOf(at, first.token);
    await until("it has both again", () =>
      ["entry", "ask", "tunnel"].every((kind) => again.events().some(({ t }) => t === kind)),
    );
    expect(again.lines[0]).toMatchObject({ t: "begin", whole: true });
    expect(room.host.oversight.audit.records.filter((one) => one.kind === "face")).toHaveLength(1);
    again.close();
  });

  it("goes on after the last line that it has, with nothing lost or told twice", async () => {
    const first = await tab();
    const has = (stream: ReturnType<typeof streamOf>, text: string) =>
      stream
        .events()
        .some((one) => one.t === "entry" && one.entry.kind === "said" && one.entry.text === text);
    await room.guest.say({ text: "one" });
    await until("it has the first", () => has(first, "one"));
    const last = Math.max(...first.told().map(({ n }) => n));
    first.close();
    await room.guest.say({ text: "two" });
    const again = streamOf(at, first.token, last);
    await until("it has the second", () => has(again, "two"));
    expect(again.lines[0]).toMatchObject({ t: "begin", whole: false });
    const texts = again
      .events()
      .flatMap((event) => (event.t === "entry" && event.entry.kind === "said" ? [event.entry.text] : []));
    expect(texts).toEqual(["two"]);
    expect(Math.min(...again.told().map(({ n }) => n))).toBe(last + 1);
    again.close();
  });

  it("begins anew after a line that was never told", async () => {
    const first = await tab();
    const again = streamOf(at, first.token, 1_000_000);
    await until("it begins anew", () => again.lines.length > 0);
    expect(again.lines[0]).toMatchObject({ t: "begin", whole: true });
    await until("the older stream is told that it is not needed", () =>
      first.lines.some(({ t }) => t === "moved"),
    );
    again.close();
  });

  it("sees a server go and come back", async () => {
    const { told, events } = await tab();
    await room.stop();
    await until("it has gone", () => told().some(({ t }) => t === "gone"));
    const before = events().length;
    await room.start();
    await until("it is back", () =>
      events()
        .slice(before)
        .some(({ t }) => t === "tunnel"),
    );
  });

  it("H26: speaks as a person, and fetches what was said before", async () => {
    for (let n = 0; n < 60; n += 1) await room.guest.say({ text: `message ${n}` });
    const { token, events } = await tab();
    const { tunnelId } = room.host;
    expect(await act(at, token, { do: "say", tunnelId, text: "stop, please" })).toMatchObject({ ok: true });
    await until("it is there", () =>
      events().some((event) => event.t === "entry" && event.entry.kind === "said" && event.entry.isHuman),
    );
    const first = events().find((event) => event.t === "entry");
    if (first?.t !== "entry") throw new Error("nothing was said");
    const answer = await act(at, token, { do: "earlier", tunnelId, before: first.entry.at });
    expect(answer).toMatchObject({ ok: true, told: { told: "entries", more: false } });
    expect(JSON.stringify(answer)).toContain("message 0");
    expect(await act(at, token, { do: "audit", tunnelId })).toMatchObject({
      ok: true,
      told: {
        told: "audit",
        records: [{ text: "a page was opened" }, { text: "the human spoke on the page" }],
      },
    });
  });

  it("takes an invite back", async () => {
    const { token } = await tab();
    const [invite] = room.host.invite(1);
    const { tunnelId } = room.host;
    expect(await act(at, token, { do: "revoke-invite", tunnelId, invite: invite?.inviteId })).toMatchObject({
      ok: true,
    });
    expect(room.host.pendingInvites()).toEqual([]);
    expect(await act(at, token, { do: "revoke-invite", tunnelId, invite: invite?.inviteId })).toMatchObject({
      ok: false,
      code: "invite-unknown",
    });
  });

  it.each([[{ do: "nothing" }], [{ do: "pause" }], [{ do: "decide", ask: 1 }], [{}]])(
    "refuses what it does not understand: %j",
    async (command) => {
      const { token } = await tab();
      expect(await act(at, token, command)).toMatchObject({ ok: false, code: "input-invalid" });
    },
  );

  it("H7: no link, code or token is in what it is told", async () => {
    const url = at.page.newUrl();
    const token = await enter(at, url);
    const stream = streamOf(at, token);
    room.host.invite(1);
    await until("it is shown", () =>
      stream.events().some((event) => event.t === "tunnel" && event.tunnel.invites.things.length > 0),
    );
    const text = JSON.stringify(stream.lines);
    expect(text).not.toContain(codeIn(url));
    expect(text).not.toContain(token);
    expect(text).not.toMatch(/#1\./);
    stream.close();
  });
});

describe("H30, P14: a flood", () => {
  it("keeps few lines of many", async () => {
    const { Memory } = await import("../../src/page/server/memory.ts");
    const memory = new Memory();
    for (let n = 0; n < 10_000; n += 1)
      memory.add({ t: "told", server: "1", event: { t: "news", text: "More is asked." } }, n);
    expect(memory.whole()).toHaveLength(20);
    expect(memory.after(memory.last - 4_000)).toHaveLength(4_000);
    expect(memory.after(memory.last - 4_001)).toBeUndefined();
  });
});
