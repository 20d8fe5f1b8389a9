import path from "node:path";
import { transcriptSchema } from "../../control/actions.ts";
import { ask } from "../../control/ask.ts";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { nodePrimitives } from "../../runtime/primitives.ts";
import { parseTranscript, toJson, type TranscriptDocument } from "../../session/transcript/document.ts";
import { toMarkdown } from "../../session/transcript/markdown.ts";
import { saveText } from "../../session/transcript/save.ts";
import { verifyTranscript } from "../../session/transcript/verify.ts";
import type { Output } from "../io/output.ts";
import { readTranscript } from "./verify.ts";
import { ownServers } from "../../control/choose.ts";
import { serverOf, tunnelsOf, type ServerSearch } from "../wake/wake.ts";

export interface ExportRequest {
  /** The path of a saved transcript. Undefined: that of a running tunnel. */
  readonly file: string | undefined;
  readonly tunnelId: string | undefined;
  /** The path of a new file. Undefined: standard output. */
  readonly out: string | undefined;
  /** Undefined: by the ending of `out`, or Markdown. */
  readonly format: "json" | "markdown" | undefined;
}

export interface ExportOptions extends ServerSearch {
  readonly request: ExportRequest;
  readonly clock: Clock;
  readonly output: Output;
  readonly cwd: string;
}

/**
 * Shows or writes a transcript: a saved one, or that of a running tunnel, which its server is asked for. This reads
 * nothing for the agent, and no member is told.
 * @returns 0 when it is verified as well; 1 when not, and the text says so
 * @throws {TunnelError} transcript-invalid, transcript-not-saved, and all of finding a server
 */
export async function exportTranscript(options: ExportOptions): Promise<0 | 1> {
  const { request, output, cwd } = options;
  const document = request.file === undefined ? await askedFor(options) : await readTranscript(request.file);
  if (document === undefined) return 1;
  const verdict = verifyTranscript(nodePrimitives, document);
  const text = formatOf(request) === "json" ? toJson(document) : toMarkdown(document, { verdict });
  if (request.out === undefined) output.out(text);
  else {
    // A human chooses the folder. Names that tools read by themselves are refused here as well.
    const file = path.resolve(cwd, request.out);
    output.out(`Saved as ${await saveText(path.dirname(file), file, text)}\n`);
  }
  if (verdict.ok) return 0;
  output.err(
    "tunnel-mcp: this transcript is not verified\n  `tunnel-mcp verify` says what is wrong with it.\n",
  );
  return 1;
}

function formatOf({ format, out }: ExportRequest): "json" | "markdown" {
  return format ?? (out !== undefined && /\.json$/i.test(out) ? "json" : "markdown");
}

/** Undefined when several tunnels fit; an error has been printed then. */
async function askedFor(options: ExportOptions): Promise<TranscriptDocument | undefined> {
  const { request, clock, output } = options;
  const { tunnelId } = request;
  // A transcript of another project is not given to a command in this one.
  const server = await serverOf(options, tunnelId, ownServers);
  try {
    const question = { action: "transcript", input: { tunnelId }, result: transcriptSchema };
    const { document } = await ask(server, question, clock);
    return parseTranscript(JSON.stringify(document));
  } catch (thrown) {
    if (asTunnelError(thrown).code !== "tunnel-ambiguous") throw thrown;
    const ids = await tunnelsOf(server, undefined, clock);
    output.err(
      `tunnel-mcp: several tunnels are open, and nothing tells which one is meant: ${ids.join(", ")}\n  Run it again with --tunnel and one of them.\n`,
    );
    return undefined;
  }
}
