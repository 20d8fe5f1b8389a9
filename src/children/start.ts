import type { Child, ChildOptions } from "./child.ts";
import { startGuarded } from "./guarded-child.ts";
import { processTable } from "./identity.ts";
import { startWatched } from "./watched-child.ts";

/**
 * Starts a program that runs beside this one and ends with it: without a shell that reads its command, without a window, and
 * with a guard for the case that this process is killed.
 */
export function startChild(options: ChildOptions): Child {
  if (process.platform === "win32") return startWatched(options);
  return startGuarded(options, processTable(process.platform, options.env));
}
