import { TunnelError } from "../../errors/tunnel-error.ts";
import { CLOUDFLARE_DOH, createDohResolver, GOOGLE_DOH } from "../../net/doh.ts";
import type { Clock } from "../../runtime/clock.ts";
import { settled, wait } from "../../runtime/wait.ts";
import type { RelayProof, Tunnel, TunnelOpener, TunnelRequest } from "../provider.ts";
import { supervise, type Assessment, type SupervisedTunnel } from "../supervise.ts";
import { throwIfCancelled } from "../wait.ts";
import type { ExecSettings } from "./settings.ts";
import { askWith, type Answer, type Ask } from "./ours.ts";
import { commandExitError, startCommand, type CommandRun } from "./run.ts";
import { isSafe } from "./url.ts";

export interface ExecOptions extends ExecSettings {
  readonly ask?: Ask;
}

/** A program may have to log in, or to be fetched by a package runner, before it has an address. */
const URL_TIMEOUT_MS = 60_000;
/** From the URL on. New names take up to half a minute, new certificates longer. */
const REACH_TIMEOUT_MS = 75_000;
const WATCH_OUTPUT_MS = 100;
const ASK_MS = 2_000;
/** Each question goes through the public address, where some services count requests. */
const POLL_MS = { up: 30_000, degraded: 5_000 } as const;
const RECHECK_MS = 2_000;

/** Tunnels by a command of the user. Whatever goes wrong while opening, no process is left behind. */
export function createExecOpener(options: ExecOptions): TunnelOpener {
  const { clock } = options;
  const ask = options.ask ?? askOn(options);
  /** The tunnels that have not been stopped. */
  const open = new Map<SupervisedTunnel, RelayProof>();

  return async (request) => {
    throwIfCancelled(request.signal);
    const run = startCommand(request.port, options);
    try {
      const url = await untilOurs(run, request, { ask, clock, isSkipped: options.skipReachabilityCheck });
      makeRoom(url, request.proof, open);
      const tunnel = watchCommand(run, { url, proof: request.proof, ask, options });
      open.set(tunnel, request.proof);
      return removedWhenStopped(tunnel, open);
    } catch (error) {
      await run.child.stop();
      throw error;
    }
  };
}

function askOn({ doh, clock, client }: ExecOptions): Ask {
  const servers = [...CLOUDFLARE_DOH, ...GOOGLE_DOH];
  const resolver = doh ? createDohResolver({ servers, negativeIsFinal: true, client, clock }) : undefined;
  return askWith({ clock, client, resolver });
}

/**
 * A command with a fixed address gives the same one twice. As a spare that is worth nothing; in place of a tunnel that
 * does not work it is welcome, and the old one ends. Another room behind the same port has a path of its own, so that it may have the
 * same address.
 * @throws {TunnelError} exec-same-url
 */
function makeRoom(url: URL, { path }: RelayProof, open: ReadonlyMap<SupervisedTunnel, RelayProof>): void {
  const [same] = [...open].find(([tunnel, of]) => tunnel.url === socketOrigin(url) && of.path === path) ?? [];
  if (same?.health().state === "up") throw new TunnelError("exec-same-url");
  same?.fail(new TunnelError("exec-silent"));
}

function removedWhenStopped(tunnel: SupervisedTunnel, open: Map<SupervisedTunnel, RelayProof>): Tunnel {
  return {
    ...tunnel,
    async stop() {
      await tunnel.stop();
      open.delete(tunnel);
    },
  };
}

function socketOrigin({ protocol, host }: URL): string {
  return `${protocol === "https:" ? "wss" : "ws"}://${host}`;
}

interface Readiness {
  readonly ask: Ask;
  readonly clock: Clock;
  readonly isSkipped: boolean;
}

/**
 * The URL that the command has printed, once it leads to our relay.
 * @throws {TunnelError} cancelled, exec-missing, exec-exited, exec-no-url, exec-insecure-url, exec-unreachable, exec-not-ours
 */
async function untilOurs(run: CommandRun, request: TunnelRequest, readiness: Readiness): Promise<URL> {
  const { ask, clock, isSkipped } = readiness;
  const { signal, proof, onProgress = () => undefined } = request;
  const early = { signal, until: settled(run.child.exited) };
  const started = clock.now();
  let printedAt: number | undefined;
  onProgress({ message: "starting the tunnel command" });
  for (;;) {
    throwIfCancelled(signal);
    const exit = run.child.exit();
    if (exit !== undefined) throw commandExitError(exit);
    const url = run.urls.first;
    if (url === undefined) {
      if (clock.now() - started >= URL_TIMEOUT_MS)
        throw new TunnelError("exec-no-url", { detail: `within ${URL_TIMEOUT_MS / 1000} s` });
      await wait(clock, WATCH_OUTPUT_MS, early);
      continue;
    }
    if (!isSafe(url)) throw new TunnelError("exec-insecure-url");
    if (isSkipped) return url;
    if (printedAt === undefined) onProgress({ message: "got a public address, waiting until it leads here" });
    printedAt ??= clock.now();
    const answer = await whileRunning(run, signal, (cut) => ask(url, proof, cut));
    throwIfCancelled(signal);
    if (answer === "ours") return url;
    if (clock.now() - printedAt >= REACH_TIMEOUT_MS)
      throw new TunnelError(answer === "other" ? "exec-not-ours" : "exec-unreachable");
    await wait(clock, ASK_MS, early);
  }
}

/** A question that is given up when the command ends or the call is cancelled. */
function whileRunning(
  run: CommandRun,
  signal: AbortSignal,
  question: (cut: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const ended = new AbortController();
  void run.child.exited.then(() => ended.abort());
  return question(AbortSignal.any([signal, ended.signal]));
}

interface Watched {
  readonly url: URL;
  readonly proof: RelayProof;
  readonly ask: Ask;
  readonly options: ExecOptions;
}

/** A command that has opened a tunnel, as a Tunnel: asked through its URL how it is, and down when it ends or moves. */
function watchCommand(run: CommandRun, { url, proof, ask, options }: Watched): SupervisedTunnel {
  const { clock, skipReachabilityCheck } = options;
  const stopped = new AbortController();
  async function assess(): Promise<Assessment> {
    if (skipReachabilityCheck) return "up";
    const answer = await ask(url, proof, stopped.signal);
    if (answer === "ours") return "up";
    const { later } = run.urls;
    const hasMoved =
      later !== undefined && isSafe(later) && (await ask(later, proof, stopped.signal)) === "ours";
    if (hasMoved) return { gone: new TunnelError("exec-moved") };
    return {
      reason: answer === "other" ? "the address leads somewhere else" : "the address does not answer",
    };
  }
  return supervise({
    url: socketOrigin(url),
    description: "a tunnel command of the user",
    clock,
    assess,
    pollMs: POLL_MS,
    recheckMs: RECHECK_MS,
    onChange: (listener) => run.urls.onLater(listener),
    ended: run.child.exited.then(commandExitError),
    async stop() {
      stopped.abort();
      await run.child.stop();
    },
  });
}
