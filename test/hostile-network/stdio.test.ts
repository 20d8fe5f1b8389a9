import { afterEach, expect, it } from "vitest";
import { takenPort } from "../session/support.ts";
import { Agent, closeAgents, pair, unfenced } from "../support/agent.ts";
import { until } from "../support/processes.ts";
import type { Direction, Ending } from "../support/proxy.ts";
import { Chance } from "../support/random.ts";
import { cleanUp, proxy } from "./support.ts";

afterEach(async () => {
  await closeAgents();
  await cleanUp();
});

const CUTS = 20;
/** What either may be ahead of the other: who is cut off would else say thousands of messages until it is back. */
const MAX_AHEAD = 6;
const PATIENCE_MS = 30_000;

/** One agent as two calls at a time: one that says, and one that listens. */
class Talker {
  readonly said: string[] = [];
  readonly heard: string[] = [];
  readonly statuses = new Set<string>();
  readonly #agent: Agent;
  readonly #name: string;

  constructor(agent: Agent, name: string) {
    [this.#agent, this.#name] = [agent, name];
  }

  async speak(peer: Talker, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await until("the other keeps up", () => this.said.length - peer.heard.length < MAX_AHEAD, PATIENCE_MS);
      const text = `${this.#name} ${this.said.length}`.padEnd(1 + ((this.said.length * 97) % 700), ".");
      this.said.push(text);
      const { status = "" } = await this.#agent.call("tunnel_say", { text });
      this.statuses.add(status);
    }
  }

  async listen(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.#take(1_000);
    // Something that comes twice would come now.
    await this.#take(0);
  }

  async #take(timeoutMs: number): Promise<void> {
    const { messages = [] } = await this.#agent.call("tunnel_listen", { timeoutMs });
    for (const { kind, text, redelivered } of messages) {
      expect(redelivered).toBeUndefined();
      if (kind === "chat") this.heard.push(unfenced(text));
    }
  }
}

it("twenty cuts while both agents say and listen: every message comes through the tools once and in order", async () => {
  const chance = new Chance(7);
  const wire = await proxy();
  const { port, free } = await takenPort();
  free();
  wire.target = port;
  let cuts = 0;
  wire.onCrossing = (crossing) => {
    if (cuts === CUTS) return;
    cuts += 1;
    const direction = chance.pick<Direction>(["toHost", "toGuest"]);
    // A join or a resume takes less than the first 2,000 bytes: the rest is conversation.
    crossing.cutAfter(direction, 2_000 + chance.below(5_000), chance.pick<Ending>(["fin", "reset"]));
  };
  const [host, guest] = await Promise.all([
    Agent.start({ TUNNEL_PORT: `${port}`, TUNNEL_PUBLIC_URL: wire.origin }),
    Agent.start(),
  ]);
  await pair(host, guest);
  const [ana, ben] = [new Talker(host, "ana"), new Talker(guest, "ben")];
  const isOver = (): boolean => wire.total > CUTS && Math.min(ana.said.length, ben.said.length) >= 40;
  let hasSaidAll = false;
  const speaking = Promise.all([ana.speak(ben, isOver), ben.speak(ana, isOver)]).then(
    () => (hasSaidAll = true),
  );
  const hasHeard = (one: Talker, peer: Talker) => (): boolean =>
    hasSaidAll && one.heard.length >= peer.said.length;
  await Promise.all([speaking, ana.listen(hasHeard(ana, ben)), ben.listen(hasHeard(ben, ana))]);
  expect(ben.heard).toEqual(ana.said);
  expect(ana.heard).toEqual(ben.said);
  // It was not always known at once; that was told, and nothing else went wrong.
  const statuses = new Set([...ana.statuses, ...ben.statuses]);
  expect([...statuses].filter((status) => status !== "sent" && status !== "queued")).toEqual([]);
  expect([host.stderr, guest.stderr]).toEqual(["", ""]);
}, 120_000);
