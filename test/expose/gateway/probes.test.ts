import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { probePath } from "../../../src/expose/probes.ts";
import {
  ask,
  fieldsOf,
  gatewayTo,
  HOST,
  later,
  ok,
  rawService,
  RawVisitor,
  request,
  statusOf,
} from "./harness.ts";

const probes = { nonce: "n0nce-of-at-least-128-bits" };
const CLOSED_GATE = {
  judge: () => ({ kind: "answer", answer: { status: 401, why: "no-access", body: "no" } }) as const,
};

async function stage() {
  const service = await rawService(() => ok("secret page", "Server: app/1", "Set-Cookie: a=b"));
  return { service, ...(await gatewayTo(service.port, { probes, gate: CLOSED_GATE })) };
}

describe("probes", () => {
  it.each(["GET", "POST"])("%s stream: three events, each flushed, 250 ms apart", async (method) => {
    const { port, all } = await stage();
    const began = Date.now();
    const visitor = new RawVisitor(
      port,
      request(`${method} ${probePath(probes, "stream")}`, "Content-Length: 2") + "ab",
    );
    const times: number[] = [];
    for (const number of [1, 2, 3]) {
      await visitor.sees(`data: ${number}\n\n`);
      times.push(Date.now() - began);
    }
    expect((times[2] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(400);
    const text = await visitor.closed();
    expect(fieldsOf(text, "content-type")).toEqual(["text/event-stream"]);
    expect(fieldsOf(text, "x-accel-buffering")).toEqual(["no"]);
    expect(text.match(/data: /g)).toHaveLength(3);
    expect(all).toEqual([]);
  });

  it("socket: a WebSocket that says ok and closes", async () => {
    const { port } = await stage();
    const client = new WebSocket(`ws://127.0.0.1:${port}${probePath(probes, "socket")}`, {
      headers: { host: HOST },
    });
    later(() => client.terminate());
    const messages: string[] = [];
    client.on("message", (data: Buffer) => messages.push(data.toString()));
    const code = await new Promise((resolve, reject) => client.once("close", resolve).once("error", reject));
    expect([messages, code]).toEqual([["ok"], 1_000]);
  });

  it("socket: no handshake is no probe", async () => {
    const { port } = await stage();
    expect(statusOf(await ask(port, request(`GET ${probePath(probes, "socket")}`)))).toBe(404);
    const lines = [
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 8",
      "Sec-WebSocket-Key: x",
    ];
    expect(statusOf(await ask(port, request(`GET ${probePath(probes, "socket")}`, ...lines)))).toBe(400);
  });

  it("service: its status and its Server, and nothing else", async () => {
    const { port, service } = await stage();
    const text = await ask(port, request(`GET ${probePath(probes, "service")}`));
    expect(statusOf(text)).toBe(200);
    expect(text.slice(text.indexOf("\r\n\r\n") + 4)).toBe('{"status":200,"server":"app/1"}');
    expect(service.received[0]).toMatch(/^GET \/ HTTP\/1\.1\r\nHost: localhost/);
    expect(text).not.toMatch(/secret|a=b/);
  });

  it("service: why it gave no answer", async () => {
    const { port } = await gatewayTo(1, { probes });
    expect(await ask(port, request(`GET ${probePath(probes, "service")}`))).toMatch(
      /\{"error":"connection_refused"\}$/,
    );
  });

  it.each([
    "GET /.tunnel/probe/wrong/stream",
    "GET /.tunnel/probe//stream",
    `GET /.tunnel/probe/${probes.nonce}x/stream`,
    `GET /.tunnel/probe/${probes.nonce}/other`,
    `GET /.tunnel/probe/${probes.nonce}`,
    `PUT ${probePath(probes, "stream")}`,
    `POST ${probePath(probes, "service")}`,
  ])("%s gives nothing", async (start) => {
    const { port, service } = await stage();
    expect([404, 405]).toContain(statusOf(await ask(port, request(start))));
    expect(service.received).toEqual([]);
  });

  it("they need the right host, and are gone when the proof is done", async () => {
    const { port, gateway } = await stage();
    expect(
      statusOf(await ask(port, request(`GET ${probePath(probes, "service")}`, "Host: other.example"))),
    ).toBe(421);
    gateway.endProbes();
    expect(statusOf(await ask(port, request(`GET ${probePath(probes, "service")}`)))).toBe(404);
  });
});
