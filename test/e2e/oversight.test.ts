import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { commandSchema } from "../../src/watch/protocol.ts";
import type { AskView, TunnelView, WatchEvent } from "../../src/watch/protocol.ts";
import { readDescriptors, type Descriptor } from "../../src/control/descriptor.ts";
import { privateFolders } from "../../src/runtime/private-folders.ts";
import { WatchClient, type NewCommand } from "../../src/watch/client.ts";
import { Agent, BUNDLE, closeAgents, NODE, pair, sandbox, unfenced, type Payload } from "../support/agent.ts";
import { until } from "../support/processes.ts";

const savedSchema = z.looseObject({ path: z.string() });
const heldSchema = z.looseObject({
  status: z.literal("held"),
  askId: z.number().optional(),
  reason: z.string(),
  next: z.string(),
});
/** As GitHub writes them. It is made here, so that no scanner finds one in this repository. */
function secret(): string {
  const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789";
  const value = Array.from({ length: 36 }, () => letters[randomInt(letters.length)]);
  return ["gh", "p_", ...value].join("");
}

function foldersOf({ box }: Agent): string[] {
  const { TMPDIR = "" } = box.env;
  const facts = { platform: process.platform, tempDirectory: TMPDIR, user: process.getuid?.() };
  return privateFolders(box.env, facts).slice(0, 1);
}

async function descriptorOf(agent: Agent, kind: "ask" | "watch"): Promise<Descriptor> {
  let found: Descriptor | undefined;
  await until(`a descriptor (${kind})`, async () => {
    const all = await readDescriptors(foldersOf(agent), process.platform, undefined, kind);
    found = all.find(({ pid }) => pid === agent.pid);
    return found !== undefined;
  });
  if (found === undefined) throw new Error("no descriptor");
  return found;
}

/** A person who does by a script what they would type. */
class Human {
  readonly asks = new Map<number, AskView>();
  readonly tunnels = new Map<string, TunnelView>();
  readonly events: WatchEvent[] = [];
  readonly #client: WatchClient;

  private constructor(descriptor: Descriptor) {
    this.#client = new WatchClient(descriptor, "0", {
      event: (event) => this.#hear(event),
      closed: () => undefined,
    });
  }

  static async of(agent: Agent): Promise<Human> {
    const human = new Human(await descriptorOf(agent, "watch"));
    humans.push(human);
    await until("the snapshot", () => human.events.length > 0);
    return human;
  }

  get tunnelId(): string {
    return [...this.tunnels.keys()][0] ?? "";
  }

  close(): void {
    this.#client.close();
  }

  async ask(holds: (ask: AskView) => boolean = () => true): Promise<AskView> {
    const found = () => [...this.asks.values()].find((ask) => ask.state === "waiting" && holds(ask));
    await until("something is asked", () => found() !== undefined);
    const ask = found();
    if (ask === undefined) throw new Error("nothing is asked");
    return ask;
  }

  async decide(
    { ask, digest }: AskView,
    decision: Extract<NewCommand, { do: "decide" }>["decision"],
  ): Promise<void> {
    await this.#client.ask({ do: "decide", ask, digest, decision });
  }

  async tell(command: NewCommand): Promise<void> {
    await this.#client.ask(command);
  }

  #hear(event: WatchEvent): void {
    this.events.push(event);
    const asks = event.t === "hello" ? event.asks : event.t === "ask" ? [event.ask] : [];
    for (const ask of asks) this.asks.set(ask.ask, ask);
    const tunnels = event.t === "hello" ? event.tunnels : event.t === "tunnel" ? [event.tunnel] : [];
    for (const tunnel of tunnels) this.tunnels.set(tunnel.tunnelId, tunnel);
  }
}

const humans: Human[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const human of humans.splice(0)) human.close();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await closeAgents();
});

async function held(agent: Agent, args: Record<string, unknown>): Promise<z.infer<typeof heldSchema>> {
  return heldSchema.parse(await agent.call("tunnel_say", args));
}

type Heard = NonNullable<Payload["messages"]>[number];

/** Listens until something like this has come. */
async function listened(agent: Agent, holds: (message: Heard) => boolean): Promise<Heard> {
  for (let round = 0; round < 10; round += 1) {
    const { messages = [] } = await agent.call("tunnel_listen", { timeoutMs: 2_000 });
    const found = messages.find(holds);
    if (found !== undefined) return found;
  }
  throw new Error("it has not come");
}

const decided = (outcome: string) => (message: Heard) =>
  message.event === "decided" && message["outcome"] === outcome;

