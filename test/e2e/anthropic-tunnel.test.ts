import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { certificate, CA, HAS_OPENSSL, LEAF } from "../anthropic/openssl.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";

const bundle = fileURLToPath(new URL("../../dist/tunnel-mcp.cjs", import.meta.url));
const DOMAIN = "abcd1234.tunnel.anthropic.com";
const TOKEN = "eyJhIjoiYWJjIn0abcdefghijklmnopSECRET";
const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const isPosix = process.platform !== "win32";
const folder = temporaryFolders();

let cwd: string;
beforeEach(() => void (cwd = folder()));

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the built program. Whatever it says, the token is no part of it. */
function run(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bundle, "anthropic-tunnel", ...args], {
    cwd,
    env: { ...process.env, ...env },
    input,
    encoding: "utf8",
  });
  expect(stdout + stderr).not.toContain(TOKEN);
  return { status, out: stdout, err: stderr };
}

const at = (name: string): string => path.join(cwd, "mcp-tunnel", name);
const read = (name: string): string => readFileSync(at(name), "utf8");
const change = (name: string, from: string | RegExp, to: string): void =>
  writeFileSync(at(name), read(name).replace(from, to));
const fillToken = (): void => change(".env", /^TUNNEL_TOKEN=.*$/m, `TUNNEL_TOKEN=${TOKEN}`);
const modeOf = (name: string): string => (statSync(at(name)).mode & 0o777).toString(8);
/** What became of each file. */
const steps = (out: string): Record<string, string> =>
  Object.fromEntries(
    [...out.matchAll(/^(created|updated|same|kept) +(\S+)/gm)].map(([, what = "", file = ""]) => [
      file,
      what,
    ]),
  );
const ALL = [
  ".env",
  ".gitignore",
  "config/mcp-proxy.yaml",
  "docker-compose.yaml",
  "sample/server.mjs",
  "data/ca.crt",
  "data/tls.crt",
];
const allOf = (what: string): Record<string, string> => Object.fromEntries(ALL.map((file) => [file, what]));
const make = (...more: string[]): Ran => run(["init", "--domain", DOMAIN, ...more]);

