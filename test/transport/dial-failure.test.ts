import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { failureOf, isDirectAddress, refusalOf, type DialFailure } from "../../src/transport/dial-failure.ts";

const DIRECT = "ws://192.0.2.7:4000";
const PUBLIC = "wss://calm-red-fox.trycloudflare.com";

function answered(origin: string, status: number): DialFailure {
  const response = new IncomingMessage(new Socket());
  response.statusCode = status;
  return refusalOf(origin, response);
}

function failed(origin: string, code: string | undefined): DialFailure {
  return failureOf(origin, Object.assign(new Error("secret"), code === undefined ? {} : { code }));
}

describe("a direct address is", () => {
  it.each([
    ["ws://192.0.2.7:4000", true],
    ["wss://192.0.2.7", true],
    ["wss://[2001:db8::1]:8443", true],
    ["ws://[::1]:4000", true],
    ["wss://localhost:4000", true],
    ["wss://a.localhost", true],
    ["ws://my-laptop.example:4000", true],
    ["wss://my-laptop.example:4000", false],
    ["wss://localhost.example", false],
    ["wss://1.2.3.4.example", false],
    [PUBLIC, false],
  ])("%s: %s", (origin, isDirect) => {
    expect(isDirectAddress(origin)).toBe(isDirect);
  });
});

describe("[D9] what the failure of a dial says", () => {
  // Kind of address; gone; whether somebody who joins tries on.
  it.each([
    ["ECONNREFUSED", "host-unreachable", [true, false], [false, true]],
    ["ENOTFOUND", "host-name-unknown", [false, true], [false, true]],
    ["EAI_AGAIN", "host-name-unknown", [false, true], [false, true]],
    ["ECONNRESET", "host-unreachable", [false, true], [false, true]],
    ["ETIMEDOUT", "host-unreachable", [false, false], [false, true]],
    ["ENETUNREACH", "host-unreachable", [false, false], [false, true]],
    ["EHOSTUNREACH", "host-unreachable", [false, false], [false, true]],
    [undefined, "host-unreachable", [false, false], [false, true]],
    ["CERT_HAS_EXPIRED", "host-unreachable", [false, false], [false, false]],
    ["SELF_SIGNED_CERT_IN_CHAIN", "host-unreachable", [false, false], [false, false]],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "host-unreachable", [false, false], [false, false]],
    ["EPROTO", "host-unreachable", [false, false], [false, false]],
  ] as const)("%s", (code, error, [directGone, directPass], [publicGone, publicPass]) => {
    expect(failed(DIRECT, code)).toMatchObject({
      error: { code: error },
      isGone: directGone,
      mayPass: directPass,
    });
    expect(failed(PUBLIC, code)).toMatchObject({
      error: { code: error },
      isGone: publicGone,
      mayPass: publicPass,
    });
  });

  it.each([
    // The relay of another room, a portal, an edge that does not know the name.
    [404, "tunnel-gone", [true, false], [false, true]],
    [410, "tunnel-gone", [true, false], [false, true]],
    [429, "host-unreachable", [false, true], [false, true]],
    [500, "host-unreachable", [false, true], [false, true]],
    [502, "host-unreachable", [false, true], [false, true]],
    [511, "host-unreachable", [false, true], [false, true]],
    [530, "host-unreachable", [false, true], [false, true]],
    [200, "not-a-tunnel", [false, false], [false, false]],
    [302, "not-a-tunnel", [false, false], [false, false]],
    [401, "not-a-tunnel", [false, false], [false, false]],
    [403, "not-a-tunnel", [false, false], [false, false]],
    [407, "not-a-tunnel", [false, false], [false, false]],
  ] as const)("status %i", (status, error, [directGone, directPass], [publicGone, publicPass]) => {
    const expected = { error: { code: error, detail: `HTTP ${status}` }, isBusy: status === 429 };
    expect(answered(DIRECT, status)).toMatchObject({ ...expected, isGone: directGone, mayPass: directPass });
    expect(answered(PUBLIC, status)).toMatchObject({ ...expected, isGone: publicGone, mayPass: publicPass });
  });

  it("an address that the lookup refuses is told as it is", () => {
    const error = new TunnelError("link-address");
    expect(failureOf(PUBLIC, error)).toEqual({ error, isGone: false, isBusy: false, mayPass: false });
  });
});
