import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { conflicts } from "../../src/relay/config/files.ts";
import { readConfig } from "../../src/relay/config/read.ts";
import { variableOf, OPTION_NAMES, type RelayConfig } from "../../src/relay/config/options.ts";
import { NODE } from "../support/agent.ts";
import { atEnd, folder } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DEPLOY = path.join(ROOT, "deploy");
const read = (name: string): string => readFileSync(path.join(DEPLOY, name), "utf8");
/** What is set, without comments. */
const lines = (name: string): string[] =>
  read(name)
    .split("\n")
    .map((line) => line.replace(/^\s*#.*$/, "").trimEnd())
    .filter((line) => line !== "");
const has = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;

const texts = z.array(z.string());
const network = z.record(z.string(), z.object({ ipv4_address: z.string() }));
const logging = z.object({
  driver: z.literal("local"),
  options: z.object({ "max-size": z.string(), "max-file": z.string() }),
});
const service = z.strictObject({
  build: z
    .object({ context: z.string(), dockerfile: z.string(), args: z.record(z.string(), z.string()) })
    .optional(),
  image: z.string(),
  depends_on: z.record(z.string(), z.object({ condition: z.literal("service_healthy") })).optional(),
  restart: z.literal("unless-stopped"),
  init: z.literal(true).optional(),
  user: z.string().optional(),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal("ALL")]),
  cap_add: texts.optional(),
  security_opt: z.tuple([z.literal("no-new-privileges:true")]),
  pids_limit: z.number().positive(),
  mem_limit: z.string(),
  ulimits: z.object({ nofile: z.object({ soft: z.number(), hard: z.number() }) }),
  environment: z.record(z.string(), z.string()),
  command: texts.optional(),
  ports: texts.optional(),
  volumes: texts,
  tmpfs: texts,
  networks: network,
  stop_grace_period: z.string().regex(/^\d+s$/),
  logging,
});
const networks = z.record(
  z.string(),
  z.object({ ipam: z.object({ config: z.array(z.object({ subnet: z.string() })) }) }),
);
const volumes = z.record(z.string(), z.null());
const compose = z
  .strictObject({
    name: z.string(),
    services: z.strictObject({ relay: service, caddy: service }),
    networks,
    volumes,
  })
  .parse(parse(read("compose.yaml")));
const { relay, caddy } = compose.services;

/** The options that a program gets, which must all be options of the relay. */
function configOf(args: readonly string[], env: Readonly<Record<string, string>>): RelayConfig {
  const result = readConfig({ args, env });
  if ("problems" in result) throw new Error(result.problems.join("\n"));
  return result.config;
}