describe.skipIf(!HAS_OPENSSL)("anthropic-tunnel init (needs openssl)", () => {
  it("goes from nothing to a certificate in two runs, with the domain filled in by hand between them", () => {
    const first = run(["init"]);
    expect(first.status).toBe(0);
    expect(first.out).toMatch(/Manage > MCP tunnels > New tunnel/);
    expect(first.out).toMatch(/Copy Domain \(TUNNEL_DOMAIN\) and Token \(TUNNEL_TOKEN\)/);
    expect(existsSync(at("data/tls.crt"))).toBe(false);
    change(".env", /^TUNNEL_DOMAIN=.*$/m, `TUNNEL_DOMAIN=${DOMAIN}`);
    fillToken();
    const ca = read("data/ca.crt");
    const second = run(["init"]);
    expect(second.status).toBe(0);
    expect(second.out).not.toContain("New tunnel");
    expect(second.out).toContain(`https://echo.${DOMAIN}/mcp`);
    expect(second.out).toContain('"mcp_server_name": "echo"');
    expect(read("data/ca.crt")).toBe(ca);
    const leaf = new X509Certificate(read("data/tls.crt"));
    expect(leaf.verify(new X509Certificate(ca).publicKey)).toBe(true);
    expect(leaf.checkHost(`echo.${DOMAIN}`)).toBeDefined();
    expect(read("config/mcp-proxy.yaml")).toContain(`tunnel_domain: ${DOMAIN}\n`);
    expect(read(".env")).toContain(TOKEN);
  });

  it("changes nothing when it is run again, in its folder or beside it", () => {
    expect(steps(make().out)).toEqual(allOf("created"));
    const before = ALL.map(read);
    expect(steps(make().out)).toEqual(allOf("same"));
    cwd = path.join(cwd, "mcp-tunnel");
    expect(steps(run(["init"]).out)).toEqual(allOf("same"));
    cwd = path.dirname(cwd);
    expect(ALL.map(read)).toEqual(before);
    expect(readdirSync(at("ca"))).toEqual(["ca.key"]);
  });

  it.runIf(isPosix)("keeps the folder and the secrets to their owner, and mends permissions", () => {
    make();
    const modes = [".", "ca", "ca/ca.key", ".env", "data", "data/tls.key"].map(modeOf);
    expect(modes).toEqual(["700", "700", "600", "600", "755", "644"]);
    chmodSync(at("."), 0o755);
    make();
    expect(modeOf(".")).toBe("700");
  });

  it("brings up to date what nobody has changed", () => {
    make();
    const { out } = make(
      "--route",
      "wiki=http://10.0.0.7:3000",
      "--proxy-image",
      DIGEST,
      "--cloudflared-image",
      DIGEST,
    );
    expect(steps(out)).toMatchObject({
      ".env": "updated",
      "config/mcp-proxy.yaml": "updated",
      "docker-compose.yaml": "updated",
      "data/tls.crt": "same",
    });
    expect(read("config/mcp-proxy.yaml")).toContain("  wiki: http://10.0.0.7:3000\n");
    expect(read("docker-compose.yaml")).not.toContain("sample");
    expect(read(".env")).toContain(`CLOUDFLARED_IMAGE=cloudflare/cloudflared@${DIGEST}\n`);
  });

  it("leaves what a person has changed, says so, and keeps it even when forced", () => {
    make();
    for (const file of ["config/mcp-proxy.yaml", "docker-compose.yaml", "sample/server.mjs"])
      writeFileSync(at(file), `${read(file)}\n${file.endsWith("mjs") ? "//" : "#"} mine\n`);
    const kept = run(["init"]);
    expect([kept.status, steps(kept.out)["config/mcp-proxy.yaml"]]).toEqual([0, "kept"]);
    const undone = run(["init", "--route", "wiki=http://wiki:3000"]);
    expect(undone.status).toBe(1);
    expect(undone.err).toContain("--force");
    expect(read("config/mcp-proxy.yaml")).toContain("# mine");
    const forced = run(["init", "--force", "--route", "wiki=http://wiki:3000"]);
    expect([forced.status, steps(forced.out)["config/mcp-proxy.yaml"]]).toEqual([0, "updated"]);
    expect(read("config/mcp-proxy.yaml.old")).toContain("# mine");
    expect(read("docker-compose.yaml.old")).toContain("# mine");
  });

  it("signs anew for another domain, with the same CA and key", () => {
    make();
    const [ca, key] = [read("data/ca.crt"), read("data/tls.key")];
    const { out } = run(["init", "--domain", "other.tunnel.anthropic.com"]);
    expect(steps(out)).toMatchObject({ ".env": "updated", "data/ca.crt": "same", "data/tls.crt": "updated" });
    expect([read("data/ca.crt"), read("data/tls.key")]).toEqual([ca, key]);
  });

  it("leaves certificates of a CA of one's own alone", () => {
    make();
    const own = certificate(folder(), { extensions: CA });
    const leaf = certificate(folder(), { extensions: LEAF(DOMAIN), ca: own });
    writeFileSync(at("data/ca.crt"), own.cert);
    writeFileSync(at("data/tls.crt"), leaf.cert);
    writeFileSync(at("data/tls.key"), leaf.key);
    expect(steps(make().out)).toMatchObject({ "data/ca.crt": "same", "data/tls.crt": "same" });
  });

  it.each([
    ["a folder with other things", () => mkdirSync(at("x"), { recursive: true }), /other things/],
    [
      "somebody else's .env",
      () => {
        mkdirSync(at("."));
        writeFileSync(at(".env"), "A=1\n");
      },
      /something else/,
    ],
    ["a file", () => writeFileSync(at("."), ""), /no folder/],
  ])("refuses %s", (_, prepare, why) => {
    prepare();
    const { status, err } = make();
    expect(status).toBe(1);
    expect(err).toMatch(why);
  });

  it.runIf(isPosix)("follows no link, of the folder or of a file", () => {
    const elsewhere = folder();
    symlinkSync(elsewhere, at("."));
    expect(make().err).toContain("it is a link");
    expect(readdirSync(elsewhere)).toEqual([]);
    cwd = folder();
    make();
    writeFileSync(path.join(elsewhere, "victim"), "untouched");
    spawnSync("rm", [at("data/tls.crt")]);
    symlinkSync(path.join(elsewhere, "victim"), at("data/tls.crt"));
    expect(make()).toMatchObject({ status: 1, err: expect.stringContaining("it is a link") });
    expect(readFileSync(path.join(elsewhere, "victim"), "utf8")).toBe("untouched");
  });
});

