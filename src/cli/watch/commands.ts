import { TunnelError } from "../../errors/tunnel-error.ts";
import { nearest } from "../../errors/nearest.ts";
import type { Board, Server, Waiting } from "./board.ts";
import type { NewCommand } from "../../watch/client.ts";
import type { TunnelView } from "../../watch/protocol.ts";

/** What a line that a person has typed means. */
export type Typed =
  | { readonly do: "nothing" }
  | { readonly do: "quit" }
  | { readonly do: "help" }
  | { readonly do: "asks" }
  | { readonly do: "tunnels" }
  | { readonly do: "use"; readonly tunnelId: string }
  | { readonly do: "show"; readonly waiting: Waiting }
  /** Opens an editor with the text. */
  | { readonly do: "edit"; readonly waiting: Waiting }
  | { readonly do: "tell"; readonly server: Server; readonly command: NewCommand; readonly done: string };

export interface TypedContext {
  readonly board: Board;
  /** The tunnel that a person has chosen with `use`. */
  readonly chosen: string | undefined;
  /** Whether the whole of this ask was on the screen (H14). */
  readonly wasShown: (waiting: Waiting) => boolean;
}

/** The commands with their arguments and help, as `help` lists them. */
export const WATCH_COMMANDS = [
  ["asks", "", "what waits for you"],
  ["show", "N", "the whole of ask N"],
  ["approve", "N", "let exactly what was shown happen"],
  ["refuse", "N [REASON]", "do not; the reason goes to your own agent"],
  ["edit", "N [TEXT]", "send TEXT in your own words instead; without TEXT in your editor"],
  ["hold", "out | in | off", "be asked about each message that leaves, or that comes in"],
  ["pause", "", "stop your agent: nothing leaves, and it is told nothing"],
  ["resume", "", "end the pause"],
  ["go-on", "", "let agents go on that were stopped by a budget or a loop"],
  ["say", "[to NAME:] TEXT", "speak, marked as a person"],
  ["kick", "NAME", "take a member out (the host only)"],
  ["end", "", "end the tunnel, or leave it"],
  ["tunnels", "", "your tunnels, and what is used of their budgets"],
  ["use", "TUNNEL", "which tunnel the next commands are about"],
  ["help", "", "this list"],
  ["quit", "", "close this view; the tunnels go on"],
] as const;

const WORDS: readonly string[] = WATCH_COMMANDS.map(([word]) => word);

/**
 * Reads one line. A decision is always a word with a number, never a bare key (H13).
 * @throws {TunnelError} input-invalid, ask-unknown, tunnel-unknown
 */
export function readTyped(line: string, context: TypedContext): Typed {
  const [word = "", rest] = split(line);
  switch (word.toLowerCase()) {
    case "":
      return { do: "nothing" };
    case "quit":
    case "exit":
      return { do: "quit" };
    case "help":
    case "?":
      return { do: "help" };
    case "asks":
      return { do: "asks" };
    case "tunnels":
      return { do: "tunnels" };
    case "use":
      return { do: "use", tunnelId: tunnelOf(context, rest.trim()).tunnel.tunnelId };
    case "show":
      return { do: "show", waiting: waitingOf(context, rest) };
    case "approve":
    case "refuse":
    case "edit":
      return decision(word.toLowerCase(), rest, context);
    case "hold":
      return hold(rest, context);
    case "pause":
    case "resume":
    case "go-on":
    case "end":
      return simple(word.toLowerCase(), rest, context);
    case "say":
      return say(rest, context);
    case "kick":
      return kick(rest, context);
    default: {
      const meant = nearest(word.toLowerCase(), WORDS);
      const guess = meant === undefined ? "" : `; did you mean ${meant}?`;
      // What was typed may be meant for somebody: it is repeated nowhere.
      throw new TunnelError("input-invalid", {
        detail: `there is no such command${guess} Type help for the list, say TEXT to speak`,
      });
    }
  }
}

function split(line: string): [word: string, rest: string] {
  const [, word = "", rest = ""] = /^\s*(\S*)\s?([\s\S]*)$/.exec(line) ?? [];
  return [word, rest];
}

function waitingOf({ board }: TypedContext, rest: string): Waiting {
  const [name] = split(rest);
  const found = board.asksNamed(name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length > 1) {
    const detail = `several have this number: ${found.map((one) => board.nameOf(one)).join(", ")}`;
    throw new TunnelError("input-invalid", { detail });
  }
  throw new TunnelError("ask-unknown");
}

