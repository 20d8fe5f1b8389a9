import { describe, expect, it } from "vitest";
import { TARGET_LIST } from "../../../src/cli/expose-kinds.ts";
import { isListed, parseAllow, usableAllow } from "../../../src/expose/target/allow.ts";

describe("the list of targets that a human allows", () => {
  it("takes names and addresses with their port", () => {
    expect(parseAllow("db.lan:8080, [fd00::1]:80\tLOCALHOST.:9229,10.0.0.1:5432")).toEqual([
      { host: "db.lan", port: 8080 },
      { host: "fd00::1", port: 80 },
      { host: "localhost", port: 9229 },
      { host: "10.0.0.1", port: 5432 },
    ]);
  });

  it.each([
    "",
    ",",
    "db.lan",
    "db.lan:",
    "db.lan:0",
    "db.lan:080",
    "*:80",
    "db.lan:*",
    "http://db.lan:80",
    "127.1:80",
  ])("has no value for %j", (text) => expect(parseAllow(text)).toBeUndefined());

  it("can be used in part, and is written as it is read", () => {
    expect(usableAllow("db.lan:80,nonsense")).toEqual([{ host: "db.lan", port: 80 }]);
    const text = "db.lan:8080,[fd00::1]:80";
    expect(TARGET_LIST.write(TARGET_LIST.parse(text) ?? [])).toBe(text);
    expect(TARGET_LIST.write([])).toBeUndefined();
  });

  it("means exactly what it names; the loopback interface is one host", () => {
    const allow = parseAllow("localhost:9229,db.lan:80") ?? [];
    const listed = (host: string, port: number): boolean => isListed(allow, { host, port });
    expect(listed("127.0.0.1", 9229)).toBe(true);
    expect(listed("::1", 9229)).toBe(true);
    expect(listed("app.localhost", 9229)).toBe(true);
    expect(listed("localhost", 9230)).toBe(false);
    expect(listed("db.lan", 80)).toBe(true);
    expect(listed("db.lan", 443)).toBe(false);
    expect(listed("sub.db.lan", 80)).toBe(false);
    expect(listed("localhost.evil.example", 9229)).toBe(false);
  });
});
