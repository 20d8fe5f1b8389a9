import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { OBSERVER, ROOM } from "../../protocol/base/limits.ts";
import { peersAmong } from "../../protocol/room/peers.ts";
import { foldedName } from "../../protocol/base/names.ts";
import type { HostSession } from "../../session/host-session.ts";
import { inviteView } from "../../view/invites.ts";
import type { Decision } from "../../oversight/asks/ask.ts";
import type { Asks } from "../../oversight/asks/asks.ts";
import type { Conversation } from "./conversation/conversation.ts";
import type { ChatServices } from "./conversation/services.ts";
import type { Show } from "./conversation/events.ts";
import { completed, type Completion } from "./completion.ts";
import { readOffer } from "./offer-line.ts";
import { completedPath } from "./path-completion.ts";
import { refuseInChat, signInChat } from "./terminal/signing.ts";
import { filesLines } from "./terminal/file-lines.ts";
import { chatServicesLines } from "./terminal/service-lines.ts";
import { whoLines } from "./terminal/overview.ts";
import { wholeId } from "./conversation/file-ids.ts";

/** Everything that a command may use. */
export interface SlashCall {
  readonly conversation: Conversation;
  readonly asks: Asks;
  readonly show: Show;
  readonly print: (text: string) => void;
  readonly leave: () => void;
  /** Whether a person is there who can sign: a terminal, and not the shell of a known agent. */
  readonly signs: "person" | "no-terminal" | "agent";
}

interface SlashCommand {
  readonly name: string;
  /** Its arguments, for `/help`. */
  readonly usage?: string;
  readonly help: string;
  readonly forHostOnly?: true;
  /** @throws {TunnelError} the chat shows it and leaves the line to be corrected */
  readonly run: (argument: string, call: SlashCall) => Promise<void> | void;
}

