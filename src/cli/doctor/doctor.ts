import { setMaxListeners } from "node:events";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { orAborted } from "../../net/deadline.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ProviderName } from "../../tunnel/registry/registry.ts";
import { type Check, checksFor, type Finding, type Probes, reasonOf, weigh } from "./checks.ts";
import { relayChecks, type RelayProbes } from "./relay.ts";
import { type Output, type Paint, paintFor } from "../io/output.ts";

/** The report is complete after this time, whatever hangs. */
const DEADLINE_MS = 8_000;

export interface DoctorOptions {
  readonly probes: Probes;
  /** Where a relay is set, or chosen. */
  readonly relay?: RelayProbes | TunnelError | undefined;
  readonly transport: ProviderName;
  /** Counts the tunnels whose program has ended; they are left out of the report without it. */
  readonly countKept?: (() => Promise<number>) | undefined;
  readonly clock: Clock;
  readonly output: Output;
}

/**
 * Runs all checks at once and prints each finding in the order of the table as soon as it is known.
 * @returns 1 when a check failed; warnings alone give 0
 */
export async function doctor(options: DoctorOptions): Promise<0 | 1> {
  const { probes, relay, transport, countKept, clock, output } = options;
  const paint = paintFor(output.color);
  const checks = [...checksFor(probes), ...checksOf(relay), ...keptCheck(countKept)];
  const controller = new AbortController();
  // One listener for each check.
  setMaxListeners(0, controller.signal);
  const cancelDeadline = clock.after(DEADLINE_MS, () => controller.abort(new Error("no answer in time")));
  const width = Math.max(...checks.map(({ title }) => title.length));
  const running = checks.map(async (check) =>
    weigh(await finish(check, controller.signal), check, transport),
  );

  let failed = 0;
  for (const [index, check] of checks.entries()) {
    const finding = await running[index];
    if (finding === undefined) continue;
    if (finding.level === "fail") failed += 1;
    output.out(findingLine(check.title.padEnd(width), finding, paint));
  }
  cancelDeadline();
  controller.abort(new Error("doctor is done"));
  output.out(failed === 0 ? "\nReady.\n" : `\n${failed} of ${checks.length} checks failed.\n`);
  return failed === 0 ? 0 : 1;
}

/** No fault: a person may want to know of them. */
function keptCheck(count: DoctorOptions["countKept"]): readonly Check[] {
  if (count === undefined) return [];
  const run = async (): Promise<Finding> => {
    const all = await count();
    const what = all === 1 ? "1 whose program has ended" : `${all} whose programs have ended`;
    return { level: "ok", text: all === 0 ? "none" : `${what}; tunnel-mcp kept lists them` };
  };
  return [{ title: "Kept tunnels", neededBy: undefined, run }];
}

function checksOf(relay: DoctorOptions["relay"]): readonly Check[] {
  if (relay === undefined) return [];
  if (!(relay instanceof TunnelError)) return relayChecks(relay);
  const { message, nextForPerson } = relay;
  const finding: Finding = { level: "fail", text: message, fix: nextForPerson };
  return [{ title: "Relay", neededBy: "relay", run: async () => finding }];
}

/** The finding of a check; a rejection or a missed deadline is a finding too. */
async function finish(check: Check, signal: AbortSignal): Promise<Finding> {
  try {
    return await orAborted(signal, check.run(signal));
  } catch (error) {
    return { level: "fail", text: reasonOf(error), fix: "check the network connection and run doctor again" };
  }
}

/** A finding as a line, with its fix below. */
export function findingLine(title: string, finding: Finding, paint: Paint): string {
  switch (finding.level) {
    case "ok":
      return `${paint.green("ok  ")}  ${title}  ${finding.text}\n`;
    case "warn":
      return `${paint.yellow("warn")}  ${title}  ${finding.text}\n${fixLine(title, finding.fix, paint)}`;
    case "fail":
      return `${paint.red("FAIL")}  ${title}  ${finding.text}\n${fixLine(title, finding.fix, paint)}`;
  }
}

function fixLine(title: string, fix: string, paint: Paint): string {
  return `${" ".repeat(title.length + 8)}${paint.dim("fix:")} ${fix}\n`;
}
