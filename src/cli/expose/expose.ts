import { asTunnelError, nextForPerson, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import { addressOf } from "../../expose/exposures/address.ts";
import type { Exposure } from "../../expose/exposures/exposure.ts";
import type { Exposures, ExposuresEvent } from "../../expose/exposures/exposures.ts";
import { EXPOSE } from "../../expose/exposures/limits.ts";
import type { ExposureRequest } from "../../expose/exposures/request.ts";
import { SESSION } from "../../protocol/base/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { shellLine } from "../../runtime/shell-line.ts";
import { every } from "../../runtime/wait.ts";
import { dryRunView, exposureNews, signInText, startedView } from "../../view/expose/exposures.ts";
import { requestView } from "../../view/expose/exposure-requests.ts";
import { seconds } from "../../view/time.ts";
import type { TerminalInput } from "../chat/terminal/keyboard.ts";
import { safeJson, safeText } from "../chat/terminal/safe-text.ts";
import { terminalScreen, type Screen, type TerminalOutput } from "../chat/terminal/screen.ts";
import { paintFor, type Output } from "../io/output.ts";
import { INTERRUPTED, stayAlive } from "../io/stay.ts";
import { wrapWords } from "../io/wrap.ts";
import { obeyTyped } from "./commands.ts";
import { durationText } from "../../view/time.ts";
import type { News, Show } from "./events.ts";
import { jsonLine } from "./json.ts";
import { PersonView } from "./person-view.ts";
import { clockText } from "./request-line.ts";

/** `tunnel-mcp expose TARGET…`, `tunnel-mcp expose --mcp NAME|URL` */
export interface ExposeCommand {
  readonly kind: "expose";
  /** None where an MCP server is wanted. */
  readonly targets: readonly string[];
  /** The same for each target. */
  readonly wanted: Omit<ExposureRequest, "target">;
  readonly isDryRun: boolean;
  readonly json: boolean;
}

export interface ExposeOptions {
  readonly command: ExposeCommand;
  /** Loads them; called once. */
  readonly exposures: () => Promise<Exposures>;
  /** A person has typed the command. An agent's shell is none: there it goes through the gate. */
  readonly isConsented: boolean;
  readonly clock: Clock;
  readonly platform: string;
  readonly output: Output;
  readonly input: TerminalInput;
  readonly terminal: TerminalOutput;
  /** A terminal on both sides that understands more than lines. */
  readonly isInteractive: boolean;
  /** Whether the output is a terminal that understands more than lines. */
  readonly showsCodes: boolean;
  /** Resolves when nothing can be shown any more. */
  readonly outputLost: Promise<unknown>;
  readonly onShutdown: (hook: () => Promise<void>) => void;
  /** Ends the process at once, without teardown. */
  readonly exitNow: (code: number) => void;
}

function requestsOf({ targets, wanted }: ExposeCommand): readonly ExposureRequest[] {
  return wanted.mcp === undefined ? targets.map((target) => ({ ...wanted, target })) : [wanted];
}

/** Errors that only other arguments can mend. */
const USAGE_ERRORS: ReadonlySet<ErrorCode> = new Set([
  "expose-target-invalid",
  "expose-access-invalid",
  "expose-path-invalid",
  "input-invalid",
]);

/**
 * Gives services of this machine public addresses, shows what comes, and stays until they are over.
 * @returns 0 for an end that was wanted, 1 where one could not be opened or its address was lost, 2 for arguments that cannot be used
 */
export async function expose(options: ExposeOptions): Promise<0 | 1 | 2> {
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
  readonly #options: ExposeOptions;
  readonly #show: Show;
  readonly #view: PersonView | undefined;
  readonly #hasSeveral: boolean;
  readonly #abort = new AbortController();
  /** Those that have been open. */
  readonly #opened = new Map<Exposure, number>();
  #exposures: Exposures | undefined;
  #screen: Screen | undefined;
  #isLost = false;
  #isQuitting = false;
  #hasFailed = false;
  /** The last step of those that are being opened, by name. */
  readonly #steps = new Map<string, string>();

  constructor(options: ExposeOptions) {
    const { command, output, clock, platform, isInteractive, showsCodes, terminal } = options;
    this.#options = options;
    this.#hasSeveral = command.targets.length > 1;
    if (command.json) {
      this.#show = (event) => this.#print(jsonLine(event));
      return;
    }
    const view = new PersonView({
      clock,
      platform,
      paint: paintFor(output.color),
      hasSeveral: this.#hasSeveral,
      isInteractive,
      size: () => (showsCodes ? sizeOf(terminal) : undefined),
      columns: () => this.#columns(),
      print: (text) => this.#print(text),
      status: (text) => this.#status(text),
      fail: (text) => this.#fail(text),
    });
    this.#view = view;
    this.#show = (event) => view.show(event);
  }

  async run(): Promise<0 | 1 | 2> {
    const { command, clock, isConsented, onShutdown, outputLost } = this.#options;
    const requests = requestsOf(command);
    try {
      const exposures = await this.#options.exposures();
      this.#exposures = exposures;
      const checked = requests.map((request) => exposures.check(request));
      if (command.isDryRun) {
        for (const one of checked)
          this.#wouldDo(
            dryRunView(one, (args) => shellLine(["tunnel-mcp", ...args], this.#options.platform)),
          );
        return 0;
      }
      onShutdown(() => this.#quit());
      void outputLost.then(() => this.#lose());
      exposures.subscribe((event) => this.#heard(event));
      this.#screen = this.#open(exposures);
      const stopBeating = every(clock, SESSION.progressEveryMs, () => this.#beat());
      const begun = requests.map((request) => exposures.start(request, { isConsented }).exposure);
      await Promise.all(begun.map(({ gone }) => gone));
      stopBeating();
      return this.#hasFailed ? 1 : 0;
    } catch (thrown) {
      const error = asTunnelError(thrown);
      await this.#quit();
      this.#refuse(error);
      return USAGE_ERRORS.has(error.code) ? 2 : 1;
    }
  }

  /** Puts the terminal back into its first state. */
  close(): void {
    this.#view?.stop();
    this.#screen?.close();
  }

  #open(exposures: Exposures): Screen | undefined {
    const { input, terminal: output, isInteractive, clock, platform, isConsented, exitNow } = this.#options;
    const view = this.#view;
    if (!isInteractive || view === undefined) return undefined;
    const paint = paintFor(this.#options.output.color);
    const obey = (line: string): Promise<void> =>
      obeyTyped(line, {
        exposures,
        view,
        clock,
        platform,
        isConsented,
        hasSeveral: this.#hasSeveral,
        style: () => ({ paint, columns: this.#columns() }),
        print: (text) => this.#print(text),
        quit: () => void this.#quit(),
        signal: this.#abort.signal,
      });
    return terminalScreen({
      input,
      output,
      prompt: "expose> ",
      person: {
        onLine: (line) => void obey(line).catch((thrown: unknown) => this.#refused(asTunnelError(thrown))),
        onInterrupt: () => {
          if (!this.#isQuitting) return void this.#quit();
          this.close();
          exitNow(INTERRUPTED);
        },
        onPaste: () => false,
        onEnd: () => void this.#quit(),
        onActivity: () => undefined,
      },
    });
  }

  /** Nobody sees what is exposed any more, so it ends. */
  #lose(): Promise<void> {
    this.#isLost = true;
    return this.#quit();
  }

  /** Resolves when nothing of them is left running. */
  async #quit(): Promise<void> {
    this.#isQuitting = true;
    this.#abort.abort();
    await Promise.all((this.#exposures?.all ?? []).map((one) => one.stop("stopped")));
  }

  #heard(event: ExposuresEvent): void {
    const { exposure } = event;
    const { name } = exposure;
    switch (event.type) {
      case "progress": {
        const { message, fraction } = event.progress;
        this.#steps.set(name, message);
        if (!this.#opened.has(exposure)) this.#show({ type: "progress", name, message, fraction });
        return;
      }
      case "state":
        return this.#changed(exposure);
      case "visit": {
        const request = requestView(event.exchange, exposure.inspector.redactor);
        if (request.way !== "probe") this.#show({ type: "request", name, request });
        return;
      }
      case "extended": {
        const expiresInSec = seconds(Math.max(0, exposure.endsAt - this.#options.clock.now()));
        const news = { what: "extended", expiresInSec } as const;
        return this.#show({ type: "news", name, text: extendedText(exposure.endsAt, expiresInSec), news });
      }
      case "sign-in": {
        const { isInteractive, isConsented } = this.#options;
        // A person who has typed the command sees the code; a program that runs it does not.
        const text = signInText(event.notice, { showsCode: isInteractive && isConsented });
        return this.#show({ type: "news", name, text, news: newsOf(event) });
      }
      case "claimed":
      case "service":
      case "address":
      case "ends-soon":
      case "widened": {
        const text = exposureNews(event);
        if (text !== undefined) this.#show({ type: "news", name, text, news: newsOf(event) });
        return;
      }
    }
  }

  #changed(exposure: Exposure): void {
    const { name, state } = exposure;
    const now = this.#options.clock.now();
    switch (state.name) {
      case "running": {
        // It runs on where only its address has changed.
        const view = this.#opened.has(exposure)
          ? undefined
          : startedView(exposure, { now, newClaims: [], platform: this.#options.platform });
        if (view === undefined) return;
        this.#opened.set(exposure, now);
        this.#steps.delete(name);
        return this.#show({ type: "opened", view });
      }
      case "held":
        this.#steps.delete(name);
        return this.#show({ type: "held", name, askId: state.askId });
      case "failed":
        this.#hasFailed = true;
        this.#steps.delete(name);
        return this.#show({ type: "failed", name, error: state.error });
      case "over": {
        if (state.why === "address-lost") this.#hasFailed = true;
        this.#steps.delete(name);
        const lastedSec = seconds(now - (this.#opened.get(exposure) ?? now));
        const requests = exposure.stats?.requests ?? 0;
        const publicUrl = this.#opened.has(exposure) ? addressOf(exposure.publicUrl) : undefined;
        return this.#show({ type: "ended", name, ended: { why: state.why, publicUrl, requests, lastedSec } });
      }
      case "checking":
      case "opening":
        return;
    }
  }

  /** A step may take long, and a person must see that something still happens. */
  #beat(): void {
    for (const [name, step] of this.#steps)
      this.#show({ type: "progress", name, message: `still at it: ${step}`, fraction: undefined });
  }

  #wouldDo(view: ReturnType<typeof dryRunView>): void {
    const { command } = this.#options;
    if (command.json) return this.#print(safeJson({ event: "dry-run", ...view }));
    const { name, target, transport, access, openPaths, expiresInMinutes } = view;
    const open = openPaths.length === 0 ? "" : `, and without any of them: ${openPaths.join(", ")}`;
    const lines = [
      `Nothing was opened. ${safeText(target)} would get a public address as ${name}, through ${transport}, for ${durationText(expiresInMinutes * 60)}.`,
      `Ways in: ${access.join(", ")}${safeText(open)}.`,
    ];
    // The command is copied from the screen.
    this.#print([wrapWords(lines.join("\n"), this.#columns()), `  ${view.command}`].join("\n"));
  }

  /** Tells why a command that was typed while it runs did nothing. */
  #refused(error: TunnelError): void {
    const paint = paintFor(this.#options.output.color);
    const text = safeText(`${error.message}\n  ${error.nextForPerson}`);
    this.#print(paint.red(wrapWords(text, this.#columns())));
  }

  #refuse(error: TunnelError): void {
    const { command } = this.#options;
    if (command.json) this.#show({ type: "failed", name: command.wanted.name ?? "", error });
    else this.#fail(`tunnel-mcp: ${safeText(error.message)}\n  ${nextForPerson(error.code)}`);
  }

  #columns(): number | undefined {
    return this.#options.terminal.columns || undefined;
  }

  #print(text: string): void {
    const { output } = this.#options;
    if (this.#isLost) return this.#options.command.json ? undefined : output.err(`${text}\n`);
    if (this.#screen === undefined) output.out(`${text}\n`);
    else this.#screen.print(text);
  }

  /** Where nothing is replaced, each step is a line for whoever waits, beside what is asked for. */
  #status(text: string | undefined): void {
    if (this.#screen !== undefined) this.#screen.status(text);
    else if (text !== undefined) this.#options.output.err(`${text}\n`);
  }

  #fail(text: string): void {
    const { output } = this.#options;
    const wrapped = wrapWords(text, this.#columns());
    if (this.#screen === undefined) output.err(`${wrapped}\n`);
    else this.#screen.print(paintFor(output.color).red(wrapped));
  }
}

function sizeOf(terminal: TerminalOutput): { readonly columns: number; readonly rows: number } | undefined {
  const [columns, rows] = terminal.getWindowSize?.() ?? [terminal.columns ?? 0, 0];
  return columns === 0 ? undefined : { columns, rows: rows === 0 ? 24 : rows };
}

function extendedText(endsAt: number, leftSec: number): string {
  const most = leftSec >= EXPOSE.maxMinutes * 60 ? ", which is the longest there is" : "";
  return `it ends at ${clockText(endsAt).slice(0, 5)} now, in ${durationText(leftSec)}${most}`;
}

const SIGN_IN_STATES = {
  code: "asked",
  "signed-in": "let-in",
  refused: "refused",
  revoked: "revoked",
} as const;

type NewsEvent = Extract<
  ExposuresEvent,
  { type: "claimed" | "service" | "address" | "ends-soon" | "widened" | "sign-in" }
>;

function newsOf(event: NewsEvent): News {
  switch (event.type) {
    case "claimed":
      return { what: "claimed", claim: event.claim, isFirst: event.isFirst };
    case "service":
      return { what: "service", isThere: event.isThere };
    case "address":
      return { what: "address", publicUrl: addressOf(event.publicUrl) };
    case "ends-soon":
      return { what: "ends-soon", leftSec: seconds(event.leftMs) };
    case "widened":
      return { what: "widened", isDone: event.isDone };
    case "sign-in": {
      const { what, client } = event.notice;
      return {
        what: "sign-in",
        state: SIGN_IN_STATES[what],
        client: client.name,
        publisher: client.publisher,
      };
    }
  }
}