function decision(word: string, rest: string, context: TypedContext): Typed {
  const waiting = waitingOf(context, rest);
  const words = split(rest)[1].trim();
  const { server, ask } = waiting;
  const name = context.board.nameOf(waiting);
  const decide = (verdict: Extract<NewCommand, { do: "decide" }>["decision"], done: string): Typed => ({
    do: "tell",
    server,
    command: { do: "decide", ask: ask.ask, digest: ask.digest, decision: verdict },
    done,
  });
  // A no is always possible; a yes only to what was there to be read (H13, H14).
  if (word === "refuse")
    return decide(
      words === "" ? { verdict: "refuse" } : { verdict: "refuse", reason: words },
      `${name} is refused`,
    );
  if (!context.wasShown(waiting))
    throw new TunnelError("input-invalid", {
      detail: `it was not shown as a whole: type show ${name} first`,
    });
  if (word === "approve") return decide({ verdict: "approve" }, `${name} is approved`);
  if (ask.subject.kind !== "message") throw new TunnelError("ask-not-text");
  return words === ""
    ? { do: "edit", waiting }
    : decide({ verdict: "edit", text: words }, `${name} goes in your words`);
}

/** The tunnel that is named, or chosen, or the only one. @throws {TunnelError} tunnel-unknown, input-invalid */
function tunnelOf(
  { board, chosen }: TypedContext,
  named: string,
): { readonly server: Server; readonly tunnel: TunnelView } {
  const { open } = board;
  if (named !== "") {
    const found = open.filter(({ tunnel }) => tunnel.tunnelId.startsWith(named));
    const [only] = found;
    if (only === undefined || found.length > 1) throw new TunnelError("tunnel-unknown");
    return only;
  }
  const [only] = open;
  const one = open.find(({ tunnel }) => tunnel.tunnelId === chosen) ?? (open.length === 1 ? only : undefined);
  if (one !== undefined) return one;
  const ids = open.map(({ tunnel }) => tunnel.tunnelId).join(", ");
  const detail = ids === "" ? "no tunnel is open" : `say which tunnel with use TUNNEL: ${ids}`;
  throw new TunnelError("input-invalid", { detail });
}

function hold(rest: string, context: TypedContext): Typed {
  const [mode, named] = split(rest);
  if (mode !== "out" && mode !== "in" && mode !== "off")
    throw new TunnelError("input-invalid", { detail: "hold takes out, in or off" });
  const { server, tunnel } = tunnelOf(context, named.trim());
  const done = {
    out: "each message that leaves waits for you",
    in: "each message that comes in waits for you",
    off: "nothing is held any more",
  }[mode];
  return { do: "tell", server, command: { do: "hold", tunnelId: tunnel.tunnelId, mode }, done };
}

const DONE = {
  pause: "paused",
  resume: "the pause is over",
  "go-on": "the agents may go on",
  end: "ended",
} as const;

function simple(word: string, rest: string, context: TypedContext): Typed {
  const { server, tunnel } = tunnelOf(context, rest.trim());
  const { tunnelId } = tunnel;
  const name = word === "pause" || word === "resume" || word === "go-on" ? word : "end";
  return { do: "tell", server, command: { do: name, tunnelId }, done: DONE[name] };
}

function say(rest: string, context: TypedContext): Typed {
  const { server, tunnel } = tunnelOf(context, "");
  const [, names, words] = /^to\s+([^:\n]+):\s*([\s\S]+)$/.exec(rest) ?? [];
  const text = (words ?? rest).trim();
  if (text === "") throw new TunnelError("input-invalid", { detail: "the text is missing" });
  const to = names === undefined ? {} : { to: names.split(",").map((name) => name.trim()) };
  return { do: "tell", server, command: { do: "say", tunnelId: tunnel.tunnelId, text, ...to }, done: "" };
}

function kick(rest: string, context: TypedContext): Typed {
  const name = rest.trim();
  if (name === "") throw new TunnelError("input-invalid", { detail: "the name is missing" });
  const { server, tunnel } = tunnelOf(context, "");
  return { do: "tell", server, command: { do: "kick", tunnelId: tunnel.tunnelId, name }, done: "taken out" };
}
