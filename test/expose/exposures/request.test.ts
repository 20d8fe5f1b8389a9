import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkRequest,
  type CheckedRequest,
  type ExposureRequest,
} from "../../../src/expose/exposures/request.ts";
import { codeOf } from "../../support/thrown.ts";

const cwd = path.resolve("/work-place");
const check = (request: Partial<ExposureRequest> & { target: string }): CheckedRequest =>
  checkRequest(request, { transport: "direct", cwd });

describe("an exposure that is asked for", () => {
  it("is closed to everybody but those with a claim link or a token unless it says otherwise", () => {
    expect(check({ target: "3000" })).toMatchObject({
      kinds: ["claim", "token"],
      openPaths: [],
      claims: 1,
      minutes: 60,
      inspect: true,
      transport: "direct",
    });
    expect(check({ target: "3000", access: ["basic"] })).toMatchObject({ kinds: ["basic"], claims: 0 });
  });

  it("is open to everybody only by that name, and then alone", () => {
    expect(check({ target: "3000", access: ["open"] }).kinds).toEqual(["open"]);
    expect(codeOf(() => check({ target: "3000", access: ["open", "token"] }))).toBe("expose-access-invalid");
  });

  it.each([
    ["3000", "http://localhost:3000", "port-3000"],
    ["localhost:3000", "http://localhost:3000", "port-3000"],
    ["http://localhost:3000/", "http://localhost:3000", "port-3000"],
    ["https://localhost:8443", "https://localhost:8443", "port-8443"],
    ["./My Site", path.join(cwd, "My Site"), "my-site"],
    ["dist/", path.join(cwd, "dist"), "dist"],
    ["./..", path.dirname(cwd), "folder"],
  ])("is the same however its target is written: %s", (target, text, name) => {
    expect(check({ target })).toMatchObject({ targetText: text, name });
  });

  it("has a name that can be typed, without case", () => {
    expect(check({ target: "3000", name: "My-App" }).name).toBe("my-app");
    for (const name of ["", "a b", "-a", "a/b", "a\n", "ä", "x".repeat(41)])
      expect(codeOf(() => check({ target: "3000", name }))).toBe("input-invalid");
  });

  it("of TCP takes a relay, a port and access that is open, and nothing that belongs to HTTP", () => {
    const tcp = { target: "3000", protocol: "tcp", transport: "relay", access: ["open"] } as const;
    expect(check(tcp)).toMatchObject({ protocol: "tcp", targetText: "tcp://localhost:3000", claims: 0 });
    for (const access of [undefined, [], ["claim"], ["token"]] as const)
      expect(codeOf(() => check({ ...tcp, access }))).toBe("expose-tcp-open");
    for (const transport of ["cloudflared", "direct", "exec"] as const)
      expect(codeOf(() => check({ ...tcp, transport }))).toBe("expose-tcp");
    expect(codeOf(() => check({ ...tcp, target: "./dist" }))).toBe("expose-target-invalid");
    for (const more of [
      { openPaths: ["GET /"] },
      { hostHeader: "a.test" },
      { subdomain: "a" },
      { claims: 2 },
    ])
      expect(
        codeOf(() => check({ ...tcp, ...more })),
        JSON.stringify(more),
      ).toBe("input-invalid");
  });

  it("is refused with its reason where nothing could carry it", () => {
    expect(codeOf(() => check({ target: "3000", protocol: "tcp" }))).toBe("expose-tcp");
    expect(codeOf(() => check({ target: "3000", subdomain: "app" }))).toBe("expose-subdomain");
    expect(codeOf(() => check({ target: "" }))).toBe("expose-target-invalid");
    expect(codeOf(() => check({ target: "3000", openPaths: ["hooks"] }))).toBe("expose-path-invalid");
    expect(
      codeOf(() => check({ target: "3000", openPaths: Array.from({ length: 17 }, (_, n) => `POST /${n}`) })),
    ).toBe("expose-path-invalid");
    expect(codeOf(() => check({ target: "3000", hostHeader: "a b" }))).toBe("input-invalid");
  });
});
