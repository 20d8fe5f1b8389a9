import { must } from "../../errors/must.ts";
import type { ErrorCode } from "../../errors/tunnel-error.ts";
import type { Client } from "./clients.ts";
import { Unusable } from "./formats/config-text.ts";
import { configText } from "./formats/formats.ts";
import { readConfigFile } from "./machine.ts";
import type { Action, Plan } from "./plan.ts";
import { type RunOptions, runProgram } from "./run-program.ts";
import { writeEdit } from "./write-file.ts";

/** The outcome for one client. */
export type Outcome =
  | { readonly kind: "done"; readonly backup?: string | undefined; readonly isDoubtful?: boolean }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly detail: string };

/** Carries out the part of a plan that concerns the client's configuration. */
export async function apply({ action, client }: Plan, options: RunOptions): Promise<Outcome> {
  switch (action.kind) {
    case "nothing":
      return { kind: "done" };
    case "cannot":
      return { kind: "failed", code: action.code, detail: action.detail };
    case "run": {
      const result = await runProgram(action.program, action.args, options);
      if (result.ok) return { kind: "done", isDoubtful: !(await isVisible(client, action)) };
      return {
        kind: "failed",
        code: "client-command-failed",
        detail: `${must(client.program, "the program of a client")}: ${result.why}`,
      };
    }
    case "edit":
      try {
        return { kind: "done", backup: await writeEdit(action) };
      } catch (error) {
        if (!(error instanceof Unusable)) throw error;
        return { kind: "failed", code: "client-config-unusable", detail: `${action.path}: ${error.message}` };
      }
  }
}

/** Whether the client's file shows the change of its own command. With a profile it would be another file. */
async function isVisible(
  { format }: Client,
  { what, path }: Extract<Action, { kind: "run" }>,
): Promise<boolean> {
  const file = await readConfigFile(path);
  try {
    const entry = file.kind === "text" ? configText(format).entry(file.text) : undefined;
    return (entry?.kind === "present") === (what === "add");
  } catch (error) {
    if (error instanceof Unusable) return false;
    throw error;
  }
}
