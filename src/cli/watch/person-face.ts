import { asTunnelError } from "../../errors/tunnel-error.ts";
import { nodePrimitives } from "../../runtime/primitives.ts";
import { signCommand } from "../../watch/sign-by-hand.ts";
import type { SignOffView } from "../../view/signing/sign-off.ts";
import { seconds } from "../../view/time.ts";
import type { KeptTunnel } from "../../watch/protocol.ts";
import type { TunnelView, WatchEvent } from "../../watch/protocol.ts";
import { safeLabel, safeName, safeText, withGutter } from "../chat/terminal/safe-text.ts";
import { terminalScreen, type Screen } from "../chat/terminal/screen.ts";
import { RequestFlood } from "../expose/request-flood.ts";
import { requestLine, requestName } from "../expose/request-line.ts";
import { paintFor, type Paint } from "../io/output.ts";
import { wrapWords } from "../io/wrap.ts";
import type { Server } from "../../watch/servers.ts";
import { Board, type Waiting } from "./board.ts";
import { readTyped, WATCH_COMMANDS, type Typed } from "./commands.ts";
import { editedBy } from "./editor.ts";
import { ending, type Face } from "./face.ts";
import { Flood } from "./flood.ts";
import {
  askLines,
  decidedLine,
  entryLine,
  exposureLines,
  exposureNewsLine,
  hostAwayText,
  isShownWhole,
  keptLines,
  stateLines,
  tunnelLines,
  type LineStyle,
} from "./lines.ts";
import { isOutcomeShownWhole, signOffKey, signOffLines } from "./sign-off-lines.ts";
import { trafficText, servicesNews, toldServicesLines } from "./service-lines.ts";
import type { WatchOptions } from "./watch-options.ts";

/** Rings, and says in the window's title how many asks wait. Neither is ever a peer's words. */
const BELL = "\u0007";
/** An ask that came just now takes no yes: the line may have been meant for another. */
const INERT_MS = 500;
/** Lines that are kept for after an editor. */
const MAX_UNPRINTED = 500;
const title = (text: string): string => `\u001b]0;${text}\u0007`;

/** A person at a terminal: what happens is shown as it comes, what waits is shown whole, and a decision is a typed line. */
export class PersonFace implements Face {
  readonly done: Promise<void>;
  readonly #end: () => void;
  readonly #options: WatchOptions;
  readonly #paint: Paint;
  readonly #board = new Board();
  /** Asks of which a person has seen the whole, with the time since when. */
  readonly #shown = new Map<string, number>();
  /** How the outcome of each tunnel was shown last. */
  readonly #outcomes = new Map<string, string>();
  readonly #flood: Flood;
  readonly #requests: RequestFlood;
  readonly #editing = new AbortController();
  /** How each tunnel stood when it was shown last. */
  readonly #states = new Map<string, string>();
  /** The alarms of each tunnel that were shown. */
  readonly #alarms = new Map<string, readonly string[]>();
  /** Tunnels whose host was told to be away. */
  readonly #hostAway = new Set<string>();
  #kept: readonly KeptTunnel[] = [];
  #screen: Screen;
  /** Waits while an editor has the terminal. */
  #unprinted: string[] | undefined;
  #chosen: string | undefined;
  #title = "";
  #isGreeted = false;
  #isOver = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#paint = paintFor(options.output.color);
    ({ done: this.done, end: this.#end } = ending());
    this.#flood = new Flood(options.clock, (text) => this.#say(text));
    this.#requests = new RequestFlood(options.clock, (name, text) => this.#say(`* ${name}: ${text}`));
    this.#screen = this.#open();
    this.#say("What your agents and their peers do is shown here. Type help for the commands.");
  }

  hear(server: Server, event: WatchEvent): void {
    this.#compareServices(server, event);
    this.#board.heard(server, event, this.#options.clock.now());
    switch (event.t) {
      case "hello":
        this.#greeted(server, event);
        break;
      case "entry":
        this.#entry(server, event);
        break;
      case "ask":
        this.#asked({ server, ask: event.ask });
        break;
      case "tunnel":
        this.#changed(event.tunnel.tunnelId);
        break;
      case "exposure":
        this.#print(exposureNewsLine(event, this.#style));
        break;
      case "visit":
        this.#visited(event);
        break;
      case "connection":
      case "call":
        this.#traffic(event);
        break;
      case "crowded":
      case "faces":
      case "warning":
        this.#news(event);
        break;
      case "services":
      case "answer":
    }
    this.#entitle();
  }

  #news(event: Extract<WatchEvent, { t: "crowded" | "faces" | "warning" }>): void {
    const { yellow } = this.#paint;
    switch (event.t) {
      case "crowded":
        return this.#say("More is asked than is shown: the rest comes when you have decided some of it.");
      case "faces": {
        if (event.change !== "opened" || event.count < 2) return;
        const what = event.face === "page" ? "A page" : "Another view";
        return this.#print(yellow(`! ${what} of this server was opened: ${event.count} are open.`));
      }
      case "warning": {
        const what = `[${event.tunnelId}] four fifths are used: ${event.budgets.join(", ")}`;
        return this.#print(`${BELL}${yellow(what)}`);
      }
    }
  }

