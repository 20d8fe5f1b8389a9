import { TunnelError } from "../../errors/tunnel-error.ts";
import { nearest } from "../../errors/nearest.ts";
import type { Board, Served, Waiting } from "./board.ts";
import type { Server } from "../../watch/servers.ts";
import type { NewCommand } from "../../watch/client.ts";
import type { Verdict } from "../../protocol/sign-off/signed-bytes.ts";
import type { SignOffView } from "../../view/signing/sign-off.ts";
import type { TunnelView } from "../../watch/protocol.ts";

/** What a line that a person has typed means. */
export type Typed =
  | { readonly do: "nothing" }
  | { readonly do: "quit" }
  | { readonly do: "help" }
  | { readonly do: "asks" }
  | { readonly do: "tunnels" }
  | { readonly do: "exposures" }
  | { readonly do: "services" }
  | { readonly do: "use"; readonly tunnelId: string }
  | { readonly do: "show"; readonly waiting: Waiting }
  /** Opens an editor with the text. */
  | { readonly do: "edit"; readonly waiting: Waiting }
  /** Shows the outcome that stands. */
  | { readonly do: "outcome"; readonly tunnel: TunnelView }
  | ({ readonly do: "sign"; readonly server: Server; readonly tunnelId: string } & Signing)
  | { readonly do: "tell"; readonly server: Server; readonly command: NewCommand; readonly done: string };

interface Signing {
  readonly signOff: SignOffView;
  readonly verdict: Verdict;
  readonly reason?: string;
}

export interface TypedContext {
  readonly board: Board;
  /** The tunnel that a person has chosen with `use`. */
  readonly chosen: string | undefined;
  /** Whether the whole of this ask or outcome was on the screen, and for long enough that it was meant. */
  readonly wasShown: (what: Waiting | SignOffView) => "shown" | "just-shown" | "not-whole";
}

/** The commands with their arguments and help, as `help` lists them. */
export const WATCH_COMMANDS = [
  ["asks", "", "what waits for you"],
  ["show", "N", "the whole of ask N"],
  ["approve", "N", "let exactly what was shown happen"],
  ["refuse", "N [REASON]", "do not; the reason goes to your own agent"],
  ["edit", "N [TEXT]", "send TEXT in your own words instead; without TEXT in your editor"],
  ["hold", "out|in|off [TUNNEL]", "be asked about each message that leaves, or that comes in"],
  ["pause", "[TUNNEL]", "stop your agent: nothing leaves, and it is told nothing"],
  ["resume", "[TUNNEL]", "end the pause"],
  ["go-on", "[TUNNEL]", "let agents go on that were stopped by a budget or a loop"],
  ["say", "[to NAME:] TEXT", "speak, marked as a person"],
  ["outcome", "[TUNNEL]", "the outcome that was proposed, and who has signed it"],
  ["sign", "[TUNNEL]", "sign that this outcome is done, with a key made here"],
  ["not-done", "[REASON]", "refuse to sign it; everybody is told the reason"],
  ["kick", "NAME", "take a member out (the host only)"],
  ["end", "[TUNNEL]", "end the tunnel, or leave it"],
  ["tunnels", "", "your tunnels, and what is used of their budgets"],
  ["exposures", "", "the public addresses of services, and where they lead"],
  ["stop", "NAME", "end a public address, by its name or its id"],
  ["services", "", "what is offered to members and used of theirs, with connections and bytes"],
  ["withdraw", "SERVICE", "no longer offer a service, by its name or its id"],
  ["disconnect", "SERVICE", "no longer use a service of somebody else here"],
  ["use", "TUNNEL", "which tunnel the next commands are about"],
  ["help", "", "this list"],
  ["quit", "", "close this view; the tunnels go on"],
] as const;

const WORDS: readonly string[] = WATCH_COMMANDS.map(([word]) => word);

/** Words that stand for themselves, whatever follows. */
const PLAIN = new Map<string, Typed>(
  Object.entries({
    "": { do: "nothing" },
    quit: { do: "quit" },
    exit: { do: "quit" },
    help: { do: "help" },
    "?": { do: "help" },
    asks: { do: "asks" },
    tunnels: { do: "tunnels" },
    exposures: { do: "exposures" },
    services: { do: "services" },
  }),
);

/**
 * Reads one line. A decision is always a word with a number, never a bare key.
 * @throws {TunnelError} input-invalid, ask-unknown, tunnel-unknown, expose-unknown, service-unknown
 */
export function readTyped(line: string, context: TypedContext): Typed {
  const [typed, rest] = split(line);
  const word = typed.toLowerCase();
  const plain = PLAIN.get(word);
  if (plain !== undefined) return plain;
  if (isStop(word)) return stop(word, rest.trim(), context);
  if (Object.hasOwn(DONE, word)) return simple(word, rest, context);
  if (isSigning(word)) return signOff(word, rest.trim(), context);
  switch (word) {
    case "use":
      return { do: "use", tunnelId: tunnelOf(context, rest.trim()).tunnel.tunnelId };
    case "show":
      return { do: "show", waiting: waitingOf(context, rest) };
    case "approve":
    case "refuse":
    case "edit":
      return decision(word, rest, context);
    case "hold":
      return hold(rest, context);
    case "say":
      return say(rest, context);
    case "kick":
      return kick(rest, context);
    default: {
      const meant = nearest(word, WORDS);
      const guess = meant === undefined ? "" : `; did you mean ${meant}?`;
      // What was typed may be meant for somebody: it is repeated nowhere.
      throw new TunnelError("input-invalid", {
        detail: `there is no such command${guess} Type help for the list, say TEXT to speak`,
      });
    }
  }
}

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
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
    throw invalid(`several have this number: ${found.map((one) => board.nameOf(one)).join(", ")}`);
  }
  if (name === "") throw invalid("the number of the ask is missing");
  throw new TunnelError("ask-unknown");
}

