import { expect, test } from "vitest";
import { paintFor } from "../../src/cli/io/output.ts";
import { narrator } from "../../src/cli/demo/narrator.ts";
import { type DemoAgent, ToolRefused } from "../../src/cli/demo/agent.ts";
import { tellToAudience } from "../../src/cli/demo/watched.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { recorder } from "./support.ts";

type Message = Readonly<Record<string, unknown>>;
type Name = "Ana" | "Ben";

/** Answers of a person by the number of the line, from 1. */
type Human = Readonly<
  Record<number, "hold" | "hold-and-type" | "refuse" | "withhold" | "end" | "leave" | "speak" | "edit">
>;

const fenced = (text: string): string => `<<peer>>\n${text}\n<<end>>`;

/** A room of two scripted servers whose person decides as told. */
function room(human: Human) {
  const inbox: Record<Name, Message[]> = { Ana: [], Ben: [] };
  const held: (() => void)[] = [];
  let said = 0;
  const end = (): void => {
    inbox.Ana.push({ kind: "system", event: "ended", text: "x" });
    inbox.Ben.push({ kind: "system", event: "ended", text: "x" });
  };
  const stopped: string[] = [];
  let hasLeft: Name | undefined;
  const sayAs = (name: Name, text: string, intent: string): Message => {
    said += 1;
    const number = said;
    const to = name === "Ana" ? "Ben" : "Ana";
    const pass = (over: Message = {}): void =>
      void inbox[to].push({ kind: "chat", fromName: name, text: fenced(text), intent, ...over });
    const decided = (outcome: string): void =>
      void inbox[name].push({ kind: "system", event: "decided", askId: number, outcome });
    switch (human[number]) {
      case "hold":
        held.push(() => (pass(), decided("approved")));
        return { status: "held", askId: number };
      case "hold-and-type":
        // The other side's person types something meanwhile, which their own agent is told as well.
        inbox[to].push({ kind: "chat", fromName: to, text: fenced("one moment"), author: "human" });
        // They decide only later.
        for (let looks = 0; looks < 5; looks += 1) held.push(() => undefined);
        held.push(() => (pass(), decided("approved")));
        return { status: "held", askId: number };
      case "edit":
        held.push(() => (pass({ text: fenced("in my words"), author: "human" }), decided("edited")));
        return { status: "held", askId: number };
      case "refuse":
        held.push(() => decided("refused"));
        return { status: "held", askId: number };
      case "withhold":
        inbox[to].push({ kind: "system", event: "withheld" });
        return { status: "sent" };
      case "speak":
        for (const heard of [inbox[name], inbox[to]])
          heard.push({ kind: "chat", fromName: name, text: fenced("hello\nfrom me"), author: "human" });
        pass();
        return { status: "sent" };
      case "end":
        end();
        throw new ToolRefused("tunnel_say", "tunnel-closed", "over");
      case "leave":
        hasLeft = to;
        return { status: "sent" };
      default:
        pass();
        return { status: "sent" };
    }
  };
  const server =
    (name: Name) =>
    (tool: string, args: Readonly<Record<string, unknown>>): unknown => {
      switch (tool) {
        case "tunnel_open":
          return { joinLink: "ws://127.0.0.1:1/t/room#1.SECRET" };
        case "tunnel_join":
          return { goal: "g", safetyCode: "1" };
        case "tunnel_propose_done":
          return { status: "sent" };
        case "tunnel_say":
          return sayAs(name, String(args["text"]), String(args["intent"]));
        case "tunnel_listen": {
          const messages = inbox[name].splice(0);
          // The person decides once both servers have been asked and nothing came.
          if (messages.length === 0) held.shift()?.();
          return { messages, ...(hasLeft === name ? { ended: { cause: "closed-here" } } : {}) };
        }
        default:
          throw new Error(`no such tool: ${tool}`);
      }
    };
  const agent = (name: Name): DemoAgent => ({
    name,
    start: async () => undefined,
    call: async (tool, args, schema) => schema.parse(server(name)(tool, args)),
    hear: () => Promise.reject(new Error("not used")),
    stop: async () => void stopped.push(name),
  });
  return { agent, end, lines: () => said };
}