  gone(server: Server): void {
    const lost = this.#board.waiting.filter((one) => one.server === server).length;
    const open = this.#board.open.filter((one) => one.server === server);
    const exposed = this.#board.exposed.filter((one) => one.server === server);
    this.#board.gone(server);
    for (const { exposure } of exposed) this.#say(`* ${safeLabel(exposure.name)} has gone with its server.`);
    for (const { tunnel } of open) {
      this.#states.delete(tunnel.tunnelId);
      this.#hostAway.delete(tunnel.tunnelId);
      // How it goes on was just told.
      if (this.#kept.some(({ tunnelId }) => tunnelId === tunnel.tunnelId)) continue;
      this.#say(
        `[${tunnel.tunnelId}] has gone with its server${lost === 0 ? "" : ", and so has what waited"}.`,
      );
    }
    this.#entitle();
  }

  kept(tunnels: readonly KeptTunnel[]): void {
    const now = this.#options.clock.now();
    const isIn = (all: readonly KeptTunnel[], { tunnelId }: KeptTunnel): boolean =>
      all.some((one) => one.tunnelId === tunnelId);
    const before = this.#kept;
    this.#kept = tunnels;
    for (const one of tunnels) if (!isIn(before, one)) this.#print(keptLines(one, now, this.#style));
    for (const one of before)
      if (!isIn(tunnels, one) && now >= one.keptUntil)
        this.#say(`[${one.tunnelId}] is over: nobody has gone on with it in time.`);
  }

