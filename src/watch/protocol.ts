import * as z from "zod/mini";
import type { Budget } from "../oversight/bounds/budgets.ts";
import type { Gate } from "../oversight/gates/gates.ts";
import type { Subject } from "../oversight/asks/subject.ts";
import type { CallRecord } from "../bridge/log.ts";
import type { ConnectionNews } from "../services/news.ts";
import type { ServicesView } from "../view/services.ts";
import type { ExposureView } from "../view/expose/exposures.ts";
import type { RequestView } from "../view/expose/exposure-requests.ts";
import type { EntryView } from "../view/entries.ts";
import type { ErrorView } from "../view/errors.ts";
import type { EndView, StatusView, TunnelStatus } from "../view/status.ts";
import type { MemberView, SafetyCodeView } from "../view/members.ts";
import type { PendingInviteView } from "../view/invites.ts";
import type { SignOffView } from "../view/signing/sign-off.ts";
import { VERDICTS } from "../protocol/sign-off/signed-bytes.ts";
import type { OversightView } from "../view/oversight.ts";

/**
 * Lines of JSON between a server and a face of its user (docs/OVERSIGHT.md). The server begins with a snapshot, so that a face that
 * comes late, or again, misses nothing (H12). Only a person's face gets this far; the endpoint for other commands carries none of it.
 */

const id = z.int().check(z.minimum(1));
const tunnelId = z.string().check(z.minLength(1), z.maxLength(64));
/** Bytes as base64url, in so many letters. */
const bytesText = (letters: number) => z.string().check(z.regex(/^[\w-]+$/), z.length(letters));
const text = z.string().check(z.minLength(1), z.maxLength(256 * 1024));

/** What a person does. Each has a number of its own, which its answer repeats. */
export const commandSchema = z.discriminatedUnion("do", [
  z.strictObject({
    do: z.literal("decide"),
    id,
    ask: id,
    /** Of what was shown (H9). */
    digest: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    decision: z.discriminatedUnion("verdict", [
      z.strictObject({ verdict: z.literal("approve") }),
      z.strictObject({ verdict: z.literal("edit"), text }),
      z.strictObject({
        verdict: z.literal("refuse"),
        reason: z.optional(z.string().check(z.maxLength(2_000))),
      }),
    ]),
  }),
  z.strictObject({ do: z.literal("hold"), id, tunnelId, mode: z.enum(["out", "in", "off"]) }),
  z.strictObject({ do: z.enum(["pause", "resume", "go-on", "end"]), id, tunnelId }),
  z.strictObject({
    do: z.literal("say"),
    id,
    tunnelId,
    text,
    to: z.optional(z.array(z.string()).check(z.minLength(1), z.maxLength(64))),
  }),
  /** By its id, or by the name that it has in this server. */
  z.strictObject({
    do: z.literal("stop-exposure"),
    id,
    exposure: z.string().check(z.minLength(1), z.maxLength(64)),
  }),
  /** Withdraws an offer of this side, or ends a listener for one of somebody else. */
  z.strictObject({
    do: z.literal("stop-service"),
    id,
    tunnelId,
    service: z.string().check(z.minLength(1), z.maxLength(64)),
  }),
  z.strictObject({ do: z.literal("kick"), id, tunnelId, name: z.string().check(z.maxLength(256)) }),
  z.strictObject({
    do: z.literal("revoke-invite"),
    id,
    tunnelId,
    invite: z.string().check(z.minLength(1), z.maxLength(64)),
  }),
  /** A person's signature, with a key of their own, under what they were shown: no agent's tool says this. */
  z.strictObject({
    do: z.literal("sign"),
    id,
    tunnelId,
    digest: bytesText(43),
    verdict: z.enum(VERDICTS),
    reason: z.optional(z.string().check(z.maxLength(2_000))),
    key: bytesText(43),
    signature: bytesText(86),
  }),
  /** The last entries before a place of the log: answered with {@link Told}. */
  z.strictObject({ do: z.literal("earlier"), id, tunnelId, before: z.int().check(z.minimum(0)) }),
  /** All that was asked and decided in this tunnel: answered with {@link Told}. */
  z.strictObject({ do: z.literal("audit"), id, tunnelId }),
  /** The text of a file that waits for a decision, or of one in the log: answered with {@link Told}. */
  z.strictObject({
    do: z.literal("look"),
    id,
    tunnelId,
    ask: z.optional(id),
    file: z.optional(z.string().check(z.maxLength(64))),
  }),
]);

export type Command = z.infer<typeof commandSchema>;

/** Tunnels whose program has ended: a face finds them by itself, since no server tells of them. */
export type { KeptLook, KeptTunnel } from "../session/resumable.ts";

const FACE_KINDS = ["watch", "page"] as const;
/** Where a person looks: at a terminal, or in a tab of a browser. */
export type FaceKind = (typeof FACE_KINDS)[number];

/** The first line of a face; without a kind it is a terminal's. */
export const greetingSchema = z.strictObject({
  token: z.string(),
  version: z.string(),
  face: z.optional(z.enum(FACE_KINDS)),
});

