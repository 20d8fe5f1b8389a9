import { afterEach, describe, expect, it } from "vitest";
import type { ExposuresEvent } from "../../../src/expose/exposures/exposures.ts";
import { EXPOSE } from "../../../src/expose/exposures/limits.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { until } from "../../support/processes.ts";
import { codeOf } from "../../support/thrown.ts";
import { ScriptedProvider } from "../../support/tunnels/scripted-provider.ts";
import { cleanUp, exposuresOn, hello, service, settled, visit } from "../support.ts";

afterEach(cleanUp);
/** Fields that the gateway writes or changes. */
const NAMES = new Set([
  "Host",
  "origin",
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "Forwarded",
  "Via",
]);
const consented = { isConsented: true };

describe("an exposure", () => {
  it("lets in who has a way in, and nobody else", async () => {
    const { exposures } = exposuresOn(systemClock);
    const { exposure } = exposures.start({ target: String(await service(hello)) }, consented);
    await settled(exposure);
    expect(exposure.state).toMatchObject({ name: "running", proof: { kind: "unchecked" } });
    expect(await (await visit(exposure, "/a")).text()).toBe("hello /a");
    const stranger = await fetch(`${exposure.publicUrl?.origin}/a`);
    expect([stranger.status, stranger.headers.get("x-target")]).toEqual([401, null]);
    expect(exposure.stats).toMatchObject({ requests: 1, refused: 1 });
  });

  it("sends again what the gateway sent: the service sees itself, and where the visitor came from", async () => {
    const { exposures } = exposuresOn(systemClock);
    const seen: string[][] = [];
    const target = await service((request, response) => {
      if (request.method === "POST")
        seen.push(
          request.rawHeaders.filter((_, index) => NAMES.has(request.rawHeaders[index - (index % 2)] ?? "")),
        );
      response.end();
    });
    const { exposure } = exposures.start({ target: String(target) }, consented);
    await settled(exposure);
    const { origin = "" } = exposure.publicUrl ?? {};
    await (await visit(exposure, "/hook", { method: "POST", body: "{}", headers: { origin } })).text();
    const [visited] = exposure.inspector.list().requests;
    const input = { id: visited?.id ?? 0 };
    const { difference } = await exposure.replay(input, new AbortController().signal);
    expect(difference.isSame).toBe(true);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]).toEqual(expect.arrayContaining(["Host", `localhost:${target}`, "X-Forwarded-Host"]));
  });

  it("is the same one for the same target, gets more links and more time, and nothing else", async () => {
    const { exposures } = exposuresOn(systemClock);
    const target = String(await service(hello));
    const { exposure } = exposures.start({ target }, consented);
    await settled(exposure);
    const again = exposures.start(
      { target: `http://localhost:${target}/`, claims: 2, expiresInMinutes: 5 },
      consented,
    );
    expect(again).toMatchObject({ exposure, wasRunning: true, askId: undefined });
    expect(again.newClaims).toHaveLength(2);
    expect(exposure.endsAt - systemClock.now()).toBeLessThanOrEqual(5 * 60_000);
    expect(exposures.running).toHaveLength(1);
    for (const other of [{ access: ["open"] as const }, { openPaths: ["GET /x"] }, { inspect: false }])
      expect(codeOf(() => exposures.start({ target, ...other }, consented))).toBe("expose-running");
  });

  it("keeps its name for itself, and the error says what it leads to", async () => {
    const { exposures } = exposuresOn(systemClock);
    const [one, other] = [await service(hello), await service(hello)];
    exposures.start({ target: String(one), name: "app" }, consented);
    expect(() => exposures.start({ target: String(other), name: "App" }, consented)).toThrow(
      expect.objectContaining({ code: "expose-name-taken", detail: expect.stringContaining(String(one)) }),
    );
  });

  it("without a name of its own gives way to one that is in use", () => {
    const { exposures } = exposuresOn(systemClock);
    const names = ["./one/dist", "./two/dist", "/three/dist"].map(
      (target) => exposures.start({ target }, consented).exposure.name,
    );
    expect(names).toEqual(["dist", "dist-2", "dist-3"]);
  });

  it("fails with its reason where nothing listens, and leaves nothing running", async () => {
    const { exposures } = exposuresOn(systemClock);
    const { exposure } = exposures.start({ target: "1" }, consented);
    await settled(exposure);
    expect(exposure.state).toMatchObject({ name: "failed", error: { code: "expose-target-silent" } });
    await exposure.gone;
    expect(exposures.running).toEqual([]);
    expect((await exposures.history.read())[0]).toMatchObject({
      why: "failed",
      code: "expose-target-silent",
    });
  });

  it("never exposes a gateway of its own", async () => {
    const { exposures } = exposuresOn(systemClock);
    const { exposure } = exposures.start({ target: String(await service(hello)) }, consented);
    await settled(exposure);
    const looped = exposures.start({ target: String(exposure.port) }, consented).exposure;
    await settled(looped);
    expect(looped.state).toMatchObject({ name: "failed", error: { code: "expose-target-own" } });
  });

  it(`is one of ${EXPOSE.maxRunning} at most`, async () => {
    const { exposures } = exposuresOn(systemClock, { unattended: false });
    for (let n = 0; n < EXPOSE.maxRunning; n += 1)
      exposures.start({ target: String(await service(hello)) }, { isConsented: false });
    expect(codeOf(() => exposures.start({ target: "1" }, consented))).toBe("expose-too-many");
  });
});

