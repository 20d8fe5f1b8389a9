import { describe, expect, it } from "vitest";
import { Redactor } from "../../../src/expose/inspector/secrets.ts";

const redactor = new Redactor();
const MARK = /\[redacted [0-9a-f]{8}\]/g;
/** With the marks alike, since their digests are random. */
const shown = (text: string): string => text.replace(MARK, "***");

describe("credentials in fields", () => {
  it.each([
    ["Authorization", "Bearer s3cret", "Bearer ***"],
    ["authorization", "Basic dXNlcjpwdw==", "Basic ***"],
    ["Authorization", 'Digest username="u", response="r"', "Digest ***"],
    ["Authorization", "s3cret", "***"],
    ["Authorization", "bearer", "***"],
    ["Authorization", "", ""],
    ["Proxy-Authorization", "Basic abc", "Basic ***"],
    ["Cookie", "sid=s3cret; theme=dark", "sid=***; theme=***"],
    ["Cookie", "s3cret", "***"],
    ["Cookie", "a=; b=2=3 ;c", "a=; b=***;***"],
    ["Set-Cookie", "sid=s3cret; Path=/; HttpOnly; SameSite=Lax", "sid=***; Path=/; HttpOnly; SameSite=Lax"],
    ["Set-Cookie", "sid=; Max-Age=0", "sid=; Max-Age=0"],
    ["Set-Cookie", "s3cret; Path=/", "***; Path=/"],
    ["X-Api-Key", "s3cret", "***"],
    ["x-apikey", "s3cret", "***"],
    ["X-Tunnel-Token", "s3cret", "***"],
    ["X-CSRF-Token", "s3cret", "***"],
    ["PRIVATE-TOKEN", "s3cret", "***"],
    ["X-Amz-Security-Token", "s3cret", "***"],
    ["X_Client_Secret", "s3cret", "***"],
    ["Cf-Access-Jwt-Assertion", "s3cret", "***"],
    ["X-User", "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "***"],
    ["X-Original", "Bearer abcdefghij", "Bearer ***"],
    [
      "Referer",
      "https://u:pw@app.example/cb?code=s3cret&state=1",
      "https://***@app.example/cb?code=***&state=1",
    ],
    ["Location", "/done#access_token=s3cret&expires_in=1", "/done#access_token=***&expires_in=1"],
    ["Refresh", "0; url=/x?token=s3cret", "0; url=/x?token=***"],
  ])("%s: %s", (name, value, wanted) => {
    expect(shown(redactor.value(name, value))).toBe(wanted);
  });

  it.each([
    ["Content-Type", "text/html; charset=utf-8"],
    ["Accept", "text/html;q=0.9,*/*;q=0.8"],
    ["Stripe-Signature", "t=1,v1=abc"],
    ["X-Hub-Signature-256", "sha256=abc"],
    ["Idempotency-Key", "abc"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ["WWW-Authenticate", 'Basic realm="a"'],
    ["Referer", "https://app.example/a?page=2#top"],
    ["ETag", '"abc"'],
    ["Cookie2", ""],
  ])("leaves %s: %s", (name, value) => {
    expect(redactor.value(name, value)).toBe(value);
  });
});

describe("secrets in addresses", () => {
  it.each([
    ["/a?token=s3cret", "/a?token=***"],
    ["/a?x=1&ACCESS_TOKEN=s3cret&y=2", "/a?x=1&ACCESS_TOKEN=***&y=2"],
    ["/a?api-key=s3cret", "/a?api-key=***"],
    ["/a?apiKey=s3cret#top", "/a?apiKey=***#top"],
    ["/a?sig=s3cret", "/a?sig=***"],
    ["/a?X-Amz-Signature=s3cret&X-Amz-Credential=s3cret", "/a?X-Amz-Signature=***&X-Amz-Credential=***"],
    ["/a?user[password]=s3cret", "/a?user[password]=***"],
    ["/a?user%5Bpassword%5D=s3cret", "/a?user%5Bpassword%5D=***"],
    ["/a?%74oken=s3cret", "/a?%74oken=***"],
    ["/a;jsessionid=s3cret?x=1", "/a;jsessionid=***"],
    ["/a?x=1;token=s3cret;y=2", "/a?x=1;token=***;y=2"],
    ["/a?token=s3;cret", "/a?token=***"],
    ["/a?token=s3=cr?et", "/a?token=***"],
    ["/a?next=/b?token=s3cret", "/a?next=/b?token=***"],
    ["/a?next=https%3A%2F%2Fx.example%2Fcb%3Fcode%3Ds3cret%26state%3D1", /s3cret/],
    ["/a?next=https%253A%252F%252Fx%252Fcb%253Ftoken%253Ds3cret", /s3cret/],
    ["/a?next=https%3A%2F%2Fu:s3cret%40x.example", /s3cret/],
    ["/a?token=", "/a?token="],
    ["/a?q=token", "/a?q=token"],
    ["/token/abc", "/token/abc"],
    ["/a?monkey=1&page=2", "/a?monkey=1&page=2"],
    ["/@vite/client", "/@vite/client"],
    ["*", "*"],
  ])("%s", (address, wanted) => {
    const text = shown(redactor.address(address));
    if (typeof wanted === "string") expect(text).toBe(wanted);
    else expect(text).not.toMatch(wanted);
  });

  it("takes linear time", () => {
    const started = performance.now();
    for (const piece of ["?a=", "&", ";token", "%3F", "//a@", "?token=;", "eyJaaaaaaaa.", "=;"])
      redactor.address(piece.repeat((64 * 1024) / piece.length));
    redactor.value("Cookie", " ;".repeat(32 * 1024));
    redactor.value("Cookie", "a".repeat(64 * 1024));
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe("the mark", () => {
  it("is the same for the same secret, and another one in another process", () => {
    const one = redactor.value("X-Api-Key", "a");
    expect(redactor.value("Authorization", "Bearer a")).toBe(`Bearer ${one}`);
    expect(redactor.value("X-Api-Key", "b")).not.toBe(one);
    expect(new Redactor().value("X-Api-Key", "a")).not.toBe(one);
  });
});
