import type { Survey } from "../../bridge/survey.ts";
import { boundsOf, within } from "./bounds.ts";
import type { Fence } from "./fence.ts";
import type { Payload } from "./result.ts";

/** The beginning of a description: enough to choose by. */
const DESCRIPTION_CHARS = 160;

/** The tools of a peer's MCP server as information: one line each, in the fence, as many as fit. */
export function peerToolsFields(
  { tools, hasMore }: Survey,
  { fence, limit }: { readonly fence: Fence; readonly limit: number },
): Payload {
  const lines = tools.map(({ name, description }) => {
    const words = fence.bared(description).replace(/\s+/g, " ").trim();
    const shown = words.length > DESCRIPTION_CHARS ? fence.shortened(words, DESCRIPTION_CHARS) : words;
    return shown === "" ? name : `${name}: ${shown}`;
  });
  const shown = within(lines, boundsOf(limit).lists);
  const left = tools.length - shown.length;
  const rest = left > 0 ? [`and ${left}${hasMore ? " or more" : ""} others`] : hasMore ? ["and more"] : [];
  return { tools: fence.wrap([...shown, ...rest].join("\n")) };
}
