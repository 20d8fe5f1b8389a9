import { describe, expect, it } from "vitest";
import { Emitter, when } from "../../src/runtime/emitter.ts";

describe("an emitter", () => {
  it("tells each listener of every event, in order, from its subscription on", () => {
    const emitter = new Emitter<number>();
    const heard: string[] = [];
    emitter.emit(0);
    emitter.subscribe((event) => heard.push(`a${event}`));
    emitter.emit(1);
    emitter.subscribe((event) => heard.push(`b${event}`));
    emitter.emit(2);
    expect(heard).toEqual(["a1", "a2", "b2"]);
  });

  it("ends one subscription and no other, also of the same listener", () => {
    const emitter = new Emitter<number>();
    const heard: number[] = [];
    const listener = (event: number): void => void heard.push(event);
    const unsubscribe = emitter.subscribe(listener);
    emitter.subscribe(listener);
    unsubscribe();
    unsubscribe();
    emitter.emit(1);
    expect(heard).toEqual([1]);
  });

  it("lets a listener end its subscription while it is told", () => {
    const emitter = new Emitter<number>();
    const heard: number[] = [];
    const unsubscribe = emitter.subscribe((event) => {
      heard.push(event);
      unsubscribe();
    });
    emitter.subscribe((event) => heard.push(event * 10));
    emitter.emit(1);
    emitter.emit(2);
    expect(heard).toEqual([1, 10, 20]);
  });

  it("wakes on the events that pass a test only", () => {
    const emitter = new Emitter<number>();
    let woken = 0;
    const end = when(emitter, (event) => event > 1)(() => (woken += 1));
    for (const event of [1, 2, 1, 3]) emitter.emit(event);
    end();
    emitter.emit(4);
    expect(woken).toBe(2);
  });
});
