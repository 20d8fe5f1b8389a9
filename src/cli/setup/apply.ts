import { dirname } from "node:path";
import type { ErrorCode } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Unusable } from "./formats/config-text.ts";
import { pruneFolders } from "./files/leavings.ts";
import type { Action, Plan } from "./plan.ts";
import { underLock } from "./files/lock.ts";
import { writeEdit } from "./files/write-file.ts";

/** The outcome for one client. */
export type Outcome =
  | { readonly kind: "done"; readonly backup?: string | undefined; readonly isDone?: "before" }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly detail: string };

export interface ApplyOptions {
  /** Makes the plan for the same client anew, from its file as it is now. */
  readonly again: (plan: Plan) => Promise<Plan>;
  /** The tops of folders below which an empty one may be taken away. */
  readonly kept: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Carries out the part of a plan that concerns the client's configuration. A person may have thought about it for a while,
 * so it is made anew just before, and carried out if it still asks for the same.
 */
export async function apply(plan: Plan, options: ApplyOptions): Promise<Outcome> {
  const { action, client } = plan;
  if (action.kind === "nothing") return { kind: "done" };
  if (action.kind === "cannot") return { kind: "failed", code: action.code, detail: action.detail };
  const { path, what } = action;
  const change = async (): Promise<Outcome> => {
    const { action: now } = await options.again(plan);
    if (now.kind === "nothing") return { kind: "done", isDone: "before" };
    if (now.kind === "cannot") return { kind: "failed", code: now.code, detail: now.detail };
    if (now.what !== what || now.target !== action.target)
      throw new Unusable("it was changed by something else just now");
    return { kind: "done", backup: await carryOut(now, options.kept) };
  };
  try {
    return await (client.lock === undefined ? change() : underLock(path + client.lock, change, options));
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { kind: "failed", code: "client-config-unusable", detail: `${path}: ${error.message}` };
  }
}

async function carryOut(
  edit: Extract<Action, { kind: "edit" }>,
  kept: readonly string[],
): Promise<string | undefined> {
  const backup = await writeEdit(edit);
  if (edit.after === undefined) await pruneFolders(dirname(edit.path), kept);
  return backup;
}
