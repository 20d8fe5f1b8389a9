import { describe, expect, it } from "vitest";
import { addressKind, hostForUrl, isForbiddenDialAddress } from "../../src/net/address.ts";

describe("addressKind", () => {
  it.each([
    ["127.0.0.1", "loopback"],
    ["127.255.0.3", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["0.0.0.0", "unspecified"],
    ["::", "unspecified"],
    ["169.254.169.254", "link-local"],
    ["::ffff:a9fe:a9fe", "link-local"],
    ["0:0:0:0:0:ffff:169.254.169.254", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["[fe80::1]", "link-local"],
    ["fd00:ec2::254", "link-local"],
    ["224.0.0.251", "multicast"],
    ["ff02::fb", "multicast"],
    ["255.255.255.255", "broadcast"],
    ["10.1.2.3", "private"],
    ["100.100.1.1", "private"],
    ["fd7a:115c:a1e0::1", "private"],
    ["1.1.1.1", "public"],
    ["2606:4700:4700::1111", "public"],
    ["example.com", undefined],
    ["", undefined],
    ["127.1", undefined],
  ])("%s is %s", (host, kind) => expect(addressKind(host)).toBe(kind));
});

it("forbids what is never a tunnel, and allows LAN and loopback", () => {
  const forbidden = [
    "0.0.0.0",
    "[::]",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "fe80::1",
    "239.1.1.1",
    "255.255.255.255",
  ];
  expect(forbidden.filter((host) => !isForbiddenDialAddress(host))).toEqual([]);
  const allowed = ["127.0.0.1", "::1", "192.168.1.4", "fd00::1", "8.8.8.8", "example.com"];
  expect(allowed.filter(isForbiddenDialAddress)).toEqual([]);
});

it("knows loopback and writes IPv6 for URLs", () => {
  expect(addressKind("[::1]")).toBe("loopback");
  expect(addressKind("localhost")).toBeUndefined();
  expect(hostForUrl("::1")).toBe("[::1]");
  expect(hostForUrl("10.0.0.1")).toBe("10.0.0.1");
});
