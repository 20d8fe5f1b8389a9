import { headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import * as z from "zod/mini";
import type { Bucket, Entry } from "../engine.ts";
import { EngineAway } from "../engine.ts";

/** Codes of JetStream's own errors (nats-server, server/errors.json). */
const CODE = {
  wrongLastSequence: 10_071,
  noMessage: 10_037,
  sequenceNotFound: 10_043,
  deleteFailed: 10_057,
  streamNotFound: 10_059,
  streamExists: 10_058,
  noReplicas: 10_074,
} as const;

const failure = z.object({
  error: z.object({ code: z.int(), err_code: z.optional(z.int()), description: z.optional(z.string()) }),
});
const stored = z.object({ seq: z.int() });
const message = z.object({
  message: z.object({ subject: z.string(), seq: z.int(), data: z.optional(z.string()), time: z.string() }),
});
const info = z.object({
  config: z.looseObject({ num_replicas: z.int() }),
  /** Only where servers are joined. The replicas are those beside the leader. */
  cluster: z.optional(z.object({ replicas: z.optional(z.array(z.unknown())) })),
  state: z.object({ subjects: z.optional(z.record(z.string(), z.int())) }),
});
const deleted = z.object({ success: z.boolean() });

interface Failure {
  readonly failed: number;
  readonly why: string;
}

/** An answer that says why not. */
const isFailure = (answer: object): answer is Failure => "failed" in answer;

export interface BucketShape {
  /** The name of the bucket: its stream is `KV_NAME`, as other tools for such buckets expect. */
  readonly name: string;
  /** 0: entries stay. */
  readonly maxAgeMs: number;
}

/**
 * A bucket in JetStream: a stream that keeps the last message of each subject. Written here and not taken from the client's package
 * for buckets, which brings consumers and watches that nobody here needs.
 */
export class JetStreamBucket implements Bucket {
  readonly #connection: NatsConnection;
  readonly #shape: BucketShape;
  readonly #timeout: number;

  constructor(connection: NatsConnection, shape: BucketShape, timeoutMs: number) {
    this.#connection = connection;
    this.#shape = shape;
    this.#timeout = timeoutMs;
  }

  /**
   * Makes the bucket where it is not there, with three copies where there are servers for them.
   * @returns the copies that it has
   * @throws {EngineAway}
   */
  async open(): Promise<number> {
    const known = await this.#api("STREAM.INFO", {}, info);
    if (!isFailure(known)) {
      // A server by itself takes three copies for an answer here, and keeps one.
      if (known.cluster === undefined || known.config.num_replicas >= COPIES) return copiesOf(known);
      // Made when there was one server: more may have come.
      const grown = await this.#api("STREAM.UPDATE", { ...known.config, num_replicas: COPIES }, info);
      return isFailure(grown) ? copiesOf(known) : grown.config.num_replicas;
    }
    if (known.failed !== CODE.streamNotFound) throw new EngineAway(problem("STREAM.INFO", known));
    for (const copies of [COPIES, 1]) {
      const made = await this.#api("STREAM.CREATE", this.#config(copies), info);
      if (!isFailure(made)) return made.config.num_replicas;
      // Another node was faster.
      if (made.failed === CODE.streamExists) return this.open();
      if (made.failed !== CODE.noReplicas) throw new EngineAway(problem("STREAM.CREATE", made));
    }
    throw new EngineAway();
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#entry({ last_by_subj: this.#subject(key) });
  }

  async put(key: string, value: string, expected: number): Promise<number | undefined> {
    const fields = headers();
    fields.set("Nats-Expected-Last-Subject-Sequence", String(expected));
    const answer = await this.#ask(this.#subject(key), value, stored, fields);
    if (!isFailure(answer)) return answer.seq;
    if (answer.failed === CODE.wrongLastSequence) return undefined;
    throw new EngineAway(problem("a write", answer));
  }

  async remove(key: string, revision: number): Promise<boolean> {
    // A revision is gone as soon as its key has a newer one, so its number is the condition.
    const answer = await this.#api("STREAM.MSG.DELETE", { seq: revision, no_erase: true }, deleted);
    if (!isFailure(answer)) return answer.success;
    if (answer.failed === CODE.sequenceNotFound || answer.failed === CODE.noMessage) return false;
    // The number was never given, or the store is broken.
    if (answer.failed === CODE.deleteFailed && (await this.get(key))?.revision !== revision) return false;
    throw new EngineAway(problem("STREAM.MSG.DELETE", answer));
  }

  async keys(prefix?: string): Promise<readonly string[]> {
    const subjects = prefix === undefined ? this.#subject(">") : `${this.#subject(prefix)}.>`;
    const answer = await this.#api("STREAM.INFO", { subjects_filter: subjects }, info);
    if (isFailure(answer)) throw new EngineAway(problem("STREAM.INFO", answer));
    return Object.keys(answer.state.subjects ?? {}).map((subject) => subject.slice(this.#subject("").length));
  }

  async next(prefix: string, from: number): Promise<Entry | undefined> {
    return this.#entry({ seq: from, next_by_subj: `${this.#subject(prefix)}.>` });
  }

  async #entry(asked: object): Promise<Entry | undefined> {
    const answer = await this.#api("STREAM.MSG.GET", asked, message);
    if (isFailure(answer)) {
      if (answer.failed === CODE.noMessage) return undefined;
      throw new EngineAway(problem("STREAM.MSG.GET", answer));
    }
    const { subject, seq, data = "", time } = answer.message;
    return {
      key: subject.slice(this.#subject("").length),
      value: Buffer.from(data, "base64").toString("utf8"),
      revision: seq,
      writtenAt: Date.parse(time),
    };
  }

  #config(copies: number): object {
    const { name, maxAgeMs } = this.#shape;
    const maxAge = maxAgeMs * NS;
    return {
      name: `KV_${name}`,
      subjects: [`${this.#subject("")}>`],
      retention: "limits",
      storage: "file",
      discard: "new",
      max_msgs_per_subject: 1,
      max_age: maxAge,
      // Within the age, as the server wants it.
      duplicate_window: maxAge === 0 ? 2 * 60_000 * NS : Math.min(maxAge, 2 * 60_000 * NS),
      num_replicas: copies,
      allow_rollup_hdrs: true,
    };
  }

  #subject(key: string): string {
    return `$KV.${this.#shape.name}.${key}`;
  }

  #api<T extends object>(what: string, asked: object, schema: z.ZodMiniType<T>): Promise<T | Failure> {
    return this.#ask(`$JS.API.${what}.KV_${this.#shape.name}`, JSON.stringify(asked), schema);
  }

  async #ask<T extends object>(
    subject: string,
    text: string,
    schema: z.ZodMiniType<T>,
    fields = headers(),
  ): Promise<T | Failure> {
    let answer: Msg;
    try {
      answer = await this.#connection.request(subject, text, { timeout: this.#timeout, headers: fields });
    } catch (error) {
      throw new EngineAway(error);
    }
    const told = parsed(answer.string());
    const failed = failure.safeParse(told).data;
    if (failed !== undefined) return failureOf(failed.error);
    const good = schema.safeParse(told).data;
    if (good === undefined) throw new EngineAway();
    return good;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EngineAway(error);
  }
}

/** That there are, whatever the bucket was made with. */
const copiesOf = ({ cluster }: z.infer<typeof info>): number => 1 + (cluster?.replicas?.length ?? 0);

const failureOf = ({ err_code: own, code, description }: z.infer<typeof failure>["error"]): Failure => ({
  failed: own ?? code,
  why: description ?? "",
});

const problem = (what: string, { failed, why }: Failure): Error =>
  new Error(`${what}: JetStream error ${failed} ${why}`);
const COPIES = 3;
const NS = 1_000_000;
