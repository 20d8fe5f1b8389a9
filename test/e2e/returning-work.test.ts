import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { closeAgents, type Agent, type Payload } from "../support/agent.ts";
import { atEnd } from "../support/at-end.ts";
import {
  holdAfter,
  meet,
  meetThrough,
  offer,
  parts,
  put,
  release,
  worker,
} from "../support/files/file-agents.ts";
import { Repository } from "../support/files/temp-repository.ts";
import { until } from "../support/processes.ts";
import { Proxy } from "../support/proxy.ts";

/** Work under way when a server ends, over real processes: folders, what was made in memory, and what nobody comes back for. */

afterEach(closeAgents);

const WAYS = ["killed", "closed"] as const;

/** A developer whose state lies outside of their project. */
function developer(name: string): { states: string; agent: Promise<Agent> } {
  const states = mkdtempSync(join(tmpdir(), "states-"));
  atEnd(() => rmSync(states, { recursive: true, force: true }));
  const env = { TUNNEL_KEEP_MINUTES: "10", TUNNEL_UNATTENDED: "1", XDG_STATE_HOME: states };
  return { states, agent: worker(name, env) };
}

async function back(agent: Agent): Promise<Payload> {
  const { resumable } = await agent.call("tunnel_status");
  const [only] = resumable as { tunnelId: string }[];
  return agent.call("tunnel_join", { resume: only?.tunnelId });
}

describe("a folder on its way", { timeout: 60_000 }, () => {
  const COUNT = 128;
  const BYTES = 64 * 1024;
  const names = Array.from({ length: COUNT }, (_, index) => `many/${index % 4}/${index}.bin`);

  /** Half of it has come. */
  async function onItsWay() {
    const wire = await Proxy.start();
    atEnd(() => wire.close());
    const [ana, ben] = [developer("ana"), developer("ben")];
    const [host, guest] = [await ana.agent, await ben.agent];
    const { crossing } = await meetThrough(wire, host, guest);
    for (const name of names) put(host, name, randomBytes(BYTES));
    const { fileId } = await offer(host, { paths: ["many"] }, guest);
    holdAfter(crossing, "toGuest", (COUNT * BYTES) / 2);
    const target = join(guest.box.root, "here");
    const receiving = guest.call("tunnel_receive", { fileId, savePath: target }).catch(() => undefined);
    await until("half of it has come", () => bytesIn(guest) > (COUNT * BYTES) / 4);
    return { host, guest, states: ben.states, target, receiving, crossing, wire };
  }

  const bytesIn = (agent: Agent): number =>
    parts(agent).filter((name) => name.endsWith(".bin")).length * BYTES;

  it.each(WAYS)("goes on from its whole files when its receiver's server was %s", async (how) => {
    const { host, guest, target, receiving, crossing, wire } = await onItsWay();
    await guest.ended(how);
    await receiving;
    expect(bytesIn(guest)).toBeGreaterThan((COUNT * BYTES) / 4);
    release(crossing);
    const next = await guest.again();
    await back(next);
    await until("it is there", () => existsSync(target));
    const others = names.filter((name) => {
      const received = readFileSync(join(target, name.replace("many/", "")));
      return !received.equals(readFileSync(join(host.box.root, name)));
    });
    expect(others).toEqual([]);
    // Less than the whole has come once more.
    expect(wire.newest?.toGuest.passed).toBeLessThan(COUNT * BYTES * 0.8);
    await until("its agent is told", async () => {
      const { messages = [] } = await next.call("tunnel_listen", { timeoutMs: 0 });
      return messages.some(({ event }) => event === "file-received");
    });
    expect(parts(next)).toEqual([]);
  });

  it("is removed from the project where nobody comes back in time", async () => {
    const { guest, states, receiving } = await onItsWay();
    await guest.ended("killed");
    await receiving;
    expect(parts(guest)).not.toEqual([]);
    const stays = join(states, "tunnel-mcp", "stays");
    const long = new Date(Date.now() - 3_600_000);
    for (const name of readdirSync(stays, { recursive: true, encoding: "utf8" }))
      utimesSync(join(stays, name), long, long);
    const next = await guest.again();
    await until("nothing of it is left", () => parts(next).length === 0);
    await until("nor of the stay", () => readdirSync(stays).length === 0);
  });
});

describe("a patch that was made in memory", { timeout: 60_000 }, () => {
  it.each(WAYS)("can still be fetched when its sender's server was %s", async (how) => {
    const [ana, ben] = [developer("ana"), developer("ben")];
    const host = await ana.agent;
    const guest = await ben.agent;
    await meet(host, guest);
    const repository = new Repository(host.box.root);
    repository.put(".git/info/exclude", "tmp\ncache\nhome\n");
    repository.put("a.txt", "one\n");
    repository.commit();
    repository.put("a.txt", "two\n");
    const { fileId } = await offer(host, { patch: true }, guest);
    repository.put("a.txt", "three\n");
    const next = await host.restarted(how);
    await back(next);
    const received = await guest.call("tunnel_receive", { fileId, savePath: "one.patch" });
    expect(received).toMatchObject({ status: "received" });
    expect(readFileSync(join(guest.box.root, "one.patch"), "utf8")).toContain("+two");
    await next.call("tunnel_close");
    const stays = join(ana.states, "tunnel-mcp", "stays");
    await until("nothing is left of it", () => readdirSync(stays).length === 0);
  });
});
