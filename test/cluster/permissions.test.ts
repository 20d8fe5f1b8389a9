import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ClusterClaims } from "../../src/relay/cluster/cluster-claims.ts";
import { NatsEngine } from "../../src/relay/cluster/nats/nats-engine.ts";
import { parseServers } from "../../src/relay/cluster/nats/servers.ts";
import { claimsContract } from "../relay/claims/contract.ts";
import { openClaims } from "../relay/cluster/open-claims.ts";
import { freePorts, NatsServer } from "./nats.ts";

const CONFIG = fileURLToPath(new URL("../../deploy/cluster.nats.conf", import.meta.url));
const PASSWORD = "p4ssword";

describe("an engine that allows what deploy/cluster.nats.conf allows", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "nats-permissions-"));
  const ends: { node: string; claims: ClusterClaims }[] = [];
  let server: NatsServer;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    const file = path.join(folder, "nats.conf");
    const text = readFileSync(CONFIG, "utf8")
      .replace("0.0.0.0:4222", `127.0.0.1:${port}`)
      .replace("/data", path.join(folder, "data").replaceAll("\\", "/"))
      // By itself, here: servers that are joined are what other tests have.
      .replace(/^cluster \{[^}]*\}$/m, "");
    expect(text).not.toContain("172.30");
    writeFileSync(file, text);
    server = new NatsServer(port, ["-c", file], { NATS_PASSWORD: PASSWORD });
    await server.start();
    for (const node of ["a", "b", "c"]) {
      const servers = parseServers(`nats://relay:${PASSWORD}@127.0.0.1:${port}`);
      if (servers === undefined) throw new Error("no servers");
      const engine = await NatsEngine.open({ servers, name: node, onTrouble: () => undefined });
      ends.push({ node, claims: await openClaims(node, engine) });
    }
  });

  afterAll(async () => {
    for (const { claims } of ends) await claims.close();
    await server.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  claimsContract(async () => ({ ends }));

  test("nobody else gets in, and nothing else is allowed", async () => {
    const at = `127.0.0.1:${server.port}`;
    await expect(connect({ servers: at })).rejects.toThrow();
    await expect(connect({ servers: at, user: "relay", pass: "wrong" })).rejects.toThrow();
    const servers = parseServers(`nats://relay:wrong@${at}`);
    if (servers === undefined) throw new Error("no servers");
    await expect(NatsEngine.open({ servers, name: "x", onTrouble: () => undefined })).rejects.toMatchObject({
      code: "cluster-unreachable",
    });
    const relay = await connect({ servers: at, user: "relay", pass: PASSWORD });
    for (const subject of ["$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.KV_other", "other"])
      await expect(relay.request(subject, "", { timeout: 500 })).rejects.toThrow();
    await relay.close();
  });
});
