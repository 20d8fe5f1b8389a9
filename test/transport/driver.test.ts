import { expect, it } from "vitest";
import { Driver } from "../../src/transport/driver.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

/** Counts what it is told; wakes at `deadline`. */
class Counter {
  effects: string[] = [];
  deadline: number | undefined;
  ticks = 0;

  takeEffects(): string[] {
    const taken = this.effects;
    this.effects = [];
    return taken;
  }

  nextDeadline(): number | undefined {
    return this.deadline;
  }
}

function driven(perform?: (effect: string, driver: () => Driver<Counter, string>) => void) {
  const clock = new FakeClock();
  const machine = new Counter();
  const done: string[] = [];
  const driver: Driver<Counter, string> = new Driver({
    machine,
    clock,
    perform: (effect) => {
      done.push(effect);
      perform?.(effect, () => driver);
    },
    wake: (woken) => {
      woken.ticks += 1;
      woken.deadline = undefined;
    },
  });
  return { clock, machine, done, driver };
}

it("carries out what came of a call, also when the call throws", () => {
  const { driver, done } = driven();
  expect(driver.run((machine) => machine.effects.push("a"))).toBe(1);
  const failing = (): never =>
    driver.run((machine) => {
      machine.effects.push("b");
      throw new Error("no");
    });
  expect(failing).toThrow("no");
  expect(done).toEqual(["a", "b"]);
});

it("writes what is to be kept before it carries anything out, and before it answers", () => {
  const machine = new Counter();
  const done: string[] = [];
  const driver = new Driver<Counter, string>({
    machine,
    clock: new FakeClock(),
    perform: (effect) => void done.push(effect),
    wake: () => undefined,
    writeKept: () => void done.push("written"),
  });
  done.length = 0;
  driver.run((counter) => counter.effects.push("a"));
  expect(done).toEqual(["written", "a"]);
  driver.run(() => done.push("called"));
  expect(done).toEqual(["written", "a", "called", "written"]);
});

it("carries out the effects of a call made by an effect after the others, in order", () => {
  const { driver, done } = driven((effect, own) => {
    if (effect === "a") own().run((machine) => machine.effects.push("c"));
  });
  driver.run((machine) => machine.effects.push("a", "b"));
  expect(done).toEqual(["a", "b", "c"]);
});

it("wakes the machine at its deadline, with one timer at most, and not after stop", async () => {
  const { driver, clock, machine } = driven();
  const at = clock.now() + 1_000;
  driver.run((one) => (one.deadline = at + 5_000));
  driver.run((one) => (one.deadline = at));
  driver.run((one) => (one.deadline = at));
  expect(clock.waiting).toBe(1);
  await clock.advance(999);
  expect(machine.ticks).toBe(0);
  await clock.advance(1);
  expect([machine.ticks, clock.waiting]).toEqual([1, 0]);
  driver.run((one) => (one.deadline = clock.now() - 50));
  await clock.advance(0);
  expect(machine.ticks).toBe(2);
  driver.run((one) => (one.deadline = Number.POSITIVE_INFINITY));
  expect(clock.waiting).toBe(0);
  driver.run((one) => (one.deadline = clock.now() + 10));
  driver.stop();
  await clock.advance(100);
  expect(machine.ticks).toBe(2);
});