/** Every command with a slash; a new one is one more entry. */
export const SLASH_COMMANDS: readonly SlashCommand[] = [
  {
    name: "who",
    help: "who is there, and how far they have read",
    run: (_, { conversation, print }) => {
      const { members, lastSeq } = conversation.status;
      print(whoLines(members, lastSeq).join("\n"));
    },
  },
  {
    name: "to",
    usage: "NAME[, NAME] TEXT",
    help: "say it to these alone, sealed to them",
    run: (argument, { conversation }) => conversation.say(addressed(argument, conversation)),
  },
  {
    name: "status",
    help: "connection, safety codes, when it ends by itself",
    run: (_, { conversation, show }) => show({ type: "status", ref: undefined, status: conversation.status }),
  },
  {
    name: "invite",
    usage: "[COUNT]",
    help: "make a new invite, or several",
    forHostOnly: true,
    run: (argument, { conversation, show }) => {
      const invites = hostOf(conversation).invite(countOf(argument));
      show({ type: "invites", ref: undefined, invites: invites.map(inviteView) });
    },
  },
  {
    name: "observer",
    usage: "[history] [MINUTES]",
    help: "make a link for somebody who only reads along, for 60 minutes, from their arrival on; history: from the beginning",
    forHostOnly: true,
    run: (argument, { conversation, show }) => {
      const invites = hostOf(conversation).observerLinks(1, observing(argument));
      show({ type: "invites", ref: undefined, invites: invites.map(inviteView) });
    },
  },
  {
    name: "remove",
    usage: "NAME",
    help: "take somebody out; they need a new invite to come back",
    forHostOnly: true,
    run: (argument, { conversation }) => hostOf(conversation).remove(argument),
  },
  {
    name: "share",
    usage: "FILE [NOTE]",
    help: 'offer a file to everybody; "quotes" around a name with spaces',
    run: (argument, { conversation }) => {
      const [path, note] = firstWord(argument);
      if (path === "") throw new TunnelError("input-invalid", { detail: "the file is missing" });
      return conversation.transfers.share({ path, note: note === "" ? undefined : note });
    },
  },
  {
    name: "send",
    usage: "PATH[, PATH] [NOTE]",
    help: "offer files and folders as one; ignored and secret files are left out and named",
    run: (argument, { conversation }) => conversation.transfers.share(sending(argument)),
  },
  {
    name: "save",
    usage: "N [PATH]",
    help: "fetch the file or folder of this number, under its own name or this one",
    run: (argument, { conversation }) => {
      const [digits, path] = firstWord(argument);
      const number = /^\d{1,9}$/.test(digits) ? Number(digits) : undefined;
      if (number === undefined)
        throw new TunnelError("input-invalid", { detail: "/save takes the number of an offer: see /files" });
      return conversation.transfers.save(number, path === "" ? undefined : unquoted(path));
    },
  },
  {
    name: "receive",
    usage: "ID FILE [--overwrite]",
    help: "fetch an offered file, and save it under this name",
    run: (argument, { conversation }) => {
      const { files } = conversation;
      const { beginning, savePath, overwrite } = receiving(argument);
      return conversation.transfers.receive({ fileId: wholeId(files, beginning), savePath, overwrite });
    },
  },
  {
    name: "offer",
    usage: "PORT [NAME] [OPTIONS]",
    help: "offer a service of this machine; OPTIONS: --tcp, --mcp, --tools NAMES, --to NAME, --read-only, --for 2h, --max 5, --each, --note TEXT",
    run: (argument, { conversation }) => conversation.services.offer(readOffer(argument)),
  },
  {
    name: "withdraw",
    usage: "SERVICE",
    help: "no longer offer it",
    run: (argument, { conversation }) => stop(argument, conversation),
  },
  {
    name: "connect",
    usage: "SERVICE [PORT]",
    help: "use an offered service on this machine; SERVICE is its number, name or id",
    run: (argument, { conversation: { services } }) => services.connect(connecting(argument, services)),
  },
  {
    name: "disconnect",
    usage: "SERVICE",
    help: "no longer use it",
    run: (argument, { conversation }) => stop(argument, conversation),
  },
  {
    name: "services",
    help: "what is offered and used, with connections, bytes and the time left",
    run: (_, { conversation: { services }, print }) =>
      print(chatServicesLines(services.view, (id) => services.numberOf(id)).join("\n")),
  },
  {
    name: "approve",
    usage: "N",
    help: "let exactly what was asked under this number happen",
    run: (argument, { asks }) => decide(asks, argument, () => ({ verdict: "approve" })),
  },
  {
    name: "refuse",
    usage: "N [REASON]",
    help: "do not let it happen",
    run: (argument, { asks }) =>
      decide(asks, argument, (reason) => ({ verdict: "refuse", ...(reason === "" ? {} : { reason }) })),
  },
  {
    name: "sign",
    usage: "WORDS",
    help: "sign the outcome that was proposed, named by its three words, with a key made here",
    run: (argument, { conversation: { tunnel }, signs }) => signInChat(tunnel, argument, signs),
  },
  {
    name: "not-done",
    usage: "[REASON]",
    help: "refuse to sign it; everybody is told the reason",
    run: (argument, { conversation: { tunnel }, signs }) => refuseInChat(tunnel, argument, signs),
  },
  {
    name: "files",
    help: "what was offered and shared, and what is on its way",
    run: (_, { conversation: { files, transfers }, print }) =>
      print(filesLines(files, transfers.running, (id) => transfers.numberOf(id)).join("\n")),
  },
  { name: "help", help: "this list", run: (_, { conversation, print }) => print(helpText(conversation)) },
  {
    name: "quit",
    help: "leave; for the host that ends the tunnel for everyone (also Ctrl-C, Ctrl-D)",
    run: (_, { leave }) => leave(),
  },
];

