import { hostForUrl } from "../../net/address.ts";
import type { Trust } from "../../net/trust.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { withoutLabelFaults } from "../../protocol/base/labels.ts";
import type { Clock } from "../../runtime/clock.ts";
import { every, settled, wait } from "../../runtime/wait.ts";
import { valuesOf } from "../message.ts";
import type { Upstream } from "../upstream.ts";
import { askService, get } from "./ask.ts";
import {
  assertNotSecure,
  failureOf,
  PATIENCE_MS,
  SIDE_LIMIT_MS,
  type Means,
  type Outcome,
} from "./failure.ts";
import { judgeTarget, type JudgeOptions } from "./judge.ts";
import { ASKED_PATHS, dangerousLook, noteworthyLooks, type Page, type Pages } from "./looks.ts";
import { authorityOf, targetName, type ServiceTarget } from "./parse.ts";

export interface FindOptions extends JudgeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** As `parseHostHeader` gives it: the `Host` that the service is to see. */
  readonly hostHeader?: string | undefined;
  readonly trust?: Trust | undefined;
  readonly onProgress?: (progress: { readonly message: string }) => void;
}

/** A service that was found, asked, and judged harmless enough. */
export interface TargetFacts {
  readonly upstream: Upstream;
  /** Of its answer to a GET of `/`; undefined where it is too slow for one, although it speaks HTTP. */
  readonly status: number | undefined;
  /** Its `Server`, or else `X-Powered-By`, cut, without hidden characters. */
  readonly server: string | undefined;
  /** Sentences for whoever exposes it. */
  readonly warnings: readonly string[];
  /** From the question to the head of the answer. */
  readonly ms: number;
}

const PROGRESS_MS = 5_000;
/** For the other family, once one of them has answered. */
const OTHER_FAMILY_MS = 1_000;
/** A server that was started a moment ago does not listen yet. */
const STARTING_MS = 2_000;
const RETRY_MS = 250;
const MAX_SERVER_CHARS = 100;

/**
 * Finds out whether HTTP is spoken at a target, on which address, and whether it is a service that must not be seen. Nothing is
 * sent but GET of `/`, `/version` and `/json/version`, and `OPTIONS *` to one that does not answer the first.
 * @throws {TunnelError} expose-target-not-local, -refused, -own, -forbidden, -silent, -not-http, -untrusted, cancelled
 */
export async function findService(target: ServiceTarget, options: FindOptions): Promise<TargetFacts> {
  const { clock, signal, onProgress } = options;
  const { addresses, isListed } = await judgeTarget(target, options);
  const name = targetName(target);
  onProgress?.({ message: `asking ${name}` });
  const stopTelling = every(clock, PROGRESS_MS, () =>
    onProgress?.({ message: `waiting for ${name} to answer` }),
  );
  try {
    const candidates = addresses.map((address) => upstreamOf(target, address, options));
    const outcomes = await untilListening(candidates, options);
    const found = speaker(outcomes) ?? (await slowSpeaker(outcomes, options));
    if (signal.aborted) throw new TunnelError("cancelled");
    if (found === undefined) throw await failureOf(target, outcomes, options);
    if (found.page?.status === 400) await assertNotSecure(target, found.upstream, options);
    const pages = await pagesOf(found, options);
    if (signal.aborted) throw new TunnelError("cancelled");
    const { upstream, page, ms } = found;
    const warnings = [
      ...judgeLooks(pages, isListed),
      ...rivalsOf(found, outcomes),
      ...(page === undefined ? [SLOW] : []),
    ];
    return { upstream, status: page?.status, server: serverOf(page), warnings, ms };
  } finally {
    stopTelling();
  }
}

const SLOW = `It speaks HTTP, but has not answered a GET of / in ${PATIENCE_MS / 1_000} s.`;

/** A service that speaks HTTP. `page` is missing where it only answers for itself. */
interface Found {
  readonly upstream: Upstream;
  readonly page: Page | undefined;
  readonly ms: number;
}

function upstreamOf(
  target: ServiceTarget,
  address: string,
  { hostHeader, trust }: Pick<FindOptions, "hostHeader" | "trust">,
): Upstream {
  const { scheme, port } = target;
  return { scheme, address, port, host: hostHeader ?? authorityOf(target), trust };
}

