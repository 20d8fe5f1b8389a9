import * as z from "zod";
import { id } from "../../../arguments/strings.ts";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { claimView, exposureView } from "../../../view/expose/exposures.ts";
import { defineTool } from "../../calls/define-tool.ts";
import { exposureNamed } from "./named.ts";

export const exposeStopTool = defineTool({
  name: "expose_stop",
  title: "Stop exposing",
  description:
    "Ends public addresses of this session for good: by name or exposureId, or `all`. `claim` takes one person's way " +
    "in instead. The service itself goes on.",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({
    exposureId: id().optional().describe("If several."),
    name: id().optional().describe("Its name."),
    all: z.boolean().optional().describe("Every one of this session."),
    claim: id().optional().describe("Revoke only this claim (expose_list)."),
  }),
  // An exposure that is over stays over, so the same call again looks again.
  repeats: () => "anew",
  async run({ exposureId, name, all, claim }, call) {
    const exposures = await call.exposures.get();
    if (all === true && (exposureId ?? name ?? claim) !== undefined)
      throw new TunnelError("input-invalid", { detail: "all: goes with nothing else" });
    if (claim !== undefined) {
      const named = exposureId ?? name;
      const among = named === undefined ? exposures.running : [await exposureNamed(exposures, named)];
      const exposure = among.find(({ claims }) => claims.some((one) => one.id === claim));
      if (exposure?.revoke(claim) !== true) throw new TunnelError("claim-unknown");
      return {
        revoked: claim,
        name: exposure.name,
        claims: exposure.claims.map((one) => claimView(one, exposure.ways.claim?.links ?? [])),
      };
    }
    const meant = all === true ? exposures.running : [await exposureNamed(exposures, exposureId ?? name)];
    await Promise.all(meant.map((one) => one.stop("stopped")));
    return {
      stopped: meant.map((one) => {
        const {
          exposureId: stoppedId,
          target,
          publicUrl,
          requests,
          name: stoppedName,
        } = exposureView(one, call.clock.now());
        return { exposureId: stoppedId, name: stoppedName, target, publicUrl, requests };
      }),
      next: "Nobody reaches it any more. Tell your human.",
    };
  },
});