/** Whatever an agent finds in a while that is long enough for a local room. */
async function everything(agent: Agent): Promise<string> {
  const all: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { messages = [] } = await agent.call("tunnel_listen", { timeoutMs: 300 });
    all.push(...messages.map(({ text }) => text));
  }
  return all.join("\n");
}

async function peerState(agent: Agent): Promise<string | undefined> {
  const { members = [] } = await agent.call("tunnel_status");
  return members.find(({ isSelf }) => !isSelf)?.oversight?.state;
}

async function two(env: Record<string, string> = {}): Promise<{ ana: Agent; ben: Agent }> {
  const [ana, ben] = await Promise.all([Agent.start(env), Agent.start({ TUNNEL_BUDGETS: "off" })]);
  await pair(ana, ben);
  return { ana, ben };
}

describe("two servers, two agents, two people", () => {
  it("H15, H16, H18, H22: edit, refuse, block, allow once, and prove it all afterwards", async () => {
    const { ana, ben } = await two();
    const [anaHuman, benHuman] = [await Human.of(ana), await Human.of(ben)];
    await anaHuman.tell({ do: "hold", tunnelId: anaHuman.tunnelId, mode: "out" });

    const answer = await held(ana, { text: "your API is bad" });
    expect(answer.next).toContain("tunnel-mcp watch");
    expect(answer.next).toMatch(/do not reword, split or encode/i);
    const rude = await anaHuman.ask();
    expect(rude).toMatchObject({ ask: answer.askId, subject: { text: "your API is bad" } });
    await anaHuman.decide(rude, { verdict: "edit", text: "I would change page_size" });
    const heard = await listened(ben, ({ kind }) => kind === "chat");
    expect([unfenced(heard.text), heard["author"]]).toEqual(["I would change page_size", "human"]);
    expect(await listened(ana, decided("edited"))).toMatchObject({ askId: answer.askId, local: true });

    await held(ana, { text: "one more thing" });
    await anaHuman.decide(await anaHuman.ask(), { verdict: "refuse", reason: "not now" });
    expect(await listened(ana, decided("refused"))).toMatchObject({ reason: "not now" });
    await anaHuman.tell({ do: "hold", tunnelId: anaHuman.tunnelId, mode: "off" });

    const token = secret();
    const blocked = await held(ana, { text: `use ${token} for now` });
    expect(JSON.stringify(blocked)).not.toContain(token.slice(6));
    const leak = await anaHuman.ask(({ gates }) => gates.includes("secret"));
    expect(JSON.stringify(anaHuman.events)).not.toContain(token.slice(6));
    await anaHuman.decide(leak, { verdict: "approve" });
    expect(await everything(ben)).toContain(token);
    // A yes is for these bytes, once.
    await held(ana, { text: `use ${token} for now` });
    const again = await anaHuman.ask(({ gates }) => gates.includes("secret"));
    expect(again.ask).not.toBe(leak.ask);
    await anaHuman.decide(again, { verdict: "refuse" });

    await benHuman.tell({ do: "say", tunnelId: benHuman.tunnelId, text: "I am Ben himself", to: ["ana"] });
    const spoken = await listened(ana, ({ kind }) => kind === "chat");
    expect([unfenced(spoken.text), spoken["author"], spoken["to"]]).toEqual([
      "I am Ben himself",
      "human",
      expect.anything(),
    ]);

    const { saved } = await ana.call("tunnel_status", { saveTranscript: "proof.json" });
    const file = savedSchema.parse(saved).path;
    const verified = spawnSync(NODE, [BUNDLE, "verify", file], { encoding: "utf8" });
    expect(verified).toMatchObject({ status: 0, stderr: "" });
    expect(verified.stdout).toContain("VERIFIED");
    const shown = spawnSync(NODE, [BUNDLE, "export", file, "--markdown"], { encoding: "utf8" });
    for (const end of ["1 was approved in other words", "2 was refused", "3 was approved"])
      expect(shown.stdout).toContain(end);
    const touched = execFileSync(NODE, ["-e", TOUCH, file], { encoding: "utf8" });
    expect(spawnSync(NODE, [BUNDLE, "verify", touched], { encoding: "utf8" }).status).not.toBe(0);
  });

  it("H24: a loop is stopped, the peer sees it, and only a person lets it go on", async () => {
    const { ana, ben } = await two({ TUNNEL_BUDGETS: "messages=500" });
    let said = 0;
    let last: Payload = {};
    for (; said < 60; said += 1) {
      // Never quite the same: what is said twice at once is sent once.
      last = await ana.call("tunnel_say", { text: `Thank you, I am waiting for you${"!".repeat(said)}` });
      if (last.status === "held") break;
      await ben.call("tunnel_say", { text: `You are welcome, I am waiting for you${"!".repeat(said)}` });
    }
    expect(said).toBeLessThan(30);
    expect(heldSchema.parse(last).next).toContain("tunnel-mcp watch");
    await until("the peer sees it", async () => (await peerState(ben)) === "held");
    const human = await Human.of(ana);
    expect([...human.tunnels.values()][0]?.oversight.stopped).toMatchObject({ reason: "loop" });
    await human.tell({ do: "go-on", tunnelId: human.tunnelId });
    await listened(ana, ({ event }) => event === "decided");
    await until("the peer sees that, too", async () => (await peerState(ben)) !== "held");
    expect((await ana.call("tunnel_say", { text: "Now: which page size, 50 or 100?" })).status).not.toBe(
      "held",
    );
  });

  it("H25: a pause holds both ways, is seen by the peer, and loses nothing", async () => {
    const { ana, ben } = await two();
    const human = await Human.of(ana);
    await human.tell({ do: "pause", tunnelId: human.tunnelId });
    await until("the peer sees it", async () => (await peerState(ben)) === "paused");
    await ben.call("tunnel_say", { text: "are you there?" });
    expect((await held(ana, { text: "an answer" })).reason).toContain("paused");
    expect(await everything(ana)).not.toContain("are you there?");
    await human.tell({ do: "resume", tunnelId: human.tunnelId });
    await listened(ana, ({ text }) => text.includes("are you there?"));
    await listened(ben, ({ text }) => text.includes("an answer"));
    await until("the peer sees that, too", async () => (await peerState(ben)) !== "paused");
  });
});

