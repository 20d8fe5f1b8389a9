import * as z from "zod";
import { must } from "../../errors/must.ts";
import type { Clock } from "../../runtime/clock.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import { type ProviderName, PROVIDERS } from "../../tunnel/registry/registry.ts";
import { createAgent, type DemoAgent, ToolRefused, withoutFence } from "./agent.ts";
import type { Environment } from "../io/environment.ts";
import { type Output, paintFor } from "../io/output.ts";
import { type Narrator, narrator } from "./narrator.ts";
import { GOAL, openTunnel, joinSchema, withoutSecret } from "./pairing.ts";
import { type Audience, tellToAudience } from "./watched.ts";

export interface DemoOptions {
  readonly transport: ProviderName;
  readonly bundle: string;
  readonly env: Environment;
  /** The same without the settings of this program. */
  readonly plainEnv: Environment;
  readonly cwd: string;
  readonly clock: Clock;
  readonly output: Output;
  readonly onShutdown: (hook: () => Promise<void>) => void;
  /** Shows the page to a person, who watches the agents there and has their say; without it the story is only printed. */
  readonly showPage?: (() => Promise<Audience>) | undefined;
}

const saySchema = z.object({ status: z.string(), seq: z.number().nullish() });
const statusSchema = z.object({
  members: z.array(z.unknown()),
  lastSeq: z.number(),
  safetyCode: z.unknown(),
});

/**
 * Lets two server processes, each driven by an MCP client, pair and talk, and prints the conversation.
 * @returns 0 when every step went as told, 1 when one did not; the processes are stopped either way
 */
export async function demo(options: DemoOptions): Promise<0 | 1> {
  const { transport, bundle, env, plainEnv, cwd, clock, output, onShutdown } = options;
  const settings = {
    ...plainEnv,
    ...passedOn(env, transport),
    TUNNEL_TRANSPORT: transport,
    // A spare address for a minute would only use up what a tunnel service allows.
    TUNNEL_STANDBY: "off",
  };
  const folders = privateFolders(env, machineFacts());
  const agents: DemoAgent[] = [];
  const stopAll = async (): Promise<void> => {
    await Promise.allSettled(agents.splice(0).map((agent) => agent.stop()));
  };
  let interrupted = false;
  onShutdown(() => {
    interrupted = true;
    return stopAll();
  });
  const start = async (name: string): Promise<DemoAgent> => {
    const agent = createAgent({ name, bundle, env: settings, cwd, clock, folders, err: output.err });
    agents.push(agent); // before it runs, so that an early end stops it as well
    await agent.start();
    return agent;
  };
  try {
    await (options.showPage === undefined
      ? tellStory(options, start)
      : tellWatched(options, options.showPage, start));
    return 0;
  } catch (error) {
    if (interrupted) return 1; // the user pressed Ctrl-C and knows why it ended
    output.err(`\nThe demo failed: ${error instanceof Error ? error.message : "unknown error"}\n`);
    if (PROVIDERS[transport].dialsLoopbackOnly)
      output.err("  `tunnel-mcp doctor` shows what is missing here.\n");
    return 1;
  } finally {
    await stopAll();
  }
}

