import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { TextDecoder } from "node:util";
import { type Diagnosis, LogMatcher } from "../../anthropic/symptoms.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** Bounds of a log, and of one line of it. */
export const LOG = { maxBytes: 64 * 1024 * 1024, maxLine: 16_384 } as const;

export interface ReadLog extends Diagnosis {
  /** Whether there was more than is read. */
  readonly isCut: boolean;
}

/** The lines of a log file. @throws {TunnelError} anthropic-log-unusable */
export async function readLogFile(file: string): Promise<ReadLog> {
  try {
    if (!(await stat(file)).isFile())
      throw new TunnelError("anthropic-log-unusable", { detail: "it is no file" });
    return await readLog(createReadStream(file));
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "error";
    throw new TunnelError("anthropic-log-unusable", { detail: code, cause: error });
  }
}

/** Reads until the end, in bounded memory whatever the lines are like. */
export async function readLog(input: Readable): Promise<ReadLog> {
  const matcher = new LogMatcher();
  let decoder: TextDecoder | undefined;
  let line = "";
  let bytes = 0;
  let isCut = false;
  const take = (text: string): void => {
    const parts = text.split("\n");
    for (const [at, part] of parts.entries()) {
      if (line.length < LOG.maxLine) line += part.slice(0, LOG.maxLine - line.length);
      if (at === parts.length - 1) break;
      matcher.read(line);
      line = "";
    }
  };
  for await (const chunk of input) {
    const piece: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    bytes += piece.length;
    // PowerShell writes what it redirects as UTF-16.
    decoder ??= new TextDecoder(piece[0] === 0xff && piece[1] === 0xfe ? "utf-16le" : "utf-8");
    take(decoder.decode(piece, { stream: true }));
    if (bytes < LOG.maxBytes) continue;
    isCut = true;
    break;
  }
  if (line.trim() !== "") matcher.read(line);
  return { ...matcher.diagnosis(), isCut };
}
