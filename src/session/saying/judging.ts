import { toHex } from "../../protocol/base/bytes.ts";
import type { FileOffer } from "../../protocol/files/offer.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import type { OutgoingMessage } from "../../protocol/room/participant.ts";
import type { Subject } from "../../oversight/asks/subject.ts";
import type { Gate } from "../../oversight/gates/gates.ts";
import { masked } from "../../oversight/gates/mask.ts";
import type { Judgement } from "../../oversight/lanes/outbound.ts";
import { tailOf, type ContentScan, type OutboundText } from "../../oversight/filter/filter.ts";
import type { Finding, Outbound, Verdict } from "../../oversight/filter/verdict.ts";

/** The one search of whatever leaves. There is a verdict, or an error and nothing leaves. */
export interface TextScanner {
  /** @throws {TunnelError} scan-failed */
  scanTexts(texts: readonly OutboundText[], before?: string): Promise<Verdict>;
  /** @param size bytes: what is too large is hashed only */
  openContent(where: Outbound, size?: number): ContentScan;
}

/** What was found out about a content before it is offered. */
export interface Examined {
  /** Absolute: the file itself; of a patch or a typed text, the folder that it comes from. */
  readonly path: string;
  /** Those at which its name and its place put it. */
  readonly gates: readonly Gate[];
  /** What it is about its name and its place, for a person. */
  readonly reasons: readonly string[];
  /** The filter's word on exactly these bytes. */
  readonly verdict: Verdict;
}

/** A file on its way out, and what was found out when its content was read. */
export interface FileJudgement extends Examined {
  readonly offer: FileOffer;
}

/** A service on its way to be offered, as a person is shown it. */
export type ServiceJudgement = Omit<
  Extract<Subject, { kind: "service" }>,
  "kind" | "contentHash" | "to" | "findings"
>;

/** Judges the messages of one tunnel before they leave. */
export class Judge {
  readonly #scanner: TextScanner;
  readonly #nameOf: (id: MemberId) => string;
  /** The end of what has left last: a secret may be split over two messages. */
  #before = "";
  /** The end of what was judged last: it may still wait, and leave just before the next one. */
  #judged = "";

  constructor(scanner: TextScanner, nameOf: (id: MemberId) => string) {
    this.#scanner = scanner;
    this.#nameOf = nameOf;
  }

  /** It has left. */
  left({ text, what }: OutgoingMessage): void {
    if (what === undefined) this.#before = tailOf(text);
  }

  /** @throws {TunnelError} scan-failed */
  async message({ text, to, intent, replyTo }: OutgoingMessage): Promise<Judgement> {
    const verdict = await this.#verdictOn(text);
    const findings = findingsOf(verdict);
    const subject: Subject = {
      kind: "message",
      text: masked(text, findings, "message"),
      contentHash: verdict.digest,
      ...this.#addressed(to),
      ...(intent === undefined ? {} : { intent }),
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(findings.length === 0 ? {} : { findings }),
    };
    return { gates: gatesOf(verdict), subject };
  }

  async #verdictOn(text: string): Promise<Verdict> {
    const texts: readonly OutboundText[] = [{ where: "message", text }];
    const [left, judged] = [this.#before, this.#judged];
    this.#judged = tailOf(text);
    const verdict = await this.#scanner.scanTexts(texts, left);
    return verdict.kind === "found" || judged === left
      ? verdict
      : await this.#scanner.scanTexts(texts, judged);
  }

  /** @throws {TunnelError} scan-failed */
  async file({ to }: OutgoingMessage, file: FileJudgement): Promise<Judgement> {
    const { offer, path, gates, reasons, verdict } = file;
    const { name, note } = offer;
    const texts: OutboundText[] = [{ where: "file-name", text: name }];
    if (note !== undefined) texts.push({ where: "note", text: note });
    const words = await this.#scanner.scanTexts(texts);
    const findings = [...findingsOf(words), ...findingsOf(verdict)];
    const shownName = masked(name, findings, "file-name");
    const subject: Subject = {
      kind: "file",
      name: shownName,
      // Its last part is where the name comes from.
      path: shownName === name ? path : path.replace(/[^\\/]*$/, shownName),
      bytes: offer.size,
      contentHash: toHex(offer.hash),
      ...this.#addressed(to),
      ...(note === undefined ? {} : { note: masked(note, findings, "note") }),
      ...(findings.length === 0 ? {} : { findings }),
      ...(reasons.length === 0 ? {} : { reasons }),
      ...(verdict.kind === "not-scanned" ? { notScanned: verdict.reason } : {}),
    };
    return { gates: [...new Set([...gates, ...gatesOf(words), ...gatesOf(verdict)])], subject };
  }

  /** @throws {TunnelError} scan-failed */
  async service({ to }: OutgoingMessage, service: ServiceJudgement): Promise<Judgement> {
    const { name, note } = service;
    const texts: OutboundText[] = [{ where: "service-label", text: name }];
    if (note !== undefined) texts.push({ where: "note", text: note });
    const verdict = await this.#scanner.scanTexts(texts);
    const findings = findingsOf(verdict);
    const subject: Subject = {
      ...service,
      kind: "service",
      name: masked(name, findings, "service-label"),
      contentHash: verdict.digest,
      ...this.#addressed(to),
      ...(note === undefined ? {} : { note: masked(note, findings, "note") }),
      ...(findings.length === 0 ? {} : { findings }),
    };
    return { gates: ["offer-service", ...gatesOf(verdict)], subject };
  }

  #addressed(to: readonly MemberId[] | undefined): { readonly to?: readonly string[] } {
    return to === undefined ? {} : { to: to.map((id) => this.#nameOf(id)) };
  }
}

function findingsOf(verdict: Verdict): readonly Finding[] {
  return verdict.kind === "found" ? verdict.findings : [];
}

function gatesOf(verdict: Verdict): readonly Gate[] {
  switch (verdict.kind) {
    case "clear":
      return [];
    case "found":
      return ["secret"];
    case "not-scanned":
      return ["not-scanned"];
  }
}
