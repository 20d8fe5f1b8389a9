import { afterEach, expect, test } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { inviteIdFrom } from "../../src/protocol/base/ids.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { inviteView } from "../../src/view/invites.ts";
import { endView, hostStatusView, statusOf, statusView } from "../../src/view/status.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";

const sides = [sessionsOn(systemClock), sessionsOn(systemClock)] as const;
afterEach(() => Promise.all(sides.map((side) => side.shutDown())));

test("both ends of a tunnel show it in the same words, each with its own part", async () => {
  const [anas, bens] = sides;
  const { hosting, invites } = await anas.host({ ...hostRequest(), name: "ana" });
  const now = systemClock.now();
  expect(hostStatusView(hosting, now)).toMatchObject({
    role: "host",
    status: "waiting_for_members",
    self: { id: hosting.self, name: "ana" },
    transport: "direct",
    health: { transportHealth: "up" },
    pendingInvites: [{ inviteId: invites[0]?.inviteId, claimed: false }],
    safetyCodes: [],
    ended: undefined,
  });
  const joinLink = invites[0]?.joinLink ?? "";
  const joined = await bens.join({ joinLink, name: "ben", signal: new AbortController().signal });
  const [host, guest] = [hostStatusView(hosting, now), statusView(joined, now)];
  expect(guest).toMatchObject({
    role: "member",
    status: "open",
    goal: host.goal,
    connection: { connection: "connected" },
    queued: 0,
  });
  expect(host).toMatchObject({ status: "open", pendingInvites: [] });
  expect(guest.safetyCodes).toEqual([{ name: "ana", safetyCode: host.safetyCodes[0]?.safetyCode }]);
  expect(host.safetyCodes).toHaveLength(1);
  await joined.close();
  expect(statusView(joined, now)).toMatchObject({
    status: "closed",
    ended: { cause: "closed-here", because: "this side has closed it" },
  });
  expect(statusOf(hosting)).not.toBe("closed");
});

test("a tunnel that failed has ended with the code of its error", () => {
  const error = new TunnelError("host-unreachable");
  expect(endView({ cause: "failed", error })).toEqual({
    cause: "host-unreachable",
    because: `it failed: ${error.message}`,
  });
});

test("an invite is a text to pass on, with its link, its time and a warning", () => {
  const inviteId = inviteIdFrom(new Uint8Array(16));
  const joinLink = "wss://host/t/room#1.key.hostkey";
  const view = inviteView({ inviteId, joinLink, expiresInMs: 59_600 });
  expect(view).toMatchObject({ inviteId, joinLink, expiresInSec: 60 });
  expect(view.invite).toContain(`\n${joinLink}\n`);
  expect(view.invite).toContain("within 1 minute.");
  expect(view.invite).toContain("It is a secret");
});
