import * as z from "zod";
import { claimView, endedView, exposureView } from "../../../view/expose/exposures.ts";
import { defineTool } from "../../calls/define-tool.ts";
import { boundsOf, listed, within } from "../../results/bounds.ts";
import { bounded } from "../../calls/inputs.ts";

const DEFAULT_ENDED = 20;
const MAX_ENDED = 100;

export const exposeListTool = defineTool({
  name: "expose_list",
  title: "List exposures",
  description:
    "Lists this machine's public addresses: state, time left, requests, and claim links: used by whom, or unused. " +
    "`others` are of your human's other sessions: leave them alone.",
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: z.strictObject({
    history: z.boolean().optional().describe("Ended ones as well."),
    protocol: z.enum(["http", "tcp"]).optional().describe("Only these."),
    limit: z.int().min(1).optional().describe(`Ended ones at most. Default ${DEFAULT_ENDED}.`),
  }),
  repeats: () => "anew",
  async run({ history, protocol, limit }, call) {
    const exposures = await call.exposures.get();
    const now = call.clock.now();
    const isMeant = protocol !== "tcp";
    const most = bounded(limit ?? DEFAULT_ENDED, MAX_ENDED);
    const ended = history === true && isMeant ? await exposures.history.read() : undefined;
    const others = isMeant ? await exposures.others() : [];
    const room = boundsOf(call.limit).lists;
    const shownEnded = ended && within(ended.slice(0, most.value).map(endedView), room);
    const running = isMeant ? exposures.running : [];
    return {
      exposures: running.map((one) => ({
        ...exposureView(one, now),
        access: one.request.kinds,
        openPaths: one.request.openPaths.map(({ text }) => text),
        claims: one.claims.map((claim) => claimView(claim, one.ways.claim?.links ?? [])),
      })),
      ...(others.length === 0 ? {} : { others: within(others, room) }),
      ...(shownEnded === undefined ? {} : listed("ended", shownEnded, ended?.length ?? 0)),
      limitedTo: most.cutTo,
      next:
        running.length === 0
          ? "Nothing is exposed by this session. expose_start makes an address."
          : undefined,
    };
  },
});