/** The words that may follow a line that is being typed, up to the cursor. */
export function completeSlash(before: string, conversation: Conversation): Completion {
  const { tunnel, services } = conversation;
  const names = (): string[] => tunnel.presence().flatMap(({ name, isSelf }) => (isSelf ? [] : [name]));
  const commands = commandsFor(conversation).map(({ name }) => `/${name}`);
  const path = completedPath(before, conversation.transfers.cwd);
  if (path !== undefined) return path;
  return completed(before, commands, (command, option) => {
    const { offered = [], listeners = [], toYou = [] } = services.view ?? {};
    switch (command) {
      case "to":
        return peersAmong(tunnel.presence()).map(({ name }) => name);
      case "remove":
        return names();
      case "offer":
        return option === "to" ? names() : [];
      case "connect":
        return toYou.map(({ name }) => name);
      case "disconnect":
        return listeners.map(({ name }) => name);
      case "withdraw":
        return offered.flatMap(({ name, status }) => (status === "over" ? [] : [name]));
      default:
        return [];
    }
  });
}

function commandsFor({ tunnel }: Conversation): readonly SlashCommand[] {
  return SLASH_COMMANDS.filter(({ forHostOnly }) => forHostOnly !== true || tunnel.role === "host");
}

/** @throws {TunnelError} input-invalid for an unknown command, and all errors of a known one */
export async function runSlash(line: string, call: SlashCall): Promise<void> {
  const end = line.search(/\s|$/);
  const name = line.slice(1, end);
  const command = SLASH_COMMANDS.find((one) => one.name === name.toLowerCase());
  if (command === undefined) {
    const detail = `there is no command /${name}; /help lists them, and // begins a message with a slash`;
    throw new TunnelError("input-invalid", { detail });
  }
  await command.run(line.slice(end).trim(), call);
}

function helpText(conversation: Conversation): string {
  const shown = commandsFor(conversation).map(({ name, usage, help }) => {
    return { left: `/${name}${usage === undefined ? "" : ` ${usage}`}`, help };
  });
  const width = Math.max(...shown.map(({ left }) => left.length));
  return [
    "Whatever you type is said to everybody in the tunnel. Alt-Enter begins a new line, Tab completes a command.",
    ...shown.map(({ left, help }) => `  ${left.padEnd(width)}  ${help}`),
  ].join("\n");
}

/** @throws {TunnelError} ask-unknown, ask-decided */
function decide(asks: Asks, argument: string, decisionOf: (rest: string) => Decision): void {
  const [digits, rest] = firstWord(argument);
  const ask = /^\d{1,9}$/.test(digits) ? asks.find(Number(digits)) : undefined;
  if (ask === undefined) throw new TunnelError("ask-unknown");
  asks.decide(ask.id, ask.digest, decisionOf(rest), { path: "terminal" });
}

