import { TunnelError } from "../../errors/tunnel-error.ts";
import { Emitter, type Observable } from "../../runtime/emitter.ts";
import type { ExposedElsewhere } from "../../control/exposed.ts";
import type { ClaimLink } from "../access/access.ts";
import type { ExposeContext } from "./context.ts";
import { addressOf, addressText } from "./address.ts";
import { Exposure, type ExposureEvent, type ExposureState } from "./exposure.ts";
import type { EndedExposure, ExposureHistory } from "./history.ts";
import { EXPOSE } from "./limits.ts";
import type { Redactor } from "../inspector/secrets.ts";
import { ExposureNews, webhookNews, type ExposureNewsEvent } from "./news.ts";
import { checkRequest, type CheckedRequest, type ExposureRequest } from "./request.ts";

/** An event of one exposure. */
export type ExposuresEvent = { readonly exposure: Exposure } & ExposureEvent;

/** The outcome of a start. */
export interface Started {
  readonly exposure: Exposure;
  /** It ran already, and was not opened by this call. */
  readonly wasRunning: boolean;
  /** A person is asked whether it may be open for longer or for more people. */
  readonly askId: number | undefined;
  /** Claim links that this call has made for one that ran. */
  readonly newClaims: readonly ClaimLink[];
}

/** Ended ones of this process whose requests can still be read. */
const MAX_ENDED = 4;

/** All exposures of this process. Ended ones can still be looked at for a while. */
export class Exposures implements Observable<ExposuresEvent> {
  readonly history: ExposureHistory;
  /** News that this server's agent has not been told yet. */
  readonly news = new ExposureNews();
  readonly #context: ExposeContext;
  readonly #events = new Emitter<ExposuresEvent>();
  readonly #all = new Map<string, Exposure>();
  #isShutDown = false;

  constructor(context: ExposeContext, history: ExposureHistory) {
    this.#context = context;
    this.history = history;
    // Straight to those who subscribe, which are this user's faces: what is news to an agent goes through #tell.
    context.signIns?.subscribe(({ exposureId, notice }) => {
      const exposure = this.#all.get(exposureId);
      if (exposure !== undefined) this.#events.emit({ exposure, type: "sign-in", notice });
    });
  }

