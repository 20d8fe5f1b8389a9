import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { openGateway } from "../../../src/expose/gateway/gateway.ts";
import { OPEN_GATE } from "../../../src/expose/gateway/open-gate.ts";
import type {
  Gateway,
  GatewayNews,
  GatewayOptions,
  GatewayPlace,
} from "../../../src/expose/gateway/options.ts";
import type { ExchangeEnd, RecordedRequest, Recorder } from "../../../src/expose/recorder.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { atEnd } from "../../support/at-end.ts";

export const PUBLIC = new URL("https://shown.example.com");
export const HOST = "shown.example.com";
export const PROOF = { path: "/proof-4711", answer: "answer-4712" };

export const later = atEnd;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when the condition holds. */
export async function until(holds: () => boolean, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${holds.toString()}`);
    await sleep(2);
  }
}

export { OPEN_GATE };

export interface Recorded {
  readonly request: RecordedRequest;
  requestBody: string;
  readonly heads: number[];
  responseBody: string;
  readonly trailers: string[];
  upgraded: boolean;
  end: { readonly how: ExchangeEnd; readonly why: string | undefined } | undefined;
}

/** Keeps all, as text of one byte a character. */
export function keepingRecorder(): { readonly recorder: Recorder; readonly all: Recorded[] } {
  const all: Recorded[] = [];
  const recorder: Recorder = {
    begin(request) {
      const kept: Recorded = {
        request,
        requestBody: "",
        heads: [],
        responseBody: "",
        trailers: [],
        upgraded: false,
        end: undefined,
      };
      all.push(kept);
      return {
        requestChunk: (chunk) => void (kept.requestBody += Buffer.from(chunk).toString("latin1")),
        responseHead: ({ status }) => void kept.heads.push(status),
        responseChunk: (chunk) => void (kept.responseBody += Buffer.from(chunk).toString("latin1")),
        trailers: (from, fields) => void kept.trailers.push(from, ...fields),
        upgraded: () => void (kept.upgraded = true),
        end: (how, why) => {
          if (kept.end !== undefined) throw new Error("ended twice");
          kept.end = { how, why };
        },
      };
    },
  };
  return { recorder, all };
}

export interface Stage {
  readonly port: number;
  readonly gateway: Gateway;
  readonly all: Recorded[];
  readonly news: GatewayNews[];
}

/** A gateway in front of a port on the loopback address, published as `PUBLIC`. */
export async function gatewayTo(
  servicePort: number,
  options: Partial<GatewayOptions & GatewayPlace> = {},
): Promise<Stage> {
  const { recorder, all } = keepingRecorder();
  const news: GatewayNews[] = [];
  const gateway = await openGateway({
    bind: "127.0.0.1",
    port: 0,
    gate: OPEN_GATE,
    upstream: () => upstreamAt(servicePort),
    recorder,
    proof: PROOF,
    sourceHeader: undefined,
    hostHeader: undefined,
    pseudonym: "gateway-4713",
    clock: systemClock,
    onNews: (item) => news.push(item),
    ...options,
  });
  later(() => gateway.close());
  gateway.publish(PUBLIC);
  return { port: gateway.port, gateway, all, news };
}

export const upstreamAt = (port: number) =>
  ({ scheme: "http", address: "127.0.0.1", port, host: `localhost:${port}` }) as const;

export interface RawService {
  readonly port: number;
  /** Everything that came, by connection. */
  readonly received: string[];
  readonly sockets: Socket[];
}

/**
 * A service of plain sockets. `answer` is called for each head that comes, with its text, and whatever it returns is written;
 * bodies are its own business.
 */
export async function rawService(
  answer: (head: string, socket: Socket) => string | Buffer | undefined,
): Promise<RawService> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const index = received.push("") - 1;
    sockets.push(socket);
    let from = 0;
    socket
      .on("error", () => undefined)
      .on("data", (chunk: Buffer) => {
        received[index] += chunk.toString("latin1");
        for (;;) {
          const text = received[index] ?? "";
          const end = text.indexOf("\r\n\r\n", from);
          if (end === -1) return;
          const head = text.slice(from, end);
          if (!/^[A-Z]+ [^ ]+ HTTP\/1\.1\r\n/.test(`${head}\r\n`)) return;
          from = end + 4;
          const reply = answer(head, socket);
          if (reply !== undefined)
            socket.write(typeof reply === "string" ? Buffer.from(reply, "latin1") : reply);
        }
      });
  });
  return { port: await listening(server), received, sockets };
}

export const ok = (body = "hello", ...fields: string[]): string =>
  [`HTTP/1.1 200 OK`, `Content-Length: ${body.length}`, ...fields, "", body].join("\r\n");

export async function httpService(listener: RequestListener): Promise<{ port: number; server: HttpServer }> {
  const server = createHttpServer(listener);
  return { port: await listening(server), server };
}

export async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  later(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

/** A visitor that writes bytes and keeps what comes. */
export class RawVisitor {
  readonly socket: Socket;
  text = "";
  isClosed = false;
  hasEnded = false;
  error: string | undefined;

  constructor(port: number, bytes = "") {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket
      .on("data", (chunk: Buffer) => (this.text += chunk.toString("latin1")))
      .on("end", () => (this.hasEnded = true))
      .on("error", (error: NodeJS.ErrnoException) => (this.error = error.code))
      .on("close", () => (this.isClosed = true));
    later(() => this.socket.destroy());
    if (bytes !== "") this.write(bytes);
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  async sees(part: string | RegExp, ms?: number): Promise<string> {
    await until(() => (typeof part === "string" ? this.text.includes(part) : part.test(this.text)), ms);
    return this.text;
  }

  async closed(ms?: number): Promise<string> {
    await until(() => this.isClosed, ms);
    return this.text;
  }
}

/** A whole request as text; `Host` is ours and `Connection: close` is added, unless `lines` say otherwise. */
export function request(start: string, ...lines: string[]): string {
  const has = (name: string): boolean => lines.some((line) => line.toLowerCase().startsWith(`${name}:`));
  const own = [
    ...(has("host") ? [] : [`Host: ${HOST}`]),
    ...(has("connection") ? [] : ["Connection: close"]),
  ];
  return [`${start} HTTP/1.1`, ...own, ...lines, "", ""].join("\r\n");
}

/** What a visitor gets until its connection is closed. */
export const ask = (port: number, bytes: string): Promise<string> => new RawVisitor(port, bytes).closed();

export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1]);

/** Values of a field in a head, in their order. */
export function fieldsOf(text: string, name: string): string[] {
  const [head = ""] = text.split("\r\n\r\n");
  return head
    .split("\r\n")
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).trim());
}