describe("a person", () => {
  it("is asked with what was found, before there is an address, and their yes opens it", async () => {
    const { exposures, overseer } = exposuresOn(systemClock, { unattended: false });
    const target = String(await service(hello));
    const request = { target, openPaths: ["POST /hooks/*"], expiresInMinutes: 30, claims: 3 };
    const { exposure } = exposures.start(request, { isConsented: false });
    await settled(exposure);
    const [ask] = overseer.asks.waiting;
    expect(exposure.state).toEqual({ name: "held", askId: ask?.id });
    expect([exposure.port, exposure.publicUrl]).toEqual([undefined, undefined]);
    expect(ask).toMatchObject({
      gates: ["expose"],
      subject: {
        kind: "exposure",
        target: `http://localhost:${target}`,
        through: "direct",
        access: ["claim", "token", "POST /hooks/*"],
        minutes: 30,
        claims: 3,
      },
    });
    // Calling again joins it, and asks nobody a second time.
    expect(exposures.start(request, { isConsented: false }).exposure).toBe(exposure);
    expect(overseer.asks.waiting).toHaveLength(1);
    overseer.asks.decide(ask?.id ?? 0, ask?.digest ?? "", { verdict: "approve" }, { path: "watch" });
    await until("it runs", () => exposure.state.name === "running");
    expect((await visit(exposure, "/")).status).toBe(200);
  });

  it("says no, and nothing was opened; the reason is for their own agent", async () => {
    const { exposures, overseer } = exposuresOn(systemClock, { unattended: false });
    const { exposure } = exposures.start({ target: String(await service(hello)) }, { isConsented: false });
    await settled(exposure);
    const [ask] = overseer.asks.waiting;
    const decision = { verdict: "refuse", reason: "not before the demo" } as const;
    overseer.asks.decide(ask?.id ?? 0, ask?.digest ?? "", decision, { path: "watch" });
    await exposure.gone;
    expect(exposure.state).toMatchObject({
      name: "failed",
      error: { code: "expose-denied", detail: "not before the demo" },
    });
  });

  it("need not decide any more once it was stopped", async () => {
    const { exposures, overseer } = exposuresOn(systemClock, { unattended: false });
    const { exposure } = exposures.start({ target: String(await service(hello)) }, { isConsented: false });
    await settled(exposure);
    await exposure.stop("stopped");
    expect(overseer.asks.waiting).toEqual([]);
    expect(exposure.state).toMatchObject({ name: "over", why: "stopped" });
  });

  it("is asked again before it is open to more people or for longer", async () => {
    const { exposures, overseer } = exposuresOn(systemClock, { unattended: false });
    const target = String(await service(hello));
    const { exposure } = exposures.start({ target }, consented);
    await settled(exposure);
    const before = exposure.claims.length;
    const { askId, newClaims } = exposures.start({ target, claims: 2 }, { isConsented: false });
    const ask = overseer.asks.find(askId ?? 0);
    expect([newClaims, exposure.claims.length, ask?.subject]).toEqual([
      [],
      before,
      expect.objectContaining({ isWidened: true, claims: 2 }),
    ]);
    overseer.asks.decide(askId ?? 0, ask?.digest ?? "", { verdict: "approve" }, { path: "watch" });
    expect(exposure.claims).toHaveLength(before + 2);
    // To look at it opens it to nobody.
    expect(exposures.start({ target }, { isConsented: false }).askId).toBeUndefined();
  });
});

