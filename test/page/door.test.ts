import { describe, expect, it } from "vitest";
import { CODE_MS, Door } from "../../src/page/server/door.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";

function doorAt() {
  let now = 1_000;
  const door = new Door(nodePrimitives, { now: () => now, after: () => () => undefined });
  return { door, pass: (ms: number) => void (now += ms) };
}

function enter(door: Door, code: string): string {
  const entered = door.enter(code);
  if (entered.kind !== "in") throw new Error(`not let in: ${entered.kind}`);
  return entered.token;
}

describe("the door of the page", () => {
  it("H2: lets one in by a code of 128 bits and more, for a minute", () => {
    const { door, pass } = doorAt();
    const [early, late] = [door.newCode(), door.newCode()];
    expect(Buffer.from(early, "base64url").length).toBeGreaterThanOrEqual(16);
    pass(CODE_MS - 1);
    const token = enter(door, early);
    expect(door.admit(token)).toBe(token);
    pass(1);
    expect(door.enter(late)).toEqual({ kind: "refused", why: "expired" });
  });

  it.each(["", "a", "x".repeat(32), "../../etc"])("knows nobody by %j", (code) => {
    const { door } = doorAt();
    door.newCode();
    expect(door.enter(code)).toEqual({ kind: "refused", why: "unknown" });
    expect(door.admit(code)).toBeUndefined();
  });

  it("H2, P7, P8: shuts out whoever came first when a code comes twice, also long after", () => {
    const { door, pass } = doorAt();
    const [code, other] = [door.newCode(), door.newCode()];
    const [first, unconcerned] = [enter(door, code), enter(door, other)];
    pass(CODE_MS * 60);
    expect(door.enter(code)).toEqual({ kind: "used-twice", shutOut: [first] });
    expect(door.admit(first)).toBeUndefined();
    expect(door.admit(unconcerned)).toBe(unconcerned);
    expect(door.enter(code)).toEqual({ kind: "used-twice", shutOut: [] });
  });

  it("H3, P6: knows no token of another process", () => {
    const { door } = doorAt();
    const token = enter(door, door.newCode());
    expect(doorAt().door.admit(token)).toBeUndefined();
  });

  it("lets a tab that has left not come back", () => {
    const { door } = doorAt();
    const token = enter(door, door.newCode());
    door.leave(token);
    expect(door.admit(token)).toBeUndefined();
  });
});
