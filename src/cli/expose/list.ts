import { exposedElsewhere, type ExposedElsewhere } from "../../control/exposed.ts";
import { ExposureHistory, type EndedExposure } from "../../expose/exposures/history.ts";
import type { Clock } from "../../runtime/clock.ts";
import { endedView } from "../../view/expose/exposures.ts";
import { safeJson, safeLabel } from "../chat/terminal/safe-text.ts";
import type { Output } from "../io/output.ts";
import { wrapWords } from "../io/wrap.ts";
import { durationText } from "../../view/time.ts";
import { table } from "./table.ts";

/** `tunnel-mcp expose list` */
export interface ExposeListCommand {
  readonly kind: "expose-list";
  readonly history: boolean;
  readonly json: boolean;
}

export interface ListOptions {
  readonly command: ExposeListCommand;
  /** The private folders of this user. */
  readonly folders: readonly string[];
  readonly platform: string;
  readonly pid: number;
  readonly clock: Clock;
  readonly output: Output;
  /** Width of the terminal, or undefined where lines do not wrap. */
  readonly columns: number | undefined;
}

/** Shows the exposures of all servers of this user, and on request those that are over. */
export async function exposeList(options: ListOptions): Promise<0> {
  const { command, folders, platform, pid, clock, output, columns } = options;
  const running = await exposedElsewhere({ folders, platform, pid: undefined, clock });
  const history = new ExposureHistory({ folders, platform, pid });
  const ended = command.history ? await history.read() : [];
  if (command.json) {
    for (const one of running) output.out(`${safeJson({ ...one, ended: false })}\n`);
    for (const one of ended) output.out(`${safeJson({ ...endedView(one), ended: true })}\n`);
    return 0;
  }
  const parts = [
    running.length === 0 ? wrapWords(nothingText(command.history), columns) : runningText(running, columns),
  ];
  if (command.history)
    parts.push(
      ended.length === 0
        ? "None has ended yet."
        : `Ended, the last one first:\n\n${endedText(ended, columns)}`,
    );
  output.out(`${parts.join("\n\n")}\n`);
  return 0;
}

function nothingText(isHistory: boolean): string {
  const more = isHistory ? "" : " --history shows those that are over.";
  return `Nothing of yours is exposed now. To begin: tunnel-mcp expose 3000, with the port of your service.${more}`;
}

function runningText(running: readonly ExposedElsewhere[], columns: number | undefined): string {
  const titles = ["NAME", "ID", "STATE", "REQUESTS", "LEFT", "ADDRESS", "LEADS TO", "STARTED IN"];
  const rows = running.map((one) =>
    [
      one.name,
      one.exposureId,
      one.status,
      String(one.requests),
      one.expiresInSec === undefined ? "" : durationText(one.expiresInSec),
      one.publicUrl ?? "",
      one.target,
      one.folder,
    ].map(safeLabel),
  );
  const end = wrapWords("End one with tunnel-mcp expose stop NAME, or with its ID.", columns);
  return `${table(titles, rows, columns)}\n\n${end}`;
}

function endedText(ended: readonly EndedExposure[], columns: number | undefined): string {
  const titles = ["NAME", "ENDED", "LASTED", "REQUESTS", "WHY", "ADDRESS", "LED TO"];
  const rows = ended.map((one) => {
    const { name, lastedSec, requests, why, code, publicUrl, target } = endedView(one);
    return [
      name,
      momentText(one.endedAt),
      durationText(lastedSec),
      String(requests),
      code ?? WHY[why],
      publicUrl ?? "",
      target,
    ].map(safeLabel);
  });
  return table(titles, rows, columns);
}

const WHY: Readonly<Record<EndedExposure["why"], string>> = {
  stopped: "stopped",
  "stopped-by-person": "stopped by a person",
  expired: "time over",
  "address-lost": "address lost",
  "server-ended": "server ended",
  failed: "failed",
};

/** Local, `2026-11-30 14:03`. */
function momentText(at: number): string {
  const date = new Date(at);
  const two = (part: number): string => String(part).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
