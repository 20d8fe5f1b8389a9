import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { askWith, type Answer } from "../../../src/tunnel/exec/ours.ts";
import { fakeHttps, silence, type FakeAnswer } from "../../support/tunnels/fake-https.ts";
import { FakeClock, settle } from "../../support/fake-tunnel-clock.ts";
import { until } from "../../support/processes.ts";

const PROOF = { path: "/a-path", answer: "the answer" };
const NAME = new URL("https://a.example");
const never = new AbortController().signal;
const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((clean) => clean()));

async function served(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const noClient = (): Promise<never> => Promise.reject(new Error("not asked"));

function overHttp(url: URL, clock = new FakeClock()): Promise<Answer> {
  return askWith({ clock, client: noClient, resolver: undefined })(url, PROOF, never);
}

describe("a server on the loopback address", () => {
  it.each<[Answer, string, RequestListener]>([
    [
      "ours",
      "the relay",
      ({ url }, response) => response.writeHead(404).end(url === PROOF.path ? PROOF.answer : ""),
    ],
    ["other", "an error page", (_, response) => response.writeHead(404).end("<h1>404</h1>")],
    [
      "other",
      "a page that repeats what it was asked",
      ({ url }, response) => response.writeHead(404).end(url),
    ],
    ["other", "another relay", (_, response) => response.writeHead(404).end("the answer of another")],
    ["other", "a page that only looks right", (_, response) => response.writeHead(200).end(PROOF.answer)],
    ["other", "a login", (_, response) => response.writeHead(302, { location: "/login" }).end(PROOF.answer)],
    [
      "other",
      "an endless page",
      (_, response) => response.writeHead(404).write(PROOF.answer + "x".repeat(4_096)),
    ],
    [
      "other",
      "a page that breaks off",
      (_, response) => {
        response.writeHead(404, { "content-length": "10" }).write("the");
        setTimeout(() => response.destroy(), 20);
      },
    ],
    ["none", "a server that hangs up", (request) => request.socket.destroy()],
  ])("is %s: %s", async (answer, _, listener) => expect(await overHttp(await served(listener))).toBe(answer));

  it("is none when nobody listens", async () => {
    const url = await served(() => undefined);
    cleanups.splice(0).forEach((clean) => clean());
    expect(await overHttp(url)).toBe("none");
  });

  it("has five seconds", async () => {
    const clock = new FakeClock();
    let isAsked = false;
    const url = await served(() => (isAsked = true));
    const asking = overHttp(url, clock);
    await until("it is asked", () => isAsked);
    await clock.advance(5_000);
    expect(await asking).toBe("none");
    expect(clock.waiting).toBe(0);
  });
});

describe("a public name", () => {
  function overTls(answer: () => FakeAnswer | Promise<FakeAnswer>, resolver?: () => Promise<string[]>) {
    const { client, gets } = fakeHttps(answer);
    const clock = new FakeClock();
    return { clock, gets, ask: askWith({ clock, client, resolver }) };
  }
  const ours = (): FakeAnswer => ({ status: 404, body: PROOF.answer });

  it("is looked up by DNS-over-HTTPS, and by the system only when that does not answer or is switched off", async () => {
    const looked = overTls(ours, () => Promise.resolve(["192.0.2.1", "192.0.2.2"]));
    expect(await looked.ask(NAME, PROOF, never)).toBe("ours");
    expect(looked.gets).toMatchObject([{ address: "192.0.2.1" }]);
    expect(looked.gets[0]?.url.href).toBe("https://a.example/a-path");
    const blocked = overTls(ours, () => Promise.reject(new Error("blocked")));
    expect(await blocked.ask(NAME, PROOF, never)).toBe("ours");
    const off = overTls(ours);
    expect(await off.ask(NAME, PROOF, never)).toBe("ours");
    for (const { gets } of [blocked, off]) expect(gets[0]).not.toHaveProperty("address");
  });

  it("is none, and is visited by nobody, while it does not exist", async () => {
    const { ask, gets } = overTls(ours, () => Promise.resolve([]));
    expect([await ask(NAME, PROOF, never), gets]).toEqual(["none", []]);
  });

  it("is not looked up when it is an address or a name of this machine", async () => {
    const { ask, gets } = overTls(ours, () => Promise.reject(new Error("asked")));
    for (const url of ["https://192.0.2.7", "https://[fd00::1]:8443", "https://box"])
      expect(await ask(new URL(url), PROOF, never)).toBe("ours");
    expect(gets.map(({ url }) => url.hostname)).toEqual(["192.0.2.7", "[fd00::1]", "box"]);
  });

  it("is none as soon as the question is given up", async () => {
    const { ask, clock } = overTls(silence);
    const abort = new AbortController();
    const asking = ask(NAME, PROOF, abort.signal);
    await settle();
    abort.abort();
    expect([await asking, clock.waiting]).toEqual(["none", 0]);
    expect(await ask(NAME, PROOF, AbortSignal.abort())).toBe("none");
  });
});
