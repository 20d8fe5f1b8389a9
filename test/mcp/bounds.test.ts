import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { z } from "zod";
import { listed, newestWithin, shownChars, within } from "../../src/mcp/results/bounds.ts";
import { RESULT, ROOM, SESSION } from "../../src/protocol/base/limits.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { FILES } from "../../src/session/files/files.ts";
import { MAX_ALARMS } from "../../src/session/session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { clientOf, fill, wide } from "./room.ts";

let sessions: Sessions;
/** Sessions of the others in a test. */
let others: Sessions[];
beforeEach(() => {
  others = [];
  sessions = sessionsOn(systemClock);
});
afterEach(async () => {
  await Promise.all([sessions, ...others].map((one) => one.shutDown()));
  vi.restoreAllMocks();
});

const counted = z.object({ members: z.array(z.object({ isSelf: z.boolean() })) }).loose();

it("status of a room that is as full as it can be stays small, and tells what it leaves out", async () => {
  const { hosting } = await sessions.host(hostRequest(wide(ROOM.maxGoalChars)));
  hosting.invite(ROOM.maxMembers - 2);
  fill(hosting);
  const status = counted.parse(await (await clientOf(sessions))("tunnel_status"));
  expect(shownChars(status)).toBeLessThanOrEqual(RESULT.defaultChars);
  const { members, otherMembers, membersNotShown, files, alarms, alarmsNotShown } = status;
  // Whoever asks is always among those that are shown.
  expect(members[0]).toMatchObject({ isSelf: true });
  const lengths = z.tuple([z.array(z.string()), z.number()]).parse([otherMembers, membersNotShown]);
  expect(members.length + lengths[0].length + lengths[1]).toBe(ROOM.maxMembers);
  const shown = z.array(z.unknown()).default([]);
  const lists = z
    .object({
      receiving: shown,
      receivingNotShown: z.number(),
      shared: shown,
      sharedNotShown: z.number(),
      offered: shown,
      offeredNotShown: z.number(),
    })
    .parse(files);
  expect(lists.receiving.length + lists.receivingNotShown).toBe(FILES.maxPast);
  expect(lists.shared.length + lists.sharedNotShown).toBe(FILES.maxShares);
  expect(lists.offered.length + lists.offeredNotShown).toBe(FILES.maxOffers);
  expect(lists.offered.at(-1)).toMatchObject({ seq: FILES.maxOffers });
  expect(shown.parse(alarms).length + z.number().parse(alarmsNotShown)).toBe(MAX_ALARMS);
  const { safetyCodes, safetyCodesNotShown, pendingInvites, pendingInvitesNotShown } = status;
  expect(shown.parse(safetyCodes).length + z.number().parse(safetyCodesNotShown)).toBe(ROOM.maxMembers - 1);
  expect(shown.parse(pendingInvites).length + z.number().parse(pendingInvitesNotShown)).toBe(
    ROOM.maxMembers - 1,
  );
});

it("status of as many full rooms as one process can have stays small, too", async () => {
  for (let index = 0; index < SESSION.maxTunnels; index += 1) {
    const { hosting } = await sessions.host(hostRequest(wide(ROOM.maxGoalChars)));
    fill(hosting);
  }
  const status = await (await clientOf(sessions))("tunnel_status");
  expect(status["tunnels"]).toHaveLength(SESSION.maxTunnels);
  expect(shownChars(status)).toBeLessThanOrEqual(RESULT.defaultChars);
});

it("what is said into a full room is answered shortly, and removing somebody from it, too", async () => {
  const { hosting } = await sessions.host(hostRequest());
  const call = await clientOf(sessions);
  fill(hosting);
  vi.spyOn(hosting, "say").mockResolvedValue({ status: "sent", seq: 1 });
  vi.spyOn(hosting, "remove").mockReturnValue();
  const said = counted.parse(await call("tunnel_say", { text: "x" }));
  expect(shownChars(said)).toBeLessThanOrEqual(6 * 1024);
  expect(said.members[0]).toMatchObject({ isSelf: true });
  const removed = await call("tunnel_invite", { remove: "x" });
  expect(shownChars(removed)).toBeLessThanOrEqual(RESULT.defaultChars);
});

it("joining a full room is answered within bounds", async () => {
  const host = sessionsOn(systemClock);
  others.push(host);
  const { invites } = await host.host(hostRequest(wide(ROOM.maxGoalChars)));
  const join = sessions.join.bind(sessions);
  vi.spyOn(sessions, "join").mockImplementation(async (request) => {
    const joined = await join(request);
    fill(joined);
    return joined;
  });
  const joined = await (await clientOf(sessions))("tunnel_join", { joinLink: invites[0]?.joinLink });
  expect(joined).toMatchObject({ membersNotShown: expect.any(Number) });
  expect(shownChars(joined)).toBeLessThanOrEqual(RESULT.defaultChars);
});

