import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { LINK } from "../../protocol/base/limits.ts";
import { encodingProblem } from "../../runtime/utf8-input.ts";
import type { Conversation } from "./conversation/conversation.ts";
import type { Show } from "./conversation/events.ts";
import { runSlash } from "./slash.ts";
import type { Person, Screen } from "./terminal/screen.ts";

/** The exit code of an interrupted command, as shells number it. */
const INTERRUPTED = 130;

/** Carries out what a person types. `screen` is called for each line to show: the screen is made with the result. */
export function personIn(options: {
  conversation: Conversation;
  show: Show;
  screen: () => Screen | undefined;
  /** Whether the input ends by a key of a person, who does not want to wait, or with a script's last line. */
  isTerminal: boolean;
  exitNow: (code: number) => void;
}): Person {
  const { conversation, show, screen, isTerminal, exitNow } = options;
  let isLeaving = false;
  function leave(patienceMs?: number): void {
    if (isLeaving) return;
    isLeaving = true;
    if (isTerminal) screen()?.print("Leaving … (Ctrl-C to leave at once)");
    void conversation.leave(patienceMs);
  }
  async function line(text: string): Promise<void> {
    if (text.trim() === "") return;
    const print = (shown: string): void => screen()?.print(shown);
    try {
      const problem = encodingProblem(text);
      if (problem !== undefined) throw new TunnelError("input-invalid", { detail: `the line is ${problem}` });
      if (!text.startsWith("/")) await conversation.say({ text });
      else if (text.startsWith("//")) await conversation.say({ text: text.slice(1) });
      else await runSlash(text, { conversation, show, print, leave: () => leave(LINK.sayConfirmMs) });
    } catch (thrown) {
      show({ type: "error", error: asTunnelError(thrown) });
      screen()?.giveBack(text);
    }
  }
  return {
    onLine: (text) => void line(text),
    onInterrupt() {
      if (!isLeaving) return leave(LINK.sayConfirmMs);
      screen()?.close();
      exitNow(INTERRUPTED);
    },
    onEnd: () => leave(isTerminal ? LINK.sayConfirmMs : undefined),
    onActivity: () => conversation.tunnel.touch(),
  };
}
