import type { WayIn } from "../../expose/gate.ts";
import type { ExchangeEnd } from "../../expose/recorder.ts";
import type { RequestView } from "../../view/expose/exposure-requests.ts";
import { oneRow, safeLabel } from "../chat/terminal/safe-text.ts";
import type { Paint } from "../io/output.ts";
import { widthOf } from "../io/width.ts";
import { usableColumns } from "../io/wrap.ts";

/** One line for each request. Methods and paths are strangers' text. */

export interface RequestLineStyle {
  readonly paint: Paint;
  readonly columns: number | undefined;
}

/** Where nothing wraps, a path is cut all the same. */
const MAX_PATH = 200;
const MIN_PATH = 12;
const MAX_METHOD = 10;

/**
 * A request that is over, in one row.
 * @param id as a person types it: `12`, or `12@web` where there are several exposures
 */
export function requestLine(request: RequestView, id: string, style: RequestLineStyle): string {
  const { paint, columns } = style;
  const method = oneRow(safeLabel(request.method), MAX_METHOD + 1).padEnd(6);
  const took = tookText(request.ms).padStart(7);
  const before = `${endTime(request)} ${id.padStart(4)} ${method} `;
  const status = String(request.status ?? "---");
  const after = `  ${wayText(request)}`;
  const used = widthOf(before) + status.length + widthOf(took) + 2 + widthOf(after);
  const room = Math.min(MAX_PATH, Math.max(MIN_PATH, usableColumns(columns) - used));
  const path = oneRow(safeLabel(request.path), room + 1);
  return `${paint.dim(before)}${statusPaint(request.status, paint)(status)}${took}  ${path}${paint.dim(after)}`;
}

/** How a request is called by those who type. */
export function requestName(id: number, exposure: string, hasSeveral: boolean): string {
  return hasSeveral ? `${id}@${exposure}` : String(id);
}

export function statusPaint(status: number | undefined, paint: Paint): (text: string) => string {
  if (status === undefined || status >= 500) return paint.red;
  if (status >= 400) return paint.yellow;
  return status >= 300 || status < 200 ? paint.cyan : paint.green;
}

export function tookText(ms: number | undefined): string {
  if (ms === undefined) return "";
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

const WAYS: Readonly<Record<WayIn, string>> = {
  claim: "claim link",
  token: "token",
  path: "open path (webhook)",
  prefix: "prefix",
  basic: "password",
  open: "open",
  preflight: "preflight",
  probe: "our own visit",
  bearer: "bearer token",
  oauth: "OAuth",
};

const ENDS: Readonly<Record<ExchangeEnd | "running", string>> = {
  complete: "",
  "own-answer": "answered here",
  "visitor-left": "the visitor left",
  "service-cut": "cut off by the service",
  limit: "a limit was reached",
  stopped: "ended with the exposure",
  running: "still running",
};

/** How the visitor got in, or why not, and what is to be told of the end. */
export function wayText({ way, refused, replayOf, end, websocket }: RequestView): string {
  if (refused === "authorization") return "signing in";
  if (refused !== undefined) return `kept out: ${safeLabel(refused)}`;
  const how = replayOf === undefined ? (way === undefined ? "" : WAYS[way]) : `replay of ${replayOf}`;
  return [how, websocket === true ? "WebSocket" : "", ENDS[end]].filter((part) => part !== "").join(", ");
}

function endTime({ at, ms }: RequestView): string {
  return clockText(Date.parse(at) + (ms ?? 0));
}

/** Local time, `14:03:22`. */
export function clockText(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
