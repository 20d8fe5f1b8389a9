import type { Output, Paint } from "../io/output.ts";

/** Prints a story for people. */
export interface Narrator {
  readonly title: (how: string) => void;
  readonly note: (text: string) => void;
  readonly step: (who: string, what: string) => void;
  readonly detail: (text: string) => void;
  readonly message: (from: string, to: string, intent: string, text: string) => void;
}

export function narrator({ out }: Output, paint: Paint): Narrator {
  const colored = (who: string): string => (who === "Ben" ? paint.green(who) : paint.blue(who));
  return {
    title: (how) => out(`${paint.bold("Two coding agents talk, end-to-end encrypted,")} ${how}.\n\n`),
    note: (text) => out(`${paint.dim(text)}\n\n`),
    step: (who, what) => out(`${colored(who)}  ${what}\n\n`),
    detail: (text) => out(`     ${paint.dim(text)}\n\n`),
    message: (from, to, intent, text) => {
      out(`${colored(from)} to ${colored(to)} ${paint.dim(`(${intent})`)}\n     ${text}\n\n`);
    },
  };
}
