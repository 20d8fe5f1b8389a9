import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import { CLOSE, REASONS, reasonText, type Reason } from "../../uplink/close-codes.ts";
import { UPLINK } from "../../uplink/limits.ts";
import { Line } from "../../uplink/line/line.ts";
import { parseFromHost, type ClaimKind, type Register } from "../../uplink/messages.ts";
import type { Grant, Verdict } from "../auth/authority.ts";
import type { ClaimName, ClaimOutcome, NameOwner } from "../claims/claims.ts";
import { isOfKey, isProved } from "../claims/proof.ts";
import type { RelayContext } from "../context.ts";
import { Pace } from "../limits/pace.ts";
import { Host, type HostFacts } from "./host.ts";
import type { Hosts } from "./hosts.ts";
import { nameFor } from "./naming.ts";

/** A connection on which a host may register. */
export interface Applicant {
  readonly source: string;
  /** Host and port as it has dialled them, from its field `Host`. */
  readonly authority: string;
  readonly scheme: "http" | "https";
}

/** The authority's own refusal, which may bring words of its own. */
type Refused = Extract<Verdict, { kind: "refused" }>;

/** Ports for TCP. */
export interface PortKeeper {
  /** A port for this key, the one that it had last if that is free; undefined where all are taken. */
  lease(key: string): Promise<{ readonly port: number; readonly free: () => void } | undefined>;
}

/** Leads each host from its connection to its claim. */
export class Registrar {
  readonly #context: RelayContext;
  readonly #hosts: Hosts;
  readonly #ports: PortKeeper | undefined;
  readonly #tcpHost: string | undefined;
  /** Attempts of each source. */
  readonly pace: Pace;
  #waiting = 0;
  #isClosed = false;

  /** @param tcpHost where TCP ports are reached, if that is not the relay's own name */
  constructor(
    context: RelayContext,
    hosts: Hosts,
    ports: PortKeeper | undefined,
    tcpHost: string | undefined,
  ) {
    const { limits, clock } = context;
    this.#context = context;
    this.#hosts = hosts;
    this.#ports = ports;
    this.#tcpHost = tcpHost;
    this.pace = new Pace(limits.registrationsPerMinute, () => clock.now());
  }

  /** From now on nobody registers. */
  close(): void {
    this.#isClosed = true;
  }

  accept(socket: WebSocket, applicant: Applicant): void {
    const { clock, limits } = this.#context;
    const nonce = randomBytes(UPLINK.nonceBytes).toString("base64url");
    let state: "greeted" | "deciding" | "registered" | "over" = "greeted";
    let host: Host | undefined;
    const line = new Line(socket, () => clock.now(), {
      onText: (text) => {
        const message = parseFromHost(text);
        if (message === undefined) return refuse("broken-rules");
        if (message.type === "register" && state === "greeted") {
          state = "deciding";
          this.#register(message, line, nonce, applicant).then(
            (result) => {
              if (typeof result === "string") return refuse(result, message.kind);
              if ("kinds" in result) {
                line.send({ type: "admitted", kinds: [...result.kinds] });
                return line.close(CLOSE.released, "");
              }
              if (!(result instanceof Host)) return refuse(result.reason, message.kind, result.text);
              host = result;
              if (state === "over") return host.closed(1006, "");
              state = "registered";
              return stopWaiting();
            },
            () => refuse("claims-unavailable", message.kind),
          );
        } else if (message.type === "ready" && host !== undefined) this.#hosts.ready(host);
        else if (message.type === "unfetched" && host !== undefined)
          this.onUnfetched(host, message.ticket, message.isLocal);
        else refuse("broken-rules");
      },
      onClose: (code, reason) => {
        state = "over";
        stopWaiting();
        host?.closed(code, reason);
      },
    });
    let isWaiting = true;
    this.#waiting += 1;
    const stopWaiting = (): void => {
      if (!isWaiting) return;
      isWaiting = false;
      this.#waiting -= 1;
      cancel();
    };
    const refuse = (reason: Reason, kind?: ClaimKind, text?: string): void => {
      if (state === "over") return;
      state = "over";
      stopWaiting();
      const isLate = REASONS[reason] === CLOSE.tryLater;
      const waitMs = reason === "going-away" ? SUCCESSOR_MS : this.#laterMs(reason);
      line.close(REASONS[reason], reasonText(reason, isLate ? waitMs : undefined, text));
      clock.after(CLOSING_MS, () => line.terminate());
      host?.close(reason);
      const { source } = applicant;
      this.#context.events.emit({ type: "refused", kind, reason, source });
    };
    const cancel = clock.after(UPLINK.registerMs, () => refuse("too-slow"));
    if (this.#isClosed) return refuse("going-away");
    if (this.#waiting > limits.unregistered || !this.pace.admits(applicant.source)) return refuse("too-many");
    line.send({ type: "hello", versions: [UPLINK.version], nonce });
  }

  #laterMs(reason: Reason): number {
    const isElsewhere = reason === "claims-unavailable" && this.#context.elsewhere !== undefined;
    return isElsewhere ? ELSEWHERE_MS : LATER_MS;
  }

