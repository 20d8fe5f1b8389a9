import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { createLifecycle, describeSafely, endOnSignals, endWithParent } from "../../src/app/lifecycle.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { handClock } from "../cli/support.ts";

class FakeProcess extends EventEmitter {
  ppid = 100;
}

function setUp() {
  const clock = handClock();
  const exits: number[] = [];
  const logged: string[] = [];
  const exit = (code: number): void => void exits.push(code);
  const log = (line: string): void => void logged.push(line);
  const lifecycle = createLifecycle({ clock, exit, log });
  return { clock, exits, logged, exit, log, lifecycle, process: new FakeProcess() };
}

test("hooks run once, the last registered first, whatever calls for the end", async () => {
  const { lifecycle, exits } = setUp();
  const ran: string[] = [];
  lifecycle.onShutdown(async () => void ran.push("first"));
  lifecycle.onShutdown(async () => void ran.push("second"));
  await Promise.all([lifecycle.shutdown(0), lifecycle.shutdown(1)]);
  expect(ran).toEqual(["second", "first"]);
  expect(exits).toEqual([0]);
});

test("a hook that fails is logged, keeps the others running and makes the exit code 1", async () => {
  const { lifecycle, exits, logged } = setUp();
  const ran: string[] = [];
  lifecycle.onShutdown(async () => void ran.push("other"));
  lifecycle.onShutdown(() => Promise.reject(new Error("wss://host/t/x#1.secret")));
  await lifecycle.shutdown(0);
  expect(ran).toEqual(["other"]);
  expect(exits).toEqual([1]);
  expect(logged.join("\n")).toMatch(/^teardown failed: Error\n/);
  expect(logged.join("\n")).not.toContain("secret");
});

test("a hook that hangs is left behind after five seconds", () => {
  const { lifecycle, exits, clock } = setUp();
  lifecycle.onShutdown(() => new Promise<void>(() => undefined));
  void lifecycle.shutdown(0);
  clock.advance(4_999);
  expect(exits).toEqual([]);
  clock.advance(1);
  expect(exits).toEqual([1]);
});

test.each([
  ["SIGINT", true, 0],
  ["SIGTERM", true, 0],
  ["SIGHUP", true, 0],
  ["SIGINT", false, 130],
  ["SIGTERM", false, 143],
])(
  "%s ends a process (server: %s) with code %i; the second one does not wait",
  async (signal, isServer, code) => {
    const { lifecycle, exits, exit, log, process } = setUp();
    let finish = (): void => undefined;
    lifecycle.onShutdown(() => new Promise<void>((resolve) => (finish = resolve)));
    endOnSignals(process, lifecycle, { isServer, exit, log });
    process.emit(signal);
    expect(exits).toEqual([]);
    process.emit(signal);
    expect(exits).toEqual([code]);
    finish();
    await lifecycle.shutdown(9);
    expect(exits).toEqual([code, code]);
  },
);

test("an unhandled rejection is logged and nothing more; an uncaught exception ends the process", async () => {
  const { lifecycle, exits, exit, log, logged, process } = setUp();
  endOnSignals(process, lifecycle, { isServer: true, exit, log });
  process.emit("unhandledRejection", new Error("a peer's words"));
  expect(exits).toEqual([]);
  process.emit("uncaughtException", new TypeError("a peer's words"));
  await lifecycle.shutdown(0);
  expect(exits).toEqual([1]);
  expect(logged[0]).toMatch(/^unhandled rejection: Error\n/);
  expect(logged[1]).toMatch(/^uncaught exception: TypeError\n/);
  expect(logged.join("\n")).not.toContain("words");
});

test("a server ends when its parent is another process than before", async () => {
  const { lifecycle, clock, exits, process } = setUp();
  endWithParent(process, lifecycle, clock);
  clock.advance(3_000);
  clock.advance(3_000);
  expect(exits).toEqual([]);
  process.ppid = 1;
  clock.advance(3_000);
  await lifecycle.shutdown(9);
  expect(exits).toEqual([0]);
});

test("where the system keeps naming a parent that is gone, its absence ends the program", async () => {
  const { process, lifecycle, clock, exits } = setUp();
  const running = new Set([process.ppid]);
  endWithParent(process, lifecycle, clock, (pid) => running.has(pid));
  clock.advance(3_000);
  expect(exits).toEqual([]);
  running.clear();
  clock.advance(3_000);
  await lifecycle.shutdown(9);
  expect(exits).toEqual([0]);
});

test("a log shows our own errors in full, and of others only what cannot be a secret", () => {
  expect(describeSafely(new TunnelError("port-in-use"))).toBe(
    "port-in-use: the port in TUNNEL_PORT is in use by another program",
  );
  const system = Object.assign(new Error("connect wss://secret"), { code: "ECONNREFUSED" });
  expect(describeSafely(new TunnelError("internal", { cause: system }))).toMatch(
    /^internal, caused by Error ECONNREFUSED\n\s+at /,
  );
  expect(describeSafely("wss://secret")).toBe("a thrown string");
});
