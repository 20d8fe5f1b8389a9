import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { KINDS, type ClaimKind } from "../../uplink/messages.ts";
import { unlessAway } from "../cluster/engine.ts";
import type { NodeFacts } from "../cluster/entries.ts";
import type { RelayEvent } from "../events.ts";
import type { Host } from "../hosts/host.ts";
import type { Relay } from "../node/relay.ts";

const PREFIX = "tunnel_relay_";

/**
 * Figures for Prometheus. Every label is one of a closed set of words that stands in this program: none holds a name, a token or
 * an address, and nobody outside can make new series.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #registrations = this.#counter(
    "registrations_total",
    "Attempts of hosts to register, by result: registered, or the reason of the refusal",
    ["kind", "result"],
  );
  readonly #ends = this.#counter("tunnels_ended_total", "Tunnels that are over, by reason", ["kind", "why"]);
  readonly #visits = this.#counter("visits_total", "Guests, connections and requests that are over, by end", [
    "kind",
    "type",
    "end",
  ]);
  readonly #bytes = this.#counter("bytes_total", "Bytes of visits that are over", ["kind", "direction"]);
  readonly #responses = this.#counter("responses_total", "Answers to requests of HTTP services, by class", [
    "class",
  ]);
  readonly #troubles = this.#counter("troubles_total", "Events that an operator has to look at", []);
  readonly #seconds = new Histogram({
    name: `${PREFIX}request_seconds`,
    help: "Time from the head of a request to the end of its response",
    buckets: [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 60],
    registers: [this.#registry],
  });

  constructor(relay: Relay, version: string) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge("ready", "1 while new hosts and visitors are taken", () => (relay.isReady ? 1 : 0));
    this.#gauge("connections", "Open connections at the public listener", () => relay.connections);
    this.#gauge("held_visitors", "Visitors that wait for a host that is away", () => relay.arrivals.held);
    this.#gaugeOfHosts("tunnels", "Open tunnels", relay, () => 1);
    const visitors = "Guests, requests and connections at this moment";
    this.#gaugeOfHosts("visitors", visitors, relay, ({ visits }) => visits.total);
    this.#gaugesOfCluster(relay);
    const info = new Gauge({
      name: `${PREFIX}info`,
      help: "1, with the version",
      labelNames: ["version"],
      registers: [],
    });
    info.set({ version }, 1);
    this.#registry.registerMetric(info);
  }

  take(event: RelayEvent): void {
    switch (event.type) {
      case "registered":
        return this.#registrations.inc({ kind: event.kind, result: "registered" });
      case "refused":
        return this.#registrations.inc({ kind: event.kind ?? "unknown", result: event.reason });
      case "unregistered":
        return this.#ends.inc({ kind: event.kind, why: event.why });
      case "connection":
      case "request":
        return this.#visited(event);
      case "trouble":
        return this.#troubles.inc({});
      case "draining":
    }
  }

  #visited(event: Extract<RelayEvent, { type: "connection" | "request" }>): void {
    const { type, end, bytesIn, bytesOut } = event;
    const kind = type === "request" ? "http" : event.kind;
    this.#visits.inc({ kind, type, end });
    this.#bytes.inc({ kind, direction: "in" }, bytesIn);
    this.#bytes.inc({ kind, direction: "out" }, bytesOut);
    if (type !== "request") return;
    this.#responses.inc({ class: classOf(event.status) });
    this.#seconds.observe(event.lastedMs / 1_000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name: PREFIX + name,
      help,
      registers: [],
      collect: () => gauge.set(read()),
    });
    this.#registry.registerMetric(gauge);
  }

  /** The sum over the hosts of each kind. */
  #gaugeOfHosts(name: string, help: string, relay: Relay, read: (host: Host) => number): void {
    const gauge: Gauge<"kind"> = new Gauge({
      name: PREFIX + name,
      help,
      labelNames: ["kind"],
      registers: [],
      collect: () => {
        const sums = new Map<ClaimKind, number>(KINDS.map((kind) => [kind, 0]));
        for (const host of relay.hosts.all)
          sums.set(host.facts.kind, (sums.get(host.facts.kind) ?? 0) + read(host));
        for (const [kind, sum] of sums) gauge.set({ kind }, sum);
      },
    });
    this.#registry.registerMetric(gauge);
  }

  /** As the nodes tell of themselves; nothing is shown while the engine is away. */
  #gaugesOfCluster({ cluster }: Relay): void {
    if (cluster === undefined) return;
    const all = async (): Promise<readonly NodeFacts[] | undefined> =>
      (await unlessAway(cluster.nodes.all()))?.map(({ facts }) => facts);
    const sum = (name: string, help: string, of: (facts: NodeFacts) => number): void => {
      const gauge: Gauge = new Gauge({
        name: `${PREFIX}cluster_${name}`,
        help,
        registers: [],
        async collect() {
          const facts = await all();
          if (facts === undefined) gauge.remove();
          else gauge.set(facts.reduce((total, one) => total + of(one), 0));
        },
      });
      this.#registry.registerMetric(gauge);
    };
    sum("nodes", "Nodes of the cluster that are there", () => 1);
    sum("tunnels", "Open tunnels of all nodes", ({ hosts }) => hosts);
    sum(
      "connections",
      "Open connections at the public listeners of all nodes",
      ({ connections }) => connections,
    );
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Tally<Label> {
    const tally = new Tally<Label>();
    const counter: Counter<Label> = new Counter({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [],
      collect: () => {
        counter.reset();
        for (const { labels, value } of tally.all) counter.inc(labels, value);
      },
    });
    this.#registry.registerMetric(counter);
    return tally;
  }
}

const classOf = (status: number): string =>
  status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : "none";

/** Sums by labels. They are put into the form of the metrics when somebody asks, and not with each request. */
class Tally<Label extends string> {
  readonly #sums = new Map<string, { readonly labels: Readonly<Record<Label, string>>; value: number }>();

  get all(): Iterable<{ readonly labels: Readonly<Record<Label, string>>; readonly value: number }> {
    return this.#sums.values();
  }

  /** @param labels always with the names in the same order */
  inc(labels: Readonly<Record<Label, string>>, by = 1): void {
    const key = Object.values(labels).join("\n");
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, { labels, value: by });
    else sum.value += by;
  }
}