/** The first word, or the text in quotes, and the rest. A backslash is part of a path on Windows. */
function firstWord(text: string): [word: string, rest: string] {
  const [whole, , quoted] = must(/^(?:(["'])(.*?)\1(?!\S)|\S*)/.exec(text), "the first word");
  return [quoted ?? whole, text.slice(whole.length).trimStart()];
}

/** `PATH[, PATH] [NOTE]`. @throws {TunnelError} input-invalid */
function sending(argument: string): { paths: string[]; note: string | undefined } {
  const paths: string[] = [];
  let rest = argument;
  for (;;) {
    const [whole, , quoted, comma, word = ""] = must(
      /^(?:(["'])(.*?)\1(,?)(?!\S)|(\S*))/.exec(rest),
      "the first path",
    );
    const path = quoted ?? word.replace(/,+$/, "");
    if (path !== "") paths.push(path);
    rest = rest.slice(whole.length).trimStart();
    if (rest === "" || (comma !== "," && !word.endsWith(","))) break;
  }
  if (paths.length === 0) throw new TunnelError("input-invalid", { detail: "the path is missing" });
  return { paths, note: rest === "" ? undefined : rest };
}

/** `ID FILE [--overwrite]`: everything in the middle is one file, with its spaces. @throws {TunnelError} input-invalid */
function receiving(argument: string): { beginning: string; savePath: string; overwrite: boolean } {
  const [beginning, rest] = firstWord(argument);
  const path = rest.replace(/(?:^|\s+)--overwrite$/, "");
  const [word, more] = firstWord(path);
  if (beginning === "" || path === "") {
    const detail = "it takes the id of an offered file, and the name to save it under: /receive ID FILE";
    throw new TunnelError("input-invalid", { detail });
  }
  return { beginning, savePath: more === "" ? word : path, overwrite: path !== rest };
}

/** @throws {TunnelError} service-unknown, input-invalid */
function stop(argument: string, { services }: Conversation): Promise<void> {
  return services.stop(services.find(unquoted(argument)));
}

/** `1`, `my API 8080`: a service, and the port that it is to have here. @throws {TunnelError} service-unknown, input-invalid */
function connecting(argument: string, services: ChatServices): { serviceId: string; port?: number } {
  const [, before = "", digits = ""] = /^(.*\S)\s+(\d{1,5})$/.exec(argument) ?? [];
  // A name may end in a number: the whole of it counts first.
  const whole = before === "" ? undefined : found(argument, services);
  if (before === "" || whole !== undefined) return { serviceId: whole ?? services.find(unquoted(argument)) };
  const port = Number(digits);
  if (port < 1 || port > 65_535)
    throw new TunnelError("input-invalid", { detail: "a port is at most 65535" });
  return { serviceId: services.find(unquoted(before)), port };
}

function found(argument: string, services: ChatServices): string | undefined {
  try {
    return services.find(unquoted(argument));
  } catch {
    return undefined;
  }
}

function unquoted(argument: string): string {
  const [word, more] = firstWord(argument);
  return more === "" ? word : argument;
}

function hostOf({ tunnel }: Conversation): HostSession {
  if (tunnel.role !== "host") throw new TunnelError("not-the-host");
  return tunnel;
}

function countOf(argument: string): number {
  const count = argument === "" ? 1 : Number(/^\d{1,2}$/.exec(argument)?.[0] ?? 0);
  if (count >= 1 && count < ROOM.maxMembers) return count;
  throw new TunnelError("input-invalid", { detail: `COUNT is a number from 1 to ${ROOM.maxMembers - 1}` });
}

/** @throws {TunnelError} input-invalid */
function observing(argument: string): { history: boolean; minutes: number } {
  const [, history, digits] = /^(history)?\s*(\d{1,5})?$/.exec(argument) ?? [];
  const minutes = digits === undefined ? OBSERVER.defaultMinutes : Number(digits);
  const isRead = argument === "" || history !== undefined || digits !== undefined;
  if (!isRead || minutes < 1 || minutes > OBSERVER.maxMinutes)
    throw new TunnelError("input-invalid", {
      detail: `MINUTES is a number from 1 to ${OBSERVER.maxMinutes}, and history is the one other word`,
    });
  return { history: history !== undefined, minutes };
}

/**
 * `ben, carl (2) the text`: names may contain spaces, so each is the longest that a member has.
 * @throws {TunnelError} member-unknown, input-invalid
 */
function addressed(argument: string, { tunnel }: Conversation): { to: string[]; text: string } {
  const names = tunnel.presence().flatMap(({ name, isSelf }) => (isSelf ? [] : [foldedName(name)]));
  const to: string[] = [];
  let rest = argument;
  for (;;) {
    const ends = [...rest.matchAll(/(?=[\s,]|$)/g)].map(({ index }) => index);
    const end = ends.findLast((at) => names.includes(foldedName(rest.slice(0, at))));
    if (end === undefined) {
      throw new TunnelError("member-unknown", {
        detail: rest.slice(0, rest.search(/[\s,]|$/)).slice(0, 100),
      });
    }
    to.push(rest.slice(0, end));
    const after = rest.slice(end).trimStart();
    if (!after.startsWith(",")) {
      if (after === "") throw new TunnelError("input-invalid", { detail: "the text is missing" });
      return { to, text: after };
    }
    rest = after.slice(1).trimStart();
  }
}
