import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ExposeContext } from "../../src/expose/exposures/context.ts";
import type { Exposure } from "../../src/expose/exposures/exposure.ts";
import { Exposures } from "../../src/expose/exposures/exposures.ts";
import { ExposureHistory } from "../../src/expose/exposures/history.ts";
import { MemoryBudget } from "../../src/expose/inspector/budget.ts";
import { INSPECTED_BYTES } from "../../src/expose/inspector/limits.ts";
import { Redactor } from "../../src/expose/inspector/secrets.ts";
import { Overseer } from "../../src/oversight/overseer.ts";
import { createLookup } from "../../src/net/resolve.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { nodePrimitives as primitives } from "../../src/runtime/primitives.ts";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import { PROVIDERS } from "../../src/tunnel/registry/registry.ts";
import type { FakeClock } from "../support/fake-tunnel-clock.ts";

const endings: (() => Promise<unknown> | void)[] = [];

/** Ends what the tests of a file have begun. */
export async function cleanUp(): Promise<void> {
  for (const end of endings.splice(0).toReversed()) await end();
}

/** A service on loopback. @returns its port */
export async function service(listener: RequestListener): Promise<number> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endings.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => void server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

export const hello: RequestListener = (request, response) =>
  void response.setHeader("x-target", request.url ?? "").end(`hello ${request.url}`);

/** Exposures through the address of this machine; nobody visits them from outside, and nobody is asked. */
export function exposuresOn(
  clock: Clock,
  over: Partial<ExposeContext> & { readonly unattended?: boolean; readonly folder?: string } = {},
): { readonly exposures: Exposures; readonly overseer: Overseer } {
  const { unattended = true, folder = place(), ...more } = over;
  const settings = { gates: [], unattended, budgets: "off" } as const;
  const overseer = new Overseer({ settings, clock, primitives });
  const open = createDirectOpener({ bind: "127.0.0.1" });
  const never = (): Promise<never> => Promise.reject(new Error("nobody visits from outside in this test"));
  const exposures: Exposures = new Exposures(
    {
      clock,
      primitives,
      overseer,
      providers: (name) => ({ ...PROVIDERS[name], open }),
      config: { transport: "direct", bind: "127.0.0.1", port: 0 },
      cwd: folder,
      find: {
        allow: [],
        ownPorts: () => exposures.ports,
        lookup: createLookup({ doh: false }),
        folders: { folder: (typed) => Promise.resolve(typed), secretName: () => undefined },
      },
      prover: { resolver: undefined, isSkipped: true, client: never, openSocket: never },
      stdio: {
        commandNamed: () => Promise.reject(new Error("no MCP server is started in this test")),
        start: () => () => {
          throw new Error("no MCP server is started in this test");
        },
      },
      others: () => Promise.resolve([]),
      bodies: new MemoryBudget(INSPECTED_BYTES),
      redactor: new Redactor(),
      ...more,
    },
    new ExposureHistory({ folders: [path.join(folder, "private")], platform: process.platform, pid: 1 }),
  );
  endings.push(() => exposures.shutDown());
  return { exposures, overseer };
}

function place(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "exposed-"));
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Lets time pass until an exposure has come to rest: it runs, is held, has failed or is over. */
export async function settled(exposure: Exposure, clock?: FakeClock): Promise<void> {
  const rest = { isReached: clock === undefined };
  const done = exposure.settled.then(() => (rest.isReached = true));
  while (!rest.isReached) {
    await clock?.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await done;
}

/** A visit with the token of an exposure. */
export function visit(exposure: Exposure, target: string, init: RequestInit = {}): Promise<Response> {
  const { token } = exposure.ways;
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set(token.field, token.value);
  return fetch(`${exposure.publicUrl?.origin}${target}`, { ...init, headers });
}
