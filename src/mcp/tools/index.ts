import type { Tool } from "../calls/define-tool.ts";
import { closeTool } from "./close.ts";
import { inviteTool } from "./invite.ts";
import { joinTool } from "./join.ts";
import { listenTool } from "./listen.ts";
import { openTool } from "./open.ts";
import { sayTool } from "./say.ts";
import { receiveTool } from "./receive.ts";
import { shareTool } from "./share.ts";
import { statusTool } from "./status.ts";

/** All tools, in the order in which a conversation uses them. */
export const TOOLS: readonly Tool[] = [
  openTool,
  inviteTool,
  joinTool,
  sayTool,
  listenTool,
  shareTool,
  receiveTool,
  statusTool,
  closeTool,
];
