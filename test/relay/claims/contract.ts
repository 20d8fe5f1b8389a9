import { expect, test, vi } from "vitest";
import { claimId, type ClaimEvent, type Claims, type NewClaim } from "../../../src/relay/claims/claims.ts";
import { nameOfKey } from "../../../src/relay/claims/proof.ts";

/** A register as the contract sees it: one end for each node. A single node is the first and the last at once. */
export interface TestRegister {
  readonly ends: readonly { readonly node: string; readonly claims: Claims }[];
}

let count = 0;
/** A name that no other test has, so that they may share an engine. */
function aName(kind: NewClaim["kind"] = "http"): { kind: NewClaim["kind"]; name: string } {
  count += 1;
  return { kind, name: `${kind}-${process.pid}-${count}` };
}

async function claimed(claims: Claims, claim: NewClaim): Promise<number> {
  const outcome = await claims.claim(claim);
  if (outcome.kind !== "claimed") throw new Error(`the name is ${outcome.kind}`);
  return outcome.epoch;
}

/** Rules that every register keeps, whatever it is made of. */
export function claimsContract(open: () => Promise<TestRegister>): void {
  const both = async () => {
    const { ends } = await open();
    const [first, last] = [ends[0], ends.at(-1)];
    if (first === undefined || last === undefined) throw new Error("a register needs a node");
    return { first, last };
  };

  test("a free name is claimed, and every node finds it", async () => {
    const { first, last } = await both();
    const name = aName();
    const epoch = await claimed(first.claims, { ...name, key: "k1", node: first.node });
    const expected = { ...name, key: "k1", node: first.node, epoch, port: undefined };
    expect(await first.claims.find(name)).toEqual(expected);
    await vi.waitFor(async () => expect(await last.claims.find(name)).toEqual(expected));
  });

  test("a name of another key is taken, at any node, whether its host is there, away or done", async () => {
    const { first, last } = await both();
    const name = aName();
    const epoch = await claimed(first.claims, { ...name, key: "k1", node: first.node });
    const stranger = { ...name, key: "k2", node: last.node };
    expect(await last.claims.claim(stranger)).toEqual({ kind: "taken" });
    expect(await first.claims.release(name, epoch, "away")).toBe(true);
    expect(await last.claims.claim(stranger)).toEqual({ kind: "taken" });
    const again = await claimed(last.claims, { ...name, key: "k1", node: last.node });
    expect(await last.claims.release(name, again, "done")).toBe(true);
    expect(await first.claims.claim({ ...stranger, node: first.node })).toEqual({ kind: "taken" });
  });

  test("of many who claim a free name at once, one key gets it", async () => {
    const { first, last } = await both();
    const name = aName();
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, index) => {
        const { claims, node } = index % 2 === 0 ? first : last;
        return claims.claim({ ...name, key: `k${index}`, node });
      }),
    );
    expect(outcomes.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
    expect(outcomes.filter(({ kind }) => kind === "taken")).toHaveLength(11);
  });

  test("the newest proof of the same key wins: its epoch is larger, and the former node hears of it", async () => {
    const { first, last } = await both();
    const name = aName("room");
    const before = await claimed(first.claims, { ...name, key: "k1", node: first.node });
    const heard: ClaimEvent[] = [];
    first.claims.watch((event) => heard.push(event));
    const after = await claimed(last.claims, { ...name, key: "k1", node: last.node });
    expect(after).toBeGreaterThan(before);
    const claim = { ...name, key: "k1", node: last.node, epoch: after, port: undefined };
    // The former node stops before the new one begins: it knows by now of a claim that is newer than its own.
    const news = heard.find((event) => event.type === "claimed" && event.claim.epoch > before);
    expect(news).toMatchObject({ claim: { ...name, key: "k1", node: last.node } });
    await vi.waitFor(async () => expect(await first.claims.find(name)).toEqual(claim));
  });

  test("whoever is over touches nothing of its successor", async () => {
    const { first, last } = await both();
    const name = aName("room");
    const old = await claimed(first.claims, { ...name, key: "k1", node: first.node });
    const epoch = await claimed(last.claims, { ...name, key: "k1", node: last.node });
    expect(await first.claims.release(name, old, "away")).toBe(false);
    expect(await first.claims.release(name, old, "done")).toBe(false);
    expect(await first.claims.renew({ ...name, key: "k1", node: first.node }, old)).toEqual({
      kind: "taken",
    });
    expect(await last.claims.find(name)).toMatchObject({ node: last.node, epoch });
  });

  test("the owner renews with its own epoch, and goes on with the one it is told", async () => {
    const { first } = await both();
    const claim = { ...aName(), key: "k1", node: first.node };
    const epoch = await claimed(first.claims, claim);
    expect(await first.claims.renew(claim, epoch)).toEqual({ kind: "claimed", epoch });
    expect((await first.claims.renew({ ...claim, key: "k2" }, epoch)).kind).toBe("taken");
    expect(await first.claims.release(claim, epoch, "away")).toBe(true);
  });

  test("a host that is away keeps its name, and every node sees that it is away", async () => {
    const { first, last } = await both();
    const name = aName("room");
    const heard: ClaimEvent[] = [];
    last.claims.watch((event) => heard.push(event));
    const epoch = await claimed(first.claims, { ...name, key: "k1", node: first.node });
    expect(await first.claims.release(name, epoch, "away")).toBe(true);
    await vi.waitFor(async () => {
      expect(await last.claims.find(name)).toMatchObject({ ...name, key: "k1", node: undefined });
      const away = heard.find((event) => event.type === "away" && claimId(event.claim) === claimId(name));
      expect(away).toMatchObject({ claim: { key: "k1", node: undefined } });
    });
    const back = await claimed(last.claims, { ...name, key: "k1", node: last.node });
    expect(back).toBeGreaterThan(epoch);
  });

  test("what is over on purpose is found no more; a room and a name made of its key are free again", async () => {
    const { first, last } = await both();
    const heard: ClaimEvent[] = [];
    last.claims.watch((event) => heard.push(event));
    const own = `key-${process.pid}-${(count += 1)}`;
    for (const [name, key] of [
      [aName("room"), "k1"],
      [{ kind: "http", name: nameOfKey(own) }, own],
    ] as const) {
      const epoch = await claimed(first.claims, { ...name, key, node: first.node });
      expect(await first.claims.release(name, epoch, "done")).toBe(true);
      expect(await first.claims.find(name)).toBeUndefined();
      await vi.waitFor(async () => expect(await last.claims.find(name)).toBeUndefined());
      await vi.waitFor(() => expect(heard).toContainEqual({ type: "released", claim: name, epoch }));
    }
    const room = aName("room");
    const epoch = await claimed(first.claims, { ...room, key: "k1", node: first.node });
    await first.claims.release(room, epoch, "done");
    expect(await claimed(last.claims, { ...room, key: "k2", node: last.node })).toBeGreaterThan(epoch);
  });

  test("a port goes with its claim", async () => {
    const { first, last } = await both();
    const name = aName("tcp");
    await claimed(first.claims, { ...name, key: "k1", node: first.node, port: 20_001 });
    await vi.waitFor(async () => expect(await last.claims.find(name)).toMatchObject({ port: 20_001 }));
  });

  test("names are counted for their owner over all nodes, those that are not there included", async () => {
    const { first, last } = await both();
    const owner = { id: `owner-${process.pid}-${(count += 1)}`, maxNames: 2 };
    const [one, two, three] = [aName(), aName(), aName()];
    const epoch = await claimed(first.claims, { ...one, key: "k1", node: first.node, owner });
    await claimed(last.claims, { ...two, key: "k1", node: last.node, owner });
    await first.claims.release(one, epoch, "done");
    const third = { ...three, key: "k1", owner };
    expect(await last.claims.claim({ ...third, node: last.node })).toEqual({ kind: "used-up" });
    expect(await first.claims.claim({ ...third, node: first.node })).toEqual({ kind: "used-up" });
    // Its own names it keeps, and another owner has names of its own.
    await claimed(last.claims, { ...one, key: "k1", node: last.node, owner });
    const other = { id: `${owner.id}-other`, maxNames: 1 };
    await claimed(first.claims, { ...three, key: "k1", node: first.node, owner: other });
  });

  test("a name that moves to another owner is counted for that one alone", async () => {
    const { first, last } = await both();
    const owners = ["a", "b"].map((end) => ({ id: `moved-${process.pid}-${count}-${end}`, maxNames: 1 }));
    const [one, two] = [aName(), aName()];
    await claimed(first.claims, { ...one, key: "k1", node: first.node, owner: owners[0] });
    await claimed(last.claims, { ...one, key: "k1", node: last.node, owner: owners[1] });
    await claimed(first.claims, { ...two, key: "k1", node: first.node, owner: owners[0] });
    const third = await last.claims.claim({ ...aName(), key: "k1", node: last.node, owner: owners[1] });
    expect(third).toEqual({ kind: "used-up" });
  });

  test("a node is told, and nobody else is; whoever is not there is reported", async () => {
    const { first, last } = await both();
    const told: string[] = [];
    for (const { node, claims } of new Set([first, last])) claims.onTold(() => told.push(node));
    const message = { type: "close", claim: aName(), epoch: 7 } as const;
    expect(await first.claims.tell(last.node, message)).toBe(true);
    await vi.waitFor(() => expect(told).toEqual([last.node]));
    expect(await first.claims.tell("nobody", message)).toBe(false);
  });

  test("watching and hearing end when they are told to", async () => {
    const { first } = await both();
    const heard: unknown[] = [];
    first.claims.watch((event) => heard.push(event))();
    first.claims.onTold((message) => heard.push(message))();
    await claimed(first.claims, { ...aName(), key: "k1", node: first.node });
    await first.claims.tell(first.node, { type: "close", claim: aName(), epoch: 1 });
    expect(heard).toEqual([]);
  });

  test("a register that works says so, and that what its node holds is proven", async () => {
    for (const { claims } of (await open()).ends) {
      expect(claims.state).toBe("ready");
      expect(claims.isProven).toBe(true);
    }
  });
}
