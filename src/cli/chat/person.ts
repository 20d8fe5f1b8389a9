import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { LINK, ROOM } from "../../protocol/base/limits.ts";
import { utf8Length } from "../../protocol/base/utf8.ts";
import { peersAmong } from "../../protocol/room/peers.ts";
import type { Clock } from "../../runtime/clock.ts";
import { settled, wait } from "../../runtime/wait.ts";
import { encodingProblem } from "../../runtime/utf8-input.ts";
import type { Asks } from "../../oversight/asks/asks.ts";
import type { Conversation } from "./conversation/conversation.ts";
import type { Show } from "./conversation/events.ts";
import { completeSlash, runSlash, type SlashCall } from "./slash.ts";
import { INTERRUPTED } from "../io/stay.ts";
import { wrapWords } from "../io/wrap.ts";
import type { Person, Screen } from "./terminal/screen.ts";

/** The second key must come soon after the question, or it is a slip like the first one. */
const AGAIN_MS = 5_000;
/** Leaving at once may take so long, where something has to be removed. */
const AT_ONCE_MS = 1_000;

/** Carries out what a person types. `screen` is called for each line to show: the screen is made with the result. */
export function personIn(options: {
  conversation: Conversation;
  asks: Asks;
  show: Show;
  screen: () => Screen | undefined;
  /** Whether the input ends by a key of a person, who does not want to wait, or with a script's last line. */
  isTerminal: boolean;
  /** As a command may ask: see `SlashCall`. */
  signs: SlashCall["signs"];
  clock: Clock;
  exitNow: (code: number) => void;
  /** The terminal is gone, and its person cannot say what they want. */
  onTerminalGone: () => void;
}): Person {
  const { conversation, asks, show, screen, isTerminal, signs, clock, exitNow, onTerminalGone } = options;
  const { tunnel } = conversation;
  let isLeaving = false;
  /** The last question whether to leave is answered by the same key until then. */
  let againUntil = Number.NEGATIVE_INFINITY;
  const print = (shown: string): void => screen()?.print(wrapWords(shown, screen()?.columns()));
  const fail = (thrown: unknown): void => show({ type: "error", error: asTunnelError(thrown) });

  function leave(patienceMs?: number): void {
    if (isLeaving) return;
    isLeaving = true;
    if (isTerminal) print("Leaving … (Ctrl-C to leave at once)");
    void conversation.leave(patienceMs);
  }

  /** What would be lost by leaving now; undefined for a host that is alone. */
  function loss(): string | undefined {
    if (tunnel.role !== "host") return "to leave";
    const others = peersAmong(tunnel.presence()).length;
    if (others === 0) return undefined;
    return `to end it for everybody (${others} ${others === 1 ? "other is" : "others are"} here)`;
  }

  /** Offers a text that no message can hold as a file. */
  function offerAsFile(text: string, otherwise: () => void): void {
    const name = `pasted-${new Date(clock.now()).toISOString().slice(0, 19).replaceAll(":", "-")}.txt`;
    const size = `The text has ${utf8Length(text)} bytes, and a message may have ${ROOM.maxTextBytes}`;
    screen()?.ask(`${size}. Share it as the file ${name} instead?`, (isYes) => {
      if (isYes) conversation.transfers.shareText(name, `${text}\n`).catch(fail);
      else otherwise();
    });
  }

  async function line(text: string): Promise<void> {
    if (text.trim() === "") return;
    try {
      const problem = encodingProblem(text);
      if (problem !== undefined) throw new TunnelError("input-invalid", { detail: `the line is ${problem}` });
      if (!text.startsWith("/")) await conversation.say({ text });
      else if (text.startsWith("//")) await conversation.say({ text: text.slice(1) });
      else {
        const leaveSoon = (): void => leave(LINK.sayConfirmMs);
        await runSlash(text, { conversation, asks, show, print, leave: leaveSoon, signs });
      }
    } catch (thrown) {
      fail(thrown);
      screen()?.giveBack(text);
    }
  }

  return {
    onLine(text) {
      if (isTerminal && isTooLong(text)) offerAsFile(text, () => screen()?.giveBack(text));
      else void line(text);
    },
    onPaste(whole) {
      if (!isTooLong(whole)) return false;
      offerAsFile(whole, () => print("(what was pasted is not taken)"));
      return true;
    },
    onInterrupt(key) {
      if (isLeaving) {
        screen()?.close();
        if (!tunnel.isKept) return exitNow(INTERRUPTED);
        // Nothing is kept of a tunnel that its person has left.
        const closed = tunnel.close().catch(() => undefined);
        void wait(clock, AT_ONCE_MS, { until: settled(closed) }).then(() => exitNow(INTERRUPTED));
        return;
      }
      const why = loss();
      if (why === undefined || clock.now() < againUntil) return leave(LINK.sayConfirmMs);
      againUntil = clock.now() + AGAIN_MS;
      print(`(${key} again ${why})`);
    },
    onEnd: () => (isTerminal ? onTerminalGone() : leave()),
    onTab: (before) => completeSlash(before, conversation),
    onActivity: () => tunnel.touch(),
  };
}

/** A command is not sent as it is, and has its own limits. */
function isTooLong(text: string): boolean {
  return !text.startsWith("/") && utf8Length(text) > ROOM.maxTextBytes;
}
