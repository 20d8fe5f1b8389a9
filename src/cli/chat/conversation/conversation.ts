import { must } from "../../../errors/must.ts";
import { asTunnelError, TunnelError } from "../../../errors/tunnel-error.ts";
import type { Intent } from "../../../protocol/room/intent.ts";
import type { MemberId } from "../../../protocol/base/ids.ts";
import { SESSION } from "../../../protocol/base/limits.ts";
import type { Presence } from "../../../protocol/room/participant.ts";
import { peersAmong } from "../../../protocol/room/peers.ts";
import { membersNamed } from "../../../protocol/room/recipients.ts";
import type { Entry } from "../../../protocol/room/log.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { settled, wait } from "../../../runtime/wait.ts";
import type { NoticeEntry } from "../../../session/notices/notice.ts";
import type { Session } from "../../../session/sessions.ts";
import type { TypedText } from "../../../protocol/base/typed-text.ts";
import type { LazyServices } from "../../../services/tunnels/lazy-services.ts";
import type { LocalFiles } from "../../../session/files/local-files.ts";
import { heldView } from "../../../view/held.ts";
import { entryView, type EntryView } from "../../../view/entries.ts";
import { filesView, type FilesView } from "../../../view/files.ts";
import { memberView } from "../../../view/members.ts";
import { seconds } from "../../../view/time.ts";
import { hostKeptUntil, statusOf, statusView, type StatusView } from "../../../view/status.ts";
import type { ChatEvent, Ref, Show } from "./events.ts";
import { shortId } from "./file-ids.ts";
import { ChatServices } from "./services.ts";
import { Transfers } from "./transfers.ts";

/** A message as a person, or a program in its place, gives it. */
export interface Words {
  readonly text: string;
  /** Names or ids; everybody when undefined. */
  readonly to?: readonly string[] | undefined;
  readonly intent?: Intent | undefined;
  readonly replyTo?: number | undefined;
  readonly ref?: Ref | undefined;
}

/** Sent, not yet acknowledged. */
interface Unconfirmed {
  readonly ref: Ref | undefined;
  readonly to: readonly MemberId[] | undefined;
  /** Colour sequences that were taken out of its text. */
  readonly removed: number;
  seq: number | undefined;
}

interface ConversationOptions {
  readonly tunnel: Session;
  readonly clock: Clock;
  /** @throws {TunnelError} text-invalid, text-too-long */
  readonly checkedText: (text: string) => TypedText;
  readonly localFiles: LocalFiles;
  readonly services: LazyServices;
  /** `human` where a person types (G11). */
  readonly author: "human" | undefined;
  readonly show: Show;
}

/** The longest wait for a change. After it the conversation looks again. */
const LOOK_AGAIN_MS = 60 * 60_000;
/** The same while this side is cut off. */
const CUT_OFF_MS = 2_000;

/** One tunnel for a reader who sees everything at once: an entry that is shown counts as read. */
export class Conversation {
  readonly tunnel: Session;
  readonly transfers: Transfers;
  readonly services: ChatServices;
  readonly #clock: Clock;
  readonly #author: "human" | undefined;
  readonly #checkedText: (text: string) => TypedText;
  readonly #show: Show;
  readonly #unconfirmed = new Set<Unconfirmed>();
  #settled: (() => void)[] = [];
  #isLeaving = false;
  /** The last own message, and the members whose reading of it has been shown. */
  #last:
    | { readonly seq: number; readonly to: readonly MemberId[] | undefined; readonly told: Set<MemberId> }
    | undefined;

  constructor(options: ConversationOptions) {
    const { tunnel, clock, checkedText, localFiles, services, author, show } = options;
    this.#author = author;
    this.tunnel = tunnel;
    this.transfers = new Transfers({ tunnel, localFiles, clock, author, show });
    this.services = new ChatServices({ tunnel, services, clock, author, show });
    this.#clock = clock;
    this.#checkedText = checkedText;
    this.#show = show;
  }

