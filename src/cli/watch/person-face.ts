import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { TunnelView, WatchEvent } from "../../watch/protocol.ts";
import { safeText } from "../chat/terminal/safe-text.ts";
import { terminalScreen, type Screen } from "../chat/terminal/screen.ts";
import { paintFor, type Paint } from "../io/output.ts";
import { wrapWords } from "../io/wrap.ts";
import { Board, type Server, type Waiting } from "./board.ts";
import { readTyped, WATCH_COMMANDS, type Typed } from "./commands.ts";
import { editedBy } from "./editor.ts";
import { ending, type Face } from "./face.ts";
import {
  askLines,
  decidedLine,
  entryLine,
  isShownWhole,
  stateLines,
  tunnelLines,
  type LineStyle,
} from "./lines.ts";
import type { WatchOptions } from "./watch-options.ts";

/** Rings, and says in the window's title how many asks wait. Neither is ever a peer's words. */
const BELL = "\u0007";
const title = (text: string): string => `\u001b]0;${text}\u0007`;

/** A person at a terminal: what happens is shown as it comes, what waits is shown whole, and a decision is a typed line (H13). */
export class PersonFace implements Face {
  readonly done: Promise<void>;
  readonly #end: () => void;
  readonly #options: WatchOptions;
  readonly #paint: Paint;
  readonly #board = new Board();
  /** Asks of which a person has seen the whole, by their digest. */
  readonly #shown = new Set<string>();
  /** How each tunnel stood when it was shown last. */
  readonly #states = new Map<string, string>();
  #screen: Screen;
  #chosen: string | undefined;
  #isGreeted = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#paint = paintFor(options.output.color);
    ({ done: this.done, end: this.#end } = ending());
    this.#screen = this.#open();
    this.#say("What your agents and their peers do is shown here. Type help for the commands.");
  }

  hear(server: Server, event: WatchEvent): void {
    this.#board.heard(server, event);
    switch (event.t) {
      case "hello":
        this.#greeted(server, event);
        break;
      case "entry":
        this.#print(entryLine(event, this.#style, this.#board.open.length > 1));
        break;
      case "ask":
        this.#asked({ server, ask: event.ask });
        break;
      case "tunnel":
        this.#changed(event.tunnel.tunnelId);
        break;
      case "crowded":
        this.#say("More is asked than is shown: the rest comes when you have decided some of it.");
        break;
      case "faces":
        if (event.change === "opened" && event.count > 1)
          this.#print(
            this.#paint.yellow(`! Another view of this server was opened: ${event.count} are open.`),
          );
        break;
      case "warning": {
        const what = `[${event.tunnelId}] four fifths are used: ${event.budgets.join(", ")}`;
        this.#print(`${BELL}${this.#paint.yellow(what)}`);
        break;
      }
      case "answer":
    }
    this.#entitle();
  }

  gone(server: Server): void {
    this.#board.gone(server);
    this.#entitle();
  }

  quit(): void {
    this.#options.terminal.write(title(""));
    this.#screen.close();
    this.#end();
  }

