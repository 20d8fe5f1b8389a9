import { describe, expect, it } from "vitest";
import { composeProblems, isOwnCompose, renderCompose } from "../../src/anthropic/compose.ts";
import {
  imageOf,
  isPinned,
  newEnvFile,
  tokenState,
  valueIn,
  withValue,
} from "../../src/anthropic/env-file.ts";
import {
  type ProxyFile,
  readProxyFile,
  renderProxyFile,
  upstreamFor,
} from "../../src/anthropic/proxy-file.ts";
import { usageOf } from "../../src/anthropic/request.ts";
import { readYaml } from "../../src/anthropic/yaml.ts";

const FILE: ProxyFile = {
  domain: "abcd1234.tunnel.anthropic.com",
  routes: [
    { label: "echo", upstream: "http://sample:9000" },
    { label: "wiki", upstream: "https://10.0.0.7:8443" },
  ],
  allowedIps: ["10.0.0.0/8", "203.0.113.7"],
  upstreamCas: "file",
};

describe("the proxy's file", () => {
  it.each<[string, ProxyFile]>([
    ["all there is", FILE],
    ["a route alone", { ...FILE, routes: FILE.routes.slice(0, 1), allowedIps: [], upstreamCas: "none" }],
    ["the system's certificates", { ...FILE, allowedIps: [], upstreamCas: "system" }],
  ])("is read as it is written: %s", (_, file) => {
    expect(readProxyFile(renderProxyFile(file))).toEqual({ file, problems: [] });
  });

  const changed = (from: string | RegExp, to: string): string => renderProxyFile(FILE).replace(from, to);

  it.each([
    [
      "routes as a list",
      changed(/ {2}echo:.*\n {2}wiki:.*\n/, "  - echo: http://sample:9000\n"),
      "routes is a list",
    ],
    [
      "a path",
      changed("http://sample:9000", "http://sample:9000/mcp"),
      "route echo: the upstream has a path",
    ],
    ["no port", changed("http://sample:9000", "http://sample"), "route echo: the upstream has no port"],
    ["another port", changed(":8080", ":9090"), "listen_addr is not :8080"],
    ["another key", changed("/data/tls.key", "/etc/tls.key"), "tls.key_file is not /data/tls.key"],
    ["a misspelt name", changed("tunnel_domain", "tunnel_domian"), "did you mean tunnel_domain?"],
    ["two of one name", changed("  wiki:", "  echo:"), "this name is there twice"],
    ["a tab", changed("  echo:", "\techo:"), "tabs"],
    ["both switches", `${renderProxyFile(FILE)}  disable_ip_validation: true\n`, "exclude each other"],
    ["no route", changed(/routes:\n(?: {2}.*\n){2}/, "routes:\n"), "there is no route"],
    ["an anchor", changed("info", "&level info"), "this form of a value"],
    ["a map in braces", changed(/routes:\n(?: {2}.*\n){2}/, "routes: {}\n"), "this form of a value"],
    ["no domain", changed(/tunnel_domain:.*\n/, ""), "tunnel_domain: the domain is no name"],
  ])("is found out: %s", (_, text, problem) => {
    expect(readProxyFile(text).problems.join("\n")).toContain(problem);
  });

  it("may be changed by hand: comments, quotes, whole hostnames, Windows line ends", () => {
    const text = `# the team's tunnel, don't touch
listen_addr: ':8080'   # for cloudflared
log_level: debug
tunnel_domain: "${FILE.domain}"
tls: # not the team's
    cert_file: /data/tls.crt
    key_file: /data/tls.key
routes:
    "echo": http://sample:9000
    wiki.${FILE.domain}: http://wiki:3000 # don't
upstream:
    allowed_ips: [10.0.0.0/8, '172.16.0.0/12']
`.replaceAll("\n", "\r\n");
    const { file, problems } = readProxyFile(text);
    expect(problems).toEqual([]);
    expect(file).toEqual({
      domain: FILE.domain,
      routes: [
        { label: "echo", upstream: "http://sample:9000" },
        { label: "wiki", upstream: "http://wiki:3000" },
      ],
      allowedIps: ["10.0.0.0/8", "172.16.0.0/12"],
      upstreamCas: "none",
    });
  });

  it("is asked by the whole hostname", () => {
    expect(upstreamFor(`wiki.${FILE.domain}`, FILE)).toBe("https://10.0.0.7:8443");
    for (const host of ["wiki", FILE.domain, `x.${FILE.domain}`, `wiki.${FILE.domain}.evil.example`])
      expect(upstreamFor(host, FILE)).toBeUndefined();
  });
});

describe("the reader of YAML", () => {
  it.each(["a", "a: 1\n   b: 2", "a: b: c", "- a", "a: |\n  b", "<<: *x", "a: 'x", "a: [b"])(
    "refuses with a line what it does not know: %j",
    (text) => expect(readYaml(text)).toMatchObject({ line: expect.any(Number), why: expect.any(String) }),
  );

  it("reads nothing as no names", () => expect(readYaml("# nothing\n\n")).toEqual(new Map()));
});

