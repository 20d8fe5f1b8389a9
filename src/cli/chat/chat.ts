import { asTunnelError, type ErrorCode, TunnelError } from "../../errors/tunnel-error.ts";
import { LINK, SESSION } from "../../protocol/base/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { inputLines } from "../../runtime/input-lines.ts";
import { every } from "../../runtime/wait.ts";
import type { ProviderName } from "../../tunnel/registry/registry.ts";
import type { LazyServices } from "../../services/tunnels/lazy-services.ts";
import type { KeptTunnel } from "../../watch/protocol.ts";
import type { Session, Sessions } from "../../session/sessions.ts";
import { withoutColours } from "../../protocol/base/typed-text.ts";
import { inviteView } from "../../view/invites.ts";
import { entryView } from "../../view/entries.ts";
import { guestStatusView, hostStatusView, statusView } from "../../view/status.ts";
import { durationText } from "../../view/time.ts";
import { paintFor, type Output } from "../io/output.ts";
import { isInterrupt, stayAlive } from "../io/stay.ts";
import { givenLink } from "./given-link.ts";
import type { Ask } from "../../oversight/asks/ask.ts";
import type { Asks } from "../../oversight/asks/asks.ts";
import { askView } from "../../watch/views.ts";
import { askLines } from "../watch/lines.ts";
import { Conversation } from "./conversation/conversation.ts";
import type { Show } from "./conversation/events.ts";
import { personIn } from "./person.ts";
import { obeyProgram } from "./program.ts";
import { jsonLines } from "./json/view.ts";
import type { TerminalInput } from "./terminal/keyboard.ts";
import { PeopleView } from "./terminal/people-view.ts";
import { safeGoal, safeName, safeText } from "./terminal/safe-text.ts";
import { plainScreen, terminalScreen, type Screen, type TerminalOutput } from "./terminal/screen.ts";
import { errorText, resumeCommand } from "./terminal/wording.ts";

export interface OpenRequest {
  readonly kind: "open";
  readonly goal: string;
  readonly name: string | undefined;
  readonly invites: number;
  readonly transport: ProviderName | undefined;
  readonly history: boolean;
  readonly json: boolean;
}

export interface JoinRequest {
  readonly kind: "join";
  /** Undefined: asked for at a terminal, or the first line of the input. */
  readonly link: string | undefined;
  readonly name: string | undefined;
  readonly json: boolean;
}

export interface ResumeRequest {
  readonly kind: "resume";
  /** Undefined: the only one of this folder. */
  readonly tunnelId: string | undefined;
  readonly json: boolean;
}

export interface ChatOptions {
  readonly request: OpenRequest | JoinRequest | ResumeRequest;
  /** How long its tunnel is kept after the end of this process, in s. */
  readonly keptForSec: number;
  /** The tunnels of this folder whose program has ended. */
  readonly kept: () => Promise<readonly KeptTunnel[]>;
  /** Loads the sessions; called once. */
  readonly sessions: () => Promise<Sessions>;
  readonly services: LazyServices;
  readonly clock: Clock;
  readonly output: Output;
  readonly input: TerminalInput;
  readonly terminal: TerminalOutput;
  readonly stdinIsTerminal: boolean;
  /** Whether a line can be edited here: a terminal on both sides that understands more than lines. */
  readonly isInteractive: boolean;
  /** Whether a known agent has opened this shell: what is typed in it is no signature of a person. */
  readonly isAgentShell?: boolean;
  /** Whether codes may go to standard error, where the link is asked for. */
  readonly marksPaste: boolean;
  /** Resolves when nothing can be shown any more. */
  readonly outputLost: Promise<unknown>;
  /** Gives the hook the exit code, which tells the cause where that is a signal. */
  readonly onShutdown: (hook: (code: number) => Promise<void>) => void;
  readonly exitNow: (code: number) => void;
}

/** Messages of before that tell somebody who goes on where they are. */
const LAST_SHOWN = 10;

/** Errors that only other arguments can mend. */
const USAGE_ERRORS: ReadonlySet<ErrorCode> = new Set(["goal-invalid", "name-invalid", "link-malformed"]);

/**
 * Opens or joins a tunnel for a person at a terminal or for a program, or goes on with one, and stays until it is over. Where the
 * terminal or the process is ended instead of the tunnel, that is kept for a while.
 * @returns 0 for an end that was wanted, 1 for a failure, 2 for arguments that cannot be used
 */
export async function chat(options: ChatOptions): Promise<0 | 1 | 2> {
  // A guest that redials has nothing else that keeps the process alive.
  const leave = stayAlive();
  const stay = new Stay(options);
  try {
    return await stay.run();
  } finally {
    stay.close();
    leave();
  }
}

class Stay {
  readonly #options: ChatOptions;
  readonly #show: Show;
  readonly #abort = new AbortController();
  #screen: Screen | undefined;
  #lines: AsyncIterator<string, undefined> | undefined;
  /** Lines of the input that have been read. */
  #linesRead = 0;
  #hangUp: () => void = () => undefined;
  readonly #hungUp = new Promise<"hung-up">((resolve) => (this.#hangUp = () => resolve("hung-up")));
  #conversation: Conversation | undefined;
  #isDeparting = false;

