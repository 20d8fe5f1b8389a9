import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { codingAgents, type CodingAgent, type Run } from "./agents.ts";
import { call, type Conversation, field, heard, receiving, scripted } from "./scripts.ts";

/** Nobody is there to be asked, and this says so to the client that would ask. */
const UNATTENDED = { TUNNEL_UNATTENDED: "true" };

const agents = codingAgents();
const present = agents.filter(({ isThere }) => isThere);
const pairs = present.flatMap((host) => present.map((guest) => [host, guest] as const));

let runs: Run[] = [];
afterEach(async () => {
  await Promise.all(runs.map((run) => run.stop()));
  runs = [];
});

async function run(agent: CodingAgent, conversation: Conversation): Promise<Run> {
  const one = await agent.start({ script: scripted(conversation), settings: UNATTENDED, isAllowed: true });
  runs.push(one);
  return one;
}

async function* hosting(onLink: (link: string) => void): Conversation {
  const opened = yield call("tunnel_open", { goal: "agree on GET /orders", name: "ana" });
  onLink(field(opened, "joinLink"));
  yield* heard(/joined/);
  yield call("tunnel_share", { path: "orders.json", note: "an example" });
  yield* heard(/it has come/);
  yield call("tunnel_say", { text: "then we are done", intent: "inform" });
  yield* heard(/"ended\\*":|left/);
}

async function* visiting(link: Promise<string>): Conversation {
  yield call("tunnel_join", { joinLink: await link, name: "ben" });
  const offer = yield* heard(/fileId/);
  yield call("tunnel_receive", receiving(offer));
  yield call("tunnel_say", { text: "it has come", intent: "inform" });
  yield* heard(/then we are done/);
  yield call("tunnel_close");
}

for (const { isThere, label } of agents) if (!isThere) it.skip(label, () => undefined);

describe("two agents that nobody watches exchange words and a file", () => {
  for (const [host, guest] of pairs)
    it(`${host.label} with ${guest.label}`, async () => {
      let told: (link: string) => void = () => undefined;
      const link = new Promise<string>((resolve) => (told = resolve));
      const ana = await run(host, hosting(told));
      const over = ana.ended().then(() => Promise.reject(new Error(`there is no link: ${ana.story}`)));
      writeFileSync(path.join(ana.home.project, "orders.json"), '{"orders":[]}');
      const ben = await run(guest, visiting(Promise.race([link, over])));
      await Promise.all([ana.ended(), ben.ended()]);
      const received = path.join(ben.home.project, "orders.json");
      expect(existsSync(received), `${ana.story}\n${ben.story}`).toBe(true);
      expect(readFileSync(received, "utf8")).toBe('{"orders":[]}');
    });
});
