import { existsSync } from "node:fs";
import { join } from "node:path";
import { unfenced, type Agent, type Message } from "../support/agent.ts";
import { until } from "../support/processes.ts";

/** Between two words of one side, in ms. */
const PAUSE_MS = 200;
const STATUS_OF_TAKEN: readonly unknown[] = ["sent", "queued"];

/** One developer, whose agent speaks and listens all the time, whatever becomes of the server in front of it. */
export class Side {
  readonly name: string;
  #agent: Agent;
  /** Texts in their order, each with whether an answer said that it was taken. */
  readonly said: { readonly text: string; readonly isTaken: boolean }[] = [];
  readonly heard: Message[] = [];
  /** Places that were heard a second time without a mark. */
  readonly doubled: number[] = [];
  /** A word without an answer at the time of an end of the server. */
  unanswered = 0;
  readonly #places = new Set<number>();
  #isTalking = false;
  #talk: Promise<unknown> = Promise.resolve();

  constructor(name: string, agent: Agent) {
    this.name = name;
    this.#agent = agent;
  }

  get agent(): Agent {
    return this.#agent;
  }

  /** Speaks and listens from now on, beside whatever else its agent does. */
  talk(): void {
    this.#isTalking = true;
    this.#talk = Promise.all([this.#speak(), this.#listen()]);
  }

  /** Rejects with what a tool has answered wrongly meanwhile. */
  async quiet(): Promise<void> {
    this.#isTalking = false;
    await this.#talk;
  }

  /** Ends the server in the middle of whatever it does. */
  async end(how: "killed" | "closed"): Promise<void> {
    this.#isTalking = false;
    await Promise.all([this.#agent.ended(how), this.#talk]);
  }

  /** A new server takes the stay up. @returns ms from the call until its answer, and from the start of the process */
  async back(): Promise<{ readonly resumed: number; readonly started: number }> {
    const start = performance.now();
    this.#agent = await this.#agent.again();
    const { resumable } = await this.#agent.call("tunnel_status");
    const before = performance.now();
    const [{ tunnelId } = { tunnelId: "" }, ...more] = resumable as { tunnelId: string }[];
    if (more.length > 0) throw new Error("there is more than one stay");
    await this.#agent.call("tunnel_join", { resume: tunnelId });
    const now = performance.now();
    return { resumed: now - before, started: now - start };
  }

  /** Words that nobody takes for others: they are said once, after all else. */
  async say(text: string): Promise<void> {
    const { status } = await this.#agent.call("tunnel_say", { text });
    this.said.push({ text, isTaken: STATUS_OF_TAKEN.includes(status) });
  }

  /** Listens until this text has come. */
  async hear(text: string, limitMs = 60_000): Promise<void> {
    await until(
      `${this.name} hears ${text}`,
      async () => {
        await this.#listenOnce(500);
        return this.heard.some((message) => message.kind === "chat" && unfenced(message.text) === text);
      },
      limitMs,
    );
  }

  /** Resolves when its agent has been told of this offer. */
  async offered(fileId: string): Promise<void> {
    await until(
      `${this.name} is offered ${fileId}`,
      () => this.heard.some((message) => message.fileId === fileId),
      30_000,
    );
  }

  path(name: string): string {
    return join(this.#agent.folder, name);
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  async #speak(): Promise<void> {
    while (this.#isTalking) {
      const text = `${this.name} ${this.said.length}`;
      const status = await this.#unlessEnded(() => this.#agent.call("tunnel_say", { text }));
      if (status === undefined) this.unanswered += 1;
      this.said.push({ text, isTaken: STATUS_OF_TAKEN.includes(status?.status) });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #listen(): Promise<void> {
    while (this.#isTalking) await this.#unlessEnded(() => this.#listenOnce(1_000));
  }

  async #listenOnce(timeoutMs: number): Promise<void> {
    const { messages = [], ended } = await this.#agent.call("tunnel_listen", { timeoutMs });
    if (ended !== undefined) throw new Error(`${this.name}: the room has ended, ${ended.because}`);
    for (const message of messages) {
      const { seq, kind, redelivered } = message;
      // Notices of this side have no place.
      const isEntry = kind === "chat" || kind === "file";
      if (isEntry && this.#places.has(seq)) {
        if (redelivered !== true) this.doubled.push(seq);
        continue;
      }
      if (isEntry) this.#places.add(seq);
      this.heard.push(message);
    }
  }

  /** What was called at the end of the server has no answer. */
  async #unlessEnded<Result>(call: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await call();
    } catch (error) {
      if (this.#isTalking) throw error;
      return undefined;
    }
  }
}
