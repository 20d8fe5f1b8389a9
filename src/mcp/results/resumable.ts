import type { Clock } from "../../runtime/clock.ts";
import type { KeptTunnel } from "../../session/resumable.ts";
import type { Sessions } from "../../session/sessions.ts";
import { listed, within } from "./bounds.ts";
import { labelled } from "./labels.ts";
import type { Payload } from "./result.ts";

/** Characters for them, wherever they are beside something else. */
const MAX_CHARS = 3_000;

/** As an agent has to know it to choose one. */
type ResumableView = Omit<KeptTunnel, "folder" | "keptUntil"> & { readonly keptForSec: number };

/** The stays of this project folder that tunnel_join can take up; no field where there are none. */
export async function resumableFields(
  sessions: Pick<Sessions, "resumable">,
  clock: Pick<Clock, "now">,
): Promise<Payload> {
  const found = await sessions.resumable();
  // All are of the folder in which this agent works.
  const views = found.map(({ folder: _folder, keptUntil, ...view }) => ({
    ...view,
    keptForSec: Math.max(0, Math.round((keptUntil - clock.now()) / 1_000)),
  }));
  const shown = within<ResumableView>(views, MAX_CHARS);
  return labelled(listed("resumable", shown, found.length));
}
