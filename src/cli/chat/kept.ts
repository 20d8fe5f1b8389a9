import { TunnelError } from "../../errors/tunnel-error.ts";
import type { KeptLook, KeptTunnel } from "../../watch/protocol.ts";
import type { Clock } from "../../runtime/clock.ts";
import { keptView } from "../../watch/views.ts";
import { paintFor, type Output } from "../io/output.ts";
import { keptLines } from "../watch/lines.ts";
import { safeJson } from "./terminal/safe-text.ts";

export interface KeptRequest {
  readonly kind: "kept";
  /** Leave nothing of them. */
  readonly forget: boolean;
  /** The one with this id; all where undefined. */
  readonly tunnelId: string | undefined;
  readonly json: boolean;
}

interface KeptOptions {
  readonly request: KeptRequest;
  readonly look: KeptLook;
  readonly forget: (only: string | undefined) => Promise<{ forgotten: number; inUse: number }>;
  readonly clock: Clock;
  readonly output: Output;
  readonly columns: number | undefined;
}

/**
 * Lists the tunnels of this user whose program has ended, or leaves nothing of them. It needs no server.
 * @throws {TunnelError} tunnel-unknown
 */
export async function kept(options: KeptOptions): Promise<0> {
  const { request, look, clock, output } = options;
  if (request.forget) return forget(options);
  const all = await look(new Set());
  const found = all.filter(({ tunnelId }) => request.tunnelId === undefined || tunnelId === request.tunnelId);
  if (request.tunnelId !== undefined && found.length === 0) throw new TunnelError("tunnel-unknown");
  if (request.json) for (const one of found) output.out(`${safeJson(keptView(one))}\n`);
  else if (found.length === 0) output.out("Nothing is kept: there is no tunnel to go on with.\n");
  else output.out(`${textOf(found, clock.now(), options)}\n`);
  return 0;
}

function textOf(found: readonly KeptTunnel[], now: number, { output, columns }: KeptOptions): string {
  const style = { paint: paintFor(output.color), columns };
  return [
    ...found.map((one) => keptLines(one, now, style)),
    "tunnel-mcp kept --forget leaves nothing of them.",
  ].join("\n\n");
}

async function forget({ request, forget: forgetThem, output }: KeptOptions): Promise<0> {
  const { forgotten, inUse } = await forgetThem(request.tunnelId);
  if (request.tunnelId !== undefined && forgotten + inUse === 0) throw new TunnelError("tunnel-unknown");
  if (request.json) output.out(`${safeJson({ forgotten, inUse })}\n`);
  else output.out(`${forgottenText(forgotten, inUse)}\n`);
  return 0;
}

/** @param forgotten those of which nothing is left @param inUse those that a running program has */
function forgottenText(forgotten: number, inUse: number): string {
  const gone =
    forgotten === 1
      ? "1 tunnel is forgotten: nothing of it is left on this disk."
      : `${forgotten} tunnels are forgotten: nothing of them is left on this disk.`;
  const open =
    inUse === 1
      ? "1 tunnel is open in a program that runs: what is kept of it goes when it is closed."
      : `${inUse} tunnels are open in programs that run: what is kept of them goes when they are closed.`;
  if (forgotten + inUse === 0) return "Nothing was kept.";
  return [...(forgotten === 0 ? [] : [gone]), ...(inUse === 0 ? [] : [open])].join("\n");
}
