import { expect } from "vitest";
import { Agent, unfenced, type Message } from "./agent.ts";
import { linkOf } from "./hearing.ts";
import { until } from "./processes.ts";
import { Chance } from "./random.ts";

/** Bytes of a text: what agents say, and what takes many frames. */
const SIZES = [20, 20, 200, 900, 4_000, 6_000] as const;

/** What a member says, each with its place in front. */
function textsOf(name: string, words: number): string[] {
  const chance = new Chance(name.length);
  return Array.from({ length: words }, (_, index) =>
    `${name} ${index} ${"x".repeat(chance.pick(SIZES))}`.trimEnd(),
  );
}

async function say(agent: Agent, texts: readonly string[], pauseMs: number): Promise<void> {
  for (const text of texts) {
    await agent.call("tunnel_say", { text });
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Listens until the last words of all others have come; with each, its place in the room's order. */
async function listen(
  agent: Agent,
  self: string,
  others: readonly string[],
  last: number,
): Promise<Message[]> {
  const heard: Message[] = [];
  const open = new Set<string>(others);
  while (open.size > 0) {
    const { messages = [], ended } = await agent.call("tunnel_listen", { timeoutMs: 5_000 });
    if (ended !== undefined) throw new Error(`the room has ended for ${self}: ${ended.because}`);
    for (const message of messages.filter(({ kind }) => kind === "chat")) {
      heard.push(message);
      const [, name = "", index] = /^(\w+) (\d+) /.exec(unfenced(message.text)) ?? [];
      if (index === `${last}`) open.delete(name);
    }
  }
  return heard;
}

/** Everybody says so many texts and listens to all others. @returns what each has heard */
async function converse(
  members: ReadonlyMap<string, Agent>,
  { words, pauseMs }: { readonly words: number; readonly pauseMs: number },
): Promise<ReadonlyMap<string, readonly Message[]>> {
  const names = [...members.keys()];
  const heard = await Promise.all(
    [...members].map(async ([name, agent]) => {
      const others = names.filter((other) => other !== name);
      const [told] = await Promise.all([
        listen(agent, name, others, words - 1),
        say(agent, textsOf(name, words), pauseMs),
      ]);
      return [name, told] as const;
    }),
  );
  return new Map(heard);
}

/** Nothing is lost, doubled or out of order, for anybody. */
function expectWhole(heard: ReadonlyMap<string, readonly Message[]>, words: number): void {
  const places = new Map<number, string>();
  for (const [self, mine] of heard) {
    // Nothing came twice to an agent, not even marked.
    expect(mine.filter(({ redelivered }) => redelivered === true)).toEqual([]);
    for (const other of heard.keys()) {
      if (other === self) continue;
      const texts = mine.map(({ text }) => unfenced(text)).filter((text) => text.startsWith(other));
      expect(texts).toEqual(textsOf(other, words));
    }
    // One order for all: places grow, and a place holds the same words for everybody.
    const seqs = mine.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].toSorted((one, two) => one - two));
    for (const { seq, text } of mine) {
      expect(places.get(seq) ?? unfenced(text)).toBe(unfenced(text));
      places.set(seq, unfenced(text));
    }
  }
  expect(places.size).toBe(heard.size * words);
}

/**
 * A room at a relay in which three talk as long as a storm goes on. Nothing is lost, doubled or out of order, and a link from before the
 * storm leads in afterwards.
 * @returns what the storm says of itself
 */
export async function expectDelivered<Count>(
  relay: string,
  storm: (signal: AbortSignal) => Promise<Count>,
  talk: { readonly words: number; readonly pauseMs: number },
): Promise<Count> {
  const [host, ben, cleo, late] = await Promise.all([
    Agent.start({ TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: relay }),
    Agent.start(),
    Agent.start(),
    Agent.start(),
  ]);
  const opened = await host.call("tunnel_open", { goal: "weather", name: "ana", invites: 3 });
  await ben.call("tunnel_join", { joinLink: linkOf(opened, 0), name: "ben" });
  await cleo.call("tunnel_join", { joinLink: linkOf(opened, 1), name: "cleo" });
  const members = new Map([
    ["ana", host],
    ["ben", ben],
    ["cleo", cleo],
  ]);
  const over = new AbortController();
  const weather = storm(over.signal);
  const heard = await converse(members, talk);
  over.abort();
  const count = await weather;
  expectWhole(heard, talk.words);
  await late.call("tunnel_join", { joinLink: linkOf(opened, 2), name: "dora" });
  await until("everybody is connected", async () => {
    const { members: seen = [] } = await host.call("tunnel_status");
    return seen.length === 4 && seen.every(({ connected }) => connected);
  });
  return count;
}
