import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { EngineAway } from "../engine.ts";
import type { Nodes } from "../nodes.ts";

/** A question of one node's operator listener to that of another. */
export interface NodeQuestion {
  readonly method: "GET" | "DELETE";
  /** With its query. */
  readonly path: string;
  /** The caller here: the other node believes it. */
  readonly caller: string;
}

export interface NodeAnswer {
  readonly status: number;
  readonly body: string;
}

export interface QuestionsOptions {
  readonly node: string;
  readonly nodes: Nodes;
  readonly connect: (node: string) => Promise<Duplex | undefined>;
}

const CALLER_FIELD = "tunnel-caller";
const ANSWER_MS = 3_000;
const MAX_BYTES = 4 * 1024 * 1024;

/** Questions of the operator's listener to those of the other nodes. */
export class Questions {
  /** Answers at this node. Set by its operator's listener. */
  onQuestion: (question: NodeQuestion) => Promise<NodeAnswer> = () =>
    Promise.resolve({ status: 503, body: "" });
  readonly #options: QuestionsOptions;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** Answers of all other nodes that are there and answer in time; none while the engine is away. */
  async askAll(question: NodeQuestion): Promise<readonly NodeAnswer[]> {
    const { nodes, node } = this.#options;
    const all = await nodes.all().catch((error: unknown) => {
      if (error instanceof EngineAway) return [];
      throw error;
    });
    const others = all.filter((one) => one.node !== node);
    const answers = await Promise.all(others.map((one) => this.#ask(one.node, question)));
    return answers.filter((answer) => answer !== undefined);
  }

  /** Another node asks. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const caller = request.headers[CALLER_FIELD];
    const method = request.method === "DELETE" ? "DELETE" : "GET";
    const question = {
      method,
      path: request.url ?? "",
      caller: typeof caller === "string" ? caller : "",
    } as const;
    const { status, body } = await this.onQuestion(question);
    response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(body);
  }

  async #ask(node: string, { method, path, caller }: NodeQuestion): Promise<NodeAnswer | undefined> {
    const socket = await this.#options.connect(node);
    if (socket === undefined) return undefined;
    return new Promise((resolve) => {
      const headers = { host: node, [CALLER_FIELD]: caller, connection: "close" };
      const signal = AbortSignal.timeout(ANSWER_MS);
      const asked = httpRequest({
        createConnection: () => socket,
        method,
        path,
        headers,
        signal,
      });
      const fail = (): void => {
        socket.destroy();
        resolve(undefined);
      };
      asked.once("error", fail);
      asked.once("response", (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          body += piece;
          if (body.length > MAX_BYTES) fail();
        });
        response.once("error", fail);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked.end();
    });
  }
}
