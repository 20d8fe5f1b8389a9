import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  ResourceTemplate,
} from "@modelcontextprotocol/server";

import type { Clock } from "../runtime/clock.ts";
import type { Observable } from "../runtime/emitter.ts";
import type { Session, Sessions, SessionsEvent } from "../session/sessions.ts";
import { resultLimitFor, type ResultSettings } from "./results/limit.ts";
import type { Fence } from "./results/fence.ts";

/** The two forms of a live transcript, and the reader of each. */
const FORMS = {
  md: {
    mimeType: "text/markdown",
    title: "Transcript",
    audience: ["user", "assistant"],
    description: "What was said in a tunnel so far, to read; the words of peers stand between marks.",
  },
  json: {
    mimeType: "application/json",
    title: "Transcript with proofs",
    // It holds the signed texts without marks around them: nothing for a model to read.
    audience: ["user"],
    description: "The same with signatures and hash chain, to be checked by `tunnel-mcp verify`.",
  },
} as const;
type Form = keyof typeof FORMS;

/** Only the newest part: clients put a resource into a context window. */
const MAX_ENTRIES = 200;
/** The form with proofs is for a person to keep, and no model reads it: cut short it would prove little. */
const PROOFS_CHARS = 256 * 1024;
/** Texts that are longer are left out where not even the newest entry fits. */
const SHORT_TEXT = 1_000;
const TOO_LONG = "Its text is too long to be shown here: read it with tunnel_listen and `sinceSeq`.";
const MORE = " tunnel_status with `saveTranscript` writes all that is kept into a file.";

/** At most one update of a resource in this time. */
const UPDATE_EVERY_MS = 1_000;

interface ResourceServices {
  readonly clock: Clock;
  readonly fence: Fence;
  /** The sessions, once a tool call has made them. Listing must not load them. */
  readonly loaded: () => Promise<Sessions> | undefined;
  readonly results?: ResultSettings;
}

const uriOf = (tunnelId: string, form: Form): string => `tunnel://${tunnelId}/transcript.${form}`;

/** A tunnel that ended before anybody was admitted has no transcript. */
function tunnelsIn(sessions: Sessions | undefined): readonly Session[] {
  return sessions?.all.filter(({ attestation }) => attestation !== undefined) ?? [];
}

async function listed(services: ResourceServices, form: Form) {
  const tunnels = tunnelsIn(await services.loaded());
  const { title, description, mimeType, audience } = FORMS[form];
  return {
    resources: tunnels.map(({ tunnelId }) => ({
      uri: uriOf(tunnelId, form),
      name: `${tunnelId}/transcript.${form}`,
      title: `${title} of tunnel ${tunnelId}`,
      description,
      mimeType,
      annotations: { audience: [...audience] },
    })),
  };
}

async function read(services: ResourceServices, uri: string, tunnelId: string, form: Form) {
  const sessions = await services.loaded();
  const tunnel = tunnelsIn(sessions).find((one) => one.tunnelId === tunnelId);
  if (sessions === undefined || tunnel === undefined) throw new ResourceNotFoundError(uri);
  return {
    contents: [{ uri, mimeType: FORMS[form].mimeType, text: newestPart(sessions, tunnel, form, services) }],
  };
}

/**
 * Names and proofs take room beside the messages: halves the entries until all of it fits, then leaves long texts out, then
 * every entry. No client is known to take more of a resource than of any result.
 * @throws {ProtocolError} where a room of very many members does not fit by itself
 */
function newestPart(
  { transcripts }: Sessions,
  tunnel: Session,
  form: Form,
  services: ResourceServices,
): string {
  const limit = form === "json" ? PROOFS_CHARS : resultLimitFor(undefined, services.results ?? {}, false);
  for (const { entries, longest } of parts()) {
    const fence = services.fence.forResult();
    const wanted = { entries, chars: limit, ...(longest === undefined ? {} : { longest }) };
    const document = transcripts.of(tunnel, wanted);
    const text = form === "json" ? transcripts.json(document) : shownMarkdown(transcripts, document, fence);
    if (text.length <= limit) return text;
  }
  throw new ProtocolError(
    ProtocolErrorCode.InternalError,
    `It does not fit into ${limit} characters.${MORE}`,
  );
}