it("a whole room of invites stays small: each has a text of its own, and how to set it up is told once", async () => {
  const direct = createDirectOpener({ bind: "127.0.0.1" });
  const url = "wss://four-words-of-a-quick-tunnel-can-be-as-long-as-this.trycloudflare.com";
  sessions = sessionsOn(
    systemClock,
    {},
    { direct: async (request) => ({ ...(await direct(request)), url }) },
  );
  const call = await clientOf(sessions);
  const invites = ROOM.maxMembers - 1;
  const opened = await call("tunnel_open", { goal: wide(ROOM.maxGoalChars), invites });
  expect(shownChars(opened)).toBeLessThanOrEqual(RESULT.defaultChars);
  const shape = z.object({
    setUp: z.string(),
    invites: z.array(z.object({ joinLink: z.string(), invite: z.string(), inviteId: z.string() })),
  });
  const views = shape.parse(opened).invites;
  expect(views).toHaveLength(invites);
  for (const { joinLink, invite } of views) expect(invite).toContain(joinLink);
  for (const { inviteId } of views) await call("tunnel_invite", { revoke: inviteId });
  const again = await call("tunnel_invite", { count: invites });
  expect(shape.parse(again).invites).toHaveLength(invites);
  expect(again).toMatchObject({ pendingNotShown: expect.any(Number) });
  expect(shownChars(again)).toBeLessThanOrEqual(RESULT.defaultChars);
  // A few people get the whole text each.
  for (const { inviteId } of shape.parse(again).invites) await call("tunnel_invite", { revoke: inviteId });
  expect(await call("tunnel_invite", { count: 5 })).not.toHaveProperty("setUp");
});

it("every result tells what is unread in other tunnels, by id", async () => {
  const friend = sessionsOn(systemClock);
  others.push(friend);
  const [first, second] = [await sessions.host(hostRequest()), await sessions.host(hostRequest())];
  const call = await clientOf(sessions);
  expect(await call("tunnel_status", { tunnelId: second.hosting.tunnelId })).not.toHaveProperty(
    "unreadElsewhere",
  );
  const joined = await friend.join(joinRequest(first.invites[0]?.joinLink));
  await joined.say({ text: "over here" });
  const { tunnelId } = first.hosting;
  const elsewhere = { unreadElsewhere: [{ tunnelId, unread: 2 }] };
  const there = { tunnelId: second.hosting.tunnelId };
  for (const [tool, args] of [
    ["tunnel_open", { goal: "third" }],
    ["tunnel_invite", there],
    ["tunnel_say", { ...there, text: "x" }],
    ["tunnel_listen", { ...there, timeoutMs: 0 }],
    ["tunnel_status", there],
    ["tunnel_close", there],
  ] as const) {
    if (tool === "tunnel_say") vi.spyOn(second.hosting, "say").mockResolvedValue({ status: "sent", seq: 1 });
    expect([tool, await call(tool, args)]).toMatchObject([tool, { unread: 0, ...elsewhere }]);
  }
  expect(await call("tunnel_status", { tunnelId })).not.toHaveProperty("unreadElsewhere");
  expect(await call("tunnel_status")).not.toHaveProperty("unreadElsewhere");
  // A failure is about none of them: it counts them together.
  expect(await call("tunnel_listen", { tunnelId: "none" })).toMatchObject({ error: {}, unread: 2 });
});

it("lists are cut by bytes, from the end that matters less, with a count", () => {
  expect(within(["aa", "bb", "cc"], 10)).toEqual(["aa", "bb"]);
  expect(newestWithin(["aa", "bb", "cc"], 10)).toEqual(["bb", "cc"]);
  expect(within(["aa"], 3)).toEqual([]);
  expect(within(["a", "b".repeat(20), "c"], 10)).toEqual(["a", "c"]);
  expect(listed("x", [1], 3)).toEqual({ x: [1], xNotShown: 2 });
  expect(listed("x", [], 0)).toEqual({});
  expect(shownChars({ a: "é", b: undefined })).toBe(9);
});

it.each([RESULT.minChars, 20_000, RESULT.maxChars])(
  "every result about a full room keeps to a limit of %i characters that the human has set",
  async (set) => {
    const { hosting } = await sessions.host(hostRequest(wide(ROOM.maxGoalChars)));
    const call = await clientOf(sessions, systemClock, { results: { set } });
    const most = ROOM.maxMembers - 1;
    const opened = await call("tunnel_open", { goal: wide(ROOM.maxGoalChars), invites: most });
    const { tunnelId } = hosting;
    fill(hosting);
    vi.spyOn(hosting, "say").mockResolvedValue({ status: "sent", seq: 1 });
    vi.spyOn(hosting, "remove").mockReturnValue();
    vi.spyOn(hosting.files, "share").mockResolvedValue({ fileId: "x", sent: { status: "sent", seq: 1 } });
    const results = [
      opened,
      await call("tunnel_status", { tunnelId }),
      await call("tunnel_status"),
      await call("tunnel_say", { tunnelId, text: "x" }),
      await call("tunnel_listen", { tunnelId, timeoutMs: 0 }),
      await call("tunnel_invite", { tunnelId, remove: "x" }),
      await call("tunnel_share", { tunnelId, path: "package.json" }),
      await call("tunnel_say", { tunnelId, ["x".repeat(50_000)]: "y" }),
      await call("tunnel_close", { tunnelId }),
    ];
    for (const result of results) expect(shownChars(result)).toBeLessThanOrEqual(set);
    const { invites, invitesNotShown = 0 } = opened;
    expect([invites].flat().length + Number(invitesNotShown)).toBe(most);
  },
);
