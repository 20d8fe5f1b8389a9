import { must } from "../../../errors/must.ts";
import type { Upstream } from "../../upstream.ts";
import type { Exchange } from "../exchange.ts";
import type { Inspector } from "../inspector.ts";
import { REPLAY } from "../limits.ts";
import { differenceOf, type Difference } from "./difference.ts";
import { overridesOf, type ReplayInput } from "./input.ts";
import { fromHere, outgoingRequest, type Rewrite } from "./request.ts";
import { send, type Sending } from "./send.ts";

export interface Replayed {
  readonly original: Exchange;
  /** Kept like any other request, with an id of its own. */
  readonly replay: Exchange;
  readonly difference: Difference;
}

export interface ReplayContext extends Omit<Sending, "limits"> {
  readonly inspector: Inspector;
  /** The one place where a replay goes. */
  readonly upstream: Upstream;
  readonly limits?: Sending["limits"];
  /** As the gateway does for a visitor; {@link fromHere} where left out. */
  readonly rewrite?: Rewrite;
}

/**
 * Sends a recorded request to the service again, and compares what comes.
 * @throws {TunnelError} request-unknown, input-invalid, replay-impossible, replay-failed, cancelled
 */
export async function replay(
  input: ReplayInput,
  { inspector, upstream, rewrite = fromHere(upstream), limits = REPLAY, ...sending }: ReplayContext,
): Promise<Replayed> {
  const original = inspector.get(input.id);
  const request = outgoingRequest(original, overridesOf(input), rewrite);
  const { secretField } = upstream;
  const isShown = (name: string): boolean => name.toLowerCase() !== secretField?.[0].toLowerCase();
  const fields = request.fields.filter((_, index) => isShown(request.fields[index - (index % 2)] ?? ""));
  const recording = inspector.beginReplay(original.id, { ...request, fields });
  await send(request, upstream, recording, { ...sending, limits });
  const { exchange } = recording;
  const response = must(exchange.response, "the response of a replay");
  const difference = differenceOf(original.response, response);
  // Where one of the two was cut, what came of it may be the same as the whole of the other.
  const isSame = difference.isSame && original.end?.how === exchange.end?.how;
  return { original, replay: exchange, difference: { ...difference, isSame } };
}