  /** A host cannot fetch a guest. Set by whoever has the guests. */
  onUnfetched: (host: Host, ticket: string, isLocal: boolean) => void = () => undefined;

  async #register(
    message: Register,
    line: Line,
    nonce: string,
    { source, authority, scheme }: Applicant,
  ): Promise<Host | Reason | Refused | Pick<Grant, "kinds">> {
    const { claims, events, node, domain } = this.#context;
    const { kind, name, key, signature, token } = message;
    if (message.version !== UPLINK.version) return "wrong-version";
    if (!isProved({ nonce, authority, kind, name }, key, signature)) return "proof-invalid";
    const admitted = await this.#admit(message);
    if (typeof admitted === "string" || "reason" in admitted) return admitted;
    const { grant, given, isSubstitute } = admitted;
    if (message.isTrial === true) return { kinds: grant.kinds };
    const place = await this.#takePlace({ kind, name: given }, key, grant, source);
    if (typeof place === "string") return place;
    const { port } = place;
    const owner = isOfKey(given, key) ? undefined : this.#ownerOf(kind, grant);
    const outcome = await claims.claim({ kind, name: given, key, node, port, owner });
    if (outcome.kind !== "claimed") {
      place.free();
      return UNCLAIMED[outcome.kind];
    }
    const { epoch } = outcome;
    const host = kind === "http" ? `${given}.${domain}` : kind === "tcp" ? this.#tcpHost : undefined;
    const dialled = `${scheme}://${authority}`;
    const facts: HostFacts = { kind, name: given, key, epoch, source, dialled, host, port, token };
    const registered = new Host(this.#context, line, facts, grant, (end) => {
      place.free();
      this.#hosts.ended(registered, end);
    });
    // The route is there before the host hears of it.
    this.#hosts.add(registered);
    line.send({ type: "registered", name: given, epoch, host, port, isSubstitute });
    events.emit({ type: "registered", kind, name: given, epoch, tokenId: grant.tokenId, source });
    return registered;
  }

  /** Whether the token allows it, and the name that it gets. */
  async #admit(
    message: Register,
  ): Promise<
    { readonly grant: Grant; readonly given: string; readonly isSubstitute: boolean } | Reason | Refused
  > {
    const { authority, keepsNames, isBlocked, domain } = this.#context;
    const { kind, name, token } = message;
    if (kind === "http" && domain === undefined) return "no-domain";
    if (kind === "tcp" && this.#ports === undefined) return "no-ports";
    const verdict = await authority.check(token, { kind, name: kind === "http" ? name : undefined });
    if (verdict.kind === "unavailable") return "auth-unavailable";
    if (verdict.kind === "refused") return verdict;
    const { grant } = verdict;
    if (!grant.kinds.has(kind)) return "kind-not-allowed";
    if (isBlocked(grant.tokenId)) return "blocked";
    const named = nameFor(message, grant, { keepsNames });
    if (named.kind === "refused") return named.reason;
    if (isBlocked(named.name)) return "blocked";
    return { grant, given: named.name, isSubstitute: named.isSubstitute };
  }

  /** Rooms are forgotten by themselves, and those who have no token have none in common. */
  #ownerOf(kind: ClaimKind, { tokenId, limits }: Grant): NameOwner | undefined {
    if (kind === "room" || this.#context.authority.isOpen) return undefined;
    return { id: tokenId, maxNames: limits.names ?? this.#context.limits.namesPerToken };
  }

  /** A place for one more tunnel, and its port; one that follows its own former line needs no other. */
  async #takePlace(
    name: ClaimName,
    key: string,
    grant: Grant,
    source: string,
  ): Promise<{ readonly port: number | undefined; readonly free: () => void } | Reason> {
    const { limits, authority } = this.#context;
    const { perToken, perSource, size } = this.#hosts;
    const own = this.#hosts.get(name)?.facts.key === key ? 1 : 0;
    if (size - own >= limits.tunnels) return "too-many";
    const taken: (() => void)[] = [];
    const free = (): void => taken.forEach((give) => give());
    const bySource = perSource.take(source, limits.tunnelsPerSource + own);
    if (bySource === undefined) return "too-many";
    taken.push(bySource);
    // Those who have no token have none in common.
    if (!authority.isOpen) {
      const byToken = perToken.take(grant.tokenId, (grant.limits.tunnels ?? limits.tunnelsPerToken) + own);
      if (byToken === undefined) {
        free();
        return "too-many";
      }
      taken.push(byToken);
    }
    if (name.kind !== "tcp") return { port: undefined, free };
    const lease = await this.#ports?.lease(key);
    if (lease === undefined) {
      free();
      return "ports-used-up";
    }
    taken.push(lease.free);
    return { port: lease.port, free };
  }
}

const UNCLAIMED = {
  taken: "name-taken",
  "used-up": "names-used-up",
  unavailable: "claims-unavailable",
} as const satisfies Record<Exclude<ClaimOutcome["kind"], "claimed">, Reason>;
const CLOSING_MS = 2_000;
const LATER_MS = 10_000;
/** The same address leads to other nodes, and the next one may be able to do it. */
const ELSEWHERE_MS = 300;
/** Until another relay answers at the address of one that ends. */
const SUCCESSOR_MS = 2_000;
