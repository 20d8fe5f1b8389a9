import { describe, expect, it } from "vitest";
import type { RelayEvent } from "../../../src/relay/events.ts";
import { REASONS } from "../../../src/uplink/close-codes.ts";
import { until } from "../../support/processes.ts";
import { echoed, echoRoom, guest, hostOf, roomId, upgrade } from "../support.ts";
import { http, managed, service, visit } from "./support.ts";

/** Every word that may stand in a label of this program's own metrics. */
const WORDS: ReadonlySet<string> = new Set(
  `room http tcp unknown registered released cut 1.2.3 request connection in out
   done no-host too-many refused limit 1xx 2xx 3xx 4xx 5xx none
   0.005 0.025 0.1 0.25 1 2.5 10 60 +Inf ${Object.keys(REASONS).join(" ")}`.split(/\s+/),
);

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function samplesIn(text: string): readonly Sample[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", inside = "", value = ""] = /^([a-z_A-Z0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const labels = Object.fromEntries(
        [...inside.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key = "", word = ""]) => [key, word]),
      );
      return { name, labels, value: Number(value) };
    });
}

/** Those of this program: Node's own grow with the kinds of garbage collection that it has seen. */
const ownIn = (text: string): readonly Sample[] =>
  samplesIn(text).filter(({ name }) => name.startsWith("tunnel_relay_"));

describe("metrics", () => {
  it("count what happens, and no label holds a name, a token or an address", async () => {
    const m = await managed();
    const port = await service((incoming, response) => {
      incoming.resume().once("end", () => response.end("0123456789"));
    });
    await hostOf(m.relay, { token: m.one.token })(port, http("nameofshop"));
    const id = roomId();
    const echo = await echoRoom();
    await hostOf(m.relay, { token: m.other.token })(echo.port, { kind: "room", room: id });
    const inside = await guest(m.relay.port, id);
    await echoed(inside, Buffer.from("hello"));
    expect(await visit(m.relay, "nameofshop", "/pathofshop")).toBe(200);
    await expect(hostOf(m.relay, { token: "tmr_wrongtoken" })(port, http("other"))).rejects.toThrow();
    const { text } = await m.ask("/metrics");
    const samples = samplesIn(text);
    const value = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
      samples.find(
        (one) =>
          one.name === `tunnel_relay_${name}` &&
          Object.entries(labels).every(([key, word]) => one.labels[key] === word),
      )?.value;
    expect(value("ready")).toBe(1);
    expect(value("tunnels", { kind: "http" })).toBe(1);
    expect(value("tunnels", { kind: "tcp" })).toBe(0);
    expect(value("visitors", { kind: "room" })).toBe(1);
    expect(value("connections")).toBeGreaterThan(2);
    expect(value("registrations_total", { kind: "room", result: "registered" })).toBe(1);
    expect(value("registrations_total", { kind: "http", result: "token-invalid" })).toBe(1);
    expect(value("visits_total", { kind: "http", type: "request", end: "done" })).toBe(1);
    expect(value("bytes_total", { kind: "http", direction: "out" })).toBe(10);
    expect(value("responses_total", { class: "2xx" })).toBe(1);
    expect(value("request_seconds_count")).toBe(1);
    expect(samples.some(({ name }) => name === "process_resident_memory_bytes")).toBe(true);

    const words = ownIn(text).flatMap(({ labels }) => Object.values(labels));
    expect(words.filter((word) => !WORDS.has(word))).toEqual([]);
    const secrets = [
      "nameofshop",
      "pathofshop",
      id,
      m.one.id,
      m.other.id,
      m.one.token,
      "127.0.0.1",
      m.relay.context.node,
    ];
    expect(secrets.filter((word) => text.includes(word))).toEqual([]);
  });

  it("get no series from strangers, whatever they ask for", async () => {
    const m = await managed();
    const series = async (): Promise<number> => ownIn((await m.ask("/metrics")).text).length;
    for (const name of ["aaa", "bbb"]) expect(await visit(m.relay, name)).toBe(404);
    const before = await series();
    for (let index = 0; index < 50; index += 1) {
      await visit(m.relay, `name-${index}`, `/${index}`, index % 2 === 0 ? "GET" : "PURGE");
    }
    expect(await series()).toBe(before);
  });

  it("have only words of closed tables, whatever the events say", async () => {
    const m = await managed();
    const common = { bytesIn: 1, bytesOut: 2, lastedMs: 3, source: "192.0.2.1" };
    const events: readonly RelayEvent[] = [
      { type: "refused", kind: undefined, reason: "broken-rules", source: "192.0.2.1" },
      { type: "request", name: "n", method: "M", path: "/", status: 0, end: "cut", ...common },
      { type: "request", name: "n", method: "M", path: "/", status: 999, end: "cut", ...common },
      { type: "connection", kind: "tcp", name: "n", end: "done", ...common },
      { type: "trouble", what: "something" },
      { type: "draining" },
    ];
    for (const event of events) m.relay.events.emit(event);
    const samples = ownIn((await m.ask("/metrics")).text);
    expect(samples.flatMap(({ labels }) => Object.values(labels)).filter((word) => !WORDS.has(word))).toEqual(
      [],
    );
    expect(samples.find(({ name }) => name === "tunnel_relay_troubles_total")?.value).toBe(1);
  });

  it("tell that a drain has begun", async () => {
    const m = await managed();
    const room = roomId();
    const echo = await echoRoom();
    await hostOf(m.relay, { token: m.one.token })(echo.port, { kind: "room", room });
    const waiting = await upgrade(m.relay.port, `/t/${room}`);
    expect(waiting.status).toBe(101);
    const drained = m.relay.drain({ backMs: 10, graceMs: 10_000 });
    await until("it is not ready", () => !m.relay.isReady);
    expect((await m.ask("/metrics")).text).toContain("tunnel_relay_ready 0");
    await m.relay.close();
    await drained;
  });
});
