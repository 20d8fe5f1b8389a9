import type { AlarmShown, PageEvent, PageTold } from "./model.ts";

/** A line with its number: a page that was cut off says the last one that it has, and goes on after it. */
type Numbered =
  /** `server`: which of this user's servers has told it. */
  | { readonly t: "told"; readonly server: string; readonly event: PageEvent }
  | { readonly t: "gone"; readonly server: string }
  | ({ readonly t: "alarm" } & AlarmShown);

/** `ts`: when it was told, in ms since the epoch of the program that serves the page. */
export type NumberedLine = Numbered & { readonly n: number; readonly ts: number };
export type NewLine = Numbered;

/** Lines of JSON that the program which serves the page tells a tab. */
export type PageLine =
  | NumberedLine
  /** The first line. `whole`: what follows is everything, and what the page has is to be forgotten. */
  | {
      readonly t: "begin";
      readonly whole: boolean;
      /** The number of the last line that a whole begins with; of a part, the one that it goes on after. */
      readonly n: number;
      readonly now: number;
      readonly version: string;
      /** Somebody looks who only reads along: nothing can be done here. */
      readonly observer?: true;
    }
  /** All that was there when the page came has been told. */
  | { readonly t: "caught-up" }
  /** Now and then, so that a page notices when nobody is there any more. */
  | { readonly t: "pulse" }
  /** The same tab has opened another stream: this one is not needed any more. */
  | { readonly t: "moved" };

/** The answer to something that was done. */
export type PageAnswer =
  | { readonly ok: true; readonly told?: PageTold | undefined }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly next: string };

/** A stream that is silent for longer than three of these is dead. */
export const PULSE_MS = 5_000;
