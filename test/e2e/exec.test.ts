import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { Agent, besideEndpoint, closeAgents } from "../support/agent.ts";
import { completeLines } from "../support/lines.ts";
import { gone, isRunning, until } from "../support/processes.ts";

const FAKE = fileURLToPath(new URL("../support/tunnels/fake-tunnel-command.mjs", import.meta.url));
const startSchema = z.object({ pid: z.number(), args: z.array(z.string()), url: z.string() });
afterEach(closeAgents);

/** A host whose tunnel is a TCP proxy in a process of its own; `state` is the file in which each of these tells of itself. */
async function startHost(state: string, env: Record<string, string> = {}): Promise<Agent> {
  return Agent.start({
    TUNNEL_TRANSPORT: "exec",
    TUNNEL_COMMAND: JSON.stringify([process.execPath, FAKE, "proxy", "{port}"]),
    TUNNEL_COMMAND_URL: String.raw`http://127\.0\.0\.1:\d+`,
    FAKE_STATE: state,
    ...env,
  });
}
const startsIn = (state: string): z.infer<typeof startSchema>[] =>
  completeLines(state).map((line) => startSchema.parse(JSON.parse(line)));

it("a whole session runs through the command's address, a spare takes over, and nothing is left", async () => {
  const guest = await Agent.start();
  // The guest's own place, since the host's must stay empty.
  const state = join(guest.box.root, "state");
  const host = await startHost(state);
  const opened = await host.call("tunnel_open", { goal: "through a command", name: "ana" });
  const [first] = startsIn(state);
  expect(opened).toMatchObject({ transport: "exec" });
  expect(opened.joinLink).toMatch(`${first?.url.replace("http:", "ws:")}/t/`);
  expect(first?.args).not.toContain("{port}");
  const joined = await guest.call("tunnel_join", { joinLink: opened.joinLink, name: "ben" });
  expect(joined.goal).toBe("through a command");
  await host.call("tunnel_listen");
  expect(await host.call("tunnel_say", { text: "question" })).toMatchObject({ status: "sent" });
  expect(await guest.hear()).toMatchObject([{ text: expect.stringContaining("question") }]);
  expect(await guest.call("tunnel_say", { text: "answer" })).toMatchObject({ status: "sent" });
  expect(await host.hear()).toMatchObject([{ text: expect.stringContaining("answer") }]);

  await until("the spare one is ready", async () => {
    const { standby } = await host.call("tunnel_status");
    return JSON.stringify(standby) === JSON.stringify({ state: "ready" });
  });
  // Ready means that the guest has heard of it.
  process.kill(first?.pid ?? 0, "SIGKILL");
  await host.call("tunnel_say", { text: "on the way" });
  expect(await guest.hear()).toMatchObject([{ text: expect.stringContaining("on the way") }]);
  expect(await host.call("tunnel_status")).toMatchObject({ transport: "exec", transportHealth: "up" });

  await host.call("tunnel_close");
  for (const { pid } of startsIn(state)) await gone(pid);
  expect([besideEndpoint(host.box.left()), host.stderr]).toEqual([[], ""]);
});

it("both addresses die at once: the host's agent is given a link with the member's name, and tunnel_join with it restores the stay", async () => {
  const guest = await Agent.start();
  const state = join(guest.box.root, "state");
  const host = await startHost(state);
  const opened = await host.call("tunnel_open", { goal: "through a command", name: "ana" });
  const joined = await guest.call("tunnel_join", { joinLink: opened.joinLink, name: "ben" });
  await host.call("tunnel_listen");
  await until("the spare one is ready", async () => {
    const { standby } = await host.call("tunnel_status");
    return JSON.stringify(standby) === JSON.stringify({ state: "ready" });
  });
  for (const { pid } of startsIn(state)) process.kill(pid, "SIGKILL");
  expect(await guest.call("tunnel_say", { text: "on the way" })).toMatchObject({ status: "queued" });
  const notices: Record<string, unknown>[] = [];
  while (!notices.some(({ invites }) => invites !== undefined))
    notices.push(...((await host.call("tunnel_listen")).messages ?? []));
  const last = z.object({
    event: z.literal("address-restored"),
    from: z.literal("tunnel"),
    local: z.literal(true),
    invites: z.tuple([
      z.object({ memberName: z.literal("ben"), joinLink: z.string(), inviteId: z.string() }),
    ]),
  });
  const [{ joinLink }] = last.parse(notices.at(-1)).invites;
  expect(notices.map(({ event }) => event)).toContain("address-lost");
  expect(await guest.call("tunnel_join", { joinLink })).toMatchObject({ tunnelId: joined.tunnelId });
  expect(await host.hear()).toMatchObject([{ text: expect.stringContaining("on the way") }]);
  await host.call("tunnel_close");
  expect([besideEndpoint(host.box.left()), host.stderr]).toEqual([[], ""]);
}, 40_000);

it("the processes end with the server, too", async () => {
  const guest = await Agent.start();
  const state = join(guest.box.root, "state");
  const host = await startHost(state);
  await host.call("tunnel_open", { goal: "to be left" });
  const [start] = startsIn(state);
  expect(isRunning(start?.pid ?? 0)).toBe(true);
  await host.close();
  await gone(start?.pid ?? 0);
});

it.each([
  ["a program that does not exist", ["no-such-program-anywhere"], "exec-missing"],
  [
    "one that ends at once",
    [process.execPath, "-e", "console.log('token 2abcDEF'); process.exit(4)"],
    "exec-exited",
  ],
])("%s has its own code, tells nothing of what it printed, and leaves nothing", async (_, command, code) => {
  const guest = await Agent.start();
  const host = await startHost(join(guest.box.root, "state"), { TUNNEL_COMMAND: JSON.stringify(command) });
  const refusal = await host.refused("tunnel_open", { goal: "x" });
  expect(refusal).toMatchObject({ code, next: expect.stringContaining("human") });
  expect(JSON.stringify(refusal)).not.toContain("2abcDEF");
  expect(besideEndpoint(host.box.left())).toEqual([]);
  // Another transport is a way out at once.
  expect(await host.call("tunnel_open", { goal: "x", transport: "direct" })).toMatchObject({
    transport: "direct",
  });
});

it("an address that leads to somebody else is refused", async () => {
  const guest = await Agent.start();
  const other = await Agent.start();
  const elsewhere = await other.call("tunnel_open", { goal: "another room" });
  const origin = new URL(elsewhere.joinLink ?? "").host;
  const state = join(guest.box.root, "state");
  const host = await startHost(state, {
    TUNNEL_COMMAND: JSON.stringify([process.execPath, FAKE, "print", `http://${origin}/`]),
  });
  const abort = new AbortController();
  const opening = host.call("tunnel_open", { goal: "mine" }, { signal: abort.signal });
  opening.catch(() => undefined);
  await until("it has started", () => completeLines(state).length === 1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  // It is asked again and again, since an address may need a while, but never handed out.
  expect(await host.call("tunnel_status")).toMatchObject({ status: "idle" });
  abort.abort();
  await expect(opening).rejects.toThrow();
  const [line = ""] = readFileSync(state, "utf8").split("\n");
  await gone(z.object({ pid: z.number() }).parse(JSON.parse(line)).pid);
});
