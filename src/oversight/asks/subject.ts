import { ascii, concat, toHex, type Bytes } from "../../protocol/base/bytes.ts";
import { encodeUtf8 } from "../../protocol/base/utf8.ts";
import type { Finding, NotScanned } from "../filter/verdict.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";

/**
 * What would happen if a person says yes, with everything that a face shows of it. Where a text is shown with a secret masked, or a
 * file by its name and size, `contentHash` binds the bytes themselves (H9).
 */
export type Subject =
  | {
      readonly kind: "message";
      /** The text as it is shown: secrets are masked. */
      readonly text: string;
      /** SHA-256 of the text as it would be sent, in hex. */
      readonly contentHash: string;
      /** Names of the only receivers; everybody when left out. */
      readonly to?: readonly string[];
      readonly intent?: string;
      readonly replyTo?: number;
      readonly findings?: readonly Finding[];
    }
  | {
      readonly kind: "file";
      readonly name: string;
      /** Absolute; of a patch or a typed text, the folder that it comes from. */
      readonly path: string;
      readonly bytes: number;
      /** SHA-256 of its content, in hex. */
      readonly contentHash: string;
      readonly to?: readonly string[];
      /** As it is shown: secrets are masked. */
      readonly note?: string;
      readonly findings?: readonly Finding[];
      /** What it is about its name or its place that a person is asked for. */
      readonly reasons?: readonly string[];
      /** Why its content was not searched. */
      readonly notScanned?: NotScanned;
    }
  | {
      readonly kind: "incoming";
      readonly seq: number;
      readonly fromName: string;
      readonly text: string;
    }
  /** Somebody who has a link of this tunnel wants to come in under this name. */
  | { readonly kind: "member"; readonly name: string; readonly inviteId: string }
  /** Links would be made, each for somebody who only reads along. */
  | {
      readonly kind: "observer";
      readonly links: number;
      /** They see what was said before as well. */
      readonly history: boolean;
      /** Each of them may read along so long. */
      readonly minutes: number;
    }
  /** A service of this machine would get a public address. */
  | {
      readonly kind: "exposure";
      readonly name: string;
      /** The service or folder, as it was found. */
      readonly target: string;
      /** The provider of the address. */
      readonly through: string;
      /** Ways in, and paths that are open to everybody. */
      readonly access: readonly string[];
      readonly minutes: number;
      /** Claim links that are to be made. */
      readonly claims: number;
      /** Of an MCP server: the tools that could be called. */
      readonly tools?: readonly string[];
      /** It has more tools than are named. */
      readonly hasMoreTools?: boolean;
      /** Pages that could call it. */
      readonly origins?: readonly string[];
      /** It runs, and would be open for longer or to more people. */
      readonly isWidened?: true;
    }
  /** A service of this machine would be offered to members of a tunnel. */
  | {
      readonly kind: "service";
      readonly name: string;
      readonly service: "http" | "tcp" | "mcp";
      /** Where it leads, as it was found. */
      readonly target: string;
      /** SHA-256 of its words as they would be sent, in hex. */
      readonly contentHash: string;
      readonly to?: readonly string[];
      readonly readOnly?: true;
      /** The tools of an MCP server that may be called; all of them when left out. */
      readonly tools?: readonly string[];
      readonly minutes?: number;
      readonly maxConnections: number;
      readonly confirmEach?: true;
      /** As it is shown: secrets are masked. */
      readonly note?: string;
      readonly findings?: readonly Finding[];
    }
  /** A member would connect to a service that this side offers. `connection` numbers those of the offer where each is asked about. */
  | {
      readonly kind: "visit";
      readonly name: string;
      readonly target: string;
      readonly member: string;
      readonly memberName: string;
      readonly connection?: number;
    }
  /** The answer of an MCP server of this machine to a member, who waits for it. */
  | {
      readonly kind: "result";
      readonly name: string;
      /** Method and tool. */
      readonly call: string;
      readonly member: string;
      readonly memberName: string;
      /** Its beginning as it is shown: secrets are masked. */
      readonly text: string;
      /** The length of the whole, in UTF-16 units. */
      readonly chars: number;
      /** SHA-256 of the answer as it would be sent, in hex. */
      readonly contentHash: string;
      readonly findings?: readonly Finding[];
      readonly notScanned?: NotScanned;
    }
  | {
      readonly kind: "budget";
      readonly reason: string;
      readonly used: number;
      readonly limit: number;
    };

/** Names exactly what was shown, and the bytes that would go: a decision about anything else is about another ask (H9). */
export function digestOf(primitives: Primitives, subject: Subject): string {
  const shown: Bytes = encodeUtf8(JSON.stringify(sorted(subject)));
  return toHex(primitives.sha256(concat(ascii("tunnel-mcp/1 ask\0"), shown)));
}

/** Keys in order, so that the same subject has one digest however it was made. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
}
