import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { Emitter } from "../../../runtime/emitter.ts";
import { EngineAway, type Engine } from "../engine.ts";
import { CLUSTER } from "../timing.ts";
import type { ClusterServers } from "./servers.ts";
import { JetStreamBucket } from "./jetstream.ts";

/** The first version that gives the subjects of a stream by a filter. */
const LEAST = [2, 9] as const;
const BUCKETS = { claims: "tunnel-mcp-relay-claims", nodes: "tunnel-mcp-relay-nodes" } as const;

export interface NatsEngineOptions {
  readonly servers: ClusterServers;
  /** Shown in the lists of the server. */
  readonly name: string;
  /** Something that an operator has to look at. */
  readonly onTrouble: (what: string) => void;
}

/** The engine of a cluster of relays: NATS with JetStream. Bytes of tunnels never go through it. */
export class NatsEngine implements Engine {
  readonly claims: JetStreamBucket;
  readonly nodes: JetStreamBucket;
  readonly #connection: NatsConnection;
  readonly #changes = new Emitter<boolean>();
  #isConnected = true;

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
    const shapes = {
      claims: { name: BUCKETS.claims, maxAgeMs: 0 },
      nodes: { name: BUCKETS.nodes, maxAgeMs: CLUSTER.forgottenMs },
    };
    this.claims = new JetStreamBucket(connection, shapes.claims, CLUSTER.engineMs);
    this.nodes = new JetStreamBucket(connection, shapes.nodes, CLUSTER.engineMs);
    void this.#follow();
  }

  /** @throws {TunnelError} cluster-unreachable, cluster-unusable */
  static async open({ servers, name, onTrouble }: NatsEngineOptions): Promise<NatsEngine> {
    const connection = await connected(servers, name);
    const missing = missingOf(connection);
    if (missing !== undefined) {
      await connection.close();
      throw new TunnelError("cluster-unusable", { detail: missing });
    }
    const engine = new NatsEngine(connection);
    const copies = await engine.#prepare().catch(async (error: unknown) => {
      await connection.close();
      throw new TunnelError("cluster-unusable", {
        detail: `its buckets cannot be made or read${whyOf(error)}`,
        cause: error,
      });
    });
    if (copies < 3)
      onTrouble(
        "the engine keeps the cluster's names on one server, and they are lost with it: three servers keep them three times",
      );
    return engine;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  publish(subject: string, text: string): void {
    // Words into a broken line would be heard much later.
    if (this.#isConnected && !this.#connection.isClosed()) this.#connection.publish(subject, text);
  }

  subscribe(subject: string, listener: (text: string, reply: (text: string) => void) => void): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message.string(), (text) => void message.respond(text));
      },
    });
    return () => {
      if (!this.#connection.isClosed()) subscription.unsubscribe();
    };
  }

  async ask(subject: string, text: string, withinMs: number): Promise<string | undefined> {
    if (!this.#isConnected) return undefined;
    try {
      return (await this.#connection.request(subject, text, { timeout: withinMs })).string();
    } catch {
      // Nobody listens, or nobody has answered in time: the same for whoever asks.
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** A cluster that has just been started needs some seconds until it has leaders. */
  async #prepare(): Promise<number> {
    const until = Date.now() + PREPARING_MS;
    for (;;) {
      try {
        return Math.min(await this.claims.open(), await this.nodes.open());
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  async #follow(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect" || type === "close") this.#turn(false);
      else if (type === "reconnect") this.#turn(true);
    }
    this.#turn(false);
  }

  #turn(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    this.#changes.emit(isConnected);
  }
}

async function connected({ addresses, login, tls }: ClusterServers, name: string): Promise<NatsConnection> {
  const options: NodeConnectionOptions = {
    servers: [...addresses],
    name,
    ...login,
    tls: tls ? {} : null,
    timeout: CONNECT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
  };
  try {
    return await connect(options);
  } catch (error) {
    throw new TunnelError("cluster-unreachable", { detail: addresses.join(", "), cause: error });
  }
}

/** JetStream's own words, such as that its disk is full. */
function whyOf(error: unknown): string {
  const { cause } = error instanceof EngineAway ? error : { cause: undefined };
  return cause instanceof Error ? ` (${cause.message})` : "";
}

/** In words for an operator. */
function missingOf({ info }: NatsConnection): string | undefined {
  const version = info?.version ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1]))
    return `nats-server ${version} is too old: ${LEAST.join(".")} or newer is needed`;
  if (info?.jetstream !== true) return "JetStream is off at this server: start it with --jetstream";
  return undefined;
}

const CONNECT_MS = 5_000;
const RECONNECT_MS = 100;
const PING_MS = 2_000;
const PREPARING_MS = 15_000;
const AGAIN_MS = 250;