  constructor(options: ChatOptions) {
    this.#options = options;
    const { clock, output, request, terminal } = options;
    if (request.json) {
      this.#show = (event) => {
        if (!this.#isDeparting) jsonLines(event).forEach((line) => output.out(`${line}\n`));
      };
    } else {
      const view = new PeopleView({
        clock,
        paint: paintFor(output.color),
        columns: () => terminal.columns || undefined,
        print: (text) => this.#print(text),
        status: (text) => this.#screen?.status(text),
      });
      this.#show = (event) => {
        if (!this.#isDeparting) view.show(event);
      };
    }
  }

  async run(): Promise<0 | 1 | 2> {
    let opening: Promise<Session> | undefined;
    let sessions: Sessions | undefined;
    this.#options.onShutdown(async (code) => {
      this.#abort.abort();
      // The input stays open: its end would look like the wish to leave, and the others would be told so.
      this.#screen?.close();
      await Promise.allSettled([opening]);
      await this.#depart(sessions, isInterrupt(code) || this.#conversation?.isLeaving === true);
    });
    try {
      await this.#hint();
      const link = await this.#link();
      sessions = await this.#options.sessions();
      opening = this.#open(sessions, link);
      return await this.#talk(await opening, sessions);
    } catch (thrown) {
      // After an interrupt the user knows why it ended.
      if (!this.#abort.signal.aborted) this.#refuse(asTunnelError(thrown));
      return USAGE_ERRORS.has(asTunnelError(thrown).code) ? 2 : 1;
    }
  }

  /** The process ends. @param isWanted whether its person has ended it, or was leaving, and so its tunnels are over */
  async #depart(sessions: Sessions | undefined, isWanted: boolean): Promise<void> {
    await this.#options.services.shutDown();
    const { all = [] } = sessions ?? {};
    if (isWanted) await Promise.allSettled(all.map((tunnel) => tunnel.close("host-stopped")));
    else for (const tunnel of all) if (tunnel.isKept) this.#tellKept(tunnel);
    await sessions?.shutDown();
  }

  /** After this nothing is shown: that it is cut off then is no news. */
  #tellKept({ tunnelId }: Session): void {
    if (this.#isDeparting) return;
    this.#show({ type: "kept", tunnelId, keptForSec: this.#options.keptForSec });
    this.#isDeparting = true;
  }

  /** Puts the terminal back into its first state. */
  close(): void {
    this.#screen?.close();
    void this.#lines?.return?.();
  }

  /** @throws {TunnelError} link-malformed when there is none */
  async #link(): Promise<string> {
    const { request, input, output, stdinIsTerminal, marksPaste } = this.#options;
    if (request.kind !== "join") return "";
    return givenLink({
      given: request.link,
      input,
      write: output.err,
      stdinIsTerminal,
      marksPaste,
      nextLine: async () => {
        this.#linesRead = 1;
        return (await this.#input().next()).value;
      },
    });
  }

  #input(): AsyncIterator<string, undefined> {
    return (this.#lines ??= inputLines(this.#options.input));
  }

  async #open(sessions: Sessions, joinLink: string): Promise<Session> {
    const { request, clock } = this.#options;
    const { signal } = this.#abort;
    if (request.kind === "resume") return this.#resume(sessions, request.tunnelId);
    const { name } = request;
    if (request.kind === "join") {
      this.#show({ type: "progress", progress: { message: "connecting to the host" } });
      const tunnel = await sessions.join({ joinLink, name, signal });
      this.#show({ type: "joined", status: guestStatusView(tunnel, clock.now()) });
      return tunnel;
    }
    const { invites: count, transport, history } = request;
    const { text: goal, removed } = withoutColours(request.goal);
    const started = clock.now();
    // A step may take long, and a person must see that something still happens.
    const stopBeating = every(clock, SESSION.progressEveryMs, () => {
      const seconds = Math.round((clock.now() - started) / 1000);
      this.#show({ type: "progress", progress: { message: `still opening, ${seconds} s so far` } });
    });
    const { hosting, invites } = await sessions
      .host({
        goal,
        invites: count,
        history,
        transport,
        name,
        signal,
        onProgress: (progress) => this.#show({ type: "progress", progress }),
      })
      .finally(stopBeating);
    const status = hostStatusView(hosting, clock.now());
    this.#show({ type: "opened", status, invites: invites.map(inviteView), removed });
    return hosting;
  }

  /** Goes on with a tunnel of this folder. @throws {TunnelError} nothing-kept, stays-ambiguous, and all of resuming */
  async #resume(sessions: Sessions, wanted: string | undefined): Promise<Session> {
    const [only, ...more] = wanted === undefined ? await sessions.resumable() : [];
    const tunnelId = wanted ?? only?.tunnelId;
    if (tunnelId === undefined) throw new TunnelError("nothing-kept");
    if (more.length > 0) {
      const detail = [only, ...more].map((one) => one?.tunnelId).join(", ");
      throw new TunnelError("stays-ambiguous", { detail });
    }
    this.#show({ type: "progress", progress: { message: "going on with the tunnel" } });
    const { signal } = this.#abort;
    const tunnel = await sessions.resume({
      tunnelId,
      signal,
      onProgress: (progress) => this.#show({ type: "progress", progress }),
    });
    const now = this.#options.clock.now();
    // What is unread is shown as it is read.
    const known = [...tunnel.inbox.said()].filter(({ seq, own }) => own || seq <= tunnel.inbox.read);
    const last = known.slice(-LAST_SHOWN).map((entry) => entryView(entry, now));
    this.#show({ type: "resumed", status: statusView(tunnel, now), last });
    return tunnel;
  }

  /** Tells a person of what they could go on with instead. Programs ask for it. */
  async #hint(): Promise<void> {
    const { request, kept, clock, output } = this.#options;
    if (request.kind === "resume" || request.json) return;
    for (const one of await kept()) {
      const left = durationText((one.keptUntil - clock.now()) / 1_000);
      const what = `A tunnel of this folder is kept for another ${left}: ${safeGoal(one.goal)}`;
      output.err(`${what}\n  To go on with it instead: ${resumeCommand(one)}\n`);
    }
  }

  async #talk(tunnel: Session, sessions: Sessions): Promise<0 | 1> {
    const { clock, services, stdinIsTerminal, outputLost } = this.#options;
    const show = this.#show;
    const conversation = new Conversation({
      tunnel,
      clock,
      checkedText: (text) => sessions.checkedText(text),
      localFiles: sessions.localFiles,
      services,
      // A terminal on both sides has a person at it. A program, or a script, has none, whatever it says of itself (G11).
      author: this.#options.isInteractive && !this.#options.request.json ? "human" : undefined,
      show,
    });
    this.#conversation = conversation;
    const { asks } = sessions.overseer;
    const stopAsking = asks.subscribe((event) => {
      if (event.type === "asked" && this.#screen !== undefined) this.#ask(event.ask, sessions);
    });
    if (this.#options.request.json) {
      void obeyProgram({ lines: this.#input(), from: this.#linesRead + 1, conversation, show });
    } else this.#screen = this.#screenFor(conversation, asks);
    // A person cannot go on blindly. What a script has still to say is said, and its last line is the end.
    if (stdinIsTerminal) void outputLost.then(() => this.#cutOff(conversation));
    const how = await Promise.race([conversation.run(), this.#hungUp]);
    stopAsking();
    if (how === "hung-up") {
      await this.#depart(sessions, false);
      return 1;
    }
    await services.shutDown();
    await tunnel.close();
    const isFailure = tunnel.end?.cause === "failed" || tunnel.end?.cause === "removed";
    return isFailure || conversation.undelivered > 0 ? 1 : 0;
  }

  /** The terminal is gone, which is no wish of its person to leave. A terminal on one side alone has ended what it was there for. */
  #cutOff(conversation: Conversation): void {
    const { isInteractive } = this.#options;
    const mayGoOn = conversation.tunnel.isKept && !conversation.isLeaving;
    if (isInteractive && mayGoOn) this.#hangUp();
    else void conversation.leave(LINK.sayConfirmMs);
  }

  /** Whole, however long it is: this person has most likely typed it. */
  #ask(ask: Ask, sessions: Sessions): void {
    const style = { paint: paintFor(this.#options.output.color), columns: this.#screen?.columns() };
    this.#print(askLines(askView(ask, sessions), { name: String(ask.id), prefix: "/" }, style, true));
  }

  #screenFor(conversation: Conversation, asks: Asks): Screen {
    const { input, terminal: output, isInteractive, clock, exitNow } = this.#options;
    const { stdinIsTerminal, isAgentShell = false } = this.#options;
    const person = personIn({
      conversation,
      asks,
      show: this.#show,
      screen: () => this.#screen,
      isTerminal: isInteractive,
      signs: isAgentShell ? "agent" : stdinIsTerminal ? "person" : "no-terminal",
      clock,
      exitNow,
      onTerminalGone: () => this.#cutOff(conversation),
    });
    if (!isInteractive) return plainScreen({ lines: this.#input(), output, person });
    const name = conversation.tunnel.presence().find(({ isSelf }) => isSelf)?.name ?? "";
    return terminalScreen({ input, output, prompt: `${safeName(name)}> `, person });
  }

  #print(text: string): void {
    const { output } = this.#options;
    if (this.#screen === undefined) output.out(`${text}\n`);
    else this.#screen.print(text);
  }

  /** Tells of an error before the conversation began. Later errors are events. */
  #refuse(error: TunnelError): void {
    const { output, request } = this.#options;
    if (request.json) return this.#show({ type: "error", error });
    output.err(`tunnel-mcp: ${safeText(errorText(error)).replace("\n", "\n  ")}\n`);
  }
}
