import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { OFFER_ID_BYTES } from "../../src/protocol/base/ids.ts";
import { SERVICES_LIMITS } from "../../src/services/limits.ts";
import { codeOf } from "../support/thrown.ts";
import { until } from "../support/processes.ts";
import { closing, dial, echo, never, rest, room, service, share, type Side } from "./scene.ts";

const GATED = { config: { unattended: false } } as const;
const PORT = { port: undefined, timeoutMs: 5_000, signal: never } as const;

/** What a person is asked on this side at the moment. */
const asked = ({ sessions }: Side) => sessions.overseer.asks.waiting;

async function decide(side: Side, verdict: "approve" | "refuse"): Promise<void> {
  await until("somebody is asked", () => asked(side).length > 0);
  const [ask] = asked(side);
  if (ask === undefined) throw new Error("nothing is asked");
  side.sessions.overseer.asks.decide(ask.id, ask.digest, { verdict }, { path: "terminal" });
}

async function codeOfConnect(side: Side, serviceId: string): Promise<string | undefined> {
  return side.services.connect(serviceId, PORT).then(
    () => undefined,
    (error: unknown) =>
      codeOf(() => {
        throw error;
      }),
  );
}

describe("a person", () => {
  it("is asked before a service is offered, and shown where it leads", async () => {
    const { ana, ben } = await room(["ben"], GATED);
    const target = await echo();
    const { own, sent } = await ana.services.offer(
      { target, kind: "tcp", name: "queue", maxConnections: 3 },
      never,
    );
    expect([sent.status, own.state.name]).toEqual(["held", "held"]);
    expect(asked(ana)).toMatchObject([
      {
        gates: ["offer-service"],
        subject: { kind: "service", name: "queue", target: `tcp://localhost:${target}`, maxConnections: 3 },
      },
    ]);
    const again = await ana.services.offer({ target, kind: "tcp", name: "queue", maxConnections: 3 }, never);
    expect(again.own).toBe(own);
    expect(asked(ana)).toHaveLength(1);
    await decide(ana, "approve");
    await until("it is heard of", () => ben.session.serviceOffers.find(own.serviceId) !== undefined);
    const refused = await ana.services.offer({ target, kind: "tcp", name: "other" }, never);
    await decide(ana, "refuse");
    expect(refused.own.state).toEqual({ name: "over", why: "not-offered" });
  });

  it("is asked at each member's first connection, once, and a no holds", async () => {
    const { ana, ben, cid } = await room(["ben", "cid"], GATED);
    const { own } = await ana.services.offer({ target: await echo(), kind: "tcp" }, never);
    await decide(ana, "approve");
    const { serviceId } = own;
    for (const side of [ben, cid])
      await until("it is heard of", () => side.session.serviceOffers.find(serviceId) !== undefined);
    expect(await ben.services.connect(serviceId, { ...PORT, timeoutMs: 200 })).toBe("asked");
    expect(asked(ana)).toMatchObject([
      {
        gates: ["visit-service"],
        subject: { kind: "visit", memberName: "ben" },
        causer: { member: ben.session.self },
      },
    ]);
    expect(await ben.services.connect(serviceId, { ...PORT, timeoutMs: 200 })).toBe("asked");
    expect(asked(ana)).toHaveLength(1);
    await decide(ana, "approve");
    const found = await ben.services.connect(serviceId, PORT);
    if (found === "asked") throw new Error("asked again");
    for (let turn = 0; turn < 3; turn += 1) {
      const socket = await dial(found.taken.listening);
      socket.end("x");
      expect(String(await rest(socket))).toBe("x");
    }
    expect(asked(ana)).toEqual([]);
    const waits = codeOfConnect(cid, serviceId);
    await decide(ana, "refuse");
    expect(await waits).toBe("service-denied");
    expect(await codeOfConnect(cid, serviceId)).toBe("service-denied");
    expect(asked(ana)).toEqual([]);
  });

  it("is asked each time where they want that, also where nobody else is asked", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, { target: await echo(), confirmEach: true });
    for (const word of ["one", "two"]) {
      const socket = await dial(listening);
      socket.end(word);
      await decide(ana, "approve");
      expect(String(await rest(socket))).toBe(word);
    }
    const socket = await dial(listening);
    const closed = closing(socket);
    await decide(ana, "refuse");
    await closed;
  });
});