  #open(): Screen {
    const { input, terminal } = this.#options;
    return terminalScreen({
      input,
      output: terminal,
      prompt: "watch> ",
      person: {
        onLine: (line) => void this.#typed(line),
        onInterrupt: () => this.quit(),
        onPaste: () => false,
        onEnd: () => this.quit(),
        onActivity: () => undefined,
      },
    });
  }

  get #style(): LineStyle {
    return { paint: this.#paint, columns: this.#screen.columns() };
  }

  #print(text: string | undefined): void {
    if (text !== undefined && text !== "") this.#screen.print(text);
  }

  /** Words of this program. */
  #say(text: string): void {
    this.#print(this.#paint.dim(wrapWords(text, this.#screen.columns())));
  }

  #greeted(server: Server, { tunnels, asks }: Extract<WatchEvent, { t: "hello" }>): void {
    if (!this.#isGreeted && tunnels.length === 0) this.#say("No tunnel is open yet.");
    this.#isGreeted = true;
    for (const tunnel of tunnels) {
      if (tunnel.ended !== undefined) continue;
      this.#states.set(tunnel.tunnelId, modesOf(tunnel));
      this.#print(tunnelLines(tunnel, this.#style));
    }
    for (const ask of asks) this.#asked({ server, ask });
  }

  #asked(waiting: Waiting): void {
    const { ask } = waiting;
    const name = this.#board.nameOf(waiting);
    if (ask.state !== "waiting") return this.#print(decidedLine(ask, name, this.#style));
    if (isShownWhole(ask)) this.#shown.add(ask.digest);
    this.#print(`${BELL}${askLines(ask, { name }, this.#style, false)}`);
  }

  /** A tunnel that is new, over, or stands otherwise than before. */
  #changed(tunnelId: string): void {
    const tunnel = this.#board.tunnel(tunnelId);
    if (tunnel === undefined) return;
    if (tunnel.ended !== undefined) {
      if (this.#states.get(tunnelId) !== "ended") this.#say(`[${tunnelId}] is over: ${tunnel.ended.because}`);
      return void this.#states.set(tunnelId, "ended");
    }
    const before = this.#states.get(tunnelId);
    const now = modesOf(tunnel);
    this.#states.set(tunnelId, now);
    if (before === undefined) this.#print(tunnelLines(tunnel, this.#style));
    else if (before !== now)
      this.#say(`[${tunnelId}] ${now === "" ? "everything flows" : now.replaceAll("\n", "; ")}`);
  }

  #entitle(): void {
    const count = this.#board.waiting.length;
    this.#options.terminal.write(title(count === 0 ? "tunnel-mcp watch" : `(${count}) tunnel-mcp watch`));
  }

  async #typed(line: string): Promise<void> {
    try {
      const wasShown = ({ ask }: Waiting): boolean => this.#shown.has(ask.digest);
      await this.#do(readTyped(line, { board: this.#board, chosen: this.#chosen, wasShown }));
    } catch (thrown) {
      const error = asTunnelError(thrown);
      this.#print(this.#paint.red(safeText(`${error.message}\n  ${error.nextForPerson}`)));
    }
  }

  async #do(typed: Typed): Promise<void> {
    switch (typed.do) {
      case "nothing":
        return;
      case "quit":
        return this.quit();
      case "help":
        return this.#print(helpText());
      case "asks":
        return this.#asks();
      case "tunnels":
        return this.#tunnels();
      case "use":
        this.#chosen = typed.tunnelId;
        return this.#say(`What you type is about ${typed.tunnelId} now.`);
      case "show":
        return this.#show(typed.waiting);
      case "edit":
        return this.#edit(typed.waiting);
      case "tell":
        await typed.server.ask(typed.command);
        if (typed.done !== "") this.#say(`${typed.done}.`);
    }
  }

  #asks(): void {
    const { waiting } = this.#board;
    if (waiting.length === 0) return this.#say("Nothing waits for you.");
    for (const one of waiting)
      this.#print(askLines(one.ask, { name: this.#board.nameOf(one) }, this.#style, false));
  }

  #tunnels(): void {
    const { open } = this.#board;
    if (open.length === 0) return this.#say("No tunnel is open.");
    for (const { tunnel } of open) this.#print(tunnelLines(tunnel, this.#style));
  }

  #show(waiting: Waiting): void {
    this.#shown.add(waiting.ask.digest);
    this.#print(askLines(waiting.ask, { name: this.#board.nameOf(waiting) }, this.#style, true));
  }

  async #edit({ server, ask }: Waiting): Promise<void> {
    if (ask.subject.kind !== "message") return;
    this.#screen.close();
    let text: string | undefined;
    try {
      text = await editedBy(this.#options.env, ask.subject.text);
    } finally {
      this.#screen = this.#open();
    }
    if (text === undefined) return this.#say("Nothing was changed, so nothing was sent: it still waits.");
    await server.ask({ do: "decide", ask: ask.ask, digest: ask.digest, decision: { verdict: "edit", text } });
    this.#say("It goes in your words.");
  }
}

/** Without counts, which change with every message. */
function modesOf({ oversight }: TunnelView): string {
  return stateLines({ ...oversight, budgets: undefined, heldIn: 0, heldOut: 0 }).join("\n");
}

function helpText(): string {
  const rows = WATCH_COMMANDS.map(([word, usage, help]) => ({ left: `${word} ${usage}`.trimEnd(), help }));
  const width = Math.max(...rows.map(({ left }) => left.length));
  return rows.map(({ left, help }) => `  ${left.padEnd(width)}  ${help}`).join("\n");
}
