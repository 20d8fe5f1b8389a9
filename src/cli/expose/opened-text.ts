import { shellLine } from "../../runtime/shell-line.ts";
import type { StartedView } from "../../view/expose/exposures.ts";
import type { McpClientsView } from "../../view/expose/mcp-clients.ts";
import { safeLabel } from "../chat/terminal/safe-text.ts";
import type { Paint } from "../io/output.ts";
import { wrapWords } from "../io/wrap.ts";
import { clockText } from "./request-line.ts";
import { durationText } from "../../view/time.ts";

export interface OpenedStyle {
  readonly paint: Paint;
  readonly columns: number | undefined;
  /** For command lines that are copied from the screen. */
  readonly platform: string;
  readonly now: number;
}

/** An exposure that is open: its address, how each kind of visitor gets in, and what was found out about it. It holds secrets. */
export function openedText(view: StartedView, style: OpenedStyle): string {
  const { paint, columns } = style;
  const wrap = (line: string): string => wrapWords(line, columns);
  const blocks = [
    [wrap(`${paint.bold(view.name)} is open at ${paint.bold(paint.cyan(view.publicUrl))}`)],
    ...(view.clients === undefined ? waysIn(view, style) : mcpClients(view, view.clients, style)),
    foundOut(view).map(wrap),
    (view.warnings ?? []).map((warning) => paint.yellow(wrap(`! ${safeLabel(warning)}`))),
    [
      `It ends at ${clockText(style.now + view.expiresInSec * 1_000).slice(0, 5)}, in ${durationText(view.expiresInSec)}.`,
    ],
  ];
  // Links and command lines are copied from the screen, so the terminal alone breaks them.
  const text = blocks.filter((block) => block.length > 0).map((block) => block.join("\n"));
  return text.join("\n\n");
}

/** Words to pass on with a link. */
export function passOnText(link: string, columns: number | undefined): readonly string[] {
  return [wrapWords("  Open this in a browser. It lets one browser in, once:", columns), `  ${link}`];
}

function waysIn({ access, publicUrl }: StartedView, style: OpenedStyle): readonly (readonly string[])[] {
  const { claim, token, prefix, basic, openPaths, open } = access;
  const blocks: string[][] = [];
  const begin = (title: string, lines: readonly string[]): void =>
    void blocks.push([style.paint.bold(wrapWords(title, style.columns)), ...lines]);
  const command = (...words: string[]): string => `  ${shellLine(["curl", ...words], style.platform)}`;
  const links = claim?.links ?? [];
  if (links.length === 1)
    begin("For a person, a link to pass on:", passOnText(links[0]?.url ?? "", style.columns));
  if (links.length > 1)
    begin(
      `For ${links.length} people, a link each to pass on. Each lets one browser in, once:`,
      links.map(({ id, url }) => `  ${id}  ${url}`),
    );
  if (token !== undefined)
    begin("For scripts, a header:", [command("-H", `${token.field}: ${token.value}`, `${publicUrl}/`)]);
  if (prefix !== undefined) {
    const what =
      prefix.paths === undefined ? "in front of any path" : `in front of ${prefix.paths.join(", ")}`;
    begin(`For services that only fetch (GET and HEAD), ${what}:`, [`  ${prefix.url}`]);
  }
  if (basic !== undefined)
    begin("With a user name and a password:", [
      `  user ${basic.user}, password ${basic.password}`,
      command("-u", `${basic.user}:${basic.password}`, `${publicUrl}/`),
    ]);
  if (openPaths !== undefined)
    begin(
      "For anybody, without any of these:",
      openPaths.paths.map((path) => `  ${path}`),
    );
  if (open !== undefined) begin("For anybody who learns the address:", [`  ${publicUrl}`]);
  return blocks;
}

/** Entries to paste, each on lines of its own, which only the terminal breaks. */
function mcpClients(
  { access, publicUrl }: StartedView,
  { claudeCode, geminiCli, codex, json, messagesApi }: McpClientsView,
  { paint, columns }: OpenedStyle,
): readonly (readonly string[])[] {
  const block = (title: string, ...lines: readonly string[]): readonly string[] => [
    paint.bold(wrapWords(title, columns)),
    ...lines.flatMap((line) => line.split("\n")).map((line) => `  ${line}`),
  ];
  return [
    block("For Claude Code, paste into a shell:", claudeCode),
    block("For Gemini CLI, paste into a shell:", geminiCli),
    block("For Codex, paste into ~/.codex/config.toml:", codex),
    block("For other clients that take JSON, paste into their file:", json),
    ...(messagesApi === undefined
      ? []
      : [
          block(
            "For the Messages API, send this header and add these fields to the request:",
            messagesApi.header,
            messagesApi.body,
          ),
        ]),
    ...(access.oauth === undefined
      ? []
      : [
          block(
            "For claude.ai and other clients that sign in, give the address alone. Then type the code that is shown here:",
            publicUrl,
          ),
          block(
            "For Claude Code without a token:",
            `claude mcp add --transport http NAME ${publicUrl}`,
            "claude mcp login NAME",
          ),
        ]),
    ...(access.bearer === undefined
      ? []
      : [block("For anything else, the token (Authorization: Bearer TOKEN):", access.bearer)]),
  ];
}

function foundOut({ local, public: seen, streaming, websocket }: StartedView): readonly string[] {
  const server = local.server === undefined ? "" : ` (${safeLabel(local.server)})`;
  const answers = local.status === undefined ? "" : `, which answers ${local.status}${server}`;
  const lines = [`It leads to ${safeLabel(local.target)}${answers}.`, ...toolLines(local)];
  if ("unchecked" in seen)
    return [...lines, `Nobody has visited it from outside: ${safeLabel(seen.unchecked)}.`];
  if (!("status" in seen)) return [...lines, `A connection from outside reaches it, after ${seen.ms} ms.`];
  lines.push(
    seen.status === undefined
      ? `Seen from outside it works, but the service gave no answer: ${safeLabel(seen.problem)}.`
      : `Seen from outside it answers ${seen.status}, after ${seen.ms} ms.`,
  );
  if (streaming !== undefined) lines.push(streamText(streaming));
  if (websocket !== undefined) lines.push(websocket ? "WebSockets pass." : "WebSockets do not pass.");
  return lines;
}

function toolLines({ serverName, tools, hasMoreTools }: StartedView["local"]): readonly string[] {
  if (tools === undefined) return [];
  const more = hasMoreTools === true ? " and more" : "";
  const named = tools.length === 0 ? "no tool" : `${tools.map(safeLabel).join(", ")}${more}`;
  return [`It calls itself ${safeLabel(serverName ?? "unnamed")}. Clients can call ${named}.`];
}

const STREAMS = {
  live: "arrive as they are sent",
  held: "are held back on the way until they end",
  blocked: "do not pass",
} as const;

function streamText({ get, post }: NonNullable<StartedView["streaming"]>): string {
  if (get === post) return `Event streams ${STREAMS[get]}.`;
  return `Event streams by GET ${STREAMS[get]}; by POST they ${STREAMS[post]}.`;
}
