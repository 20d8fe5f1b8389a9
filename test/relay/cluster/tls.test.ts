import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { expect, test } from "vitest";
import { nodeTls, type NodeTls } from "../../../src/relay/cluster/peers/node-tls.ts";
import { conflicts, readFiles } from "../../../src/relay/config/files.ts";
import { readConfig } from "../../../src/relay/config/read.ts";
import { echoed, echoRoom, folder, guest, hostOf, roomId } from "../support.ts";
import { nodesOf, pair, peerPort } from "./support.ts";

const KIND = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });

/** An authority that signs nodes. */
function authority(): (name: string) => string {
  const own = folder();
  const [ca, key] = [path.join(own, "ca.pem"), path.join(own, "ca-key.pem")];
  openssl("req", "-x509", ...KIND, "-subj", "/CN=cluster", "-keyout", key, "-out", ca);
  return (name) => {
    const to = folder();
    const file = (part: string): string => path.join(to, part);
    openssl("req", ...KIND, "-subj", `/CN=${name}`, "-keyout", file("node-key.pem"), "-out", file("csr"));
    const serial = ["-CAcreateserial", "-days", "2"];
    openssl(
      "x509",
      "-req",
      "-in",
      file("csr"),
      "-CA",
      ca,
      "-CAkey",
      key,
      ...serial,
      "-out",
      file("node.pem"),
    );
    openssl("x509", "-in", ca, "-out", file("ca.pem"));
    return to;
  };
}

/** What a stranger reads before it is cut. */
function knock(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    let read = "";
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options }, () =>
      socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    socket.on("data", (chunk: Buffer) => (read += chunk.toString("latin1")));
    socket.on("error", () => undefined).once("close", () => resolve(read));
  });
}

test("nodes with certificates of the cluster's authority carry guests, and nobody else is heard", async () => {
  const sign = authority();
  const folders = [sign("one"), sign("other")];
  const relays = await nodesOf(2, {}, (index) => ({ tls: nodeTls(folders[index] ?? "") }));
  const [one, other] = pair(relays);
  const room = await echoRoom();
  const name = roomId();
  await hostOf(one)(room.port, { kind: "room", room: name });
  const bytes = Buffer.alloc(500_000, "t");
  const socket = await guest(other.port, name);
  expect((await echoed(socket, bytes)).equals(bytes)).toBe(true);
  const port = await peerPort(one);
  const strange: NodeTls = nodeTls(authority()("one"));
  const signed = nodeTls(sign("third"));
  // No certificate, one of another authority, an old protocol; and one that is right, without the key of the cluster.
  for (const options of [
    {},
    { cert: strange.cert, key: strange.key },
    { ...signed, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" },
    signed,
  ] as const)
    expect(await knock(port, options)).toBe("");
});

test("a node of another authority is not reached", async () => {
  const [first, second] = [authority(), authority()];
  const folders = [first("one"), second("other")];
  const [one, other] = pair(await nodesOf(2, {}, (index) => ({ tls: nodeTls(folders[index] ?? "") })));
  const room = await echoRoom();
  const name = roomId();
  await hostOf(one)(room.port, { kind: "room", room: name });
  const claim = await other.context.claims.find({ kind: "room", name });
  if (claim === undefined) throw new Error("not found");
  expect(await other.context.elsewhere?.reach(claim)).toBeUndefined();
});

test("options of a cluster go together, and say what is missing", () => {
  const problems = (...args: string[]): string => {
    const read = readConfig({ args, env: {} });
    if ("problems" in read) return read.problems.join("; ");
    const files = readFiles(read.config);
    return [...conflicts(read.config), ...("problems" in files ? files.problems : [])].join("; ");
  };
  const cluster = ["--cluster", "nats://127.0.0.1"];
  const sign = authority();
  expect(problems(...cluster, "--node-address", "127.0.0.1:7400")).toBe("");
  expect(problems(...cluster, "--node-address", "10.0.0.1:7400", "--node-tls", sign("x"))).toBe("");
  expect(problems(...cluster)).toContain("both are needed");
  expect(problems("--node-address", "127.0.0.1:7400")).toContain("both are needed");
  expect(problems(...cluster, "--node-address", "10.0.0.1:7400")).toContain("needs --node-tls");
  expect(problems(...cluster, "--node-address", "0.0.0.0:7400")).toContain("node-address");
  const empty = folder();
  writeFileSync(path.join(empty, "ca.pem"), "no certificate");
  for (const wrong of [empty, path.join(empty, "none")])
    expect(problems(...cluster, "--node-address", "10.0.0.1:7400", "--node-tls", wrong)).toContain(
      "node-key.pem",
    );
  expect(problems(...cluster, "--node-address", "127.0.0.1:7400", "--tcp-ports", "20000-20010")).toContain(
    "single node",
  );
});
