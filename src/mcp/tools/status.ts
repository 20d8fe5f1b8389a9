import * as z from "zod";
import type { OpenTunnel } from "../../session/sessions.ts";
import { BOUNDS, listed, newestWithin, within } from "../results/bounds.ts";
import { defineTool, type ToolCall } from "./define-tool.ts";
import { filesView } from "../../view/files.ts";
import { tunnelId } from "./inputs.ts";
import { healthView, linkView } from "../../view/health.ts";
import { pendingView } from "../../view/invites.ts";
import { membersView } from "../../view/members.ts";
import { errorView, type Payload } from "../results/result.ts";
import { seconds } from "../../view/time.ts";
import { endView, statusOf } from "../../view/status.ts";

/** What one tunnel may take, so that several fit into one result. */
interface Room {
  readonly members: number;
  readonly lists: number;
}

const WHOLE: Room = { members: BOUNDS.membersBytes, lists: BOUNDS.statusBytes };

function roomOfEach(count: number): Room {
  return { members: BOUNDS.severalBytes / count / 2, lists: BOUNDS.severalBytes / count / 2 };
}

function describe(tunnel: OpenTunnel, call: ToolCall, room = WHOLE): Payload {
  const alarms = tunnel.alarms.map(errorView);
  const now = call.clock.now();
  return {
    tunnelId: tunnel.tunnelId,
    role: tunnel.role,
    status: statusOf(tunnel),
    goal: tunnel.goal,
    openedAt: new Date(tunnel.openedAt).toISOString(),
    lastSeq: tunnel.inbox.lastSeq,
    unread: tunnel.inbox.unread,
    ...membersView(tunnel, room.members),
    history: tunnel.history,
    ...(tunnel.role === "host" ? hostView(tunnel, now, room) : memberSideView(tunnel, now)),
    ...listsOfFiles(tunnel, room.lists * SHARES.files),
    ...listed("alarms", newestWithin(alarms, room.lists * SHARES.alarms), alarms.length),
    ...(tunnel.end === undefined ? { wake: call.wake(tunnel.tunnelId) } : endView(tunnel)),
  };
}

/** Parts of what there is for lists. */
const SHARES = { files: 5 / 12, codes: 5 / 12, alarms: 1 / 12, invites: 1 / 12 } as const;

const fileLists = z.object({
  offered: z.array(z.unknown()),
  shared: z.array(z.unknown()),
  receiving: z.array(z.unknown()),
});

/** The newest of each kind; of the others how many there are. */
function listsOfFiles(tunnel: OpenTunnel, maxBytes: number): Payload {
  const shown = fileLists.safeParse(filesView(tunnel)["files"]);
  if (!shown.success) return {};
  const { offered, shares, downloads } = tunnel.files;
  const totals = { offered: offered.length, shared: shares.length, receiving: downloads.length };
  const kinds = ["receiving", "shared", "offered"] as const;
  return {
    files: Object.assign(
      {},
      ...kinds.map((kind) => listed(kind, newestWithin(shown.data[kind], maxBytes / 3), totals[kind])),
    ),
  };
}

function hostView(tunnel: Extract<OpenTunnel, { role: "host" }>, now: number, { lists }: Room): Payload {
  const pending = tunnel.pendingInvites().map(pendingView);
  const others = tunnel.presence().filter((member) => member.safetyCode !== undefined);
  const [only] = others.length === 1 ? others : [];
  const codes = only === undefined ? others.map(({ name, safetyCode }) => ({ name, safetyCode })) : [];
  const pendingInvites = within(pending, lists * SHARES.invites);
  return {
    transport: tunnel.transport,
    transportDetail: tunnel.transportDetail,
    ...healthView(tunnel.health, now),
    pendingInvites,
    pendingInvitesNotShown: pending.length - pendingInvites.length || undefined,
    idleEndsInSec: seconds(tunnel.idleAt - now),
    safetyCode: only?.safetyCode,
    ...listed("safetyCodes", within(codes, lists * SHARES.codes), codes.length),
  };
}

function memberSideView(tunnel: Extract<OpenTunnel, { role: "member" }>, now: number): Payload {
  return {
    ...linkView(tunnel.link, now - tunnel.lastHeard, now),
    queued: tunnel.unplaced,
    safetyCode: tunnel.safetyCode,
  };
}

export const statusTool = defineTool({
  name: "tunnel_status",
  title: "Status",
  description:
    "Shows the state of a tunnel: role, goal, health of the connection, who is there and how far each has read, " +
    "pending invites, unread messages, alarms, when it ends by itself, what can wake this agent, and the safety code of each pairing for the two humans to compare. " +
    "Without a tunnelId and with several tunnels open it shows all of them, in less detail. Long lists are cut, and " +
    "`…NotShown` counts what is left out. Works without any tunnel, too. With " +
    "`saveTranscript` it also writes what was said into a new file, for your human.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: z.strictObject({
    tunnelId,
    saveTranscript: z
      .string()
      .optional()
      .describe(
        "Only when your human asks: a name inside the working directory, e.g. talk. Writes talk.transcript.json and .md.",
      ),
  }),
  async run({ tunnelId: id, saveTranscript }, call) {
    const { sessions } = call;
    if (saveTranscript !== undefined) {
      const tunnel = sessions.resolve(id);
      tunnel.touch();
      const saved = await sessions.transcripts.save(tunnel, saveTranscript);
      return { ...describe(tunnel, call), saved };
    }
    if (id === undefined && sessions.all.length === 0) {
      return {
        status: "idle",
        tunnels: [],
        unread: 0,
        next: "No tunnel is open. Open one with tunnel_open, or join one with tunnel_join.",
      };
    }
    if (id === undefined && sessions.open.length > 1) {
      for (const tunnel of sessions.open) tunnel.touch();
      const room = roomOfEach(sessions.open.length);
      const tunnels = sessions.open.map((tunnel) => describe(tunnel, call, room));
      return { tunnels, unread: sessions.open.reduce((sum, tunnel) => sum + tunnel.inbox.unread, 0) };
    }
    const tunnel = sessions.resolve(id);
    tunnel.touch();
    return describe(tunnel, call);
  },
});
