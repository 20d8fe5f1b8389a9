import * as z from "zod";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import { type DemoAgent, ToolRefused, withoutFence } from "./agent.ts";
import type { Narrator } from "./narrator.ts";
import { joinSchema, openTunnel } from "./pairing.ts";

/** A person at the page. */
export interface Audience {
  /** They have opened it. */
  readonly opened: Promise<void>;
  /** They want no more of it: the terminal is closed, or Ctrl-C was pressed. */
  readonly left: Promise<void>;
  readonly close: () => Promise<void>;
}

interface Watched {
  readonly audience: Audience;
  readonly start: (name: string) => Promise<DemoAgent>;
  readonly say: Narrator;
  readonly clock: Clock;
}

interface Line {
  readonly by: "Ana" | "Ben";
  readonly intent: "request" | "inform" | "ack";
  readonly text: string;
}

/** It looks like a password in an address, so the filter asks the person before it leaves. */
const MADE_UP_ADDRESS = ["postgres://orders", "Xk4vN2qLw8RtZ7bY@db.internal:5432/orders"].join(":");

const TALK: readonly Line[] = [
  {
    by: "Ana",
    intent: "request",
    text: "Does `GET /orders` return a bare array, or an object with a cursor? My client pages, and I am about to write the loop.",
  },
  {
    by: "Ben",
    intent: "inform",
    text: 'An object:\n\n```json\n{ "items": [ { "id": "o_41", "total": 1290 } ], "nextCursor": "b3JkZXI6NDE" }\n```\n\n`nextCursor` is absent on the last page. See `api/orders.ts`.',
  },
  {
    by: "Ana",
    intent: "request",
    text: "Good. Is `total` in cents? And what happens with a cursor that is **too old**?",
  },
  {
    by: "Ben",
    intent: "inform",
    text: "- `total` is in cents, always an integer.\n- A cursor lives for an hour. After that you get `410 Gone`, and start again without one.",
  },
  {
    by: "Ana",
    intent: "request",
    text: "Then I treat 410 as *begin again*. Which database do your tests run against? I want to run mine on the same data.",
  },
  {
    by: "Ben",
    intent: "inform",
    text: `On this one: ${MADE_UP_ADDRESS}. It is filled anew each night.`,
  },
  {
    by: "Ana",
    intent: "inform",
    text: "We agree, then: an object with `items` and `nextCursor`, totals in cents, 410 means begin again, 50 orders a page. I build the client now.",
  },
  { by: "Ben", intent: "ack", text: "Agreed. I write it into `docs/orders.md`." },
];

const OUTCOME =
  "GET /orders answers an object with `items` and `nextCursor`. Totals are in cents. 410 means: begin again.";

/** A line is read before the next comes. */
const READ_MS = { least: 2_000, most: 6_000, perCharacter: 25 };
/** How long one question to a server waits; the person decides how many there are. */
const LISTEN_MS = 1_000;
const AGAIN_MS = 200;

const saidSchema = z.object({ status: z.string(), askId: z.number().nullish() });
const heardSchema = z.object({
  ended: z.unknown().optional(),
  messages: z.array(
    z.object({
      kind: z.string(),
      event: z.string().nullish(),
      askId: z.number().nullish(),
      outcome: z.string().nullish(),
      own: z.boolean().nullish(),
      author: z.string().nullish(),
      fromName: z.string().nullish(),
      text: z.string().nullish(),
      intent: z.string().nullish(),
    }),
  ),
});
type Heard = z.infer<typeof heardSchema>["messages"][number];

/** The tunnel is over: the person ended it, or something failed that ends a tunnel. */
const OVER: ReadonlySet<string> = new Set(["tunnel-closed", "no-tunnel", "tunnel-unknown"]);

/** Outcomes of an ask after which the line is said. */
const LET_GO: ReadonlySet<string> = new Set(["approved", "edited", "released"]);

/** The person at the page, or at the terminal, has ended it. */
class Ended extends Error {
  override readonly name = "Ended";
}

/**
 * Lets two agents talk at the pace of somebody who reads. Whatever the person does is part of it: a line that is held waits, a line
 * that is refused is left out, words of theirs are heard, and the end is theirs.
 */
