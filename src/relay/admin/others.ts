import * as z from "zod/mini";
import type { NodeAnswer, NodeQuestion, Questions } from "../cluster/peers/questions.ts";
import { parseCaller, type Caller } from "./callers.ts";
import { tokens, tunnels, type TokenView, type TunnelView } from "./schemas.ts";

export interface OthersOptions {
  readonly questions: Questions;
  /** The answer of this node alone, as its API gives it. */
  readonly own: (question: Omit<NodeQuestion, "caller"> & { readonly caller: Caller }) => Promise<NodeAnswer>;
}

interface Page {
  readonly total: number;
  readonly tunnels: readonly TunnelView[];
  /** Whether there are more behind them. */
  readonly hasMore: boolean;
  /** The epoch of each. */
  readonly epochs: readonly number[];
}

/** Between nodes a page has the place of each tunnel in the order of all, too. */
const nodePage = z.object({ ...tunnels.shape, epochs: z.array(z.number()) });

/** The operator's listeners of the other nodes: one of them is as good as any. */
export class Others {
  readonly #questions: Questions;

  constructor({ questions, own }: OthersOptions) {
    this.#questions = questions;
    questions.onQuestion = async ({ method, path, caller }) => {
      const known = parseCaller(caller);
      return known === undefined ? { status: 403, body: "" } : own({ method, path, caller: known });
    };
  }

  /** Pages of the others, each of which begins where the one of this node does. */
  async tunnels(query: string, caller: Caller): Promise<readonly Page[]> {
    const answers = await this.#ask("GET", `/api/tunnels?${query}`, caller);
    return answers.flatMap(({ status, body }) => {
      const page = status === 200 ? nodePage.safeParse(parsed(body)).data : undefined;
      return page === undefined ? [] : [{ ...page, hasMore: page.next !== null }];
    });
  }

  /** Tokens as this node has them, with the others' knowledge of the same ones. */
  async tokens(own: readonly TokenView[], caller: Caller): Promise<readonly TokenView[]> {
    const answers = await this.#ask("GET", "/api/tokens", caller);
    const told = answers.flatMap(({ body }) => tokens.safeParse(parsed(body)).data?.tokens ?? []);
    return own.map((one) => {
      const same = told.filter(({ id }) => id === one.id);
      const uses = [one, ...same].flatMap(({ lastUsedAt }) => lastUsedAt ?? []).toSorted();
      const count = same.reduce((sum, { tunnels: more }) => sum + more, one.tunnels);
      return { ...one, tunnels: count, lastUsedAt: uses.at(-1) ?? null };
    });
  }

  /** The answer of the node that knows what is asked for. */
  async first(method: NodeQuestion["method"], path: string, caller: Caller): Promise<NodeAnswer | undefined> {
    const answers = await this.#ask(method, path, caller);
    return answers.find(({ status }) => status !== 404 && status < 500);
  }

  #ask(method: NodeQuestion["method"], path: string, caller: Caller): Promise<readonly NodeAnswer[]> {
    return this.#questions.askAll({ method, path, caller: JSON.stringify(caller) });
  }
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
