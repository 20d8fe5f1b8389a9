import { request as requestPlain, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import type { Clock } from "../../runtime/clock.ts";
import { EventReader } from "./events.ts";
import { readBody, type Body } from "./body.ts";

/** A server that speaks Streamable HTTP, as it is reached. */
export interface McpPlace {
  /** Connected, or about to be; it is the caller's. With TLS where that is spoken. */
  readonly dial: () => Socket;
  /** Its `Host`. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  /** Sent with each request besides. */
  readonly fields?: Readonly<Record<string, string>>;
}

export interface PostOptions {
  readonly place: McpPlace;
  readonly body: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** UTF-16 units of one message, and bytes of a JSON answer. */
  readonly maxChars: number;
  /** Without a byte: it is given up. */
  readonly idleMs: number;
  /** At the latest. */
  readonly ms: number;
  readonly signal: AbortSignal;
  /** Each message that comes, in order. @returns true once nothing more is wanted */
  readonly onMessage: (text: string) => boolean;
}

/** How a POST ended. */
export type Posted =
  | { readonly kind: "answered"; readonly status: number; readonly session: string | undefined }
  | { readonly kind: "unreachable" | "cut" | "too-large" | "too-late" | "aborted" | "no-mcp" };

/** Sends one message and reads what answers it, JSON or events alike, in bounded memory. Redirects are not followed. Never rejects. */
export function post(options: PostOptions): Promise<Posted> {
  const { place, body, fields, clock, signal, idleMs, ms } = options;
  return new Promise((resolve) => {
    const bytes = Buffer.from(body, "utf8");
    const request: ClientRequest = requestPlain({
      method: "POST",
      path: place.path,
      createConnection: () => place.dial(),
      // No agent: each call has its own connection, since one that was kept may be closed at the moment of its use.
      headers: {
        Host: place.host,
        Connection: "close",
        "Content-Type": "application/json",
        "Content-Length": bytes.length,
        Accept: "application/json, text/event-stream",
        "User-Agent": "tunnel-mcp",
        ...fields,
        ...place.fields,
      },
    });
    const startedAt = clock.now();
    let heardAt = startedAt;
    let cancelTimer = (): void => undefined;
    const end = (how: Posted): void => {
      cancelTimer();
      signal.removeEventListener("abort", abort);
      request.destroy();
      resolve(how);
    };
    const abort = (): void => end({ kind: "aborted" });
    const look = (): void => {
      const left = Math.min(heardAt + idleMs, startedAt + ms) - clock.now();
      if (left <= 0) end({ kind: "too-late" });
      else cancelTimer = clock.after(left, look);
    };
    request.on("error", () => end({ kind: "unreachable" }));
    look();
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    request.once("response", (response) => {
      response.on("data", () => (heardAt = clock.now()));
      void read(response, options).then(end);
    });
    request.end(bytes);
    return undefined;
  });
}

async function read(response: IncomingMessage, options: PostOptions): Promise<Posted> {
  const { clock, maxChars, ms, onMessage } = options;
  const { statusCode: status = 0, headers } = response;
  const session = headers["mcp-session-id"];
  const answered: Posted = {
    kind: "answered",
    status,
    session: typeof session === "string" && /^[\x21-\x7e]{1,256}$/.test(session) ? session : undefined,
  };
  const [type = ""] = (headers["content-type"] ?? "").toLowerCase().split(";");
  if (type.trim() === "text/event-stream" && status === 200)
    return await readEvents(response, answered, options);
  const body = await readBody(response, { clock, maxBytes: maxChars, ms });
  if (body.kind !== "text") return { kind: WITHOUT[body.kind] };
  if (type.trim() === "application/json" && body.text !== "") onMessage(body.text);
  else if (status === 200) return { kind: "no-mcp" };
  return answered;
}

const WITHOUT = {
  "too-long": "too-large",
  crowded: "too-large",
  "too-late": "too-late",
  cut: "cut",
  "no-text": "no-mcp",
} as const satisfies Readonly<Record<Exclude<Body["kind"], "text">, Posted["kind"]>>;

function readEvents(
  response: IncomingMessage,
  answered: Posted,
  { maxChars, onMessage }: PostOptions,
): Promise<Posted> {
  return new Promise((resolve) => {
    const reader = new EventReader(maxChars);
    const decoder = new StringDecoder("utf8");
    response.on("error", () => resolve({ kind: "cut" }));
    response.once("close", () => resolve({ kind: "cut" }));
    response.once("end", () => resolve(answered));
    response.on("data", (chunk: Buffer) => {
      const events = reader.push(decoder.write(chunk));
      if (events === undefined) return resolve({ kind: "too-large" });
      for (const text of events) if (onMessage(text)) return resolve(answered);
      return undefined;
    });
  });
}