export async function tellToAudience({ audience, start, say, clock }: Watched): Promise<void> {
  const leaving = new AbortController();
  void audience.left.then(() => leaving.abort());
  if (!(await Promise.race([audience.opened.then(() => true), audience.left.then(() => false)]))) return;
  const [ana, ben] = await Promise.all([start("Ana"), start("Ben")]);
  const joinLink = await openTunnel(ana);
  await ben.call("tunnel_join", { joinLink }, joinSchema);
  say.note(
    "Ana has opened a tunnel and Ben has joined it. Watch them on the page. Hold a line before it leaves, edit it, pause, speak, or end it all.",
  );
  const stage = { say, clock, agents: { Ana: ana, Ben: ben }, left: leaving.signal };
  try {
    for (const line of TALK) await tell(line, stage);
    await answered(() => ana.call("tunnel_propose_done", { outcome: OUTCOME }, z.unknown()));
    say.step("Ana", "proposes that it is done, and asks both people to sign that.");
    say.note(
      "You are both of them here: choose a side at the top of the page, and sign. Then end the tunnel there, or press Ctrl-C here.",
    );
    for (;;) await hearAll(stage);
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    if (!leaving.signal.aborted)
      say.note("The tunnel has ended, and with it the demo. Nothing is left running.");
  }
}

interface Stage {
  readonly say: Narrator;
  readonly clock: Clock;
  readonly agents: { readonly Ana: DemoAgent; readonly Ben: DemoAgent };
  readonly left: AbortSignal;
}

/** One line, until the other agent has it or this side's person has refused it. */
async function tell({ by, text, intent }: Line, stage: Stage): Promise<void> {
  const { agents, say, clock, left } = stage;
  const to = by === "Ana" ? "Ben" : "Ana";
  const { status, askId } = await answered(() => agents[by].call("tunnel_say", { text, intent }, saidSchema));
  if (status === "held") say.step(by, "wants to say something, and waits for you: decide on the page.");
  let isRefused = false;
  let isHeard = false;
  while (!isHeard && !isRefused) {
    const heard = await hearAll(stage);
    isHeard = heard[to].some((one) => isFromOthers(one, to));
    isRefused =
      heard[by].some(
        (one) => one.event === "decided" && one.askId === askId && !LET_GO.has(one.outcome ?? ""),
      ) || heard[to].some(({ event }) => event === "withheld");
  }
  if (isRefused) say.step(by, "was not let say that, and goes on without it.");
  const { least, most, perCharacter } = READ_MS;
  await wait(clock, Math.min(most, Math.max(least, text.length * perCharacter)), { signal: left });
}

/** Takes in all that both agents have not heard yet, and prints it. */
async function hearAll(stage: Stage): Promise<Readonly<Record<"Ana" | "Ben", readonly Heard[]>>> {
  const hear = async (name: "Ana" | "Ben"): Promise<readonly Heard[]> => {
    const call = (): Promise<z.infer<typeof heardSchema>> =>
      stage.agents[name].call("tunnel_listen", { timeoutMs: LISTEN_MS }, heardSchema);
    const { messages, ended } = await answered(call);
    if (ended !== undefined && messages.length === 0) throw new Ended();
    return messages;
  };
  const [Ana, Ben] = await Promise.all([hear("Ana"), hear("Ben")]);
  // In a pause a server answers at once.
  if (Ana.length + Ben.length === 0) await wait(stage.clock, AGAIN_MS, { signal: stage.left });
  if (stage.left.aborted) throw new Ended();
  print("Ana", Ana, stage.say);
  print("Ben", Ben, stage.say);
  if ([...Ana, ...Ben].some(({ event }) => event === "ended")) throw new Ended();
  return { Ana, Ben };
}

/** A person's words are told to their own agent as well. */
function isFromOthers({ kind, fromName }: Heard, self: string): boolean {
  return kind === "chat" && fromName !== self;
}

function print(to: string, heard: readonly Heard[], say: Narrator): void {
  for (const { author, fromName, text, intent } of heard.filter((one) => isFromOthers(one, to))) {
    if (text == null) continue;
    const how = author === "human" ? "typed by a person" : (intent ?? "inform");
    say.message(fromName ?? "somebody", to, how, withoutFence(text).replaceAll("\n", "\n     "));
  }
}

/** @throws {Ended} where there is no tunnel any more */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ToolRefused && OVER.has(error.code)) throw new Ended();
    throw error;
  }
}