describe("an agent that will not take no for an answer", () => {
  it("resends, rewords, encodes and splits a secret, and nothing of it leaves, whatever is refused", async () => {
    const { ana, ben } = await two();
    const human = await Human.of(ana);
    const token = secret();
    const attempts = [
      token,
      token,
      `Please note the following value: "${token}", thanks`,
      Buffer.from(`token=${token}`).toString("base64"),
      token.slice(0, 20),
      token.slice(20),
    ];
    const answers = [];
    for (const text of attempts) answers.push(await held(ana, { text }));
    // The same once more is the same call; the first half waits behind the others. Each of the rest has an ask, and is refused.
    expect(answers[1]?.askId).toBe(answers[0]?.askId);
    for (let at = 0; at < 4; at += 1) {
      const ask = await human.ask();
      expect(ask.gates).toContain("secret");
      await human.decide(ask, { verdict: "refuse" });
      await until("it is told", () => human.asks.get(ask.ask)?.state === "refused");
    }
    const heard = await everything(ben);
    expect(heard).not.toContain(token.slice(20));
    expect(heard).not.toContain(Buffer.from(token).toString("base64").slice(10, 30));
    expect([...human.asks.values()].filter(({ state }) => state === "waiting")).toEqual([]);
  });

  it("finds no decision at the endpoint of other commands", async () => {
    const { ana } = await two({ TUNNEL_GATES: "hold-out" });
    const human = await Human.of(ana);
    await held(ana, { text: "may I?" });
    const { ask, digest } = await human.ask();
    const { endpoint, token } = await descriptorOf(ana, "ask");
    const watch = await descriptorOf(ana, "watch");
    expect(watch.token).not.toBe(token);
    const decide = { do: "decide", id: 1, ask, digest, decision: { verdict: "approve" } } as const;
    expect(commandSchema.safeParse(decide).success).toBe(true);
    for (const lines of [
      [decide],
      [{ token, version: "0" }, decide],
      [{ token, action: "decide", input: decide }],
      [{ token, action: "approve", input: { ask } }],
    ])
      expect(await answerTo(endpoint, lines)).not.toContain('"ok":true');
    // Nor does the token of one open the other.
    expect(await answerTo(watch.endpoint, [{ token, version: "0" }, decide])).toBe("");
    expect([...human.asks.values()].map(({ state }) => state)).toEqual(["waiting"]);
  });
});

/** Every line that comes, until the server ends it or says no more. */
function answerTo(endpoint: string, lines: readonly unknown[]): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(endpoint);
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve(answer));
    socket.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  });
}

/** Writes a copy of a transcript in which one decision reads otherwise, and prints its path. */
const TOUCH = `
  const fs = require("node:fs");
  const file = process.argv[1];
  const text = fs.readFileSync(file, "utf8");
  const touched = text.replace(/"outcome":(\\s*)"refused"/, '"outcome":$1"approved"');
  if (touched === text) throw new Error("no decision in it");
  fs.writeFileSync(file + ".touched.json", touched);
  process.stdout.write(file + ".touched.json");
`;