  subscribe(listener: (event: ExposuresEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  get all(): readonly Exposure[] {
    return [...this.#all.values()];
  }

  /** Those that are not over. */
  get running(): readonly Exposure[] {
    return this.all.filter(({ isOver }) => !isOver);
  }

  /** Clients that wait to be let in, with their codes: for this user's eyes and for no agent's. */
  get signIns(): readonly ExposuresEvent[] {
    return this.running.flatMap((exposure) =>
      (this.#context.signIns?.waitingAt(exposure.id) ?? []).map(
        (notice) => ({ exposure, type: "sign-in", notice }) as const,
      ),
    );
  }

  /** The ports of the gateways: none of them is exposed again. */
  get ports(): readonly number[] {
    return this.running.flatMap(({ port }) => (port === undefined ? [] : [port]));
  }

  /** Those of this user's other servers: they are shown, and ended by nobody but their own. */
  others(): Promise<readonly ExposedElsewhere[]> {
    return this.#context.others();
  }

  /** Understands a request without doing anything. @throws {TunnelError} as {@link checkRequest} */
  check(request: ExposureRequest): CheckedRequest {
    const { config, cwd } = this.#context;
    return checkRequest(request, { transport: config.transport, cwd });
  }

  /**
   * Starts an exposure, or finds the one of the same target that runs. What it does is followed by `settled` and its events.
   * @param isConsented a person has said yes: they typed it, or were asked by their client
   * @throws {TunnelError} as {@link checkRequest}; expose-name-taken (naming it), expose-running, expose-too-many
   */
  start(request: ExposureRequest, { isConsented }: { readonly isConsented: boolean }): Started {
    if (this.#isShutDown) throw new TunnelError("cancelled");
    const checked = this.check(request);
    const same = this.running.find((one) => one.request.targetText === checked.targetText);
    if (same !== undefined && (!checked.isNamed || same.name === checked.name))
      return this.#again(same, request, checked, isConsented);
    // A person's no, or a failure after the call was answered: nobody is asked again before the agent has heard of it.
    const untold = this.all.find(
      (one) => one.request.targetText === checked.targetText && one.state.name === "failed" && !one.isTold,
    );
    if (untold !== undefined) return { exposure: untold, wasRunning: true, askId: undefined, newClaims: [] };
    const named = this.running.find(({ name }) => name === checked.name);
    if (named !== undefined && checked.isNamed)
      throw new TunnelError("expose-name-taken", {
        detail: `${named.name} leads to ${named.request.targetText}`,
      });
    if (this.running.length >= EXPOSE.maxRunning) throw new TunnelError("expose-too-many");
    const exposure = new Exposure(
      this.#context,
      { ...checked, name: this.#freeName(checked.name) },
      isConsented,
    );
    this.#keep(exposure);
    return { exposure, wasRunning: false, askId: undefined, newClaims: [] };
  }

  /** @throws {TunnelError} expose-unknown, expose-ambiguous (naming them) */
  resolve(wanted: string | undefined, { isOverToo = false } = {}): Exposure {
    const among = isOverToo ? this.all : this.running;
    if (wanted === undefined) {
      const [only, ...more] = this.running;
      if (more.length > 0)
        throw new TunnelError("expose-ambiguous", {
          detail: this.running.map(({ name }) => name).join(", "),
        });
      const found = only ?? (isOverToo ? this.all.at(-1) : undefined);
      if (found === undefined) throw new TunnelError("expose-unknown");
      return found;
    }
    const byName = among.filter(({ name }) => name === wanted.toLowerCase());
    const found = this.#all.get(wanted) ?? byName.find(({ isOver }) => !isOver) ?? byName.at(-1);
    if (found === undefined || (found.isOver && !isOverToo)) throw new TunnelError("expose-unknown");
    return found;
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    await Promise.allSettled(this.all.map((one) => one.stop("server-ended")));
    await this.history.settled();
  }

  /** The same target again: more claim links, or more time. Anything else of it stays as it is. */
  #again(
    exposure: Exposure,
    request: ExposureRequest,
    wanted: CheckedRequest,
    isConsented: boolean,
  ): Started {
    const found = { exposure, wasRunning: true, askId: undefined, newClaims: [] };
    if (isOtherwise(exposure.request, request, wanted))
      throw new TunnelError("expose-running", { detail: exposure.name });
    const { claims, expiresInMinutes } = request;
    if (exposure.state.name !== "running" || (claims === undefined && expiresInMinutes === undefined))
      return found;
    const widen = (): readonly ClaimLink[] => {
      if (expiresInMinutes !== undefined) exposure.extend(expiresInMinutes);
      return claims === undefined ? [] : exposure.access.addClaims(claims);
    };
    if (claims !== undefined && !exposure.request.kinds.includes("claim"))
      throw new TunnelError("expose-running", { detail: `${exposure.name} has no claim links` });
    const gates = this.#context.overseer.closed(["expose"]);
    const [gate] = gates;
    if (isConsented || gate === undefined) return { ...found, newClaims: widen() };
    const { kinds, openPaths, transport, minutes } = exposure.request;
    const ask = this.#context.overseer.asks.open({
      tunnelId: exposure.id,
      gates: [gate],
      subject: {
        kind: "exposure",
        name: exposure.name,
        target: exposure.found?.description ?? exposure.request.targetText,
        through: transport,
        access: [...kinds, ...openPaths.map(({ text }) => text)],
        minutes: expiresInMinutes ?? minutes,
        claims: claims ?? 0,
        isWidened: true,
      },
      causer: "own-agent",
      settle: (outcome) => {
        if (outcome.state === "approved" && !exposure.isOver) widen();
        const event = { type: "widened", isDone: outcome.state === "approved" } as const;
        this.#tell(exposure, event);
        this.#events.emit({ exposure, ...event });
      },
    });
    if (ask === undefined) throw new TunnelError("asks-crowded");
    return { ...found, askId: ask.id };
  }

  /** A name that nobody has chosen gives way to one in use: two folders may both be called dist. */
  #freeName(name: string): string {
    const isFree = (one: string): boolean => this.running.every((other) => other.name !== one);
    let free = name;
    for (let at = 2; !isFree(free); at += 1) free = `${name.slice(0, EXPOSE.maxNameChars - 3)}-${at}`;
    return free;
  }

  /** News that its agent has not asked for. */
  #tell(exposure: Exposure, event: ExposureEvent): void {
    const { id: exposureId, name } = exposure;
    if (event.type === "extended") return this.news.withdraw(exposureId, "ends-soon");
    const notice = noticeOf(exposure, event, this.#context.redactor);
    if (notice !== undefined) this.news.add({ ...notice, exposureId, name, at: this.#context.clock.now() });
  }

  #keep(exposure: Exposure): void {
    const over = this.all.filter(({ isOver }) => isOver);
    for (const old of over.slice(0, Math.max(0, over.length - MAX_ENDED + 1))) this.#all.delete(old.id);
    this.#all.set(exposure.id, exposure);
    exposure.subscribe((event) => {
      if (event.type === "state" && exposure.isOver)
        void this.history.add(endedOf(exposure, this.#context.clock.now()));
      this.#tell(exposure, event);
      this.#events.emit({ exposure, ...event });
    });
  }
}

/** Whether what is asked for, as far as it is, differs from what runs. */
function isOtherwise(runs: CheckedRequest, asked: ExposureRequest, wanted: CheckedRequest): boolean {
  const textOf = (request: CheckedRequest): string =>
    request.openPaths
      .map(({ text }) => text)
      .toSorted()
      .join("\n");
  return (
    (asked.access !== undefined && wanted.kinds.toSorted().join() !== runs.kinds.toSorted().join()) ||
    (asked.openPaths !== undefined && textOf(wanted) !== textOf(runs)) ||
    wanted.protocol !== runs.protocol ||
    (asked.transport !== undefined && wanted.transport !== runs.transport) ||
    (asked.hostHeader !== undefined && wanted.hostHeader !== runs.hostHeader) ||
    (asked.inspect !== undefined && wanted.inspect !== runs.inspect) ||
    (asked.origins !== undefined && wanted.origins.toSorted().join() !== runs.origins.toSorted().join()) ||
    isOtherServer(runs, asked, wanted)
  );
}

/** The same MCP server with other tools, or with other processes. */
function isOtherServer(
  { target: runs }: CheckedRequest,
  asked: ExposureRequest,
  { target: wanted }: CheckedRequest,
): boolean {
  if (runs.kind !== "mcp" || wanted.kind !== "mcp") return false;
  const toolsOf = (tools: readonly string[] | undefined): string => (tools ?? []).toSorted().join();
  return (
    (asked.tools !== undefined && toolsOf(wanted.tools) !== toolsOf(runs.tools)) ||
    (asked.perSession !== undefined && wanted.copies !== runs.copies)
  );
}

/** @returns undefined where the agent knows it, or need not */
function noticeOf(
  exposure: Exposure,
  event: ExposureEvent,
  redactor: Redactor,
): ExposureNewsEvent | undefined {
  switch (event.type) {
    case "state":
      return stateNotice(exposure, event.before);
    case "claimed":
      return event.isFirst ? { notice: "first-visitor", claim: event.claim } : undefined;
    case "visit":
      return webhookNews(event.exchange, redactor);
    case "service":
      return { notice: "service", isThere: event.isThere, changes: 1 };
    case "address":
      return { notice: "address", publicUrl: addressOf(event.publicUrl) };
    case "ends-soon":
      return { notice: "ends-soon", endsAt: exposure.endsAt };
    case "widened":
      return { notice: "widened", isDone: event.isDone };
    // Codes are never news of an agent's.
    case "sign-in":
    case "progress":
    case "extended":
      return undefined;
  }
}

function stateNotice(
  { state, followers }: Exposure,
  before: ExposureState["name"],
): ExposureNewsEvent | undefined {
  if (state.name === "over") return state.why === "stopped" ? undefined : { notice: "over", why: state.why };
  if (followers > 0) return undefined;
  if (state.name === "failed") return { notice: "failed", error: state.error };
  // An address that comes back is news of its own.
  return state.name === "running" && before !== "running"
    ? { notice: "opened", publicUrl: addressText(state.publicUrl) }
    : undefined;
}

function endedOf(exposure: Exposure, now: number): EndedExposure {
  const { id, name, request, publicUrl, startedAt, state, stats } = exposure;
  return {
    id,
    name,
    protocol: request.protocol,
    target: request.targetText,
    publicUrl: addressOf(publicUrl),
    startedAt,
    endedAt: now,
    ...(state.name === "failed"
      ? { why: "failed", code: state.error.code }
      : { why: state.name === "over" ? state.why : "stopped" }),
    requests: stats?.requests ?? 0,
  };
}
