/** Ports whose services give the whole machine or all its data to whoever reaches them, mostly without a password. */
interface DangerousPorts {
  readonly name: string;
  /** Single ports, and ranges with both ends. */
  readonly ports: readonly (number | readonly [first: number, last: number])[];
}

const DANGEROUS: readonly DangerousPorts[] = [
  { name: "FTP", ports: [21] },
  { name: "SSH", ports: [22] },
  { name: "Telnet", ports: [23] },
  { name: "a mail server", ports: [25, 110, 143, 465, 587, 993, 995] },
  { name: "RPC", ports: [111, 135] },
  { name: "Windows file sharing", ports: [[137, 139], 445] },
  { name: "LDAP", ports: [389, 636] },
  { name: "remote shells", ports: [[512, 514]] },
  { name: "rsync", ports: [873] },
  { name: "Microsoft SQL Server", ports: [1433, 1434] },
  { name: "Oracle Database", ports: [1521] },
  { name: "NFS", ports: [2049] },
  { name: "ZooKeeper", ports: [2181] },
  { name: "the Docker API", ports: [[2375, 2377], 4243] },
  { name: "etcd", ports: [2379, 2380] },
  { name: "MySQL", ports: [3306, 33_060] },
  { name: "Remote Desktop", ports: [3389] },
  { name: "PostgreSQL", ports: [5432] },
  { name: "RabbitMQ", ports: [5671, 5672, 15_672, 25_672] },
  { name: "the inspector of Node", ports: [5858, 9229] },
  { name: "VNC", ports: [[5900, 5909]] },
  { name: "CouchDB", ports: [5984] },
  { name: "Windows Remote Management", ports: [5985, 5986] },
  { name: "Redis", ports: [6379] },
  { name: "the Kubernetes API", ports: [6443] },
  { name: "Neo4j", ports: [7474, 7687] },
  { name: "InfluxDB", ports: [8086] },
  { name: "Vault", ports: [8200] },
  { name: "Consul", ports: [8500] },
  { name: "Cassandra", ports: [9042] },
  { name: "Kafka", ports: [9092] },
  { name: "admin pages such as those of Portainer, MinIO or Prometheus", ports: [[9000, 9100]] },
  { name: "Elasticsearch", ports: [9200, 9300] },
  { name: "the remote control of Chrome", ports: [9222] },
  { name: "the Kubelet", ports: [10_250, 10_255] },
  { name: "Memcached", ports: [11_211] },
  { name: "the metrics and debugging of cloudflared", ports: [[20_241, 20_245]] },
  { name: "MongoDB", ports: [[27_017, 27_019], 28_017] },
];

/** The service that such a port usually has; undefined for every other port. A port that stands alone counts before a range. */
export function dangerousPort(port: number): string | undefined {
  const single = DANGEROUS.find(({ ports }) => ports.includes(port));
  const ranged = DANGEROUS.find(({ ports }) =>
    ports.some((one) => typeof one !== "number" && one[0] <= port && port <= one[1]),
  );
  return (single ?? ranged)?.name;
}