describe("tunnel-mcp watch", () => {
  const AGENTS = ["CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX", "CODEX_THREAD_ID", "AI_AGENT"];

  it.each([[], ["--json"]])("H8: refuses inside the shell of a known agent (%s)", (...args) => {
    for (const variable of AGENTS) {
      const box = sandbox({ [variable]: "1" });
      const { status, stdout, stderr } = spawnSync(NODE, [BUNDLE, "watch", ...args], {
        env: box.env,
        encoding: "utf8",
        timeout: 10_000,
      });
      box.remove();
      expect([variable, status, stdout]).toEqual([variable, 1, ""]);
      expect(stderr).toContain("shell");
    }
  });

  it("H8: refuses without a terminal, and says what a person does", () => {
    const box = sandbox();
    const { status, stderr } = spawnSync(NODE, [BUNDLE, "watch"], {
      env: box.env,
      encoding: "utf8",
      timeout: 10_000,
    });
    box.remove();
    expect(status).toBe(1);
    expect(stderr).toContain("terminal");
  });

  it("--json streams what happens, also in a server that starts later, and takes no decision", async () => {
    const ana = await Agent.start({ TUNNEL_GATES: "hold-out" });
    const child = spawn(NODE, [BUNDLE, "watch", "--json"], {
      env: ana.box.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.push(child);
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    const lines = () =>
      stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => z.looseObject({ t: z.string() }).parse(JSON.parse(line)));
    const ben = await Agent.start({ TUNNEL_BUDGETS: "off" });
    await pair(ana, ben);
    await until("the snapshot", () => lines().some(({ t }) => t === "hello"));
    await held(ana, { text: "may I?" });
    const asked = () => lines().find(({ t }) => t === "ask")?.["ask"];
    await until("it is asked", () => asked() !== undefined);
    const { ask, digest } = z.looseObject({ ask: z.number(), digest: z.string() }).parse(asked());
    child.stdin.write(`approve ${ask}\n`);
    child.stdin.write(
      `${JSON.stringify({ do: "decide", id: 1, ask, digest, decision: { verdict: "approve" } })}\n`,
    );
    await ben.call("tunnel_say", { text: "\u202eevil" });
    await until("what is said", () => lines().some(({ t }) => t === "entry"));
    expect(stdout).not.toContain("\u202e");
    expect(await everything(ben)).not.toContain("may I?");
    await ana.close();
    await until("its server has gone", () => lines().some(({ t }) => t === "gone"));
    child.kill("SIGTERM");
    await until("it has ended", () => child.exitCode !== null || child.signalCode !== null);
  });
});

/** util-linux has `script`, which gives a program a terminal; the one of BSD and macOS takes other arguments. */
function canScript(): boolean {
  try {
    return execFileSync("script", ["--version"], { encoding: "utf8", stdio: "pipe" }).includes("util-linux");
  } catch {
    return false;
  }
}

describe.skipIf(!canScript())("a person at a pseudo-terminal (needs script of util-linux)", () => {
  it("sees what is asked, decides by a typed line, speaks, and leaves with Ctrl-C", async () => {
    const { ana, ben } = await two({ TUNNEL_GATES: "hold-out" });
    const command = [NODE, BUNDLE, "watch"].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
      env: { ...ana.box.env, TERM: "xterm", NO_COLOR: "1" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.push(child);
    let shown = "";
    child.stdout.on("data", (chunk: Buffer) => (shown += chunk.toString()));
    const type = (line: string): void => void child.stdin.write(`${line}\r`);
    await until("the tunnel", () => shown.includes("align the API"));
    await held(ana, { text: "may I say this?" });
    await until("it is asked", () => shown.includes("your agent wants to send this"));
    await until("the title counts it", () => shown.includes("\u001b]0;(1) tunnel-mcp watch\u0007"));
    type("approve 1");
    await until("it may", () => shown.includes("it came only now") || shown.includes("1 is approved"));
    if (!shown.includes("1 is approved")) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      type("approve 1");
    }
    await until("it is approved", () => shown.includes("1 is approved"));
    expect(await everything(ben)).toContain("may I say this?");
    type("say I am here myself");
    expect(await listened(ben, ({ kind }) => kind === "chat")).toMatchObject({ author: "human" });
    child.stdin.write("\u0003");
    await until("it has ended", () => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
    expect(shown).toContain("\u001b]0;\u0007");
    expect((await ben.call("tunnel_say", { text: "the tunnel goes on" })).status).not.toBe("held");
  });
});
