import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../../runtime/clock.ts";

export type Body =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "too-long" }
  /** Others take up the room for it. */
  | { readonly kind: "crowded" }
  | { readonly kind: "too-late" }
  /** Its sender has gone. */
  | { readonly kind: "cut" }
  /** It is no UTF-8. */
  | { readonly kind: "no-text" };

/** The whole body of a message, in bounded memory and time. Never rejects. */
export function readBody(
  message: IncomingMessage,
  about: {
    readonly clock: Clock;
    readonly maxBytes: number;
    readonly ms: number;
    /** Whether there is room for so many bytes more. */
    readonly hold?: (bytes: number) => boolean;
  },
): Promise<Body> {
  const { clock, maxBytes, ms, hold } = about;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (body: Body): void => {
      cancel();
      message.off("data", take).off("end", whole).off("close", cut).off("error", cut);
      message.on("error", () => undefined);
      resolve(body);
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) return end({ kind: "too-long" });
      if (hold?.(chunk.length) === false) return end({ kind: "crowded" });
      chunks.push(chunk);
    };
    const whole = (): void => {
      const text = textOf(Buffer.concat(chunks));
      end(text === undefined ? { kind: "no-text" } : { kind: "text", text });
    };
    const cut = (): void => end({ kind: "cut" });
    const cancel = clock.after(ms, () => end({ kind: "too-late" }));
    message.on("data", take).once("end", whole).once("close", cut).once("error", cut);
  });
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Buffer): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
