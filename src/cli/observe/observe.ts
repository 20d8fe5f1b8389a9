import { asTunnelError, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import type { LazyExposures } from "../../expose/exposures/lazy-exposures.ts";
import { inputLines } from "../../runtime/input-lines.ts";
import type { LazyServices } from "../../services/tunnels/lazy-services.ts";
import type { GuestSession } from "../../session/guest-session.ts";
import type { Sessions } from "../../session/sessions.ts";
import { endView, guestStatusView } from "../../view/status.ts";
import { watchHere } from "../../watch/here.ts";
import { Conversation } from "../chat/conversation/conversation.ts";
import { givenLink } from "../chat/given-link.ts";
import { jsonLines } from "../chat/json/view.ts";
import type { TerminalInput } from "../chat/terminal/keyboard.ts";
import { safeGoal, safeName } from "../chat/terminal/safe-text.ts";
import { whoLines } from "../chat/terminal/overview.ts";
import { stayAlive } from "../io/stay.ts";
import { servePage, type PageCommandOptions } from "../page/page.ts";

export interface ObserveRequest {
  readonly kind: "observe";
  /** Undefined: asked for at a terminal, or the first line of the input. */
  readonly link: string | undefined;
  readonly name: string | undefined;
  readonly json: boolean;
}

export interface ObserveOptions extends Omit<PageCommandOptions, "input"> {
  readonly request: ObserveRequest;
  /** Loads the sessions; called once. */
  readonly sessions: () => Promise<Sessions>;
  readonly exposures: LazyExposures;
  readonly services: LazyServices;
  readonly input: TerminalInput;
  readonly cwd: string;
  readonly stdinIsTerminal: boolean;
  /** Whether codes may go to standard error, where the link is asked for. */
  readonly marksPaste: boolean;
  /** Resolves when nothing can be shown any more. */
  readonly outputLost: Promise<unknown>;
}

/** Errors that only other arguments can mend. */
const USAGE_ERRORS: ReadonlySet<ErrorCode> = new Set(["name-invalid", "link-malformed"]);

/**
 * Reads along in a tunnel with an observer's link: on a page of its own, or as lines of JSON. Nothing is ever sent but that it is there.
 * @returns 0 for an end that was wanted, 1 for a failure, 2 for arguments that cannot be used
 * @throws {TunnelError} observe-no-terminal, link-*, member-link, page-*, and all of joining; with `--json` they are an event instead
 */
export async function observe(options: ObserveOptions): Promise<0 | 1 | 2> {
  const { request, output, isInteractive } = options;
  // A page has an address for a person's eyes, and ends with the terminal.
  if (!request.json && !isInteractive) throw new TunnelError("observe-no-terminal");
  // A guest that redials has nothing else that keeps the process alive.
  const leave = stayAlive();
  const abort = new AbortController();
  let sessions: Sessions | undefined;
  options.onShutdown(async () => {
    abort.abort();
    await sessions?.shutDown();
  });
  try {
    const joinLink = await linkOf(options);
    sessions = await options.sessions();
    const { name } = request;
    const tunnel = await sessions.join({ joinLink, name, as: "observer", signal: abort.signal });
    return await (request.json ? asLines(tunnel, sessions, options) : asPage(tunnel, sessions, options));
  } catch (thrown) {
    // After an interrupt the user knows why it ended.
    if (abort.signal.aborted) return 1;
    const error = asTunnelError(thrown);
    if (!request.json) throw error;
    for (const line of jsonLines({ type: "error", error })) output.out(`${line}\n`);
    return USAGE_ERRORS.has(error.code) ? 2 : 1;
  } finally {
    await sessions?.shutDown();
    leave();
  }
}

async function linkOf({
  request,
  input,
  output,
  stdinIsTerminal,
  marksPaste,
}: ObserveOptions): Promise<string> {
  let lines: AsyncIterator<string, undefined> | undefined;
  try {
    return await givenLink({
      given: request.link,
      input,
      write: output.err,
      stdinIsTerminal,
      marksPaste,
      nextLine: async () => {
        lines = inputLines(input);
        return (await lines.next()).value;
      },
    });
  } finally {
    // The rest of the input means nothing: whoever reads along has nothing to say.
    await lines?.return?.();
  }
}

async function asLines(
  tunnel: GuestSession,
  sessions: Sessions,
  { clock, services, output, outputLost }: ObserveOptions,
): Promise<0 | 1> {
  const conversation = new Conversation({
    tunnel,
    clock,
    checkedText: (text) => sessions.checkedText(text),
    localFiles: sessions.localFiles,
    services,
    author: undefined,
    show: (event) => jsonLines(event).forEach((line) => output.out(`${line}\n`)),
  });
  const status = guestStatusView(tunnel, clock.now());
  for (const line of jsonLines({ type: "joined", status })) output.out(`${line}\n`);
  void outputLost.then(() => tunnel.close());
  await conversation.run();
  return tunnel.end?.cause === "failed" ? 1 : 0;
}

async function asPage(tunnel: GuestSession, sessions: Sessions, options: ObserveOptions): Promise<0 | 1> {
  const { output, clock, exposures, services, version, cwd: folder } = options;
  const { goal, members, lastSeq } = guestStatusView(tunnel, clock.now());
  output.out(
    [
      `You read along in the tunnel "${safeGoal(goal)}", as ${safeName(tunnel.name)}. Everybody in it has been told, and you can say nothing.`,
      ...whoLines(members, lastSeq),
      `Safety code with the host: ${tunnel.safetyCode}. If the host's human has the same, nobody sits between you.\n\n`,
    ].join("\n"),
  );
  tunnel.subscribe(({ type }) => {
    if (type !== "ended" || tunnel.end === undefined || tunnel.end.cause === "closed-here") return;
    output.out(
      `You read along no longer: ${endView(tunnel.end).because}. What came stays on the page. Ctrl-C ends it.\n`,
    );
  });
  const watched = {
    sessions,
    exposures,
    services,
    clock,
    server: { pid: process.pid, version, folder },
  };
  await servePage(options, {
    title: "The page on which you read along.",
    observed: (hearing) => watchHere(watched, hearing),
  });
  return tunnel.end?.cause === "failed" ? 1 : 0;
}
