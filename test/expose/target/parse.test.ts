import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authorityOf, parseHostHeader, parseTarget, targetName } from "../../../src/expose/target/parse.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { codeOf, errorOf } from "../../support/thrown.ts";

describe("a service", () => {
  it.each<[string | number, string]>([
    [3000, "http://localhost:3000"],
    ["3000", "http://localhost:3000"],
    [" 3000 ", "http://localhost:3000"],
    [":3000", "http://localhost:3000"],
    ["localhost:3000", "http://localhost:3000"],
    ["LocalHost:3000", "http://localhost:3000"],
    ["localhost.:3000", "http://localhost:3000"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["HTTP://LOCALHOST:3000/", "http://localhost:3000"],
    ["https://localhost:3000/", "https://localhost:3000"],
    ["http://localhost", "http://localhost"],
    ["https://localhost", "https://localhost"],
    ["127.0.0.1:3000", "http://127.0.0.1:3000"],
    ["127.0.0.2:3000", "http://127.0.0.2:3000"],
    ["[::1]:3000", "http://[::1]:3000"],
    ["[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"],
    ["http://[::ffff:127.0.0.1]:3000", "http://127.0.0.1:3000"],
    ["[::ffff:7f00:1]:3000", "http://127.0.0.1:3000"],
    // Dev servers print these for "all addresses".
    ["http://0.0.0.0:8000/", "http://localhost:8000"],
    ["[::]:8000", "http://localhost:8000"],
    ["app.localhost:3000", "http://app.localhost:3000"],
    ["my_app.test:80", "http://my_app.test"],
    ["1", "http://localhost:1"],
    ["65535", "http://localhost:65535"],
    ["C:3000", "http://c:3000"],
  ])("%j is %s", (typed, name) => expect(targetName(parseTarget(typed))).toBe(name));

  it("has an authority without the port that its scheme implies", () => {
    const authority = (typed: string): string => {
      const target = parseTarget(typed);
      return target.kind === "service" ? authorityOf(target) : "";
    };
    expect(["http://a.localhost:80", "https://[::1]:443", "http://[::1]:443"].map(authority)).toEqual([
      "a.localhost",
      "[::1]",
      "[::1]:443",
    ]);
  });
});

describe("a folder", () => {
  it.each([
    "./dist",
    "dist/",
    "dist/sub",
    ".",
    "..",
    "../x",
    "/srv/www",
    "C:\\site\\dist",
    "c:/site",
    "D:",
    ".\\dist",
    "dist\\sub",
    "\\\\server\\share",
    "~/site",
    "my site/dist",
    "example.com/site",
    "größe/dist",
  ])("%j", (typed) => expect(parseTarget(typed)).toEqual({ kind: "folder", path: typed }));
});

describe("nothing that can be exposed", () => {
  it.each<[string | number, RegExp]>([
    ["", /empty/],
    ["   ", /empty/],
    ["x".repeat(5_000), /too long/],
    ["localhost:3000\n", /control/],
    ["local\u200bhost:3000", /invisible/],
    ["./a\0b", /control/],
    [0, /1 to 65535/],
    ["0", /1 to 65535/],
    ["65536", /1 to 65535/],
    ["localhost:65536", /1 to 65535/],
    ["localhost:0", /1 to 65535/],
    ["03000", /leading zeros/],
    ["localhost:03000", /leading zeros/],
    [-1, /1 to 65535/],
    [3.5, /1 to 65535/],
    [Number.NaN, /1 to 65535/],
    [1e21, /1 to 65535/],
    ["-1", /add the port/],
    ["3e3", /add the port/],
    ["dist", /\.\/dist/],
    ["localhost", /add the port/],
    ["localhost:", /use a port/],
    ["localhost:abc", /use a port/],
    ["http://localhost:", /use a port/],
    ["::1:3000", /use a port/],
    ["[::1]", /add the port/],
    // Notations that resolvers read each in their own way.
    ["2130706433", /1 to 65535/],
    ["http://2130706433/", /in full/],
    ["http://2130706433:3000", /in full/],
    ["0x7f000001:3000", /in full/],
    ["0x7f.1:3000", /in full/],
    ["127.1:3000", /in full/],
    ["0177.0.0.1:3000", /in full/],
    ["127.0.0.1.:3000", /in full/],
    ["http://localhost.0x7f:80", /in full/],
    ["[127.0.0.1]:80", /IPv6/],
    ["[g::1]:80", /use a port/],
    ["[fe80::1%eth0]:80", /use a port/],
    ["http://a..b:80", /no host name/],
    ["*:3000", /use a port/],
    // Whatever is not ASCII, encoded or spaced may be mapped to another name by whoever dials it.
    ["http://löcalhost:3000", /ASCII/],
    ["http://ｌｏｃａｌｈｏｓｔ:3000", /ASCII/],
    ["３０００", /ASCII/],
    ["http://127。0。0。1:80", /ASCII/],
    ["30 00", /without spaces/],
    ["http://local host:80", /without spaces/],
    ["http://%6cocalhost:80", /use a port/],
    ["http:\\\\localhost:80", /use a port/],
    ["http:/localhost:80", /use a port|leave out/],
    ["http:localhost:80", /use a port/],
    ["http:///etc", /add the port|use a port/],
    ["http://:3000", /use a port/],
    // Credentials and parts that would say nothing.
    ["http://user:secret@localhost:3000", /user name/],
    ["user:secret@localhost:3000", /user name/],
    ["http://localhost:3000@evil.example", /user name/],
    ["http://localhost:3000#@evil.example/", /user name/],
    ["http://localhost:3000/admin", /follows the port/],
    ["localhost:3000/admin", /follows the port/],
    ["localhost/admin", /follows the port/],
    ["http://localhost:3000?x", /follows the port/],
    ["http://localhost:3000/#/x", /follows the port/],
    ["file:///etc/passwd", /only http/],
    ["FILE:/etc/passwd", /only http/],
    ["javascript:alert(1)", /only http/],
    ["data:text/html,x", /only http/],
    ["ws://localhost:3000", /only http/],
    ["ftp://localhost", /only http/],
    ["tcp://localhost:22", /only http/],
    ["unix:/var/run/docker.sock", /only http/],
    ["$(touch x):80", /use a port|without spaces/],
    ["`id`:80", /use a port/],
    ["localhost;id:80", /use a port/],
  ])("%j", (typed, why) => {
    const error = errorOf(() => parseTarget(typed));
    expect(error?.code).toBe("expose-target-invalid");
    expect(error?.detail).toMatch(why);
    expect(error?.message).not.toContain("secret");
  });

  it("is either refused with its code, or has one spelling that means the same again", () => {
    const parts = fc.constantFrom(
      "http",
      "https",
      ":",
      "//",
      "/",
      "localhost",
      "127.0.0.1",
      "[::1]",
      "3000",
      "@",
      ".",
      "\\",
      "#",
      "a",
      "0x7f",
      " ",
      "é",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(parts, { maxLength: 8 }).map((all) => all.join("")),
        ),
        (typed) => {
          try {
            const target = parseTarget(typed);
            if (target.kind === "service") expect(parseTarget(targetName(target))).toEqual(target);
          } catch (error) {
            if (!(error instanceof TunnelError)) throw error;
            expect(error.code).toBe("expose-target-invalid");
          }
        },
      ),
    );
  });
});

describe("the Host that the service is to see", () => {
  it.each(["app.test", "app.test:8080", "127.0.0.1:80", "[::1]:80", "localhost"])("%s", (typed) =>
    expect(parseHostHeader(typed)).toBe(typed),
  );

  it.each(["", "http://app.test", "app.test/", "a\r\nb: c", "a b", "app.test:99999", "u@app.test", "127.1"])(
    "not %j",
    (typed) => expect(codeOf(() => parseHostHeader(typed))).toBe("input-invalid"),
  );
});