describe("anthropic-tunnel, badly called", () => {
  it("says what is missing without openssl, and keeps what it has made", () => {
    const { status, err } = run(["init"], { env: { PATH: folder(), Path: "" } });
    expect(status).toBe(1);
    expect(err).toMatch(/no usable openssl was found.*\n.*Install a current OpenSSL/);
    expect(existsSync(at(".env"))).toBe(true);
  });

  it.each([
    [["init", TOKEN]],
    [[TOKEN]],
    [["init", "x", TOKEN]],
    [["init", `--token=${TOKEN}`]],
    [["init", "--domain", TOKEN]],
    [["init", "--route", `wiki=http://${TOKEN}@wiki:1`]],
    [["init", "--proxy-image", TOKEN]],
    [["check", TOKEN]],
  ])("never repeats a token, nor makes a folder of it", (args) => {
    expect(run(args).status).toBe(2);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it.each([
    [["init", "--route", "wiki=http://localhost:3000"], /loopback/],
    [["init", "--route", "wiki=http://8.8.8.8:80"], /--allow-ip 8\.8\.8\.8/],
    [["init", "--route", "wiki=https://wiki:443"], /--upstream-ca/],
    [["inti"], /did you mean init/],
  ])("explains what is wrong: %j", (args, why) => {
    const { status, err } = run(args);
    expect(status).toBe(2);
    expect(err).toMatch(why);
  });

  it.each([["check"], ["renew"]])("%s leads to init where there is nothing", (action) => {
    const { status, err } = run([action]);
    expect(status).toBe(1);
    expect(err).toContain("anthropic-tunnel init");
  });
});

describe.skipIf(!HAS_OPENSSL)("anthropic-tunnel check (needs openssl)", () => {
  /** Titles of what failed, but for Docker, which not every machine has. */
  const failures = (): readonly string[] =>
    [...run(["check", "--offline"]).out.matchAll(/^FAIL +(\S+)/gm)]
      .map(([, title = ""]) => title)
      .filter((title) => title !== "Docker");

  const whole = (): void => {
    make("--proxy-image", DIGEST, "--cloudflared-image", DIGEST);
    fillToken();
  };

  it("finds nothing wrong with what was made and filled in, and says what it cannot see", () => {
    whole();
    expect(failures()).toEqual([]);
    const { out } = run(["check", "--offline"]);
    expect(out).toContain(`echo.${DOMAIN}: TLS 1.3 in a rehearsal`);
    expect(out).toContain("Token           filled in (not shown)");
    expect(out).toMatch(/Not checked.*\n.*Active in the Console/);
  });

  it("warns of a token in the shell, which Compose would take instead", () => {
    whole();
    const { out } = run(["check", "--offline"], { env: { TUNNEL_TOKEN: TOKEN } });
    expect(out).toMatch(/warn {2}Token/);
  });

  it.each<[string, () => void, string]>([
    ["no token", () => change(".env", TOKEN, "FILL-IN"), "Token"],
    ["no real token", () => change(".env", TOKEN, "hello"), "Token"],
    ["no domain", () => change(".env", `TUNNEL_DOMAIN=${DOMAIN}`, "TUNNEL_DOMAIN="), "Domain"],
    ["an image without digest", () => change(".env", /(CLOUDFLARED_IMAGE=.*)@.*/, "$1:latest"), "Images"],
    ["a list of routes", () => change("config/mcp-proxy.yaml", "  echo:", "  - echo:"), "Proxy"],
    [
      "another domain in the proxy file",
      () => change("config/mcp-proxy.yaml", DOMAIN, "x.tunnel.anthropic.com"),
      "Proxy",
    ],
    ["no --url", () => change("docker-compose.yaml", / --url \S+/, ""), "Compose"],
    ["no CA", () => writeFileSync(at("data/ca.crt"), ""), "CA"],
    ["another key", () => writeFileSync(at("data/tls.key"), read("ca/ca.key")), "Certificate"],
  ])("finds %s", (_, spoil, title) => {
    whole();
    spoil();
    expect(failures()).toEqual([title]);
  });

  it.runIf(isPosix)("finds secrets that others can read", () => {
    whole();
    chmodSync(at(".env"), 0o644);
    expect(failures()).toEqual(["Folder"]);
  });
});

describe.skipIf(!HAS_OPENSSL)("anthropic-tunnel renew (needs openssl)", () => {
  /** Puts a certificate in place that ends in so many days. */
  const leafOf = (days: number): string => {
    const ca = { cert: read("data/ca.crt"), key: read("ca/ca.key") };
    const { cert, key } = certificate(folder(), { extensions: LEAF(DOMAIN), ca, days });
    writeFileSync(at("data/tls.crt"), cert);
    writeFileSync(at("data/tls.key"), key);
    return cert;
  };

  it("renews within the last 30 days, with the same key, and not before", () => {
    make();
    const fresh = leafOf(31);
    const before = run(["renew"]);
    expect([before.status, before.out]).toEqual([0, expect.stringContaining("Not renewed")]);
    expect(read("data/tls.crt")).toBe(fresh);
    leafOf(30);
    const key = read("data/tls.key");
    expect(run(["renew"]).out).toContain("Renewed data/tls.crt");
    const renewed = new X509Certificate(read("data/tls.crt"));
    expect((Date.parse(renewed.validTo) - Date.now()) / 86_400_000).toBeGreaterThan(89);
    expect(read("data/tls.key")).toBe(key);
  });

  it("renews a good one when forced", () => {
    make();
    const before = read("data/tls.crt");
    expect(run(["renew", "--force"]).status).toBe(0);
    expect(read("data/tls.crt")).not.toBe(before);
  });

  it("leaves the old certificate where a new one cannot be made", () => {
    make();
    const before = leafOf(5);
    expect(run(["renew"], { env: { PATH: folder(), Path: "" } }).status).toBe(1);
    expect(read("data/tls.crt")).toBe(before);
  });

  it("gives a CA that ends soon a successor, and goes over to it once a person has registered that", () => {
    make();
    const old = certificate(folder(), { extensions: CA, days: 20 });
    writeFileSync(at("data/ca.crt"), old.cert);
    writeFileSync(at("ca/ca.key"), old.key);
    const staged = run(["renew"]);
    expect(staged.out).toMatch(/successor.*register data\/ca-next\.crt/);
    expect(read("data/ca.crt")).toBe(old.cert);
    const next = read("data/ca-next.crt");
    expect(run(["renew"]).out).toContain("its successor waits");
    expect(read("data/ca-next.crt")).toBe(next);
    expect(run(["renew", "--switch-ca"]).status).toBe(0);
    expect(read("data/ca.crt")).toBe(next);
    expect(read("data/ca.crt.old")).toBe(old.cert);
    const leaf = new X509Certificate(read("data/tls.crt"));
    expect(leaf.verify(new X509Certificate(next).publicKey)).toBe(true);
    expect(run(["renew", "--switch-ca"]).status).toBe(1);
  });
});

describe("anthropic-tunnel doctor", () => {
  it("leads from a log to cause and fix, from stdin and from a file, and shows no line of it", () => {
    const log = `mcp-proxy-1 | no route for host token=${TOKEN}\n`;
    const piped = run(["doctor"], { input: log });
    expect([piped.status, piped.out]).toEqual([
      1,
      expect.stringContaining("docker compose restart mcp-proxy"),
    ]);
    writeFileSync(path.join(cwd, "log.txt"), log);
    expect(run(["doctor", "--log", "log.txt"])).toEqual(piped);
  });

  it("takes an empty log and harmless lines for no failure", () => {
    expect(run(["doctor"])).toMatchObject({ status: 0, out: expect.stringContaining("no failure yet") });
    const harmless = run(["doctor"], { input: "failed to sufficiently increase receive buffer size\n" });
    expect(harmless).toMatchObject({ status: 0, out: expect.stringContaining("harmless") });
  });

  it("says that a tunnel is up", () => {
    const input = `route configured\n${"Registered tunnel connection\n".repeat(4)}`;
    expect(run(["doctor"], { input })).toMatchObject({
      status: 0,
      out: expect.stringContaining("the tunnel is up"),
    });
  });

  it("has a code for a log that cannot be read", () => {
    expect(run(["doctor", "--log", "nothing"])).toMatchObject({
      status: 1,
      err: expect.stringContaining("ENOENT"),
    });
  });
});