/** The user's own settings that still apply when the demo goes through the internet. */
function passedOn(env: Environment, transport: ProviderName): Record<string, string> {
  const names = [
    "TUNNEL_CLOUDFLARED",
    "TUNNEL_COMMAND",
    "TUNNEL_COMMAND_URL",
    "TUNNEL_DOH",
    "TUNNEL_SKIP_REACHABILITY_CHECK",
  ];
  if (!PROVIDERS[transport].dialsLoopbackOnly) return {};
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** The story for somebody at the page, who may change how it goes. */
async function tellWatched(
  options: DemoOptions,
  showPage: () => Promise<Audience>,
  start: (name: string) => Promise<DemoAgent>,
): Promise<void> {
  const { transport, clock, output } = options;
  const say = narrator(output, paintFor(output.color));
  say.title(`through ${PROVIDERS[transport].title}`);
  const audience = await showPage();
  try {
    await tellToAudience({ audience, start, say, clock });
  } finally {
    await audience.close();
  }
}

async function tellStory(options: DemoOptions, start: (name: string) => Promise<DemoAgent>): Promise<void> {
  const { transport, clock, output } = options;
  const paint = paintFor(output.color);
  const say = narrator(output, paint);
  const started = clock.now();

  say.title(`through ${PROVIDERS[transport].title}`);
  const [ana, ben] = await Promise.all([start("Ana"), start("Ben")]);
  say.note("Two MCP servers are running, Ana's and Ben's, each in a process of its own.");

  const opening = clock.now();
  const joinLink = await openTunnel(ana);
  const openMs = clock.now() - opening;
  say.step("Ana", `opens a tunnel. Goal: ${GOAL}`);
  say.detail(`link  ${withoutSecret(joinLink)}`);

  const joining = clock.now();
  const { safetyCode } = await ben.call("tunnel_join", { joinLink }, joinSchema);
  const joinMs = clock.now() - joining;
  say.step("Ben", "joins with the link, which Ana has sent him.");
  say.detail(`safety code  ${safetyCode}  (both people can compare it)`);

  await converse(ana, ben, say);
  await converse(ben, ana, say);
  await tryAgain(joinLink, start, say);

  const status = await ana.call("tunnel_status", {}, statusSchema);
  say.step(
    "Ana",
    `checks the status: ${status.members.length} members, ${status.lastSeq} entries in the room.`,
  );
  await close(ana, ben, say);

  const totalMs = clock.now() - started;
  say.note(`Opened in ${openMs} ms, paired in ${joinMs} ms, ${(totalMs / 1000).toFixed(1)} s in all.`);
}

/** The questions and answers of both. */
const TALK: Readonly<Record<string, readonly [question: string, answer: string]>> = {
  Ana: [
    "Does GET /orders return a bare array, or an object with a cursor? My client pages.",
    'An object: { "items": [...], "nextCursor": "..." }; nextCursor is absent on the last page. See api/orders.ts.',
  ],
  Ben: [
    "Then which page size do you need? The handler allows 1 to 200.",
    "50. I send ?limit=50 and follow nextCursor until it is absent.",
  ],
};

async function converse(asker: DemoAgent, answerer: DemoAgent, say: Narrator): Promise<void> {
  const [question, answer] = must(TALK[asker.name], "the words of an agent");
  await pass(asker, answerer, question, "request", say);
  await pass(answerer, asker, answer, "inform", say);
}

/** One message, printed as the receiving side got it. */
async function pass(
  from: DemoAgent,
  to: DemoAgent,
  text: string,
  intent: string,
  say: Narrator,
): Promise<void> {
  await from.call("tunnel_say", { text, intent }, saySchema);
  const heard = await to.hear(({ kind }) => kind === "chat");
  const received = withoutFence(must(heard.text, "the text of a message"));
  if (received !== text) throw new Error(`${to.name} received something else than ${from.name} sent`);
  say.message(from.name, to.name, intent, received);
}

async function tryAgain(
  joinLink: string,
  start: (name: string) => Promise<DemoAgent>,
  say: Narrator,
): Promise<void> {
  const eve = await start("Eve");
  try {
    await eve.call("tunnel_join", { joinLink }, joinSchema);
  } catch (error) {
    if (!(error instanceof ToolRefused)) throw error;
    say.step("Eve", `found the link in a chat log and tries it as well: refused (${error.code}).`);
    return;
  } finally {
    await eve.stop();
  }
  throw new Error("the link could be used twice");
}

async function close(ana: DemoAgent, ben: DemoAgent, say: Narrator): Promise<void> {
  const told = ben.hear(({ kind, event }) => kind === "system" && event === "ended");
  const [, end] = await Promise.all([ana.call("tunnel_close", { summary: "Settled." }, z.unknown()), told]);
  say.step("Ana", "closes the tunnel for everyone.");
  say.step("Ben", `is told: ${withoutFence(must(end.text, "the text of the end"))}`);
}