  get status(): StatusView {
    return statusView(this.tunnel, this.#clock.now());
  }

  get files(): FilesView {
    return filesView(this.tunnel);
  }

  /** Whether the wish to leave was told, though it may take a moment. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Own messages that were sent and never acknowledged. */
  get undelivered(): number {
    return this.#unconfirmed.size;
  }

  /** Shows what happens until the tunnel is over, and then how it ended. */
  async run(): Promise<void> {
    this.transfers.watch();
    await Promise.all([this.#hear(), this.#watch()]);
    this.#settle();
    this.services.close();
    this.transfers.cancel();
    await this.transfers.settled();
    this.transfers.close();
    const end = must(this.tunnel.end, "the end of a tunnel that is over");
    this.#show({ type: "ended", role: this.tunnel.role, end, undelivered: this.undelivered });
  }

  /**
   * Sends before it returns, so that messages keep their order. Resolves when the outcome has been shown.
   * @throws {TunnelError} why it cannot be said; nothing was sent then
   */
  async say({ text, to: names, intent, replyTo, ref }: Words): Promise<void> {
    this.tunnel.touch();
    const { text: checked, removed } = this.#checkedText(text);
    const to = names === undefined ? undefined : membersNamed(this.tunnel.presence(), names);
    const message: Unconfirmed = { ref, to, removed, seq: undefined };
    const outgoing = {
      ...(this.#author === undefined ? {} : { author: this.#author }),
      text: checked,
      ...(intent === undefined ? {} : { intent }),
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(to === undefined ? {} : { to }),
    };
    this.#unconfirmed.add(message);
    try {
      const sent = await this.tunnel.say(outgoing, {
        onConfirmed: (seq) => this.#confirmed(message, seq, true),
      });
      if (sent.status === "held") {
        // Its end is told by a notice, which has the number of the ask.
        this.#unconfirmed.delete(message);
        this.#settle();
        return this.#show({ type: "held", ref, held: heldView(sent) });
      }
      message.seq = sent.seq;
      if (sent.status === "sent") return this.#confirmed(message, sent.seq, false);
      const { seq, reason } = sent;
      // It may be acknowledged by now, or the tunnel may have ended.
      const isOpen = this.#unconfirmed.has(message) && this.tunnel.end === undefined;
      if (isOpen) this.#show({ type: "queued", ref, seq, reason, removed });
    } catch (thrown) {
      this.#unconfirmed.delete(message);
      this.#settle();
      throw asTunnelError(thrown);
    }
  }

  /**
   * Leaves the tunnel; a host ends it for all. Waits for the acknowledgement of own messages, for at most `patienceMs`.
   * Without a limit it waits as long as there is hope, for downloads as well.
   */
  async leave(patienceMs?: number): Promise<void> {
    this.#isLeaving = true;
    if (patienceMs === undefined) await this.transfers.settled();
    else this.transfers.cancel();
    const confirmed = new Promise<void>((resolve) => void this.#settled.push(resolve));
    this.#settle();
    if (patienceMs === undefined) await confirmed;
    else await wait(this.#clock, patienceMs, { until: settled(confirmed) });
    await this.tunnel.close();
  }

  #confirmed(message: Unconfirmed, seq: number, late: boolean): void {
    if (!this.#unconfirmed.delete(message)) return;
    this.#show({ type: "sent", ref: message.ref, seq, late, removed: message.removed });
    // It has a number now, and its author has read it.
    this.tunnel.touch();
    if (seq > (this.#last?.seq ?? 0)) this.#last = { seq, to: message.to, told: new Set() };
    this.#tellRead();
    this.#settle();
  }

  async #hear(): Promise<void> {
    const { inbox } = this.tunnel;
    const never = new AbortController().signal;
    for (let call = 1; ; call += 1) {
      const { entries, gap } = inbox.take(call, SESSION.listenMaxCount);
      if (gap !== undefined && entries.length > 0) this.#show({ type: "gap", ...gap });
      for (const { entry } of entries) if (!isOwn(entry)) this.#showEntry(entry);
      this.tunnel.settle();
      if (entries.some(({ entry }) => isActivity(entry))) this.tunnel.touch();
      if (entries.length > 0) continue;
      if (this.tunnel.end !== undefined) return;
      await inbox.wait(LOOK_AGAIN_MS, never);
    }
  }

  #showEntry(raw: Entry | NoticeEntry): void {
    const entry = entryView(raw, this.#clock.now());
    this.#show({
      type: "entry",
      entry,
      safetyCode: this.#safetyCodeWith(raw),
      shortId: entry.kind === "file" ? shortId(this.files, entry.file.fileId) : undefined,
      fileNumber: entry.kind === "file" ? this.transfers.numberOf(entry.file.fileId) : undefined,
      service: this.#serviceOf(entry),
    });
  }

  #serviceOf(entry: EntryView): Extract<ChatEvent, { type: "entry" }>["service"] {
    if (entry.kind !== "service" && entry.kind !== "withdrawal") return undefined;
    const serviceId = entry.kind === "service" ? entry.service.serviceId : entry.serviceId;
    return { number: this.services.numberOf(serviceId), name: this.services.nameOf(serviceId) };
  }

  /** The code of the pairing that a host has just made. */
  #safetyCodeWith(entry: Entry | NoticeEntry): string | undefined {
    const isNew = entry.kind === "system" && entry.event === "joined" && entry.past !== true;
    if (!isNew || this.tunnel.role !== "host") return undefined;
    return this.tunnel.presence().find(({ id }) => id === entry.member)?.safetyCode;
  }

  async #watch(): Promise<void> {
    let before = this.tunnel.presence();
    let wasHostAway = false;
    while (this.tunnel.end === undefined) {
      const now = this.tunnel.presence();
      const status = statusOf(this.tunnel);
      const keptUntil = hostKeptUntil(this.tunnel);
      const isHostAway = keptUntil !== undefined;
      if (differ(before, now) || (isHostAway && !wasHostAway)) {
        this.#show({
          type: "presence",
          status,
          before: before.map(memberView),
          now: now.map(memberView),
          hostAwayKeptForSec: keptUntil && Math.max(0, seconds(keptUntil - this.#clock.now())),
        });
      }
      before = now;
      wasHostAway = isHostAway;
      this.#readIsConfirmed(now);
      this.#tellRead();
      // That the host's program has ended shows only when it is dialled again.
      const lookAgainMs = status === "reconnecting" ? CUT_OFF_MS : LOOK_AGAIN_MS;
      await wait(this.#clock, lookAgainMs, { until: this.tunnel.onPresence });
    }
  }

  /** A reader has the message. A message whose recipients have all left cannot arrive any more. */
  #readIsConfirmed(members: readonly Presence[]): void {
    if (this.tunnel.role !== "host") return;
    for (const message of this.#unconfirmed) {
      const { seq, to } = message;
      if (seq === undefined) continue;
      const audience = peersAmong(members).filter(({ id }) => to?.includes(id) !== false);
      if (audience.some(({ read }) => read >= seq)) this.#confirmed(message, seq, true);
      if (audience.length > 0) continue;
      this.#unconfirmed.delete(message);
      this.#show({ type: "error", error: new TunnelError("nobody-joined"), ref: message.ref });
      this.#settle();
    }
  }

  #tellRead(): void {
    const last = this.#last;
    if (last === undefined) return;
    for (const { id, name, read } of peersAmong(this.tunnel.presence())) {
      if (last.to?.includes(id) === false || read < last.seq || last.told.has(id)) continue;
      last.told.add(id);
      this.#show({ type: "read", name, seq: last.seq });
    }
  }

  #settle(): void {
    if (this.#unconfirmed.size > 0 && this.tunnel.end === undefined) return;
    for (const resolve of this.#settled.splice(0)) resolve();
  }
}

/** A person need not be told what they have typed. */
function isOwn(entry: Entry | NoticeEntry): boolean {
  return entry.kind !== "system" && entry.kind !== "notice" && entry.own;
}

/** A touch tells the others what was read. Their deeds are worth one; the warning of an idle room must not keep it alive. */
function isActivity(entry: Entry | NoticeEntry): boolean {
  if (entry.kind === "notice" || entry.past === true) return false;
  return entry.kind !== "system" || entry.event === "joined" || entry.event === "left";
}

/** Ages change all the time. The connections and reading positions count. */
function differ(before: readonly Presence[], now: readonly Presence[]): boolean {
  const facts = (members: readonly Presence[]): string =>
    JSON.stringify(members.map(({ id, connected, read, isSelf }) => [id, connected, isSelf ? 0 : read]));
  return facts(before) !== facts(now);
}
