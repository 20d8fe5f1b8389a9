import { Buffer } from "node:buffer";
import type { Leaving, OutboundWord } from "../../bridge/http/reception.ts";
import { FILTER, type Finding, type Verdict } from "../../oversight/filter/verdict.ts";
import type { Gate } from "../../oversight/gates/gates.ts";
import { masked } from "../../oversight/gates/mask.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { TextScanner } from "../../session/saying/judging.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { ServiceTunnel, VisitOverseer } from "../port.ts";

/** The part of an answer that a person is shown. */
const SHOWN_CHARS = 4_000;
/** Answers that a person has decided about: the same bytes are not asked about again. */
const MAX_DECIDED = 256;

export interface ResultsOptions {
  readonly clock: Clock;
  readonly scanner: TextScanner;
  readonly overseer: VisitOverseer;
  readonly tunnel: Pick<ServiceTunnel, "tunnelId" | "presence">;
  /** The name of the service. */
  readonly name: string;
}

/**
 * The outbound filter for what an MCP server of this machine answers. An answer with a secret in it waits for a person as long as its
 * caller can wait, and for a yes to exactly its bytes; without one it is withheld, and the caller told so.
 */
export class Results {
  readonly #options: ResultsOptions;
  readonly #decided = new Map<string, boolean>();

  constructor(options: ResultsOptions) {
    this.#options = options;
  }

  /** @throws {TunnelError} scan-failed: then nothing leaves */
  async judge(leaving: Leaving): Promise<OutboundWord> {
    const verdict = await this.#verdictOn(leaving.text);
    const [gate] = this.#options.overseer.closed(gatesOf(verdict));
    if (gate === undefined) return { leaves: true };
    const known = this.#decided.get(verdict.digest);
    const says = known ?? (await this.#ask(leaving, verdict, gate));
    if (says === true) return { leaves: true };
    const because =
      gate === "secret" ? "has what looks like a secret in it" : "cannot be searched for secrets";
    const asked =
      says === false ? "their human has said no" : "their human was asked, and has not said yes in time";
    return { leaves: false, why: `not sent: the answer ${because}, and ${asked}` };
  }

  async #verdictOn(text: string): Promise<Verdict> {
    const { scanner } = this.#options;
    const bytes = Buffer.from(text, "utf8");
    if (bytes.length <= FILTER.maxTextBytes) return await scanner.scanTexts([{ where: "tool-result", text }]);
    const scan = scanner.openContent("tool-result", bytes.length);
    await scan.write(bytes);
    return await scan.end();
  }

  /** @returns undefined where nobody has decided */
  async #ask(
    { text, who, method, name, signal }: Leaving,
    verdict: Verdict,
    gate: Gate,
  ): Promise<boolean | undefined> {
    const { clock, overseer, tunnel } = this.#options;
    const findings: readonly Finding[] = verdict.kind === "found" ? verdict.findings : [];
    let says: boolean | undefined;
    let wake = (): void => undefined;
    const ask = overseer.asks.open({
      tunnelId: tunnel.tunnelId,
      gates: [gate],
      subject: {
        kind: "result",
        name: this.#options.name,
        call: name === undefined ? method : `${method} ${name}`,
        member: who,
        memberName: tunnel.presence().find(({ id }) => id === who)?.name ?? who,
        text: shownText(text, findings),
        chars: text.length,
        contentHash: verdict.digest,
        ...(findings.length === 0 ? {} : { findings }),
        ...(verdict.kind === "not-scanned" ? { notScanned: verdict.reason } : {}),
      },
      causer: { member: who },
      settle: ({ state }) => {
        if (state === "approved" || state === "refused")
          this.#remember(verdict.digest, (says = state === "approved"));
        wake();
      },
    });
    if (ask === undefined) return undefined;
    await wait(clock, SERVICES_LIMITS.resultMs, {
      signal,
      until: (now) => {
        wake = now;
        return () => undefined;
      },
    });
    // The call that was asked about is answered by now.
    overseer.asks.withdraw(ask.id, "gone");
    return says;
  }

  #remember(digest: string, says: boolean): void {
    this.#decided.set(digest, says);
    const [oldest] = this.#decided.keys();
    if (oldest !== undefined && this.#decided.size > MAX_DECIDED) this.#decided.delete(oldest);
  }
}

/** Masked before it is cut: a secret that is cut in two would not be found in the half. */
function shownText(text: string, findings: readonly Finding[]): string {
  const shown = masked(text, findings, "tool-result");
  return shown.length <= SHOWN_CHARS ? shown : `${shown.slice(0, SHOWN_CHARS)} …`;
}

function gatesOf({ kind }: Verdict): readonly Gate[] {
  if (kind === "clear") return [];
  return [kind === "found" ? "secret" : "not-scanned"];
}
