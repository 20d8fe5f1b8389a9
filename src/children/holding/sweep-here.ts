import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Variables } from "../environment.ts";
import { processTable } from "../identity.ts";
import { sendSignal } from "../signals.ts";
import { sweep } from "../sweep.ts";
import { isCaredFor } from "./care-record.ts";

/** The sweep of this machine, for the user whose environment it is. */
export function sweepHere(env: Variables, clock: Clock): Promise<void> {
  const facts = machineFacts();
  const { platform } = facts;
  const table = processTable(platform, env);
  return sweep({
    folders: privateFolders(env, facts),
    platform,
    clock,
    table,
    send: sendSignal,
    isCaredFor: async ({ stay, child }) =>
      stay !== undefined && (await isCaredFor(stay, child, table, platform)),
  });
}
