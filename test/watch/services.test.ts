import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { noExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { LazyServices } from "../../src/services/tunnels/lazy-services.ts";
import { WatchClient } from "../../src/watch/client.ts";
import { Faces } from "../../src/watch/faces.ts";
import type { WatchEvent } from "../../src/watch/protocol.ts";
import { dial, echo, later, never, rest, room, share, type Side } from "../services/scene.ts";
import { until } from "../support/processes.ts";
import { rejectedWith } from "../support/rejection.ts";

/** A face at the server of one side, and all that it has been told. */
async function faceAt({ sessions, all }: Side) {
  const folder = mkdtempSync(path.join(tmpdir(), "watch-services-"));
  const services = new LazyServices(() => Promise.resolve(all));
  await services.get();
  const faces = new Faces({
    sessions,
    exposures: noExposures(),
    services,
    clock: systemClock,
    server: { pid: 1, version: "0", folder },
  });
  const server = createServer((socket) => faces.accept(socket, () => true));
  const endpoint =
    process.platform === "win32" ? `\\\\.\\pipe\\${path.basename(folder)}` : path.join(folder, "s");
  await new Promise<void>((resolve) => server.listen(endpoint, resolve));
  const events: WatchEvent[] = [];
  const client = new WatchClient({ endpoint, token: "t" }, "0", {
    event: (event) => void events.push(event),
    closed: () => undefined,
  });
  later(() => {
    client.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const of = <Kind extends WatchEvent["t"]>(kind: Kind) =>
    events.filter((event): event is Extract<WatchEvent, { t: Kind }> => event.t === kind);
  await until("it is greeted", () => of("hello").length === 1);
  return { client, of };
}

it("H12: a face that comes late is shown the services, and then each connection with its member and bytes", async () => {
  const { ana, ben } = await room(["ben"]);
  const { serviceId, listening } = await share(ana, ben, { target: await echo(), name: "queue" });
  const [there, here] = [await faceAt(ana), await faceAt(ben)];
  expect(there.of("hello")[0]?.services).toMatchObject([
    { tunnelId: ana.session.tunnelId, services: { offered: [{ serviceId, status: "offered", open: 0 }] } },
  ]);
  expect(here.of("hello")[0]?.services).toMatchObject([
    { services: { listeners: [{ serviceId, fromName: "ana" }] } },
  ]);
  const socket = await dial(listening);
  socket.end("hello");
  expect(String(await rest(socket))).toBe("hello");
  for (const [{ of }, side, memberName] of [
    [there, "offered", "ben"],
    [here, "taken", "ana"],
  ] as const) {
    await until("the end is told", () => of("connection").length === 2);
    const common = { side, serviceId, name: "queue", memberName };
    expect(of("connection")).toMatchObject([
      { change: "opened", bytesIn: 0, ...common },
      { change: "closed", bytesIn: 5, bytesOut: 5, ...common },
    ]);
    await until("the counts are told", () =>
      of("services").some(({ services }) => {
        const all = [...(services?.offered ?? []), ...(services?.listeners ?? [])];
        return all.some(({ connections, open, bytesIn }) => connections === 1 && open === 0 && bytesIn === 5);
      }),
    );
  }
});

it("a face ends a listener and withdraws an offer, and every other one is told", async () => {
  const { ana, ben } = await room(["ben"]);
  const { serviceId } = await share(ana, ben, { target: await echo(), name: "queue" });
  const [here, other] = [await faceAt(ben), await faceAt(ben)];
  const stop = { do: "stop-service", tunnelId: ben.session.tunnelId, service: serviceId } as const;
  await here.client.ask(stop);
  expect(ben.services.taker.taken).toEqual([]);
  await until("the other is told", () => other.of("services").at(-1)?.services?.listeners.length === 0);
  expect(await rejectedWith(here.client.ask(stop))).toBe("service-unknown");
  expect(await rejectedWith(here.client.ask({ ...stop, tunnelId: "none" }))).toBe("service-unknown");
  const there = await faceAt(ana);
  await there.client.ask({ ...stop, tunnelId: ana.session.tunnelId });
  await until(
    "its end is told",
    () => there.of("services").at(-1)?.services?.offered[0]?.why === "withdrawn",
  );
  await until("the taker's face is told", () =>
    here.of("entry").some(({ entry }) => entry.kind === "withdrawal"),
  );
});

it("a first visit is asked at the face, and its yes lets the member in", async () => {
  const { ana, ben } = await room(["ben"], { config: { unattended: false } });
  const there = await faceAt(ana);
  const offering = ana.services.offer({ target: await echo(), kind: "tcp", name: "queue" }, never);
  const decide = async (gate: string) => {
    const found = () =>
      there.of("ask").find(({ ask }) => ask.state === "waiting" && ask.gates.some((one) => one === gate));
    await until(`asked: ${gate}`, () => found() !== undefined);
    const { ask, digest, subject } = found()?.ask ?? { ask: 0, digest: "", subject: undefined };
    await there.client.ask({ do: "decide", ask, digest, decision: { verdict: "approve" } });
    return subject;
  };
  expect(await decide("offer-service")).toMatchObject({ kind: "service", name: "queue", service: "tcp" });
  const { own } = await offering;
  await until("it is heard of", () => ben.session.serviceOffers.find(own.serviceId) !== undefined);
  const connecting = ben.services.connect(own.serviceId, {
    port: undefined,
    timeoutMs: 20_000,
    signal: never,
  });
  expect(await decide("visit-service")).toMatchObject({ kind: "visit", name: "queue", memberName: "ben" });
  expect(await connecting).toMatchObject({ wasOpen: false });
});
