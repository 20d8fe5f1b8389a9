import type { Tool } from "../calls/define-tool.ts";
import { TOOLSET_NAMES, type Toolset } from "../../view/setup/toolsets.ts";
import { closeTool } from "./close.ts";
import { connectTool } from "./connect.ts";
import { exposeListTool } from "./expose/list.ts";
import { exposeRequestsTool } from "./expose/requests.ts";
import { exposeStartTool } from "./expose/start.ts";
import { exposeStopTool } from "./expose/stop.ts";
import { inviteTool } from "./invite.ts";
import { joinTool } from "./join.ts";
import { listenTool } from "./listen.ts";
import { openTool } from "./open.ts";
import { sayTool } from "./say.ts";
import { proposeDoneTool } from "./propose-done.ts";
import { receiveTool } from "./receive.ts";
import { shareTool } from "./share.ts";
import { statusTool } from "./status.ts";

/** The sets of tools that a setting can leave out (TUNNEL_TOOLSETS), each in the order in which it is used. */
const TOOLSETS: Readonly<Record<Toolset, readonly Tool[]>> = {
  pair: [
    openTool,
    inviteTool,
    joinTool,
    sayTool,
    listenTool,
    shareTool,
    receiveTool,
    connectTool,
    statusTool,
    proposeDoneTool,
    closeTool,
  ],
  expose: [exposeStartTool, exposeListTool, exposeRequestsTool, exposeStopTool],
};

/** The tools of these sets. Whatever waits for news is among them. */
export function toolsOf(toolsets: readonly Toolset[]): readonly Tool[] {
  const chosen = TOOLSET_NAMES.filter((name) => toolsets.includes(name)).flatMap((name) => TOOLSETS[name]);
  return chosen.includes(listenTool) ? chosen : [...chosen, listenTool];
}

/** All tools. */
export const TOOLS: readonly Tool[] = toolsOf(TOOLSET_NAMES);
