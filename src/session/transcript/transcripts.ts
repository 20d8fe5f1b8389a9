import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { toJson, type TranscriptDocument } from "./document.ts";
import { exportTranscript, redactedIn, type TranscriptLimit, type TranscriptSource } from "./export.ts";
import { toMarkdown, type MarkdownOptions } from "./markdown.ts";
import { signedOffIn } from "./signed-off.ts";
import { saveTranscript } from "./save.ts";

/** A transcript as it was saved; whole paths, since people seldom know where a client starts its servers. */
export interface Saved {
  readonly path: string;
  readonly markdown: string;
  readonly entries: number;
  readonly redacted: number;
}

/** Transcripts of this process's tunnels. Nothing is written unless somebody asks for it. */
export class Transcripts {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #root: string;

  /** @param options `root`: the folder in which transcripts may be saved */
  constructor(options: { readonly primitives: Primitives; readonly clock: Clock; readonly root: string }) {
    this.#primitives = options.primitives;
    this.#clock = options.clock;
    this.#root = options.root;
  }

  /** @throws {TunnelError} tunnel-closed: it never began */
  of(tunnel: TranscriptSource, limit?: TranscriptLimit): TranscriptDocument {
    const now = this.#clock.now();
    return exportTranscript(this.#primitives, tunnel, { now, ...(limit === undefined ? {} : { limit }) });
  }

  json(document: TranscriptDocument): string {
    return toJson(document);
  }

  markdown(document: TranscriptDocument, options: MarkdownOptions = {}): string {
    return toMarkdown(document, { signedOff: signedOffIn(this.#primitives, document), ...options });
  }

  /** Both forms, as new files inside the root. @throws {TunnelError} transcript-not-saved, working-directory-gone, tunnel-closed */
  async save(tunnel: TranscriptSource, wanted: string): Promise<Saved> {
    const document = this.of(tunnel);
    const texts = { json: toJson(document), markdown: this.markdown(document) };
    const { json, markdown } = await saveTranscript(this.#root, wanted, texts);
    return { path: json, markdown, entries: document.entries.length, redacted: redactedIn(document) };
  }
}