/** The outcomes of all addresses; asked again for a moment where nobody listens on any of them yet. */
async function untilListening(
  candidates: readonly Upstream[],
  options: FindOptions,
): Promise<readonly Outcome[]> {
  const { clock, signal } = options;
  const giveUpAt = clock.now() + STARTING_MS;
  for (;;) {
    const outcomes = await askAll(candidates, options);
    const isNobody = outcomes.every(({ heard }) => heard.kind === "refused");
    if (!isNobody || clock.now() >= giveUpAt || signal.aborted) return outcomes;
    await wait(clock, RETRY_MS, { signal });
  }
}

/** Asks all at once. Once one has answered, the others get a moment more. */
async function askAll(candidates: readonly Upstream[], options: FindOptions): Promise<readonly Outcome[]> {
  const enough = new AbortController();
  const signal = AbortSignal.any([options.signal, enough.signal]);
  const asked = candidates.map(async (upstream) => ({
    upstream,
    heard: await get(upstream, "/", PATIENCE_MS, { ...options, signal }),
  }));
  const all = Promise.all(asked);
  await new Promise<void>((resolve) => {
    for (const one of asked) void one.then(({ heard }) => heard.kind === "http" && resolve());
    void all.then(() => resolve());
  });
  await wait(options.clock, OTHER_FAMILY_MS, { signal: options.signal, until: settled(all) });
  enough.abort();
  return all;
}

/** The first address, in their order, that has answered in HTTP. */
function speaker(outcomes: readonly Outcome[]): Found | undefined {
  for (const { upstream, heard } of outcomes)
    if (heard.kind === "http") return { upstream, page: heard.page, ms: heard.ms };
  return undefined;
}

/** An address where the page takes too long, but the server itself answers. */
async function slowSpeaker(
  outcomes: readonly Outcome[],
  { clock, signal }: Means,
): Promise<Found | undefined> {
  for (const { upstream, heard } of outcomes) {
    if (heard.kind !== "silent") continue;
    const question = { method: "OPTIONS", path: "*" } as const;
    const again = await askService({ upstream, ask: question, limitMs: SIDE_LIMIT_MS, clock, signal });
    if (again.kind === "http") return { upstream, page: undefined, ms: again.ms };
  }
  return undefined;
}

/** What it answers to all that it is asked, at the same time. */
async function pagesOf({ upstream, page }: Found, means: Means): Promise<Pages> {
  const others = ASKED_PATHS.filter((path) => path !== "/");
  const heard = await Promise.all(others.map((path) => get(upstream, path, SIDE_LIMIT_MS, means)));
  const pages = others.map((path, index) => {
    const answer = heard[index];
    return [path, answer?.kind === "http" ? answer.page : undefined] as const;
  });
  return Object.fromEntries([["/", page], ...pages]);
}

/** What to say of a service by its looks. @throws {TunnelError} expose-target-refused, unless a human has listed it */
function judgeLooks(pages: Pages, isListed: boolean): string[] {
  const danger = dangerousLook(pages);
  if (danger === undefined) return noteworthyLooks(pages);
  if (!isListed) throw new TunnelError("expose-target-refused", { detail: `it looks like ${danger}` });
  return [`It looks like ${danger}. A human has listed it as allowed.`];
}

/** Two services can share a port, one on each family; whoever types `localhost` may mean either. */
function rivalsOf({ upstream, page }: Found, outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter(({ heard }) => heard.kind === "http" && page !== undefined && traits(heard.page) !== traits(page))
    .map(({ upstream: { address, port } }) => {
      const rival = `${hostForUrl(address)}:${port}`;
      return `Another service answers at ${rival}. The one at ${hostForUrl(upstream.address)}:${port} is exposed; write ${rival} for the other.`;
    });
}

/** Unlike a body, these are the same for each answer of one service. */
function traits({ status, fields, body }: Page): string {
  const named = ["server", "x-powered-by", "content-type"].map((name) => valuesOf(fields, name).join());
  return [status, ...named, /<title>(.*?)<\/title>/s.exec(body)?.[1]].join("\n");
}

function serverOf(page: Page | undefined): string | undefined {
  const fields = page?.fields ?? [];
  const [told] = [...valuesOf(fields, "server"), ...valuesOf(fields, "x-powered-by")];
  const shown = told === undefined ? "" : withoutLabelFaults(told).trim().slice(0, MAX_SERVER_CHARS);
  return shown === "" ? undefined : shown;
}
