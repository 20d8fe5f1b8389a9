import { TunnelError } from "../../errors/tunnel-error.ts";
import { parseTarget, type ServiceTarget } from "../../expose/target/parse.ts";

/** Services whose ports hold data of many people: they are offered to those who are named, and never to all. */
const DATABASES: ReadonlyMap<number, string> = new Map([
  [1_433, "Microsoft SQL Server"],
  [1_434, "Microsoft SQL Server"],
  [1_521, "Oracle Database"],
  [2_379, "etcd"],
  [3_306, "MySQL"],
  [33_060, "MySQL"],
  [5_432, "PostgreSQL"],
  [5_984, "CouchDB"],
  [6_379, "Redis"],
  [7_474, "Neo4j"],
  [7_687, "Neo4j"],
  [8_086, "InfluxDB"],
  [9_042, "Cassandra"],
  [9_092, "Kafka"],
  [9_200, "Elasticsearch"],
  [9_300, "Elasticsearch"],
  [11_211, "Memcached"],
  [27_017, "MongoDB"],
  [27_018, "MongoDB"],
  [27_019, "MongoDB"],
]);

/**
 * A target of this side, as it was typed. A database goes to named members alone.
 * @throws {TunnelError} expose-target-invalid, service-invalid, service-to-all
 */
export function serviceTarget(
  typed: string | number,
  { isForSome }: { readonly isForSome: boolean },
): ServiceTarget {
  const target = parseTarget(typed);
  if (target.kind === "folder")
    throw new TunnelError("service-invalid", { detail: "a folder is no service; expose_start serves one" });
  const database = DATABASES.get(target.port);
  if (database !== undefined && !isForSome)
    throw new TunnelError("service-to-all", { detail: `port ${target.port} is that of ${database}` });
  return target;
}

/** The errors of exposing name a setting that is not that of services. */
export function asServiceError(error: TunnelError): TunnelError {
  const options = { cause: error, ...(error.detail === undefined ? {} : { detail: error.detail }) };
  switch (error.code) {
    case "expose-target-refused":
      return new TunnelError("service-target-refused", options);
    case "expose-target-not-local":
      return new TunnelError("service-target-not-local", options);
    default:
      return error;
  }
}
