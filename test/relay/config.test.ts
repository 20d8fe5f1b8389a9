import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { conflicts } from "../../src/relay/config/files.ts";
import { OPTION_NAMES, RELAY_OPTIONS, type RelayConfig } from "../../src/relay/config/options.ts";
import { readConfig } from "../../src/relay/config/read.ts";
import { folder } from "./support.ts";

type Variables = Record<string, string>;

function good(args: readonly string[] = [], env: Variables = {}): RelayConfig {
  const read = readConfig({ args, env });
  if ("problems" in read) throw new Error(read.problems.join("; "));
  return read.config;
}

function problems(args: readonly string[] = [], env: Variables = {}): readonly string[] {
  const read = readConfig({ args, env });
  return "problems" in read ? read.problems : [];
}

function file(text: string): string {
  const name = path.join(folder(), "relay.toml");
  writeFileSync(name, text);
  return name;
}

describe("the options of the relay", () => {
  it("run it on loopback and in memory when nothing is said", () => {
    const config = good();
    expect(config.listen).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(config["admin-listen"]).toEqual({ host: "127.0.0.1", port: 8081 });
    expect(config.state).toBeUndefined();
    expect(config["tcp-ports"]).toBeUndefined();
    expect(conflicts(config)).toEqual([]);
  });

  it("take a flag before a variable, a variable before the file, and the file before the default", () => {
    const config = file('domain = "file.test"\nmax_tunnels = 5\nlisten = "0.0.0.0:1"\n');
    const env = { RELAY_CONFIG: config, RELAY_DOMAIN: "env.test", RELAY_LISTEN: "0.0.0.0:2" };
    const read = good(["--listen=127.0.0.1:3"], env);
    expect(read.listen).toEqual({ host: "127.0.0.1", port: 3 });
    expect(read.domain).toBe("env.test");
    expect(read["max-tunnels"]).toBe(5);
    expect(read["max-in-flight"]).toBe(RELAY_OPTIONS["max-in-flight"].default);
  });

  it("put variables into the values of the file, and tell of one that is not set", () => {
    const config = file('admin_token = "${WORD}-x"\n');
    expect(good(["--config", config], { WORD: "secret" })["admin-token"]).toBe("secret-x");
    expect(problems(["--config", config])[0]).toMatch(/names the variable WORD, which is not set/);
  });

  it("read every kind of listener, and IPv6", () => {
    const listen = (text: string) => good(["--listen", text]).listen;
    expect(listen("[::1]:80")).toEqual({ host: "::1", port: 80 });
    expect(listen(":80")).toEqual({ host: "0.0.0.0", port: 80 });
    expect(listen("localhost:80")).toEqual({ host: "127.0.0.1", port: 80 });
  });

  it("gather a list that is given more than once", () => {
    expect(good(["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy=::1"])["trusted-proxy"]).toEqual([
      "10.0.0.0/8",
      "::1",
    ]);
  });

  it("name each thing that is wrong, all at once, and where it stands", () => {
    const found = problems(["--listen", "example.com:80", "--domian", "x", "extra"], {
      RELAY_TCP_PORTS: "9-8",
    });
    expect(found.join("\n")).toMatch(/--listen must be HOST:PORT/);
    expect(found.join("\n")).toMatch(/did you mean --domain\?/);
    expect(found.join("\n")).toMatch(/unexpected argument "extra"/);
    expect(found.join("\n")).toMatch(/RELAY_TCP_PORTS must be FIRST-LAST/);
    expect(problems(["--config", "/nowhere/at/all.toml"])[0]).toMatch(/cannot be read/);
    expect(problems(["--config", file("a = 1\nb = ")])[0]).toMatch(/cannot be read as TOML/);
    expect(problems(["--config", file("lsiten = 1\n")])[0]).toMatch(/did you mean --listen/);
    for (const name of ["domain", "listen", "config"])
      expect(problems([`--${name}`])[0]).toContain("needs a value");
  });

  it("take no secret as an argument, and repeat none", () => {
    for (const name of OPTION_NAMES.filter((one) => "isSecret" in RELAY_OPTIONS[one])) {
      const [problem = ""] = problems([`--${name}`, "hunter2"]);
      expect(problem).toContain("seen by other users");
      expect(problem).not.toContain("hunter2");
    }
  });

  it("are refused where they would open more than was meant", () => {
    const because = (args: readonly string[], env: Variables = {}): string =>
      conflicts(good(args, env)).join("\n");
    expect(because(["--tcp-ports", "20000-20010"])).toMatch(/tcp-ports needs tokens/);
    expect(because(["--allow-open-http", "--listen", "0.0.0.0:80"])).toMatch(/loopback/);
    expect(
      because(["--token-file", "/a", "--auth-url", "https://a.test"], { RELAY_AUTH_SECRET: "x" }),
    ).toMatch(/only one/);
    expect(because(["--auth-url", "https://a.test"])).toMatch(/auth-secret/);
    expect(because(["--tls-cert", "/a"])).toMatch(/both/);
    expect(because(["--proxy-protocol"])).toMatch(/trusted-proxy/);
    expect(because(["--state", "/nowhere/at/all"])).toMatch(/not there/);
  });
});
