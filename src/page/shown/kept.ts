import type { KeptTunnel } from "../../watch/protocol.ts";
import { resumeCommand } from "../../view/words/kept.ts";
import type { PageEvent } from "../model.ts";
import { clockTime, goal, markedAll, name, oneLine } from "./labels.ts";

/** A tunnel whose program has ended: it is shown until it goes on, or is over. @param now ms since the epoch */
export function keptShown(kept: KeptTunnel, now: number): readonly PageEvent[] {
  const { tunnelId, members, folder, role, keptUntil } = kept;
  const until = clockTime(keptUntil);
  const others = members.length === 0 ? "" : ` with ${members.map(name).join(", ")}`;
  const events: readonly PageEvent[] = [
    {
      t: "tunnel",
      tunnel: {
        tunnelId,
        goal: goal(kept.goal),
        mark: " (kept)",
        state: {
          word: `Kept until ${until}`,
          tone: "away",
          why: "Its program has ended, and another one can go on with it.",
        },
        isHost: role === "host",
        over:
          `The program of this tunnel${others} has ended. Until ${until} another one can go on with it in ${oneLine(folder)}: ` +
          `your agent by tunnel_join with resume, or you in a terminal: ${resumeCommand(kept)}`,
        self: "",
        members: [],
        readTo: 0,
        gauges: [],
        isStopped: false,
        isPaused: false,
        holdsOut: false,
        holdsIn: false,
        invites: { title: "", things: [] },
        signOff: undefined,
        alarms: [],
      },
    },
    // In place of the log, which its next program has.
    {
      t: "entry",
      entry: {
        kind: "system",
        tunnelId,
        at: 1,
        ts: now,
        text: "What was said is shown again when the tunnel goes on.",
      },
    },
  ];
  return events.map((event) => markedAll(event));
}