describe("docker-compose.yaml", () => {
  it("names no image and no token, and what the containers need", () => {
    for (const text of [renderCompose(true), renderCompose(false)]) {
      expect(isOwnCompose(text)).toBe(true);
      expect(composeProblems(text)).toEqual([]);
      expect(readYaml(text.replaceAll(/\[.*\]/g, "x"))).toBeInstanceOf(Map);
      expect(text).toMatch(/-config", "\/config\/mcp-proxy\.yaml/);
      expect(text.match(/cap_drop/g)?.length).toBe(text.match(/image:/g)?.length);
      expect(text).not.toMatch(/sha256|eyJ/);
    }
    expect(renderCompose(false)).not.toContain("sample");
  });

  const text = renderCompose(true);
  it.each([
    ["no --url", text.replace(/ --url \S+/, ""), "--url"],
    ["a network of its own", text.replace(/.*network_mode.*\n/, ""), "network_mode"],
    ["no token", text.replace(/.*- TUNNEL_TOKEN\n/, ""), "TUNNEL_TOKEN"],
    ["no path", text.replace(/.*-config.*\n/, ""), "-config"],
    [
      "the path in a comment alone",
      text.replace('    command: ["-config', '    # command: ["-config'),
      "-config",
    ],
    [
      "the token itself",
      text.replace("- TUNNEL_TOKEN", "- TUNNEL_TOKEN=eyJhIjoiYWJjIn0abcdefghijklmnop"),
      "token itself",
    ],
  ])("is found out: %s", (_, changed, problem) => {
    expect(isOwnCompose(changed)).toBe(false);
    const said = composeProblems(changed).join("\n");
    expect(said).toContain(problem);
    expect(said).not.toContain("eyJ");
  });
});

const TOKEN = "eyJhIjoiYWJjIn0abcdefghijklmnop";
const DIGEST = "0123456789abcdef".repeat(4);

describe(".env", () => {
  it("begins with placeholders, and changes one line at a time", () => {
    const env = newEnvFile();
    expect(tokenState(env)).toBe("placeholder");
    const named = withValue(env, "TUNNEL_DOMAIN", "a.b.c");
    expect(valueIn(named, "TUNNEL_DOMAIN")).toBe("a.b.c");
    expect(named.split("\n").filter((line, at) => line !== env.split("\n")[at])).toEqual([
      "TUNNEL_DOMAIN=a.b.c",
    ]);
    expect(withValue("X=1", "Y", "2")).toBe("X=1\nY=2\n");
  });

  it.each([
    [`TUNNEL_TOKEN=${TOKEN}`, "present"],
    [`export TUNNEL_TOKEN="${TOKEN}"\r\n`, "present"],
    [`TUNNEL_TOKEN = ${TOKEN} # mine`, "present"],
    [`TUNNEL_TOKEN=x\nTUNNEL_TOKEN=${TOKEN}`, "present"],
    ["", "absent"],
    ["TUNNEL_TOKEN=", "absent"],
    [`#TUNNEL_TOKEN=${TOKEN}`, "absent"],
    ["TUNNEL_TOKEN=FILL-IN", "placeholder"],
    ["TUNNEL_TOKEN=eyJ", "malformed"],
    [`TUNNEL_TOKEN=${TOKEN} ${TOKEN}`, "malformed"],
    ["TUNNEL_TOKEN=sk-ant-abcdefghijklmnopqrstuvwxyz", "malformed"],
  ])("tells the state of the token: %j", (text, state) => expect(tokenState(text)).toBe(state));

  it("takes images with their digest alone", () => {
    expect(imageOf(`sha256:${DIGEST}`, "cloudflared")).toBe(`cloudflare/cloudflared@sha256:${DIGEST}`);
    expect(imageOf(`registry.example:5000/a/b:1.2@sha256:${DIGEST}`, "proxy")).toMatch(/^registry/);
    for (const bad of [
      "latest",
      `sha256:${DIGEST}0`,
      `a@sha256:${DIGEST.toUpperCase()}`,
      "a@sha256:",
      `a b@sha256:${DIGEST}`,
    ])
      expect(imageOf(bad, "proxy"), bad).toBeUndefined();
    expect(isPinned("node:22-alpine")).toBe(false);
  });
});

it("the request names each server once, and one toolset for each", () => {
  const { urls, body } = usageOf(FILE);
  expect(urls).toEqual([
    "https://echo.abcd1234.tunnel.anthropic.com/mcp",
    "https://wiki.abcd1234.tunnel.anthropic.com/mcp",
  ]);
  expect(body).toMatchObject({
    mcp_servers: urls.map((url, at) => ({ type: "url", url, name: ["echo", "wiki"][at] })),
    tools: [
      { type: "mcp_toolset", mcp_server_name: "echo" },
      { type: "mcp_toolset", mcp_server_name: "wiki" },
    ],
  });
});
