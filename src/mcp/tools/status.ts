import * as z from "zod";
import type { OpenTunnel } from "../../session/sessions.ts";
import { defineTool, type ToolCall } from "../define-tool.ts";
import { filesView } from "../file-view.ts";
import { tunnelId } from "../inputs.ts";
import { healthView, linkView } from "../health-view.ts";
import { pendingView } from "../invite-view.ts";
import { errorView, type Payload } from "../result.ts";
import { seconds } from "../time.ts";
import { endView, memberViews, statusOf } from "../views.ts";

function describe(tunnel: OpenTunnel, call: ToolCall): Payload {
  const now = call.clock.now();
  return {
    tunnelId: tunnel.tunnelId,
    role: tunnel.role,
    status: statusOf(tunnel),
    goal: tunnel.goal,
    openedAt: new Date(tunnel.openedAt).toISOString(),
    lastSeq: tunnel.inbox.lastSeq,
    unread: tunnel.inbox.unread,
    members: memberViews(tunnel),
    history: tunnel.history,
    ...(tunnel.role === "host" ? hostView(tunnel, now) : memberSideView(tunnel, now)),
    ...filesView(tunnel),
    alarms: tunnel.alarms.length === 0 ? undefined : tunnel.alarms.map(errorView),
    ...(tunnel.end === undefined ? { wake: call.wake(tunnel.tunnelId) } : endView(tunnel)),
  };
}

function hostView(tunnel: Extract<OpenTunnel, { role: "host" }>, now: number): Payload {
  const others = tunnel.presence().filter((member) => member.safetyCode !== undefined);
  const [only] = others.length === 1 ? others : [];
  return {
    transport: tunnel.transport,
    transportDetail: tunnel.transportDetail,
    ...healthView(tunnel.health, now),
    pendingInvites: tunnel.pendingInvites().map(pendingView),
    idleEndsInSec: seconds(tunnel.idleAt - now),
    safetyCode: only?.safetyCode,
    safetyCodes: others.length > 1 ? others.map(({ name, safetyCode }) => ({ name, safetyCode })) : undefined,
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
    "Without a tunnelId and with several tunnels open it shows all of them. Works without any tunnel, too. With " +
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
      const tunnels = sessions.open.map((tunnel) => describe(tunnel, call));
      return { tunnels, unread: sessions.open.reduce((sum, tunnel) => sum + tunnel.inbox.unread, 0) };
    }
    const tunnel = sessions.resolve(id);
    tunnel.touch();
    return describe(tunnel, call);
  },
});
