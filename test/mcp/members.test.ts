import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it, test } from "vitest";
import { z } from "zod";
import { membersOf } from "../../src/mcp/results/members.ts";
import { memberView } from "../../src/view/members.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { Repository } from "../support/files/temp-repository.ts";
import { clientOf, presence } from "./room.ts";

test("of a room that does not fit this side and the host come first, then who is there, then names", () => {
  const present = [
    presence(0, { connected: false }),
    presence(1),
    presence(2),
    presence(3, { isHost: true }),
    presence(4, { isSelf: true }),
  ];
  const room = { presence: () => present };
  expect(membersOf(room, 20_000)).toEqual({ members: present.map(memberView) });
  const shape = z.object({
    members: z.array(z.object({ id: z.string() })),
    otherMembers: z.array(z.string()),
    membersNotShown: z.number().optional(),
  });
  const cut = shape.parse(membersOf(room, 2_700));
  expect(cut.members.map(({ id }) => Number(id.replaceAll("i", "")))).toEqual([4, 3, 1]);
  expect(cut.otherMembers).toEqual([present[2]?.name, present[0]?.name]);
  expect(cut.membersNotShown).toBeUndefined();
  expect(shape.parse(membersOf(room, 1_400))).toMatchObject({ membersNotShown: 2 });
});

let root: string;
let sides: Sessions[];
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "tunnel-contexts-"));
  sides = [];
});
afterEach(async () => {
  await Promise.all(sides.map((one) => one.shutDown()));
  rmSync(root, { recursive: true, force: true });
});

/** Somebody's working copy, and their side of a tunnel in it. */
function side(name: string, context = true): { repository: Repository; sessions: Sessions } {
  const folder = path.join(root, name, "secret-folder");
  mkdirSync(folder, { recursive: true });
  const repository = new Repository(folder);
  repository.git("remote", "add", "origin", "https://ana:token@git.example/team/shop.git");
  const sessions = sessionsOn(systemClock, { context }, {}, { cwd: folder });
  sides.push(sessions);
  return { repository, sessions };
}

it("two agents are told whether they look at the same code when one joins, and nothing that leads anywhere", async () => {
  const [ana, ben] = [side("ana"), side("ben")];
  ana.repository.put("a.txt", "one");
  const head = ana.repository.commit();
  ben.repository.git("fetch", "--quiet", ana.repository.folder, "main");
  ben.repository.git("reset", "--quiet", "--hard", "FETCH_HEAD");
  appendFileSync(path.join(ben.repository.folder, "a.txt"), "two");
  const [anas, bens] = [await clientOf(ana.sessions), await clientOf(ben.sessions)];
  const opened = await anas("tunnel_open", { goal: "g", name: "ana" });
  const joined = await bens("tunnel_join", { joinLink: opened["joinLink"], name: "ben" });
  const workContext = { repository: "shop", branch: "main", head: head.slice(0, 12), client: "test 0" };
  const members = [
    { name: "ana", isHost: true, workContext: { ...workContext, dirty: false } },
    { name: "ben", isSelf: true, workContext: { ...workContext, dirty: true } },
  ];
  expect(joined).toMatchObject({
    sameCode: { repository: true, head: true, dirtyHere: true, dirtyAtHost: false },
    members,
  });
  const heard = await anas("tunnel_listen");
  expect(heard).toMatchObject({
    messages: [{ event: "joined", memberName: "ben", workContext: { ...workContext, dirty: true } }],
  });
  const status = await anas("tunnel_status");
  expect(status).toMatchObject({ members: [{ name: "ana" }, { name: "ben", workContext: { dirty: true } }] });
  const shown = JSON.stringify([joined, heard, status]);
  for (const hidden of ["token", "git.example", "team", "secret-folder", head])
    expect(shown).not.toContain(hidden);
});

it("a side that tells nothing is compared with nobody", async () => {
  const { sessions } = side("ana");
  const ben = side("ben", false);
  const { invites } = await sessions.host(hostRequest());
  const joined = await (await clientOf(ben.sessions))("tunnel_join", { joinLink: invites[0]?.joinLink });
  expect(joined).not.toHaveProperty("sameCode");
  expect(joined).toMatchObject({ members: [{ workContext: { repository: "shop" } }, { isSelf: true }] });
});