  isOther(server: Server, version: string): void {
    this.#say(
      `Server ${server.name} runs version ${safeLabel(version)}, and this is ${this.#options.version}: restart its client.`,
    );
  }

  quit(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#flood.stop();
    this.#requests.stop();
    this.#entitle();
    this.#screen.close();
    // The file that an editor has open goes before this program does.
    if (this.#unprinted === undefined) this.#end();
    else this.#editing.abort();
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
    if (text === undefined || text === "" || this.#isOver) return;
    if (this.#unprinted === undefined) return this.#screen.print(text);
    this.#unprinted.push(text);
    if (this.#unprinted.length > MAX_UNPRINTED) this.#unprinted.shift();
  }

  /** Words of this program. */
  #say(text: string): void {
    this.#print(this.#paint.dim(wrapWords(text, this.#screen.columns())));
  }

  #greeted(server: Server, event: Extract<WatchEvent, { t: "hello" }>): void {
    const { tunnels, exposures, services, asks } = event;
    if (!this.#isGreeted && tunnels.length + exposures.length === 0) this.#say("No tunnel is open yet.");
    this.#isGreeted = true;
    for (const tunnel of tunnels) {
      if (tunnel.ended !== undefined) continue;
      this.#states.set(tunnel.tunnelId, modesOf(tunnel));
      this.#print(tunnelLines(tunnel, this.#style, this.#options.clock.now()));
      this.#signOffChanged(tunnel);
    }
    for (const exposure of exposures) this.#print(exposureLines(exposure, event.server.folder, this.#style));
    if (services.length > 0) this.#services(server);
    for (const ask of asks) this.#asked({ server, ask });
  }

  #entry(server: Server, event: Extract<WatchEvent, { t: "entry" }>): void {
    if (!this.#flood.passes(event)) return;
    const { tunnelId, entry } = event;
    const name =
      entry.kind === "withdrawal" ? this.#board.serviceName(server, tunnelId, entry.serviceId) : undefined;
    this.#print(entryLine(event, this.#style, this.#board.open.length > 1, name));
  }

  /** Tells what has become of services, before the board has forgotten how they stood. */
  #compareServices(server: Server, event: WatchEvent): void {
    if (event.t !== "services") return;
    const before = this.#board.servicesOf(server, event.tunnelId);
    for (const news of servicesNews(before, event.services))
      this.#print(withGutter("* ", news, this.#screen.columns()));
  }

  #traffic(event: Extract<WatchEvent, { t: "connection" | "call" }>): void {
    if (!this.#flood.passesTraffic(event)) return;
    this.#print(withGutter(`* ${safeName(event.name)}: `, trafficText(event), this.#screen.columns()));
  }

  #visited({ name, request }: Extract<WatchEvent, { t: "visit" }>): void {
    if (request.way === "probe" || !this.#requests.passes(name, request)) return;
    this.#print(requestLine(request, requestName(request.id, name, true), this.#style));
  }

  #asked(waiting: Waiting): void {
    const { ask } = waiting;
    const name = this.#board.nameOf(waiting);
    if (ask.state !== "waiting") {
      this.#shown.delete(keyOf(waiting));
      return this.#print(decidedLine(ask, name, this.#style));
    }
    if (isShownWhole(ask)) this.#saw(keyOf(waiting));
    this.#print(`${BELL}${askLines(ask, { name }, this.#style, false)}`);
  }

  #saw(key: string): void {
    if (!this.#shown.has(key)) this.#shown.set(key, this.#options.clock.now());
  }

  /** @param key of an ask, or the digest of an outcome */
  #wasShown(key: string): "shown" | "just-shown" | "not-whole" {
    const since = this.#shown.get(key);
    if (since === undefined) return "not-whole";
    return this.#options.clock.now() - since < INERT_MS ? "just-shown" : "shown";
  }

  /** A tunnel that is new, over, or stands otherwise than before. */
  #changed(tunnelId: string): void {
    const tunnel = this.#board.tunnel(tunnelId);
    if (tunnel === undefined) return;
    this.#alarm(tunnel);
    if (tunnel.ended !== undefined) {
      if (this.#states.get(tunnelId) !== "ended") this.#say(`[${tunnelId}] is over: ${tunnel.ended.because}`);
      return void this.#states.set(tunnelId, "ended");
    }
    this.#signOffChanged(tunnel);
    this.#hostChanged(tunnel);
    const before = this.#states.get(tunnelId);
    const now = modesOf(tunnel);
    this.#states.set(tunnelId, now);
    if (before === undefined) this.#print(tunnelLines(tunnel, this.#style, this.#options.clock.now()));
    else if (before !== now)
      this.#say(`[${tunnelId}] ${now === "" ? "everything flows" : now.replaceAll("\n", "; ")}`);
  }

  /** Tells once that the host has gone away, and that it is back. */
  #hostChanged({ tunnelId, hostKeptUntil, status }: TunnelView): void {
    if (hostKeptUntil !== undefined && !this.#hostAway.has(tunnelId)) {
      this.#hostAway.add(tunnelId);
      const left = hostKeptUntil - this.#options.clock.now();
      this.#say(`[${tunnelId}] ${hostAwayText(left)}: its program has ended. What is said waits for it.`);
    }
    if (status === "open" && this.#hostAway.delete(tunnelId)) this.#say(`[${tunnelId}] the host is back`);
  }

  /** Alarms: things that must not be, once each. */
  #alarm({ tunnelId, alarms }: TunnelView): void {
    const before = this.#alarms.get(tunnelId) ?? [];
    const texts = alarms.map(({ message, next }) => `[${tunnelId}] ALARM: ${message}. ${next}`);
    this.#alarms.set(tunnelId, texts);
    for (const text of texts) if (!before.includes(text)) this.#print(`${BELL}${this.#paint.red(text)}`);
  }

  #entitle(): void {
    const count = this.#board.waiting.length;
    const text = count === 0 ? "tunnel-mcp watch" : `(${count}) tunnel-mcp watch`;
    const now = this.#isOver ? "" : text;
    if (now === this.#title) return;
    this.#title = now;
    this.#options.terminal.write(title(now));
  }

  async #typed(line: string): Promise<void> {
    try {
      const wasShown = (what: Waiting | SignOffView) => this.#wasShown(keyOf(what));
      await this.#do(readTyped(line, { board: this.#board, chosen: this.#chosen, wasShown }));
    } catch (thrown) {
      const error = asTunnelError(thrown);
      const text = wrapWords(safeText(`${error.message}\n  ${error.nextForPerson}`), this.#screen.columns());
      this.#print(this.#paint.red(text));
      // What was meant for somebody can be corrected. A decision is typed anew.
      if (/^\s*say\s/i.test(line)) this.#screen.giveBack(line);
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
      case "exposures":
        return this.#exposures();
      case "services":
        return this.#services();
      case "use":
        this.#chosen = typed.tunnelId;
        return this.#say(`What you type is about ${typed.tunnelId} now.`);
      case "show":
        return this.#show(typed.waiting);
      case "edit":
        return this.#edit(typed.waiting);
      case "outcome":
        return this.#outcome(typed.tunnel, true);
      case "sign":
        return this.#sign(typed);
      case "tell":
        await typed.server.ask(typed.command);
        if (typed.done !== "") this.#say(`${typed.done}.`);
    }
  }

  #outcome(tunnel: TunnelView, isWhole: boolean): void {
    const { signOff } = tunnel;
    if (signOff === undefined) return;
    if (isWhole || isOutcomeShownWhole(signOff)) this.#saw(signOff.digest);
    const bell = !isWhole && signOff.isOpenToSelf ? BELL : "";
    this.#print(`${bell}${signOffLines(tunnel, signOff, this.#style, isWhole)}`);
  }

  /** Shows an outcome that is new, or stands otherwise than before. */
  #signOffChanged(tunnel: TunnelView): void {
    const { tunnelId, signOff } = tunnel;
    if (signOff === undefined || this.#outcomes.get(tunnelId) === signOffKey(signOff)) return;
    this.#outcomes.set(tunnelId, signOffKey(signOff));
    this.#outcome(tunnel, false);
  }

  async #sign({ server, tunnelId, signOff, verdict, reason }: Extract<Typed, { do: "sign" }>): Promise<void> {
    const said = { verdict, ...(reason === undefined ? {} : { reason }) };
    const signed = signCommand(nodePrimitives, signOff, said);
    await server.ask({ do: "sign", tunnelId, ...said, ...signed });
    this.#say(verdict === "done" ? "signed." : "refused.");
  }

  #asks(): void {
    const { waiting } = this.#board;
    if (waiting.length === 0) return this.#say("Nothing waits for you.");
    for (const one of waiting)
      this.#print(askLines(one.ask, { name: this.#board.nameOf(one) }, this.#style, false));
  }

  #tunnels(): void {
    const { open } = this.#board;
    if (open.length + this.#kept.length === 0) return this.#say("No tunnel is open.");
    const now = this.#options.clock.now();
    for (const { tunnel } of open) this.#print(tunnelLines(tunnel, this.#style, now));
    for (const one of this.#kept) this.#print(keptLines(one, now, this.#style));
  }

  #exposures(): void {
    const { exposed } = this.#board;
    if (exposed.length === 0) return this.#say("Nothing has a public address.");
    const now = this.#options.clock.now();
    for (const { exposure, folder } of exposed) {
      const { toldAt, expiresInSec } = exposure;
      const left = expiresInSec && expiresInSec - seconds(now - toldAt);
      this.#print(exposureLines({ ...exposure, expiresInSec: left }, folder, this.#style));
    }
  }

  /** @param of one server alone */
  #services(of?: Server): void {
    const told = this.#board.services.filter(({ server }) => of === undefined || server === of);
    if (told.length === 0) return this.#say("No service is offered or used.");
    const now = this.#options.clock.now();
    for (const one of told) this.#print(toldServicesLines(one, now, this.#style));
  }

  #show(waiting: Waiting): void {
    this.#saw(keyOf(waiting));
    this.#print(askLines(waiting.ask, { name: this.#board.nameOf(waiting) }, this.#style, true));
  }

  async #edit({ server, ask }: Waiting): Promise<void> {
    if (ask.subject.kind !== "message") return;
    const text = await this.#inEditor(ask.subject.text);
    if (this.#isOver) return;
    if (text === undefined) return this.#say("Nothing was changed, so nothing was sent: it still waits.");
    try {
      await server.ask({
        do: "decide",
        ask: ask.ask,
        digest: ask.digest,
        decision: { verdict: "edit", text },
      });
    } catch (thrown) {
      // Nobody writes it twice: somebody else may have decided meanwhile.
      this.#print(withGutter("Your words were not sent: ", safeText(text), this.#screen.columns()));
      throw thrown;
    }
  }

  /** The terminal is the editor's until it ends; what happens meanwhile is shown after it. */
  async #inEditor(text: string): Promise<string | undefined> {
    const { env, platform } = this.#options;
    this.#screen.close();
    this.#unprinted = [];
    try {
      return await editedBy(text, { env, platform, signal: this.#editing.signal });
    } finally {
      const unprinted = this.#unprinted;
      this.#unprinted = undefined;
      if (this.#isOver) this.#end();
      else {
        this.#screen = this.#open();
        for (const one of unprinted) this.#print(one);
      }
    }
  }
}

function keyOf(what: Waiting | SignOffView): string {
  if ("digest" in what) return what.digest;
  const { server, ask } = what;
  return `${server.name} ${ask.ask} ${ask.digest}`;
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
