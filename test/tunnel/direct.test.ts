import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { createDirectOpener, publicOrigin, type DirectOptions } from "../../src/tunnel/direct.ts";
import { NO_PROOF } from "../support/tunnels/scripted-provider.ts";

const nic = (address: string, family: "IPv4" | "IPv6"): NetworkInterfaceInfo => {
  const common = { address, netmask: "", mac: "", internal: false, cidr: null };
  return family === "IPv4" ? { ...common, family } : { ...common, family, scopeid: 0 };
};
const interfaces = () => ({
  lo: [nic("127.0.0.1", "IPv4")],
  eth: [nic("fe80::1", "IPv6"), nic("fd00::5", "IPv6"), nic("192.168.1.4", "IPv4")],
});
const urlOf = async (options: DirectOptions): Promise<string> =>
  (await createDirectOpener(options)({ port: 4000, proof: NO_PROOF, signal: new AbortController().signal }))
    .url;

describe("the direct provider", () => {
  it.each([
    ["127.0.0.1", "ws://127.0.0.1:4000"],
    ["::1", "ws://[::1]:4000"],
    ["0.0.0.0", "ws://192.168.1.4:4000"],
    ["::", "ws://192.168.1.4:4000"],
  ])("bound to %s gives %s", async (bind, url) => expect(await urlOf({ bind, interfaces })).toBe(url));

  it("falls back to loopback, prefers the user's URL, and can be cancelled", async () => {
    expect(await urlOf({ bind: "::", interfaces: () => ({}) })).toBe("ws://[::1]:4000");
    expect(await urlOf({ bind: "127.0.0.1", publicUrl: "https://t.example/" })).toBe("wss://t.example");
    const open = createDirectOpener({ bind: "127.0.0.1" });
    await expect(open({ port: 1, proof: NO_PROOF, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "cancelled",
    });
  });

  it.each([
    ["wss://t.example:8443", "wss://t.example:8443"],
    ["http://10.0.0.1:80", "ws://10.0.0.1"],
    ["ws://[::1]:9", "ws://[::1]:9"],
  ])("takes %s as %s", (text, origin) => expect(publicOrigin(text)).toBe(origin));

  it.each([
    "",
    "t.example",
    "ftp://t.example",
    "wss://u:p@t.example",
    "wss://t.example/x",
    "wss://t.example?q",
    "wss://t.example#f",
    "wss:t.example",
  ])("refuses %s", (text) => expect(() => publicOrigin(text)).toThrow("TUNNEL_PUBLIC_URL"));
});