describe("the time of an exposure", () => {
  it("begins when it is open, is told before it is over, and ends with an address that says so", async () => {
    const clock = new FakeClock();
    const { exposures } = exposuresOn(clock);
    const events: ExposuresEvent[] = [];
    exposures.subscribe((event) => events.push(event));
    const target = String(await service(hello));
    const { exposure } = exposures.start({ target, expiresInMinutes: 15 }, consented);
    await settled(exposure, clock);
    // The clock may have gone on by one step since.
    const leftMs = exposure.endsAt - clock.now();
    expect([leftMs > 15 * 60_000 - 200, leftMs <= 15 * 60_000]).toEqual([true, true]);
    await clock.advance(5 * 60_000);
    const leftOf = (): number[] => events.flatMap((one) => (one.type === "ends-soon" ? [one.leftMs] : []));
    expect(leftOf()).toEqual([10 * 60_000]);
    exposures.start({ target, expiresInMinutes: 2 }, consented);
    await clock.advance(60_000);
    expect(leftOf()).toEqual([10 * 60_000, 60_000]);
    const url = exposure.publicUrl?.origin;
    await clock.advance(60_000);
    expect(exposure.state).toMatchObject({ name: "over", why: "expired" });
    expect((await fetch(`${url}/`)).status).toBe(410);
    await clock.advance(EXPOSE.goneMs);
    await exposure.gone;
    await expect(fetch(`${url}/`)).rejects.toThrow();
    expect((await exposures.history.read())[0]).toMatchObject({ name: exposure.name, why: "expired" });
  });
});

describe("an address that dies", () => {
  it("is replaced, and the links that nobody has used lead to the new one", async () => {
    const clock = new FakeClock();
    const scripted = new ScriptedProvider();
    const { exposures } = exposuresOn(clock, {
      providers: () => scripted.provider,
    });
    const news: (string | undefined)[] = [];
    exposures.subscribe((event) => {
      if (event.type === "address") news.push(event.publicUrl?.origin);
    });
    const { exposure } = exposures.start({ target: String(await service(hello)) }, consented);
    while (scripted.pending.length === 0) {
      await clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const first = scripted.pending[0]?.succeed("one");
    await settled(exposure, clock);
    expect(exposure.publicUrl?.origin).toBe("https://one.example");
    first?.down();
    await clock.advance(5_000);
    scripted.pending[0]?.succeed("two");
    await clock.advance(5_000);
    expect(news).toEqual([undefined, "https://two.example"]);
    expect(exposure.state).toMatchObject({ name: "running", lost: undefined });
    expect(exposure.ways.claim?.links[0]?.url).toMatch(/^https:\/\/two\.example\/\.tunnel\/claim#/);
  });
});

describe("the end of a server", () => {
  it("ends its exposures, and nothing new begins", async () => {
    const { exposures } = exposuresOn(systemClock);
    const { exposure } = exposures.start({ target: String(await service(hello)) }, consented);
    await settled(exposure);
    await exposures.shutDown();
    expect(exposure.state).toMatchObject({ name: "over", why: "server-ended" });
    await expect(visit(exposure, "/")).rejects.toThrow();
    expect(codeOf(() => exposures.start({ target: "3000" }, consented))).toBe("cancelled");
    expect((await exposures.history.read()).map(({ why }) => why)).toEqual(["server-ended"]);
  });

  it("in the middle of an opening leaves nothing behind", async () => {
    const scripted = new ScriptedProvider();
    const { exposures } = exposuresOn(systemClock, {
      providers: () => scripted.provider,
    });
    exposures.start({ target: String(await service(hello)) }, consented);
    await until("it opens", () => scripted.pending.length === 1);
    await exposures.shutDown();
    expect(scripted.pending).toEqual([]);
    expect(exposures.running).toEqual([]);
  });
});