function decision(word: string, rest: string, context: TypedContext): Typed {
  const waiting = waitingOf(context, rest);
  const words = split(rest)[1].trim();
  const { server, ask } = waiting;
  const name = context.board.nameOf(waiting);
  // How it ended is told to every face, this one included.
  const decide = (verdict: Extract<NewCommand, { do: "decide" }>["decision"]): Typed => ({
    do: "tell",
    server,
    command: { do: "decide", ask: ask.ask, digest: ask.digest, decision: verdict },
    done: "",
  });
  // A no is always possible; a yes only to what was there to be read.
  if (word === "refuse")
    return decide(words === "" ? { verdict: "refuse" } : { verdict: "refuse", reason: words });
  const shown = context.wasShown(waiting);
  if (shown === "not-whole") throw invalid(`it was not shown as a whole: type show ${name} first`);
  if (shown === "just-shown") throw invalid("it came only now, and may not be what you meant: type it again");
  if (word === "approve") {
    // "approve 3 but not the last line" is no yes.
    if (words !== "") throw invalid("approve takes a number alone; to send other words, type edit");
    return decide({ verdict: "approve" });
  }
  if (ask.subject.kind !== "message") throw new TunnelError("ask-not-text");
  return words === "" ? { do: "edit", waiting } : decide({ verdict: "edit", text: words });
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
  // Words for a tunnel that is over must not go to the one that happens to be left.
  const one =
    chosen === undefined && open.length === 1 ? only : open.find(({ tunnel }) => tunnel.tunnelId === chosen);
  if (one !== undefined) return one;
  const ids = open.map(({ tunnel }) => tunnel.tunnelId).join(", ");
  throw invalid(ids === "" ? "no tunnel is open" : `say which tunnel with use TUNNEL: ${ids}`);
}

function hold(rest: string, context: TypedContext): Typed {
  const [mode, named] = split(rest);
  if (mode !== "out" && mode !== "in" && mode !== "off") throw invalid("hold takes out, in or off");
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

type SigningWord = "outcome" | "sign" | "not-done";

function isSigning(word: string): word is SigningWord {
  return word === "outcome" || word === "sign" || word === "not-done";
}

/** @throws {TunnelError} input-invalid, tunnel-unknown */
function signOff(word: SigningWord, rest: string, context: TypedContext): Typed {
  const { server, tunnel } = tunnelOf(context, word === "not-done" ? "" : rest);
  const { tunnelId, signOff: standing } = tunnel;
  if (standing === undefined) throw invalid("no outcome has been proposed");
  if (word === "outcome") return { do: "outcome", tunnel };
  const signing = { do: "sign", server, tunnelId, signOff: standing } as const;
  // A no is always possible; a yes only to what was there to be read.
  if (word === "not-done")
    return { ...signing, verdict: "not-done", ...(rest === "" ? {} : { reason: rest }) };
  const shown = context.wasShown(standing);
  if (shown === "not-whole") throw invalid("it was not shown as a whole: type outcome first");
  if (shown === "just-shown") throw invalid("it came only now, and may not be what you meant: type it again");
  return { ...signing, verdict: "done" };
}

function say(rest: string, context: TypedContext): Typed {
  const { server, tunnel } = tunnelOf(context, "");
  const [, names, words] = /^to\s+([^:\n]+):\s*([\s\S]+)$/.exec(rest) ?? [];
  const text = (words ?? rest).trim();
  if (text === "") throw invalid("the text is missing");
  const to = names === undefined ? {} : { to: names.split(",").map((name) => name.trim()) };
  return { do: "tell", server, command: { do: "say", tunnelId: tunnel.tunnelId, text, ...to }, done: "" };
}

function kick(rest: string, context: TypedContext): Typed {
  const name = rest.trim();
  if (name === "") throw invalid("the name is missing");
  const { server, tunnel } = tunnelOf(context, "");
  return { do: "tell", server, command: { do: "kick", tunnelId: tunnel.tunnelId, name }, done: "taken out" };
}

type Stop = "stop" | "withdraw" | "disconnect";

function isStop(word: string): word is Stop {
  return word === "stop" || word === "withdraw" || word === "disconnect";
}

function stop(word: Stop, named: string, context: TypedContext): Typed {
  if (word !== "stop") return stopService(named, word === "withdraw" ? "offered" : "taken", context);
  const { board } = context;
  if (named === "") throw invalid("the name is missing, as exposures lists it");
  const found = board.exposedAs(named);
  const [only, ...more] = found;
  if (only === undefined) throw new TunnelError("expose-unknown");
  if (more.length > 0) {
    const each = found.map(({ exposure, folder }) => `${exposure.exposureId} in ${folder}`).join(", ");
    throw invalid(`several have this name: stop one by its id, ${each}`);
  }
  // That it has ended is told to every face, this one included.
  const { server, exposure } = only;
  return { do: "tell", server, command: { do: "stop-exposure", exposure: exposure.exposureId }, done: "" };
}

function stopService(named: string, side: Served["side"], { board }: TypedContext): Typed {
  if (named === "") throw invalid("the name is missing, as services lists it");
  const [only, ...more] = board.servedAs(named, side);
  if (only === undefined) throw new TunnelError("service-unknown");
  const { server, tunnelId, serviceId: service } = only;
  if (more.length > 0) {
    const each = [only, ...more].map((one) => `${one.serviceId} in ${one.tunnelId}`).join(", ");
    throw invalid(`several have this name: give the id, ${each}`);
  }
  // How it has ended is told to every face, this one included.
  return { do: "tell", server, command: { do: "stop-service", tunnelId, service }, done: "" };
}
