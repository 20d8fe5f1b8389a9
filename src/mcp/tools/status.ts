import * as z from "zod";
import { preparingView, recentFiles, type FilesView } from "../../view/files.ts";
import { statusView, type GuestStatusView, type HostStatusView } from "../../view/status.ts";
import type { Session } from "../../session/sessions.ts";
import { servicesView, type ServicesView } from "../../view/services.ts";
import { boundsOf, listed, newestWithin, within } from "../results/bounds.ts";
import { membersWithin } from "../results/members.ts";
import { resumableFields } from "../results/resumable.ts";
import type { Payload } from "../results/result.ts";
import { signOffFields } from "../results/sign-off.ts";
import { defineTool, type ToolCall } from "../calls/define-tool.ts";
import { tunnelId } from "../calls/inputs.ts";
import { openingFields, openingMeant } from "./opening.ts";

/** Characters for one tunnel, so that several fit into one result. */
interface Share {
  readonly members: number;
  readonly lists: number;
}

/** @param limit of the whole result; @param count the tunnels in it */
function shareOfEach(limit: number, count: number): Share {
  const { members, lists, several } = boundsOf(limit);
  return count === 1 ? { members, lists } : { members: several / count / 2, lists: several / count / 2 };
}

/** Each list gets this part of the characters for lists; own messages, which are few and short, come on top. */
const SHARES = {
  files: 4 / 12,
  services: 2 / 12,
  codes: 4 / 12,
  alarms: 1 / 24,
  cutOff: 1 / 24,
  invites: 1 / 12,
  ownMessages: 1 / 6,
} as const;

function statusFields(tunnel: Session, call: ToolCall, share = shareOfEach(call.limit, 1)): Payload {
  const view = statusView(tunnel, call.clock.now());
  const { tunnelId: id, role, status, goal, openedAt, lastSeq, unread, history, alarms, ended } = view;
  return {
    tunnelId: id,
    role,
    status,
    goal,
    openedAt,
    lastSeq,
    unread,
    ...membersWithin(view.members, share.members),
    history,
    oversight: view.oversight,
    ...signOffFields(tunnel, call.fence),
    ...(view.role === "host" ? hostFields(view, share) : guestFields(view)),
    ...listed(
      "ownMessages",
      newestWithin(view.ownMessages, share.lists * SHARES.ownMessages),
      view.ownMessages.length,
    ),
    ...servicesFields(
      servicesView(tunnel, call.services.loaded?.known(id), call.clock.now()),
      share.lists * SHARES.services,
    ),
    ...filesFields(view.files, share.lists * SHARES.files, tunnel.preparations.running.map(preparingView)),
    ...listed("alarms", newestWithin(alarms, share.lists * SHARES.alarms), alarms.length),
    ...(ended === undefined ? { wake: call.wake(id) } : { ended }),
  };
}

/** The newest of each kind, and how many others there are. */
function filesFields(view: FilesView, maxChars: number, preparing: readonly unknown[]): Payload {
  const recent = recentFiles(view);
  const own = listed("preparing", newestWithin(preparing, maxChars / 3), preparing.length);
  if (recent === undefined) return preparing.length === 0 ? {} : { files: own };
  const list = (kind: keyof FilesView): Payload =>
    listed(kind, newestWithin<unknown>(recent[kind], maxChars / 3), view[kind].length);
  return { files: { ...own, ...list("receiving"), ...list("shared"), ...list("offered") } };
}

function servicesFields(view: ServicesView | undefined, maxChars: number): Payload {
  if (view === undefined) return {};
  const list = (kind: keyof ServicesView): Payload =>
    view[kind].length === 0
      ? {}
      : listed(kind, newestWithin<unknown>(view[kind], maxChars / 3), view[kind].length);
  return { services: { ...list("offered"), ...list("listeners"), ...list("toYou") } };
}

function hostFields(view: HostStatusView, { lists }: Share): Payload {
  const { transport, transportDetail, health, idleEndsInSec, safetyCodes } = view;
  const pendingInvites = within(view.pendingInvites, lists * SHARES.invites);
  const [only, ...more] = safetyCodes;
  const codes = more.length === 0 ? [] : safetyCodes;
  return {
    transport,
    transportDetail,
    ...health,
    pendingInvites,
    pendingInvitesNotShown: view.pendingInvites.length - pendingInvites.length || undefined,
    ...listed("cutOff", within(view.cutOff, lists * SHARES.cutOff), view.cutOff.length),
    idleEndsInSec,
    safetyCode: more.length === 0 ? only?.safetyCode : undefined,
    ...listed("safetyCodes", within(codes, lists * SHARES.codes), codes.length),
  };
}

function guestFields({ connection, queued, safetyCode }: GuestStatusView): Payload {
  return { ...connection, queued, safetyCode };
}

/** What is wrong with the settings and this machine; no field where nothing is. */
async function problemFields({ problems }: ToolCall): Promise<Payload> {
  const found = await problems();
  return found.length === 0 ? {} : { problems: found };
}

/** Tunnels that are being opened beside those that are open; no field where there are none. */
function openingIds({ sessions }: ToolCall): Payload {
  const ids = sessions.openings.untold.map(({ tunnelId }) => tunnelId);
  return ids.length === 0 ? {} : { opening: ids };
}

export const statusTool = defineTool({
  name: "tunnel_status",
  title: "Status",
  description:
    "Shows a tunnel: goal, connection, members and how far each has read, pending invites, files, services, what " +
    "became of your last five messages, alarms, what your human holds (`oversight`), what was signed (`signOff`), " +
    "when it ends by itself, how you can be woken, and safety codes for the humans to compare. Without tunnelId all, " +
    "in less detail.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: z.strictObject({
    tunnelId,
    saveTranscript: z
      .string()
      .optional()
      .describe(
        "Only when your human asks: writes the conversation here; talk: talk.transcript.json and .md.",
      ),
  }),
  repeats: ({ saveTranscript }) => (saveTranscript === undefined ? "anew" : "one"),
  async run({ tunnelId: id, saveTranscript }, call) {
    const { sessions } = call;
    const problems = await problemFields(call);
    const resumable = id === undefined ? await resumableFields(sessions, call.clock) : {};
    if (saveTranscript !== undefined) {
      const tunnel = sessions.resolve(id);
      tunnel.touch();
      const saved = await sessions.transcripts.save(tunnel, saveTranscript);
      return { ...statusFields(tunnel, call), saved, ...problems };
    }
    const opening = openingMeant(call, id);
    if (opening !== undefined) return { ...openingFields(opening, call), ...problems };
    if (id === undefined && sessions.all.length === 0) {
      return {
        status: "idle",
        tunnels: [],
        unread: 0,
        ...resumable,
        ...problems,
        next:
          "resumable" in resumable
            ? "No tunnel is open. Go on with one of `resumable`: tunnel_join with `resume`. Or open one with tunnel_open, or join one with tunnel_join and a link."
            : "No tunnel is open. Open one with tunnel_open, or join one with tunnel_join.",
      };
    }
    if (id === undefined && sessions.open.length > 1) {
      for (const tunnel of sessions.open) tunnel.touch();
      const share = shareOfEach(call.limit, sessions.open.length);
      const tunnels = sessions.open.map((tunnel) => statusFields(tunnel, call, share));
      const unread = sessions.open.reduce((sum, tunnel) => sum + tunnel.inbox.unread, 0);
      return { tunnels, ...openingIds(call), unread, ...resumable, ...problems };
    }
    const tunnel = sessions.resolve(id);
    tunnel.touch();
    return { ...statusFields(tunnel, call), ...openingIds(call), ...resumable, ...problems };
  },
});
