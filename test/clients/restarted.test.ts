import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../support/processes.ts";
import { codingAgents, type CodingAgent, type Run, type RunOptions } from "./agents.ts";
import { call, type Conversation, field, heard, scripted } from "./scripts.ts";

/** A client is ended and started again with its resume flag, and its agent goes on in the tunnel that it had. */

const KEPT = { TUNNEL_UNATTENDED: "true", TUNNEL_KEEP_MINUTES: "10" };
const CONTINUE = { flags: ["--continue"] };

let runs: Run[] = [];
afterEach(async () => {
  await Promise.all(runs.map((run) => run.stop()));
  runs = [];
});

async function run(
  agent: CodingAgent,
  conversation: Conversation,
  options: Partial<RunOptions> = {},
): Promise<Run> {
  const one = await agent.start({
    script: scripted(conversation),
    settings: KEPT,
    isAllowed: true,
    ...options,
  });
  runs.push(one);
  return one;
}

interface Told {
  readonly link: Promise<string>;
  readonly tell: (link: string) => void;
}

function told(): Told {
  let tell: (link: string) => void = () => undefined;
  const link = new Promise<string>((resolve) => (tell = resolve));
  return { link, tell };
}

/** What stands between the quotes, however often the client has put the JSON into quotes of its own. */
const plain = (result: string): string => result.replaceAll("\\", "");

/** As a model that knows nothing but what it is shown: it goes on talking, and is led back by the error. */
async function* goingOn(text: string, shown: string[]): Conversation {
  const refused = plain(yield call("tunnel_say", { text }));
  shown.push(refused);
  expect(refused).toContain('"code":"no-tunnel"');
  expect(refused).toMatch(/tunnel_join.*`resume`.*`resumable`/);
  const listed = refused.slice(refused.indexOf('"resumable"'));
  const back = plain(yield call("tunnel_join", { resume: field(listed, "tunnelId") }));
  shown.push(back);
  expect(back).toContain('"lastMessages"');
  const said = plain(yield call("tunnel_say", { text }));
  expect(said).toMatch(/"status":"(?:sent|queued)"/);
}

const staysOf = ({ home }: Run): string[] => {
  const stays = path.join(home.folder, ".local", "state", "tunnel-mcp", "stays");
  return existsSync(stays) ? readdirSync(stays) : [];
};

const agents = codingAgents().filter(({ name }) => name === "claude");
for (const { isThere, label } of agents) if (!isThere) it.skip(label, () => undefined);

for (const agent of agents.filter(({ isThere }) => isThere))
  describe(agent.label, () => {
    it.each(["its turn has ended", "it was killed while it listened"] as const)(
      "as the host's goes on with --continue after %s",
      async (how) => {
        const { link, tell } = told();
        const shown: string[] = [];
        async function* hosting(): Conversation {
          const opened = yield call("tunnel_open", { goal: "agree on GET /orders", name: "ana" });
          tell(field(opened, "joinLink"));
          yield* heard(/joined/);
          yield call("tunnel_say", { text: "the first word" });
          yield* heard(/the second word/);
          if (how === "it was killed while it listened") yield* heard(/never said/);
        }
        async function* visiting(): Conversation {
          yield call("tunnel_join", { joinLink: await link, name: "ben" });
          yield* heard(/the first word/);
          yield call("tunnel_say", { text: "the second word" });
          yield* heard(/the third word/);
          yield call("tunnel_say", { text: "the last word" });
          yield* heard(/"ended\\*":/);
        }
        async function* again(): Conversation {
          yield* goingOn("the third word", shown);
          yield* heard(/the last word/);
          yield call("tunnel_close");
        }
        const ana = await run(agent, hosting());
        const ben = await run(agent, visiting());
        if (how === "its turn has ended") await ana.ended();
        else {
          await until(
            "the second word is heard",
            () => ana.model.turns.some(({ results }) => results.at(-1)?.includes("the second word") === true),
            90_000,
          );
          await ana.kill();
        }
        expect(staysOf(ana), ana.story).toHaveLength(1);
        const next = await run(agent, again(), { home: ana.home, more: CONTINUE });
        await Promise.all([next.ended(), ben.ended()]);
        expect(shown, `${next.story}\n${ben.story}`).toHaveLength(2);
        // The conversation of before is in the request. One that is killed in a turn may have saved nothing of it, and its agent is
        // led back all the same.
        if (how === "its turn has ended") expect(next.model.turns[0]?.request).toContain("the second word");
        expect(next.story).toMatch(/closed/);
        await until("nothing is left", () => staysOf(ana).length + staysOf(ben).length === 0);
      },
    );

    it("as a guest's goes on with --continue", async () => {
      const { link, tell } = told();
      const shown: string[] = [];
      async function* hosting(): Conversation {
        const opened = yield call("tunnel_open", { goal: "agree on GET /orders", name: "ana" });
        tell(field(opened, "joinLink"));
        yield* heard(/the first word/);
        yield call("tunnel_say", { text: "the second word" });
        yield* heard(/the third word/);
        yield call("tunnel_close");
      }
      async function* visiting(): Conversation {
        yield call("tunnel_join", { joinLink: await link, name: "ben" });
        yield call("tunnel_say", { text: "the first word" });
      }
      async function* again(): Conversation {
        yield* goingOn("the third word", shown);
        yield* heard(/"ended\\*":/);
      }
      const ana = await run(agent, hosting());
      const ben = await run(agent, visiting());
      await ben.ended();
      const next = await run(agent, again(), { home: ben.home, more: CONTINUE });
      await Promise.all([next.ended(), ana.ended()]);
      expect(shown, `${next.story}\n${ana.story}`).toHaveLength(2);
      await until("nothing is left", () => staysOf(ana).length + staysOf(ben).length === 0);
    });
  });