/** What is tried, the most first. */
function* parts(): Generator<{ readonly entries: number; readonly longest?: number }> {
  for (let entries = MAX_ENTRIES; entries > 0; entries = Math.floor(entries / 2)) yield { entries };
  yield { entries: 1, longest: SHORT_TEXT };
  yield { entries: 0 };
}

type Transcripts = Sessions["transcripts"];

/** As a model reads it, with the number of hidden characters that were taken out as its last line. */
function shownMarkdown(
  transcripts: Transcripts,
  document: ReturnType<Transcripts["of"]>,
  fence: Fence,
): string {
  const options = { frame: (said: string) => fence.wrap(said), more: MORE, missing: TOO_LONG };
  const markdown = guardedMarkdown(transcripts.markdown(document, options), fence);
  const hidden = fence.hidden();
  return hidden === undefined ? markdown : `${markdown}\n_${hidden.note}_\n`;
}

/** Messages are quoted line by line. Every other line holds labels alone. */
function guardedMarkdown(markdown: string, fence: Fence): string {
  return markdown
    .split("\n")
    .map((line) => (line.startsWith("> ") ? line : fence.label(line)))
    .join("\n");
}

/** One server of a connection, and the updates that its client wants. */
interface Subscriber {
  readonly server: McpServer;
  /** A client of the 2025 era subscribes to each URI. In the later era the SDK filters (`subscriptions/listen`). */
  readonly wants: (uri: string) => boolean;
}

/** Tells clients that a transcript has grown or that a tunnel is new. It outlives the servers: a connection may make two. */
export class ResourceNews {
  readonly #clock: Clock;
  readonly #subscribers = new Set<Subscriber>();
  /** Resources with a recent update, and whether they have changed since. */
  readonly #quiet = new Map<string, boolean>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins once there are sessions. */
  follow(sessions: Observable<SessionsEvent>): void {
    sessions.subscribe(({ type, tunnelId }) => {
      if (type === "opened") return this.#tell((server) => server.sendResourceListChanged());
      if (type !== "entry") return;
      this.#changed(uriOf(tunnelId, "md"));
      this.#changed(uriOf(tunnelId, "json"));
    });
  }

  join(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  #tell(send: (server: McpServer["server"]) => Promise<void>, uri?: string): void {
    for (const { server, wants } of this.#subscribers) {
      // The server of the probe is closed by now.
      if (!server.isConnected() || (uri !== undefined && !wants(uri))) continue;
      // A client that is gone will not miss it.
      send(server.server).catch(() => undefined);
    }
  }

  #changed(uri: string): void {
    if (this.#quiet.has(uri)) return void this.#quiet.set(uri, true);
    this.#quiet.set(uri, false);
    this.#tell((server) => server.sendResourceUpdated({ uri }), uri);
    this.#clock.after(UPDATE_EVERY_MS, () => {
      const hasChanged = this.#quiet.get(uri) === true;
      this.#quiet.delete(uri);
      if (hasChanged) this.#changed(uri);
    });
  }
}

/** The SDK's names for the two protocol eras. */
export type Era = "legacy" | "modern";

export function registerResources(
  server: McpServer,
  services: ResourceServices,
  news: ResourceNews,
  era: Era,
): void {
  server.server.registerCapabilities({ resources: { subscribe: true, listChanged: true } });
  for (const form of ["md", "json"] as const) {
    const { title, description, mimeType } = FORMS[form];
    const template = new ResourceTemplate(`tunnel://{tunnelId}/transcript.${form}`, {
      list: () => listed(services, form),
    });
    server.registerResource(
      `transcript.${form}`,
      template,
      { title, description, mimeType },
      (uri, { tunnelId }) => read(services, uri.href, String(tunnelId), form),
    );
  }
  const subscribed = new Set<string>();
  if (era === "legacy") {
    server.server.setRequestHandler("resources/subscribe", async ({ params: { uri } }) => {
      const tunnels = tunnelsIn(await services.loaded());
      const isKnown = tunnels.some(({ tunnelId }) =>
        [uriOf(tunnelId, "md"), uriOf(tunnelId, "json")].includes(uri),
      );
      if (!isKnown) throw new ResourceNotFoundError(uri);
      subscribed.add(uri);
      return {};
    });
    server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
      subscribed.delete(params.uri);
      return {};
    });
  }
  news.join({ server, wants: (uri) => era === "modern" || subscribed.has(uri) });
}