describe("an offer", () => {
  it("[X2] that is withdrawn ends its connections and listeners at once", async () => {
    const { ana, ben } = await room(["ben"]);
    const { serviceId, listening } = await share(ana, ben, { target: await service(() => undefined) });
    const socket = await dial(listening);
    const closed = closing(socket);
    await ana.services.stop(serviceId);
    await closed;
    await until("the listener is gone", () => ben.services.taker.taken.length === 0);
    expect(await codeOfConnect(ben, serviceId)).toBe("service-gone");
    await expect(dial(listening)).rejects.toThrow("ECONNREFUSED");
  });

  it("ends with its time, on both sides", async () => {
    const { ana, ben } = await room(["ben"]);
    const { listening } = await share(ana, ben, {
      target: await service(() => undefined),
      expiresInMinutes: 0.01,
    });
    const closed = closing(await dial(listening));
    await closed;
    await until("it is over", () => ana.services.owner.offers[0]?.state.name === "over");
    expect(ana.services.owner.offers[0]?.state).toEqual({ name: "over", why: "expired" });
    await until("the listener is gone", () => ben.services.taker.taken.length === 0);
  });

  it.each(["leaves", "is removed", "ends the room"] as const)("ends when its owner %s", async (how) => {
    const { ana, ben, cid } = await room(["ben", "cid"]);
    const owner = how === "ends the room" ? ana : ben;
    const { listening } = await share(owner, cid, { target: await service(() => undefined) });
    const closed = closing(await dial(listening));
    if (how === "is removed" && ana.session.role === "host") ana.session.remove("ben");
    else await owner.session.close();
    await closed;
    await until("the listener is gone", () => cid.services.taker.taken.length === 0);
    await expect(dial(listening)).rejects.toThrow("ECONNREFUSED");
  });

  it("is for those who were named, and for nobody else", async () => {
    const { ana, ben, cid } = await room(["ben", "cid"]);
    const { serviceId } = await share(ana, ben, { target: await echo(), to: ["ben"] });
    expect(cid.session.serviceOffers.all).toEqual([]);
    expect(await codeOfConnect(cid, serviceId)).toBe("service-unknown");
  });

  it("lets in as many connections as it says, and others wait for a place", async () => {
    const { ana, ben } = await room(["ben"]);
    const port = await service((socket) => {
      socket.write("in");
      socket.once("end", () => socket.end());
    });
    const { listening } = await share(ana, ben, { target: port, maxConnections: 2 });
    const [one, two] = await Promise.all([dial(listening), dial(listening)]);
    await Promise.all([once(one, "data"), once(two, "data")]);
    const third = await dial(listening);
    const came = once(third, "data");
    await until("two are in", () => ana.services.owner.offers[0]?.connections.size === 2);
    one.destroy();
    expect(String((await came)[0])).toBe("in");
  });

  it("leads to this machine alone, to nothing of ours, and to what takes connections", async () => {
    const { ana } = await room(["ben"]);
    const code = (target: string | number, more: object = {}): Promise<string | undefined> =>
      ana.services.offer({ target, kind: "tcp", ...more }, never).then(
        () => undefined,
        (error: unknown) =>
          codeOf(() => {
            throw error;
          }),
      );
    expect(await code("10.0.0.1:8080")).toBe("service-target-not-local");
    expect(await code("example.com:8080")).toBe("service-target-not-local");
    expect(await code("169.254.169.254:80")).toBe("expose-target-forbidden");
    expect(await code(22)).toBe("service-target-refused");
    expect(await code(6_379)).toBe("service-to-all");
    expect(await code(6_379, { to: ["ben"] })).toBe("service-target-refused");
    expect(await code("./dist")).toBe("service-invalid");
    expect(await code(1)).toBe("service-silent");
    expect(await code(await echo(), { readOnly: true })).toBe("service-invalid");
    expect(await code(await echo(), { name: "a\nb" })).toBe("service-invalid");
    expect(await code(await echo(), { kind: "http" })).toBe("expose-target-not-http");
    expect(ana.services.owner.offers.filter(({ state }) => state.name !== "over")).toEqual([]);
  });
});

describe("a listener", () => {
  it("H6: keeps away from the ports of the page, and from machines with other users", async () => {
    const { first } = SERVICES_LIMITS.pagePorts;
    const { ana, ben } = await room(["ben"], { isShared: true });
    const { own } = await ana.services.offer({ target: await echo(), kind: "tcp" }, never);
    await until("it is heard of", () => ben.session.serviceOffers.find(own.serviceId) !== undefined);
    expect(await codeOfConnect(ben, own.serviceId)).toBe("service-shared-machine");
    const other = await room(["ben"]);
    const { own: next } = await other.ana.services.offer({ target: await echo(), kind: "tcp" }, never);
    await until("it is heard of", () => other.ben.session.serviceOffers.find(next.serviceId) !== undefined);
    const at = other.ben.services.connect(next.serviceId, { ...PORT, port: first });
    await expect(at).rejects.toMatchObject({ code: "service-port-taken" });
    const taken = await service(() => undefined);
    const there = other.ben.services.connect(next.serviceId, { ...PORT, port: taken });
    await expect(there).rejects.toMatchObject({ code: "service-port-taken" });
  });

  it("is found again, moves to another port, and knows what was never offered", async () => {
    const { ana, ben } = await room(["ben"]);
    const { serviceId, listening } = await share(ana, ben, { target: await echo() });
    const again = await ben.services.connect(serviceId, PORT);
    expect(again).toMatchObject({ wasOpen: true, taken: { listening: { port: listening.port } } });
    expect(await codeOfConnect(ben, "A".repeat(22))).toBe("service-unknown");
    expect(OFFER_ID_BYTES).toBe(16);
    await ben.services.stop(serviceId);
    await expect(dial(listening)).rejects.toThrow("ECONNREFUSED");
    await expect(ben.services.stop(serviceId)).rejects.toMatchObject({ code: "service-unknown" });
  });
});
