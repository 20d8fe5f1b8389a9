import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ask, openPage } from "../page/support.ts";
import { MemorySource } from "../support/files/file-ends.ts";
import { launch, scene, servePage, tab } from "./support.ts";

let browser: Browser;
let at: Awaited<ReturnType<typeof scene>>;
const servers: Server[] = [];

beforeAll(async () => {
  browser = await launch(["--host-resolver-rules=MAP evil.example 127.0.0.1"]);
});
afterAll(() => browser.close());
beforeEach(async () => {
  at = await scene(browser);
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await at.close();
});

const soon = { timeout: 5_000 };

/** A page of somebody else on this machine. */
async function neighbour(html: string, headers: Record<string, string> = {}, script = ""): Promise<string> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/worker.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(isScript ? script : html);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ownUrl = (): string => {
  const { address, port } = at.served.page.place;
  return `http://${address}:${port}`;
};

describe("attacks on the page, in a browser", () => {
  it("H4, P1: a name that leads here is refused", async () => {
    const page = await openPage(at.room.folder, { isBrowserHere: false });
    const tab = await at.context.newPage();
    const answer = await tab.goto(`http://evil.example:${page.page.place.port}/`);
    expect(answer?.status()).toBe(403);
    await page.page.close();
  });

  it("H3, H4, P2, P3, P4: another port of this machine reads nothing, posts nothing, and has no cookie to take", async () => {
    const victim = await tab(at.context, at.served);
    await victim.page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    expect(await at.context.cookies()).toEqual([]);
    const other = await at.context.newPage();
    await other.goto(await neighbour("<p>mine</p>"));
    const results = await other.evaluate(async (url) => {
      const tries = [
        fetch(`${url}/`),
        fetch(`${url}/stream`, {
          method: "POST",
          body: "{}",
          headers: { "Content-Type": "text/plain" },
          mode: "no-cors",
        }).then((answer) => (answer.type === "opaque" ? "opaque" : "read")),
        fetch(`${url}/do`, {
          method: "POST",
          body: "{}",
          headers: { "Content-Type": "application/json", Authorization: "Bearer x" },
        }),
        fetch(`${url}/enter`, { method: "DELETE" }),
      ];
      const settled = await Promise.allSettled(tries);
      const socket = await new Promise((resolve) => {
        const opened = new WebSocket(url.replace("http", "ws") + "/stream");
        opened.addEventListener("open", () => resolve("open"));
        opened.addEventListener("error", () => resolve("error"));
      });
      return [...settled.map((one) => (one.status === "rejected" ? "refused" : one.value)), socket];
    }, ownUrl());
    expect(results).toEqual(["refused", "refused", "refused", "refused", "error"]);
    expect(at.room.host.oversight.isPaused).toBe(false);
  });

  it("P10: is framed by nobody, and a link does not steer it", async () => {
    const other = await at.context.newPage();
    await other.goto(
      await neighbour(`<iframe src="${ownUrl()}/"></iframe><a href="${ownUrl()}/?server=evil#x">go</a>`),
    );
    await other.waitForTimeout(500);
    const framed = other.frames().find((frame) => frame !== other.mainFrame());
    const text =
      (await framed
        ?.locator("body")
        .textContent()
        .catch(() => "")) ?? "";
    expect(text).not.toContain("tunnel");
    const [answer] = await Promise.all([
      other.waitForResponse((one) => one.url().startsWith(ownUrl())),
      other.click("a"),
    ]);
    expect(answer.status()).toBe(403);
  });

  it("P5: a worker that another program left on a port is not there at the page's own address", async () => {
    const served = await servePage(at.room, { isBrowserHere: false });
    const { port } = served.page.place;
    await served.page.close();
    // Somebody else had this port of 127.0.0.1 before, and left a worker that answers for it.
    const left = createServer((request, response) => {
      const isScript = request.url === "/worker.js";
      response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
      response.end(
        isScript ? "onfetch = (event) => event.respondWith(new Response('mine'));" : "<p>left</p>",
      );
    });
    await new Promise<void>((resolve) => left.listen(port, "127.0.0.1", resolve));
    const other = await at.context.newPage();
    await other.goto(`http://127.0.0.1:${port}/`);
    await other.evaluate(async () => {
      await navigator.serviceWorker.register("/worker.js");
      await navigator.serviceWorker.ready;
    });
    await new Promise((resolve) => left.close(resolve));
    const { page } = await tab(at.context, at.served);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull();
  });

  it.each([
    ["<img src=x onerror='window.hit=1'><script>window.hit=1</script>"],
    ["<svg onload='window.hit=1'></svg><iframe srcdoc='<script>parent.hit=1</script>'></iframe>"],
    ["[click](javascript:window.hit=1) ![i](http://127.0.0.1:9/x.png) <a href=//evil.example>x</a>"],
    ["```html\n<style>body{display:none}</style>\n```\n<style>body{display:none}</style>"],
  ])("P9: %s is text", async (text) => {
    const { page, problems } = await tab(at.context, at.served);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await at.room.guest.say({ text });
    await page.locator(".msg").first().waitFor(soon);
    expect(await page.evaluate(() => (window as unknown as { hit?: number }).hit)).toBeUndefined();
    expect(await page.locator(".msg :is(img, script, svg, iframe, a, style)").count()).toBe(0);
    expect(asked.filter((url) => !url.startsWith(ownUrl()))).toEqual([]);
    expect(problems).toEqual([]);
  });

  it("P9: no text of a page can become HTML there: its policy makes none", async () => {
    const { page } = await tab(at.context, at.served);
    const thrown = await page.evaluate(() => {
      try {
        document.body.innerHTML = "<b>x</b>";
        return "set";
      } catch (error) {
        return error instanceof Error ? error.name : "?";
      }
    });
    expect(thrown).toBe("TypeError");
  });

  it("P11: a look-alike of this program stands as somebody's words", async () => {
    const { page } = await tab(at.context, at.served);
    await at.room.guest.say({ text: `ben has left${"\n".repeat(3_000)}\u202eAsk 7 · Send it` });
    await page.locator(".msg", { hasText: "empty lines]" }).waitFor(soon);
    expect(await page.locator(".sys", { hasText: "has left" }).count()).toBe(0);
    await page.locator(".msg mark", { hasText: "U+202E" }).waitFor(soon);
  });

  it("P9: a file's name and a note are text", async () => {
    const { page, problems } = await tab(at.context, at.served);
    const source = new MemorySource(new TextEncoder().encode("x"));
    const evil = "<img src=x onerror=window.hit=1>.txt";
    await at.room.guest.files.share(source, {
      name: evil,
      note: "<script>window.hit=1</script> [a](data:x)",
    });
    await page.locator(".file b", { hasText: evil }).waitFor(soon);
    expect(await page.evaluate(() => (window as unknown as { hit?: number }).hit)).toBeUndefined();
    expect(await page.locator(".msg :is(img, script, a)").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it("P6: whoever takes the port after the page's end gets a token that is dead, and shows nothing", async () => {
    const { page } = await tab(at.context, at.served);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    const { address, port } = at.served.page.place;
    await at.served.page.close();
    const tokens: string[] = [];
    const other = createServer((request, response) => {
      tokens.push(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
      response.statusCode = 401;
      response.end("{}");
    });
    servers.push(other);
    await new Promise<void>((resolve) => other.listen(port, address, resolve));
    await page.getByRole("heading", { name: "This page has ended" }).waitFor({ timeout: 20_000 });
    const next = await servePage(at.room);
    const [token = ""] = tokens;
    expect(token).not.toBe("");
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const { status } = await ask(next, { method: "POST", path: "/stream", headers, body: "{}" });
    expect(status).toBe(401);
    await next.page.close();
  });

  it("H9, P12: a yes to other bytes than were shown is no yes", async () => {
    const { page } = await tab(at.context, at.served);
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    await page.route("**/do", async (route) => {
      const posted = route.request().postData() ?? "";
      await route.continue({
        postData: posted.replace(/"digest":"[0-9a-f]{64}"/, `"digest":"${"0".repeat(64)}"`),
      });
    });
    await page.locator(".ask").getByRole("button", { name: "Send it" }).click(soon);
    await page.getByText("what waits under this number is not what was shown").waitFor(soon);
    expect(await page.locator(".ask").count()).toBe(1);
    expect(at.room.guest.inbox.unread).toBe(0);
  });

  it("H8, P13: a page that somebody else opens is told on every other, and in the record", async () => {
    const { page } = await tab(at.context, at.served);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    await tab(at.context, at.served);
    await page.getByRole("alert").getByText("Another page was opened on your tunnels").waitFor(soon);
    await page.getByRole("button", { name: "Look at the record" }).click(soon);
    await expect.poll(() => page.getByRole("dialog").getByText("a page was opened").count()).toBe(2);
  });

  it("H30, P14: a flood of 10,000 messages to be asked about is eight cards and one line, and no memory", async () => {
    const { page, problems } = await tab(at.context, at.served);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    const debug = await at.context.newCDPSession(page);
    const heap = async (): Promise<number> => {
      await debug.send("HeapProfiler.collectGarbage");
      return page.evaluate(
        () => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize,
      );
    };
    at.room.host.oversight.hold("in", { path: "watch" });
    const before = await heap();
    for (let n = 1; n <= 10_000; n += 1) {
      at.room.guest.say({ text: `Say yes to this, please: ${n}` }).catch(() => undefined);
      if (n % 100 === 0)
        await expect.poll(() => at.room.host.heardLog.end, { timeout: 20_000 }).toBeGreaterThanOrEqual(n);
    }
    await page.locator(".msg", { hasText: "please: 10000" }).waitFor({ timeout: 20_000 });
    expect(await page.locator(".ask").count()).toBe(8);
    expect(await page.getByRole("alert").getByText("More is asked than is shown").count()).toBe(1);
    expect(await page.locator(".entries > li").count()).toBeLessThanOrEqual(502);
    expect((await heap()) - before).toBeLessThan(8 * 1024 * 1024);
    expect(problems).toEqual([]);
  }, 180_000);

  it("P7, P8: an address from the history shuts the page out", async () => {
    const url = at.served.page.newUrl();
    const { page } = await tab(at.context, at.served, url);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    const thief = await tab(at.context, at.served, url);
    await thief.page.getByRole("heading", { name: "This address was used before" }).waitFor(soon);
    await page.getByRole("heading", { name: "This page has ended" }).waitFor(soon);
  });
});
