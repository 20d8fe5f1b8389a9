import { createServer } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { Agent, closeAgents, portOf } from "../support/agent.ts";
import { accepts, until } from "../support/processes.ts";
import { takenPort } from "../session/support.ts";

afterEach(closeAgents);

async function freePort(): Promise<string> {
  const { port, free } = await takenPort();
  free();
  return String(port);
}

describe("a fixed TUNNEL_PORT", () => {
  it("is shared by two tunnels of one server; closing one leaves the other, and the last one frees it", async () => {
    const port = await freePort();
    const [host, guest] = [await Agent.start({ TUNNEL_PORT: port }), await Agent.start()];
    const one = await host.call("tunnel_open", { goal: "one", name: "ana" });
    const two = await host.call("tunnel_open", { goal: "two", name: "ana" });
    expect([portOf(one.joinLink), portOf(two.joinLink)]).toEqual([Number(port), Number(port)]);
    const joined = [];
    for (const { joinLink } of [one, two])
      joined.push(await guest.call("tunnel_join", { joinLink, name: "ben" }));
    expect(joined.map(({ goal }) => goal)).toEqual(["one", "two"]);
    await host.call("tunnel_close", { tunnelId: one.tunnelId });
    await host.call("tunnel_say", { text: "here", tunnelId: two.tunnelId });
    const heard = await guest.hear(1, { tunnelId: joined[1]?.tunnelId });
    expect(heard.map(({ text }) => text)).toEqual([expect.stringContaining("here")]);
    await host.call("tunnel_close", { tunnelId: two.tunnelId });
    await until("the port is free", async () => !(await accepts(Number(port))));
  });

  it("that another server of this user holds is said to be our own, with the process that has it", async () => {
    const port = await freePort();
    const first = await Agent.start({ TUNNEL_PORT: port });
    await first.call("tunnel_open", { goal: "first" });
    const { TMPDIR = "", LOCALAPPDATA = "" } = first.box.env;
    const second = await Agent.start({ TUNNEL_PORT: port, TMPDIR, LOCALAPPDATA });
    expect(await second.refused("tunnel_open", { goal: "second" })).toMatchObject({
      code: "port-in-use-ours",
      message: expect.stringContaining(`port ${port}, by process ${first.pid}, started in `),
    });
    await first.call("tunnel_close");
    expect(await second.call("tunnel_open", { goal: "second" })).toMatchObject({
      status: "waiting_for_members",
    });
  });

  it("that another program holds is said to be that", async () => {
    const program = createServer().listen(0, "127.0.0.1");
    await once(program, "listening");
    const address = program.address();
    const port = String(typeof address === "object" ? address?.port : "");
    const agent = await Agent.start({ TUNNEL_PORT: port });
    expect(await agent.refused("tunnel_open", { goal: "x" })).toMatchObject({
      code: "port-in-use",
      message: expect.stringContaining("by another program"),
    });
    program.close();
  });

  it("at a wider address than that of a tunnel which is open is said to be our own", async () => {
    const port = await freePort();
    const env = {
      TUNNEL_PORT: port,
      TUNNEL_BIND: "0.0.0.0",
      TUNNEL_TRANSPORT: "exec",
      TUNNEL_SKIP_REACHABILITY_CHECK: "1",
    };
    const command = JSON.stringify([
      process.execPath,
      "-e",
      "console.log('https://x.example'); setInterval(() => {}, 1e3)",
    ]);
    const agent = await Agent.start({ ...env, TUNNEL_COMMAND: command });
    // Two rooms may be behind one public address: each has its own path.
    const opened = [
      await agent.call("tunnel_open", { goal: "a" }),
      await agent.call("tunnel_open", { goal: "b" }),
    ];
    for (const { joinLink } of opened) expect(joinLink).toMatch(/^wss:\/\/x\.example\/t\//);
    expect(await agent.refused("tunnel_open", { goal: "c", transport: "direct" })).toMatchObject({
      code: "port-in-use-here",
      message: expect.stringContaining(opened[0]?.tunnelId ?? "an id"),
    });
  });
});