test("no file names a registry, an image without a digest, or a secret", () => {
  const files = readdirSync(DEPLOY);
  expect(files).toContain("compose.yaml");
  for (const file of files) {
    const text = read(file);
    expect(text).not.toMatch(/\b(?:docker\.io|ghcr\.io|quay\.io|gcr\.io|registry[.-])/);
    expect(text).not.toMatch(/tmr_/);
    for (const [image] of text.matchAll(/\b(?:node|caddy|nginx):\d\S*/g)) expect(image).toMatch(/@sha256:/);
  }
  expect(relay.build?.args["NODE_IMAGE"]).toMatch(/^\$\{NODE_IMAGE:\?/);
  expect(caddy.image).toMatch(/^\$\{CADDY_IMAGE:\?/);
  const named = [...read("compose.yaml").matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
  const example = lines(".env.example").map((line) => line.split("=")[0]);
  expect(new Set(named)).toEqual(new Set(example));
});

test("compose: the relay is no one's to reach but Caddy's, runs as nobody, and writes into its state alone", () => {
  expect(relay.ports).toBeUndefined();
  expect(relay.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(relay.cap_add).toBeUndefined();
  expect(caddy.cap_add).toEqual(["NET_BIND_SERVICE"]);
  expect(caddy.ports?.map((port) => port.split(":")[0])).toEqual(["80", "443"]);
  const volumes = [...relay.volumes, ...caddy.volumes].filter((volume) => !volume.startsWith("."));
  expect(new Set(volumes.map((volume) => volume.split(":")[0]))).toEqual(
    new Set(Object.keys(compose.volumes)),
  );
  expect(relay.volumes).toEqual([`state:${relay.environment["RELAY_STATE"]}`]);
  for (const volume of caddy.volumes.filter((one) => one.startsWith("./"))) {
    expect(volume).toMatch(/:ro$/);
    expect(existsSync(path.join(DEPLOY, volume.split(":")[0] ?? ""))).toBe(true);
  }
  const dockerfile = path.resolve(DEPLOY, relay.build?.context ?? "", relay.build?.dockerfile ?? "");
  expect(dockerfile).toBe(path.join(DEPLOY, "Dockerfile"));
});

test("compose: every variable is an option of the relay, they go together, and only Caddy's address is believed", () => {
  const options = new Set(OPTION_NAMES.map(variableOf));
  for (const name of Object.keys(relay.environment)) expect(options).toContain(name);
  const env = { ...relay.environment, RELAY_DOMAIN: "relay.example.com" };
  const config = configOf([], env);
  expect(conflicts({ ...config, state: undefined })).toEqual([]);
  const of = ({ networks }: typeof relay): string => Object.values(networks)[0]?.ipv4_address ?? "";
  expect(config["trusted-proxy"]).toEqual([of(caddy)]);
  expect(config["admin-listen"].host).toBe("127.0.0.1");
  expect(Number.parseInt(relay.stop_grace_period, 10)).toBeGreaterThan(config["drain-seconds"]);
  const upstreams = [...read("Caddyfile").matchAll(/reverse_proxy (\S+)/g)].map(([, upstream]) => upstream);
  expect(new Set(upstreams)).toEqual(new Set([`${of(relay)}:${config.listen.port}`]));
  const [subnet = ""] = Object.values(compose.networks)[0]?.ipam.config.map((one) => one.subnet) ?? [];
  for (const one of [of(relay), of(caddy)]) expect(one.startsWith(subnet.replace(/0\/24$/, ""))).toBe(true);
});

test("the cluster's compose file: three nodes and three servers, each where the others look for it", () => {
  const relays = { "relay-1": service, "relay-2": service, "relay-3": service };
  const engines = { "nats-1": service, "nats-2": service, "nats-3": service };
  const { services, ...cluster } = z
    .strictObject({
      name: z.string(),
      services: z.strictObject({ ...relays, ...engines, caddy: service }),
      networks,
      volumes,
      "x-relay": z.unknown(),
      "x-engine": z.unknown(),
      "x-environment": z.unknown(),
      "x-logging": z.unknown(),
    })
    .parse(parse(read("cluster.compose.yaml"), { merge: true }));
  const addressOf = (of: z.infer<typeof service>): string =>
    Object.values(of.networks)[0]?.ipv4_address ?? "";
  const nodes = [services["relay-1"], services["relay-2"], services["relay-3"]];
  const servers = [services["nats-1"], services["nats-2"], services["nats-3"]];
  const options = new Set(OPTION_NAMES.map(variableOf));
  for (const node of nodes) {
    for (const name of Object.keys(node.environment)) expect(options).toContain(name);
    const password = "${NATS_PASSWORD:?a password that the relays and the engine share}";
    const servers = node.environment["RELAY_CLUSTER"]?.replace(password, "p4ss") ?? "";
    const config = configOf([], { ...node.environment, RELAY_DOMAIN: "relay.test", RELAY_CLUSTER: servers });
    expect(conflicts(config)).toEqual([]);
    expect(config.cluster).toMatchObject({ login: { user: "relay", pass: "p4ss" } });
    expect(config.cluster?.addresses).toEqual(
      [services["nats-1"], services["nats-2"], services["nats-3"]].map((one) => `${addressOf(one)}:4222`),
    );
    expect(config["node-address"]?.host).toBe(addressOf(node));
    expect(config["trusted-proxy"]).toEqual([addressOf(services.caddy)]);
    expect(Number.parseInt(node.stop_grace_period, 10)).toBeGreaterThan(config["drain-seconds"]);
    expect(node.ports).toBeUndefined();
    expect(node.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  }
  expect(new Set(nodes.map(({ environment }) => environment["RELAY_NODE_TLS"])).size).toBe(3);
  for (const server of servers) {
    expect(server.ports).toBeUndefined();
    expect(server.environment).toEqual({ NATS_PASSWORD: "${NATS_PASSWORD:?}" });
  }
  const routes = [...read("cluster.nats.conf").matchAll(/nats:\/\/([\d.]+):6222/g)].map(
    ([, address]) => address,
  );
  expect(routes).toEqual(servers.map(addressOf));
  const upstreams = /reverse_proxy (.*) \{/.exec(read("cluster.Caddyfile"))?.[1]?.split(" ");
  expect(upstreams).toEqual(nodes.map((node) => `${addressOf(node)}:8080`));
  const all = [...nodes, ...servers, services.caddy];
  expect(new Set(all.map(addressOf)).size).toBe(all.length);
  const named = all.flatMap((one) => one.volumes).filter((volume) => !volume.startsWith("."));
  expect(new Set(named.map((volume) => volume.split(":")[0]))).toEqual(new Set(Object.keys(cluster.volumes)));
  const variables = [...read("cluster.compose.yaml").matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
  const example = lines("cluster.env.example").map((line) => line.split("=")[0]);
  expect(new Set(variables)).toEqual(new Set(example));
});

test("Caddyfile: braces close, nothing is buffered, and nobody administers it over a network", () => {
  const text = lines("Caddyfile").join("\n");
  expect(text.split("{").length).toBe(text.split("}").length);
  expect(text).toMatch(/^\{\$RELAY_DOMAIN\} \{$/m);
  expect(text).toMatch(/^\tadmin off$/m);
  expect(text).toMatch(/^\t\tflush_interval -1$/m);
  if (has("caddy"))
    execFileSync(
      "caddy",
      ["validate", "--adapter", "caddyfile", "--config", path.join(DEPLOY, "Caddyfile")],
      {
        env: { ...process.env, RELAY_DOMAIN: "relay.example.com" },
      },
    );
});

/** The instructions of the Dockerfile, with continued lines put together. */
function instructions(): { readonly name: string; readonly text: string }[] {
  return lines("Dockerfile")
    .join("\n")
    .replaceAll("\\\n", "")
    .split("\n")
    .map((line) => ({ name: line.split(" ", 1)[0] ?? "", text: line.slice(line.indexOf(" ") + 1).trim() }));
}

test("Dockerfile: both stages come from the one named image, and the last one runs nothing and nobody's program as root", () => {
  const all = instructions();
  expect(all[0]).toEqual({ name: "ARG", text: "NODE_IMAGE" });
  const stages = all.flatMap(({ name, text }, index) => (name === "FROM" ? [{ text, index }] : []));
  expect(stages.map(({ text }) => text)).toEqual([`\${NODE_IMAGE} AS build`, `\${NODE_IMAGE}`]);
  const last = all.slice((stages.at(-1)?.index ?? 0) + 1);
  expect(last.map(({ name }) => name)).not.toContain("RUN");
  expect(last.find(({ name }) => name === "USER")?.text).toBe(relay.user);
  expect(last.map(({ name }) => name).indexOf("USER")).toBeLessThan(
    last.map(({ name }) => name).indexOf("ENTRYPOINT"),
  );
  for (const { name, text } of all.filter((one) => ["ENTRYPOINT", "RUN"].includes(one.name)))
    expect([name, Array.isArray(JSON.parse(text))]).toEqual([name, true]);
  const entry = last.find(({ name }) => name === "ENTRYPOINT")?.text ?? "[]";
  expect(JSON.parse(entry)).toEqual(["node", "/app/tunnel-mcp.cjs", "relay"]);
  const settings = last.filter(({ name }) => name === "ENV").flatMap(({ text }) => text.split(" "));
  const env = Object.fromEntries(
    settings.map((one): [string, string] => [one.split("=")[0] ?? "", one.split("=")[1] ?? ""]),
  );
  expect(configOf([], env).listen).toEqual({ host: "0.0.0.0", port: 8080 });
});

test("Dockerfile: the build needs nothing but what is copied, and its program starts", () => {
  const copied = instructions()
    .filter(({ name, text }) => name === "COPY" && !text.startsWith("--from"))
    .flatMap(({ text }) => text.split(" ").slice(0, -1));
  const ignored = lines("Dockerfile.dockerignore");
  expect(ignored[0]).toBe("*");
  expect(new Set(ignored.slice(1).map((line) => line.slice(1)))).toEqual(new Set(copied));
  const source = folder();
  for (const file of copied) cpSync(path.join(ROOT, file), path.join(source, file), { recursive: true });
  symlinkSync(path.join(ROOT, "node_modules"), path.join(source, "node_modules"), "junction");
  const built = spawnSync(NODE, ["scripts/build.mjs", "--quiet"], { cwd: source, encoding: "utf8" });
  expect(built).toMatchObject({ status: 0, stderr: "" });
  const app = path.join(folder(), "app");
  mkdirSync(app);
  for (const file of readdirSync(path.join(source, "dist")).filter((name) => name.endsWith(".cjs")))
    cpSync(path.join(source, "dist", file), path.join(app, file));
  const checked = spawnSync(NODE, [path.join(app, "tunnel-mcp.cjs"), "relay", "--check"], {
    encoding: "utf8",
    env: {},
  });
  expect(checked).toMatchObject({ status: 0, stderr: "" });
}, 60_000);

test("Dockerfile: the health check tells a relay that lives from one that does not", async () => {
  const text = instructions().find(({ name }) => name === "HEALTHCHECK")?.text ?? "";
  const [program = "", ...args] = texts.parse(JSON.parse(text.slice(text.indexOf("CMD ") + 4)));
  expect(program).toBe("node");
  const asked: string[] = [];
  let status = 200;
  const server = createServer(({ url = "" }, response) => {
    asked.push(url);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => server.close());
  atEnd(() => server.closeAllConnections());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  expect(configOf([], {})["admin-listen"]).toEqual({ host: "127.0.0.1", port: 8081 });
  const here = (to: number): string[] => args.map((arg) => arg.replace(":8081/", `:${to}/`));
  const run = async (to: number): Promise<number | null> => {
    const { spawn } = await import("node:child_process");
    return new Promise((resolve) => spawn(NODE, here(to)).once("exit", resolve));
  };
  expect(await run(port)).toBe(0);
  status = 503;
  expect(await run(port)).toBe(1);
  expect(await run(9)).toBe(1);
  expect(asked).toEqual(["/healthz", "/healthz"]);
});

test("nginx: what a relay needs is passed, and nothing is gathered", () => {
  const set = new Map(
    lines("nginx.conf").map((line): [string, string] => {
      const [, name = "", value = ""] = /^\s*(\S+(?: +[\w-]+(?= +\$))?)\s+(.*?);?$/.exec(line) ?? [];
      return [name.replace(/ +/, " "), value];
    }),
  );
  expect(set.get("proxy_http_version")).toBe("1.1");
  expect(set.get("proxy_buffering")).toBe("off");
  expect(set.get("proxy_request_buffering")).toBe("off");
  expect(set.get("client_max_body_size")).toBe("0");
  expect(set.get("proxy_set_header Host")).toBe("$http_host");
  expect(set.get("proxy_set_header Upgrade")).toBe("$http_upgrade");
  expect(set.get("proxy_set_header Connection")).toBe("$tunnel_connection");
  expect(set.get("proxy_set_header X-Forwarded-For")).toBe("$remote_addr");
  expect(Number.parseInt(set.get("proxy_read_timeout") ?? "", 10)).toBeGreaterThanOrEqual(60);
  const text = lines("nginx.conf").join("\n");
  expect(text.split("{").length).toBe(text.split("}").length);
  const [, command = ""] = /tunnel-mcp (relay .*)$/m.exec(read("nginx.conf")) ?? [];
  expect(configOf(command.split(" ").slice(1), {})["trusted-proxy"]).toEqual(["loopback"]);
});

test("the file of options is a good one", () => {
  const config = configOf(["--config", path.join(DEPLOY, "relay.toml")], { STATE_DIRECTORY: folder() });
  expect(conflicts(config)).toEqual([]);
  expect(config["token-file"]).toBe(path.join(config.state ?? "", "tokens.json"));
});

test("systemd: the unit is hardened, drains in time, and systemd takes it", () => {
  const unit = new Map(
    lines("tunnel-relay.service")
      .filter((line) => line.includes("="))
      .map((line): [string, string] => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const [node, bundle = "", ...args] = (unit.get("ExecStart") ?? "").split(" ");
  expect(bundle).toMatch(/\/dist\/tunnel-mcp\.cjs$/);
  expect(args[0]).toBe("relay");
  expect(args.slice(1, 2)).toEqual(["--config"]);
  expect(path.basename(args[2] ?? "")).toBe("relay.toml");
  const config = configOf(["--config", path.join(DEPLOY, "relay.toml")], { STATE_DIRECTORY: folder() });
  expect(Number.parseInt(unit.get("TimeoutStopSec") ?? "", 10)).toBeGreaterThan(config["drain-seconds"]);
  expect(unit.get("ExecReload")).toBe("/bin/kill -HUP $MAINPID");
  for (const name of ["DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"])
    expect([name, unit.get(name)]).toEqual([name, "yes"]);
  expect(unit.get("ProtectSystem")).toBe("strict");
  expect(unit.get("CapabilityBoundingSet")).toBe("");
  expect(unit.has("MemoryDenyWriteExecute")).toBe(false);
  if (!has("systemd-analyze")) return;
  const file = path.join(folder(), "tunnel-relay.service");
  writeFileSync(
    file,
    read("tunnel-relay.service").replace(node ?? "", statSync(NODE).isFile() ? NODE : "/bin/true"),
  );
  const verified = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
  expect(verified.stderr).toBe("");
  expect(verified.status).toBe(0);
});
