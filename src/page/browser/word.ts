import { signal } from "./signal.ts";

/** The last word about something that was done, for the eye and for screen readers. */
export const word = signal<{ readonly text: string; readonly isBad: boolean } | undefined>(undefined);
let forget: ReturnType<typeof setTimeout> | undefined;
const SHOWN_MS = 6_000;

export function say(text: string, isBad = false): void {
  clearTimeout(forget);
  word.value = { text, isBad };
  forget = setTimeout(() => (word.value = undefined), isBad ? SHOWN_MS * 2 : SHOWN_MS);
}
