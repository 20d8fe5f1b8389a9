import type { ResumableStay } from "../../session/resumable.ts";
import type { Sessions } from "../../session/sessions.ts";
import { listed, within } from "./bounds.ts";
import { labelled } from "./labels.ts";
import type { Payload } from "./result.ts";

/** Characters for them, wherever they are beside something else. */
const MAX_CHARS = 3_000;

/** The stays of this project folder that tunnel_join can take up; no field where there are none. */
export async function resumableFields(sessions: Pick<Sessions, "resumable">): Promise<Payload> {
  const found = await sessions.resumable();
  // All are of the folder in which this agent works.
  const views = found.map(({ folder: _folder, ...view }) => view);
  const shown = within<Omit<ResumableStay, "folder">>(views, MAX_CHARS);
  return labelled(listed("resumable", shown, found.length));
}
