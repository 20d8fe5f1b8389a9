import { expect } from "vitest";
import { unfenced, type Agent, type Message } from "./agent.ts";
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
export async function converse(
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
export function expectWhole(heard: ReadonlyMap<string, readonly Message[]>, words: number): void {
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