/** One thing that waits for a person, or has been decided. */
export interface AskView {
  readonly ask: number;
  readonly tunnelId: string;
  readonly gates: readonly Gate[];
  /** Half a sentence for each gate. */
  readonly because: readonly string[];
  readonly subject: Subject;
  readonly digest: string;
  /** Name of the member that caused it; this side's own agent where undefined. */
  readonly member: string | undefined;
  readonly askedAt: string;
  readonly expiresAt: string;
  readonly state: "waiting" | "approved" | "edited" | "refused" | "expired" | "withdrawn";
  /** The face at which it was answered. */
  readonly by: string | undefined;
}

/** How a tunnel stands for its person. */
export interface TunnelView {
  readonly tunnelId: string;
  readonly role: StatusView["role"];
  readonly status: TunnelStatus;
  /** Set where the host's program seems to have ended: until then it may come back (ms since the epoch). */
  readonly hostKeptUntil?: number | undefined;
  readonly goal: string;
  readonly self: string | undefined;
  readonly members: readonly MemberView[];
  readonly oversight: OversightView;
  /** The outcome that stands, for persons to sign. */
  readonly signOff: SignOffView | undefined;
  /** With each other member: to be read aloud. */
  readonly safetyCodes: readonly SafetyCodeView[];
  /** Those that nobody has used yet, without their links. */
  readonly invites: readonly PendingInviteView[];
  /** Alarms: things that must not be, the newest last. */
  readonly alarms: readonly ErrorView[];
  readonly ended: EndView | undefined;
}

/** The services of one tunnel. */
export interface WatchedServices {
  readonly tunnelId: string;
  /** Undefined where there are none any more. */
  readonly services: ServicesView | undefined;
}

/** An entry of a room, as a face is told of it. */
export interface WatchedEntry {
  readonly tunnelId: string;
  /** Its place in this server's log of the tunnel: grows by one with each entry. */
  readonly at: number;
  readonly isOwn: boolean;
  readonly entry: EntryView;
}

/** The answer to a question of a face. */
export type Told =
  | {
      readonly told: "entries";
      /** Oldest first. */
      readonly entries: readonly WatchedEntry[];
      /** There are more before them. */
      readonly more: boolean;
    }
  | { readonly told: "audit"; readonly records: readonly AuditLine[]; readonly dropped: number }
  /** `text`: with secrets masked. `isWhole`: nothing was left out at its end. */
  | {
      readonly told: "look";
      readonly text: string;
      readonly isPatch: boolean;
      readonly isWhole: boolean;
    };

/** One thing that was asked, decided or changed. */
interface AuditLine {
  /** ISO 8601 */
  readonly ts: string;
  readonly text: string;
}

export type WatchEvent =
  | {
      readonly t: "hello";
      readonly server: { readonly pid: number; readonly version: string; readonly folder: string };
      readonly tunnels: readonly TunnelView[];
      readonly exposures: readonly ExposureView[];
      readonly services: readonly WatchedServices[];
      readonly asks: readonly AskView[];
    }
  | ({ readonly t: "services" } & WatchedServices)
  /** A connection to a service of this side, or from this machine to one of somebody else. */
  | {
      readonly t: "connection";
      readonly tunnelId: string;
      readonly change: ConnectionNews["change"];
      readonly side: ConnectionNews["side"];
      readonly serviceId: string;
      readonly name: string;
      readonly memberName: string;
      readonly bytesIn: number;
      readonly bytesOut: number;
    }
  /** A member has called an MCP server of this side. */
  | {
      readonly t: "call";
      readonly tunnelId: string;
      readonly serviceId: string;
      readonly name: string;
      readonly memberName: string;
      readonly call: Omit<CallRecord, "who">;
    }
  /**
   * `what`: what has happened to it, for a person; left out where only counts have changed. `asks`: a program asks to be let in, and
   * waits for them.
   */
  | {
      readonly t: "exposure";
      readonly exposure: ExposureView;
      readonly what: string | undefined;
      readonly asks?: true;
    }
  /** A request to an exposure is over. */
  | { readonly t: "visit"; readonly name: string; readonly request: RequestView }
  | { readonly t: "tunnel"; readonly tunnel: TunnelView }
  | ({ readonly t: "entry" } & WatchedEntry)
  /** `isNew`: it was asked a moment ago; a decided one has its end in it. */
  | { readonly t: "ask"; readonly ask: AskView; readonly isNew: boolean }
  /** A member makes more asks than are kept: told once until one of them is decided (H30). */
  | { readonly t: "crowded"; readonly tunnelId: string; readonly member: string | undefined }
  | { readonly t: "warning"; readonly tunnelId: string; readonly budgets: readonly Budget[] }
  /** Another face of this user has come or gone (H8). */
  | {
      readonly t: "faces";
      readonly face: FaceKind;
      readonly count: number;
      readonly change: "opened" | "closed";
    }
  | { readonly t: "answer"; readonly id: number; readonly ok: true; readonly told: Told | undefined }
  | {
      readonly t: "answer";
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly detail: string | undefined;
    };

/** The server is this user's own program, of the same version: what is read of a line is its kind. */
export const eventSchema = z.custom<WatchEvent>(
  (value) => typeof value === "object" && value !== null && "t" in value && typeof value.t === "string",
);
