import { describe, expect, it } from "vitest";
import { binaryEnvironment, type HostFacts } from "../../../src/tunnel/cloudflared/environment.ts";
import { assetUrl, isSupportedVersion, pinnedRelease } from "../../../src/tunnel/cloudflared/pins.ts";
import { PINS } from "../../../src/tunnel/cloudflared/release.ts";

const host: HostFacts = {
  platform: "linux",
  arch: "x64",
  home: "/home/u",
  cwd: "/w",
  tempDirectory: "/tmp",
  ownDirectory: "/o",
};
const windows: HostFacts = { ...host, platform: "win32", home: "C:\\Users\\u" };

describe("binaryEnvironment", () => {
  it("hands cloudflared what the machine needs and nothing that would steer it", () => {
    const passed = {
      PATH: "/bin",
      HOME: "/h",
      TMPDIR: "/t",
      LC_ALL: "C",
      HTTPS_PROXY: "p",
      no_proxy: "q",
      SSL_CERT_FILE: "/c",
    };
    const steering = {
      TUNNEL_NAME: "x",
      Tunnel_Url: "y",
      NO_AUTOUPDATE: "1",
      STDIN_CONTROL: "1",
      NO_TLS_VERIFY: "1",
      DIAL_EDGE_TIMEOUT: "1ns",
      QLOGDIR: "/q",
      QUIC_GO_LOG_LEVEL: "debug",
      GODEBUG: "x",
      LD_PRELOAD: "l",
      NGROK_AUTHTOKEN: "secret",
      LC_x: "1",
      Path: "/p",
      SystemRoot: "s",
      U: undefined,
    };
    expect(binaryEnvironment({ ...passed, ...steering }, host).childEnv).toEqual(passed);
  });

  it("hands on what Windows needs, in any case of its letters", () => {
    const passed = {
      Path: "C:\\w",
      SystemRoot: "C:\\Windows",
      USERPROFILE: "C:\\u",
      Temp: "t",
      https_proxy: "p",
    };
    const steering = { stdin_control: "1", TUNNEL_TOKEN: "x", OneDrive: "o" };
    expect(binaryEnvironment({ ...passed, ...steering }, windows).childEnv).toEqual(passed);
  });

  it("finds the user's cache by the platform's convention", () => {
    const cacheOf = (env: Record<string, string>, facts: HostFacts): string | undefined =>
      binaryEnvironment(env, facts).cacheHome;
    expect(cacheOf({ XDG_CACHE_HOME: "/x" }, host)).toBe("/x");
    expect(cacheOf({ XDG_CACHE_HOME: "relative" }, host)).toBe("/home/u/.cache");
    expect(cacheOf({ XDG_CACHE_HOME: "/x" }, { ...host, platform: "darwin" })).toBe("/home/u/Library/Caches");
    expect(cacheOf({ LocalAppData: "D:\\Local" }, windows)).toBe("D:\\Local");
    expect(cacheOf({}, windows)).toBe("C:\\Users\\u\\AppData\\Local");
    expect(cacheOf({}, { ...host, home: "" })).toBeUndefined();
  });

  it("drops PATH entries that a project could own", () => {
    const PATH = "/usr/bin::.:bin:./x:/w/node_modules/.bin:/opt/bin";
    expect(binaryEnvironment({ PATH }, host).searchPath).toEqual(["/usr/bin", "/opt/bin"]);
    const Path = 'C:\\Tools;.;;"C:\\Program Files\\cf";\\rooted;D:relative;C:\\w\\node_modules\\.bin';
    expect(binaryEnvironment({ Path }, windows).searchPath).toEqual(["C:\\Tools", "C:\\Program Files\\cf"]);
  });
});

describe("the pins", () => {
  it("are complete hashes, and Windows on arm64 takes the x64 program", () => {
    for (const pin of Object.values(PINS))
      expect([pin.assetSha256, pin.binarySha256].join()).toMatch(/^[0-9a-f]{64},[0-9a-f]{64}$/);
    expect(pinnedRelease("win32", "arm64")).toEqual(pinnedRelease("win32", "x64"));
    expect(pinnedRelease("linux", "mips")).toBeUndefined();
    expect(pinnedRelease("constructor", "x64")).toBeUndefined();
    expect(assetUrl("1.2.3", "a")).toBe(
      "https://github.com/cloudflare/cloudflared/releases/download/1.2.3/a",
    );
  });

  it("support a version for a year", () => {
    expect(["2026.9.3", "2027.1.0", "2025.9.0"].filter((version) => !isSupportedVersion(version))).toEqual(
      [],
    );
    expect(["2025.8.1", "2020.1.1", "DEV", ""].filter(isSupportedVersion)).toEqual([]);
  });
});
