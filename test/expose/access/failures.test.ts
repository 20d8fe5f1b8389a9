import { describe, expect, it } from "vitest";
import { Failures } from "../../../src/expose/access/failures.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { Door, field, outcome } from "./visitor.ts";

/** Failures of a source until it is held. */
function until429(failures: Failures, address: string): number {
  let count = 0;
  while (failures.note(address) === undefined && count < 10_000) count += 1;
  return count;
}

describe("failures are limited", () => {
  it("to 20 at once from one source, and one more each 15 seconds", async () => {
    const clock = new FakeClock();
    const failures = new Failures(clock);
    expect(until429(failures, "192.0.2.1")).toBe(20);
    expect(failures.note("192.0.2.1")).toBe(15);
    await clock.advance(14_000);
    expect(failures.note("192.0.2.1")).toBe(1);
    await clock.advance(1_000);
    expect(until429(failures, "192.0.2.1")).toBe(1);
    expect(until429(failures, "192.0.2.2")).toBe(20);
  });

  it.each([
    ["one network of IPv6 is one source", "2001:db8:1:2::1", "2001:DB8:1:2:ffff::9", 0],
    ["the next network is another", "2001:db8:1:2::1", "2001:db8:1:3::1", 20],
    ["written out or not", "2001:db8::1", "2001:0db8:0000:0000:1234:5678:9abc:def0", 0],
    ["with a zone or not", "fe80::1%eth0", "fe80::2%eth1", 0],
    ["IPv4 in IPv6 is told apart by its address", "::ffff:192.0.2.1", "::ffff:192.0.2.2", 20],
    ["a name that is no address", "unknown", "unknown", 0],
  ])("and %s", (_, first, second, left) => {
    const failures = new Failures(new FakeClock());
    expect(until429(failures, first)).toBe(20);
    expect(until429(failures, second)).toBe(left);
  });

  it("to 300 at once from all sources together, with a table that does not grow", async () => {
    const clock = new FakeClock();
    const failures = new Failures(clock);
    let refused = 0;
    for (let n = 0; n < 5_000; n += 1)
      if (failures.note(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`) !== undefined) refused += 1;
    expect(refused).toBe(4_700);
    expect(failures.sources).toBe(1024);
    await clock.advance(1_000);
    expect([1, 2, 3].map((n) => failures.note(`192.0.2.${n}`))).toEqual([undefined, undefined, 1]);
  });
});

describe("a wrong credential", () => {
  const wrong = { fields: ["X-Tunnel-Token", "wrong"], address: "192.0.2.7" };

  it("ends in 429 with Retry-After, of whatever kind it is", () => {
    const door = new Door({ kinds: ["claim", "token", "basic", "prefix"], claims: 2 });
    const [name] = door.cookie().split("=");
    const { user } = door.access.waysIn().basic ?? {};
    const tries = [
      wrong,
      { fields: ["Cookie", `${name}=x`] },
      { fields: ["Authorization", `Basic ${Buffer.from(`${user}:x`).toString("base64")}`] },
      { target: "/.tunnel/p/x/" },
    ];
    for (const visit of tries) {
      const from = { ...visit, address: `192.0.2.${tries.indexOf(visit) + 10}` };
      for (let n = 0; n < 20; n += 1)
        expect(door.answer(from)).toMatchObject({ status: 401, why: "wrong-credential" });
      const answer = door.answer(from);
      expect(answer.status).toBe(429);
      expect(field(answer, "retry-after")).toBe("15");
    }
    for (let n = 0; n < 20; n += 1) expect(door.claim("x").status).toBe(403);
    expect(door.claim("x").status).toBe(429);
  });

  it("locks nobody out: whoever has a right one gets in from the same address, and may claim", () => {
    const door = new Door({ claims: 2 });
    const cookie = door.cookie();
    for (let n = 0; n < 400; n += 1) door.visit({ ...wrong, address: `192.0.2.${n % 30}` });
    expect(outcome(door.visit({ ...wrong, address: "198.51.100.1" }))).toBe("429");
    const { address } = wrong;
    expect(outcome(door.visit({ address, fields: ["X-Tunnel-Token", door.token] }))).toBe("token");
    expect(outcome(door.visit({ address, fields: ["Cookie", cookie] }))).toBe("claim");
    expect(door.claim(door.secrets[0] ?? "", { address }).status).toBe(303);
    expect(outcome(door.visit({ address }))).toBe("401");
    expect(outcome(door.visit({ address, target: "/.tunnel/claim" }))).toBe("200");
  });

  it("is one credential: a visitor without any is no failure, nor is one of a way that is not on", () => {
    const door = new Door({ kinds: ["claim"] });
    for (let n = 0; n < 100; n += 1) expect(outcome(door.visit({}))).toBe("401");
    for (let n = 0; n < 100; n += 1) expect(outcome(door.visit(wrong))).toBe("401");
    const stale = ["Cookie", "__Host-tunnel-access-00000000=of-an-exposure-that-is-over"];
    for (let n = 0; n < 100; n += 1) expect(outcome(door.visit({ fields: stale }))).toBe("401");
  });

  it("is not written down in what is told of it", () => {
    const door = new Door();
    const answer = door.answer({ fields: ["X-Tunnel-Token", "hunter2"] });
    expect(JSON.stringify(answer)).not.toContain("hunter2");
    expect(JSON.stringify(door.claim("hunter2"))).not.toContain("hunter2");
  });
});
