import type { Outcome } from "./content-scanner.ts";
import type { Outbound } from "./verdict.ts";

/** To the thread that scans. Scans are told apart by number, and several may go on at once. */
export type ToThread =
  | { readonly t: "open"; readonly scan: number; readonly where: Outbound; readonly before: string }
  | { readonly t: "bytes"; readonly scan: number; readonly bytes: Uint8Array }
  | { readonly t: "end"; readonly scan: number }
  | { readonly t: "drop"; readonly scan: number };

/** From the thread. */
export type FromThread =
  /** So many bytes have been looked at, or need not be. */
  | { readonly t: "taken"; readonly scan: number; readonly bytes: number }
  | { readonly t: "outcome"; readonly scan: number; readonly outcome: Outcome }
  /** The scan has ended without an outcome. Why is not said: the words of an error may hold the secret. */
  | { readonly t: "failed"; readonly scan: number };
