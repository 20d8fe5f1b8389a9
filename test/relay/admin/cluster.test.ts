import { describe, expect, test } from "vitest";
import * as S from "../../../src/relay/admin/schemas.ts";
import { StaticAuthority } from "../../../src/relay/auth/static.ts";
import { newToken } from "../../../src/relay/auth/tokens.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { nodesOf } from "../cluster/support.ts";
import { echoed, echoRoom, guest, hostOf, roomId } from "../support.ts";
import { adminFor, asking, type AskOptions, type Answered } from "./support.ts";

/** Three nodes, each with an operator's listener, and two tokens. */
async function managedCluster() {
  const made = ["one", "other"].map((label) => newToken({ label, kinds: ["room"] }, Date.now()));
  const [one, other] = made;
  if (one === undefined || other === undefined) throw new Error("no tokens");
  const authority = new StaticAuthority([one.entry, other.entry], systemClock);
  const relays = await nodesOf(3, { authority });
  const ports: number[] = [];
  for (const relay of relays) ports.push((await adminFor(relay, { authority })).port);
  const ask = (node: number, path: string, options?: AskOptions): Promise<Answered> =>
    asking(ports[node] ?? 0, path, options);
  const room = await echoRoom();
  const open = async (node: number, token: string): Promise<string> => {
    const relay = relays[node];
    if (relay === undefined) throw new Error("no node");
    const name = roomId();
    await hostOf(relay, { token })(room.port, { kind: "room", room: name });
    return name;
  };
  return { relays, ask, open, one: one.token, other: other.token };
}

describe("the operator's listener of any node", () => {
  test("lists the tunnels of all nodes, in pages without gaps", async () => {
    const { ask, open, one, other } = await managedCluster();
    const names: string[] = [];
    for (let index = 0; index < 7; index += 1) names.push(await open(index % 3, index === 6 ? other : one));
    for (const node of [0, 1, 2]) {
      const seen: string[] = [];
      let after = "";
      do {
        const page = (await ask(node, `/api/tunnels?limit=3${after}`)).as(S.tunnels);
        expect(page.total).toBe(7);
        expect(page.tunnels.length).toBeLessThanOrEqual(3);
        seen.push(...page.tunnels.map(({ name }) => name));
        after = page.next === null ? "" : `&after=${page.next}`;
      } while (after !== "");
      expect(seen).toEqual(names);
    }
    const own = (await ask(0, "/api/tunnels", { token: other })).as(S.tunnels);
    expect(own.tunnels.map(({ name }) => name)).toEqual(names.slice(6));
    expect((await ask(0, "/api/tunnels?limit=0")).status).toBe(400);
  });

  test("shows, counts and closes a tunnel of another node, for those who may", async () => {
    const { relays, ask, open, one, other } = await managedCluster();
    const name = await open(2, one);
    const entry = relays[1];
    if (entry === undefined) throw new Error("no node");
    const socket = await guest(entry.port, name);
    await echoed(socket, Buffer.from("hello"));
    socket.destroy();
    const [tunnel] = (await ask(0, "/api/tunnels")).as(S.tunnels).tunnels;
    const id = tunnel?.id ?? "";
    expect((await ask(0, `/api/tunnels/${id}`)).as(S.tunnel)).toMatchObject({ name, kind: "room" });
    await expect.poll(async () => (await ask(0, `/api/tunnels/${id}/requests`)).as(S.requests).total).toBe(1);
    for (const options of [{ token: other }, { token: other, method: "DELETE" }])
      expect((await ask(0, `/api/tunnels/${id}`, options)).status).toBe(404);
    expect((await ask(0, "/api/tunnels/0123456789abcdef")).status).toBe(404);
    expect(relays[2]?.hosts.size).toBe(1);
    expect((await ask(0, `/api/tunnels/${id}`, { token: one, method: "DELETE" })).status).toBe(204);
    await expect.poll(() => relays[2]?.hosts.size).toBe(0);
    expect((await ask(0, `/api/tunnels/${id}`)).status).toBe(404);
  });

  test("tells of all nodes in its status and its figures", async () => {
    const { relays, ask, open, one } = await managedCluster();
    await open(0, one);
    await open(1, one);
    await expect
      .poll(async () =>
        (await ask(2, "/api/status"))
          .as(S.status)
          .nodes?.map(({ tunnels }) => tunnels)
          .toSorted(),
      )
      .toEqual([0, 1, 1]);
    const { nodes } = (await ask(2, "/api/status")).as(S.status);
    expect(nodes?.map(({ node }) => node).toSorted()).toEqual(
      relays.map(({ context }) => context.node).toSorted(),
    );
    const { text } = await ask(2, "/metrics");
    expect(text).toMatch(/^tunnel_relay_cluster_nodes 3$/m);
    expect(text).toMatch(/^tunnel_relay_cluster_tunnels 2$/m);
    expect(text).toMatch(/^tunnel_relay_cluster_connections \d+$/m);
    for (const { context } of relays) expect(text).not.toContain(context.node);
    const { tokens } = (await ask(2, "/api/tokens")).as(S.tokens);
    expect(tokens.map(({ label, tunnels }) => `${label} ${tunnels}`).toSorted()).toEqual([
      "one 2",
      "other 0",
    ]);
  });
});