/** Every wait is over at once. */
const hurried: Clock = {
  now: () => 0,
  after: (_ms, callback) => {
    const soon = setImmediate(callback);
    return () => clearImmediate(soon);
  },
};

async function watch(human: Human, audience: { readonly leaveAt?: "before" | "after" } = {}) {
  const output = recorder();
  const stage = room(human);
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => (leave = resolve));
  if (audience.leaveAt === "before") leave();
  const never = new Promise<void>(() => undefined);
  const started: string[] = [];
  const telling = tellToAudience({
    audience: {
      opened: audience.leaveAt === "before" ? never : Promise.resolve(),
      left,
      close: async () => undefined,
    },
    start: async (name) => {
      started.push(name);
      return stage.agent(name === "Ana" ? "Ana" : "Ben");
    },
    say: narrator(output, paintFor(false)),
    clock: hurried,
  });
  const asked = setInterval(() => {
    if (!output.stdout().includes("Ana  proposes that it is done")) return;
    if (audience.leaveAt === "after") leave();
    else stage.end();
  }, 1);
  try {
    await telling;
  } finally {
    clearInterval(asked);
  }
  return { out: output.stdout(), started, lines: stage.lines() };
}

const DONE = "The tunnel has ended, and with it the demo.";

test("the agents begin once the page is open, say every line, and the person ends it", async () => {
  const { out, started, lines } = await watch({});
  expect(started).toEqual(["Ana", "Ben"]);
  expect(lines).toBe(8);
  expect(out.match(/^(Ana|Ben) to (Ana|Ben)/gm)).toHaveLength(8);
  expect(out).toContain(DONE);
  expect(out).not.toContain("SECRET");
});

test("nothing is started for somebody who leaves before they have opened it", async () => {
  expect(await watch({}, { leaveAt: "before" })).toMatchObject({ out: "", started: [] });
});

test("Ctrl-C after the last line ends it without a word about the tunnel", async () => {
  const { out } = await watch({}, { leaveAt: "after" });
  expect(out).toContain("Ana  proposes that it is done");
  expect(out).not.toContain(DONE);
});

test("a line that is held waits, and goes on once it is let go", async () => {
  const { out, lines } = await watch({ 2: "hold" });
  expect(out).toContain("Ben  wants to say something, and waits for you");
  expect(out.match(/^(Ana|Ben) to (Ana|Ben)/gm)).toHaveLength(8);
  expect(lines).toBe(8);
});

test.each([
  ["refused by the person of its side", "refuse"],
  ["withheld by the person of the other side", "withhold"],
] as const)("a line that is %s is left out, and the rest follows", async (_, decision) => {
  const { out, lines } = await watch({ 6: decision });
  expect(out).toContain("Ben  was not let say that, and goes on without it.");
  expect(out.match(/^(Ana|Ben) to (Ana|Ben)/gm)).toHaveLength(7);
  expect(lines).toBe(8);
});

test("words of a person are heard as theirs, typed or edited", async () => {
  const { out } = await watch({ 1: "speak", 3: "edit" });
  expect(out).toContain("Ana to Ben (typed by a person)\n     hello\n     from me\n");
  expect(out).toContain("Ana to Ben (typed by a person)\n     in my words\n");
  expect(out).not.toContain("Ana to Ana");
});

test("the end of one side is the end of the demo, too", async () => {
  const { out, lines } = await watch({ 4: "leave" });
  expect(lines).toBe(4);
  expect(out).toContain(DONE);
});

test("words that a person types while a line is held are not taken for the line", async () => {
  const { out, lines } = await watch({ 2: "hold-and-type" });
  const places = ["Ben  wants to say something", "An object:", "Good. Is `total`"].map((words) =>
    out.indexOf(words),
  );
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(lines).toBe(8);
});

test("an end in the middle is the end of the demo, and no failure", async () => {
  const { out, lines } = await watch({ 4: "end" });
  expect(lines).toBe(4);
  expect(out).toContain(DONE);
  expect(out).not.toContain("Ana  proposes that it is done");
});
