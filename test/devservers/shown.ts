import { request } from "node:http";
import { afterAll } from "vitest";
import { WebSocket } from "ws";
import { openGateway } from "../../src/expose/gateway/gateway.ts";
import { OPEN_GATE } from "../../src/expose/gateway/open-gate.ts";
import { findService, type TargetFacts } from "../../src/expose/target/find.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { HOST, PROOF, PUBLIC } from "../expose/gateway/harness.ts";
import type { Running } from "./dev-server.ts";

export interface Got {
  readonly status: number;
  readonly fields: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A dev server behind the real gateway, under a public name. */
export interface Shown {
  readonly facts: TargetFacts;
  /** As a browser asks for it that has the public address open. */
  get(target: string, options?: AskOptions): Promise<Got>;
  /** The same without the gateway. */
  getDirectly(target: string, options?: AskOptions): Promise<Got>;
  /** A socket of a page of the public address. */
  socket(target: string, protocols?: readonly string[]): Promise<Heard>;
}

export interface AskOptions {
  readonly method?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Messages of a socket, kept until they are waited for. */
export interface Heard {
  readonly protocol: string;
  /** The first message, from now on or from before, that matches. */
  next(pattern: RegExp): Promise<string>;
  close(): void;
}

const cleanups: (() => unknown)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Finds a running server as `expose_start` does, and puts the gateway in front of it. */
export async function show(running: Running): Promise<Shown> {
  cleanups.push(() => running.stop());
  const { port } = running;
  const facts = await findService(
    { kind: "service", scheme: "http", host: "localhost", port },
    {
      allow: [],
      ownPorts: () => [],
      lookup: () => {
        throw new Error("no name is to be resolved");
      },
      clock: systemClock,
      signal: new AbortController().signal,
    },
  );
  const gateway = await openGateway({
    bind: "127.0.0.1",
    port: 0,
    gate: OPEN_GATE,
    upstream: () => facts.upstream,
    proof: PROOF,
    sourceHeader: undefined,
    hostHeader: undefined,
    pseudonym: "gateway-of-the-test",
    clock: systemClock,
  });
  cleanups.push(() => gateway.close());
  gateway.publish(PUBLIC);
  const { address } = facts.upstream;
  return {
    facts,
    get: (target, options) => ask("127.0.0.1", gateway.port, HOST, target, options),
    getDirectly: (target, options) => ask(address, port, `localhost:${port}`, target, options),
    socket: (target, protocols = []) => listen(gateway.port, target, protocols),
  };
}

function ask(
  address: string,
  port: number,
  host: string,
  target: string,
  { method = "GET", fields = {}, body }: AskOptions = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { host, accept: "text/html,*/*;q=0.8", ...fields };
    const outgoing = request({ host: address, port, path: target, method, headers, agent: false });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("error", reject);
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, fields: response.headers, body: text }),
      );
    });
    outgoing.end(body);
  });
}

const MESSAGE_MS = 60_000;

async function listen(port: number, target: string, protocols: readonly string[]): Promise<Heard> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${target}`, [...protocols], {
    headers: { host: HOST, origin: PUBLIC.origin },
  });
  cleanups.push(() => socket.terminate());
  const kept: string[] = [];
  let tell = (): void => undefined;
  socket.on("message", (data: Buffer) => {
    kept.push(data.toString("utf8"));
    tell();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return {
    protocol: socket.protocol,
    async next(pattern) {
      const giveUpAt = Date.now() + MESSAGE_MS;
      for (;;) {
        const index = kept.findIndex((text) => pattern.test(text));
        if (index >= 0) return kept.splice(0, index + 1)[index] ?? "";
        if (Date.now() > giveUpAt)
          throw new Error(`no message ${pattern.source}, but ${kept.join(" | ").slice(0, 1_000)}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 500);
          tell = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    close: () => socket.terminate(),
  };
}
