import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PrintedUrls } from "../../../src/tunnel/exec/printed.ts";
import { isSafe, urlIn } from "../../../src/tunnel/exec/url.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";

const ESC = "\u001b";
const BEL = "\u0007";
const found = (line: string, pattern?: RegExp): string | undefined => urlIn(line, pattern)?.origin;

describe("the first https URL in a line", () => {
  it.each([
    ["https://a.example", "https://a.example"],
    ["your url is: https://a.example.", "https://a.example"],
    ["(https://a.example/)", "https://a.example"],
    ['{"url":"https://a.example","addr":"http://localhost:1"}', "https://a.example"],
    ["Forwarding  https://a.example -> http://localhost:1", "https://a.example"],
    ["addr=http://localhost:1 url=https://a.example", "https://a.example"],
    ["**https://a.example**", "https://a.example"],
    ["|  https://a.example  |", "https://a.example"],
    ["HTTPS://A.EXAMPLE:8443/path?x=1", "https://a.example:8443"],
    ["https://[fd00::1]:8443/", "https://[fd00::1]:8443"],
    ["https://a.example, https://b.example", "https://a.example"],
    ["https:// https://b.example", "https://b.example"],
    // The address of a visitor's login is not an origin.
    ["https://user:word@a.example and https://b.example", "https://b.example"],
    // Colours around it and within it, a cursor that is moved, and links as terminals know them.
    [`${ESC}[1;32mhttps://a.example${ESC}[0m`, "https://a.example"],
    [`https://a.${ESC}[4mexample${ESC}[24m`, "https://a.example"],
    [`${ESC}[3;1HForwarding${ESC}[3;20Hhttps://a.example${ESC}[4;1HConnections`, "https://a.example"],
    [`https://a.example${ESC}[Kmore`, "https://a.example"],
    [`${ESC}]8;;https://a.example/x${ESC}\\click${ESC}]8;;${ESC}\\`, "https://a.example"],
    [`${ESC}]8;id=1;https://a.example${BEL}https://a.example${ESC}]8;;${BEL}`, "https://a.example"],
    [`${ESC}]0;a title${BEL}https://a.example`, "https://a.example"],
  ])("%j is %s", (line, origin) => expect(found(line)).toBe(origin));

  it.each(["", "http://a.example", "https://", "ftp://a.example", "https//a.example"])(
    "is not in %j",
    (line) => expect(found(line)).toBeUndefined(),
  );
});

describe("a pattern of the user", () => {
  it.each([
    ["listening at http://127.0.0.1:4000/", /http:\S+/, "http://127.0.0.1:4000"],
    ["public=https://b.example doc=https://a.example", /public=(\S+)/, "https://b.example"],
    // Without a scheme it is the name of a host, for programs that print no more.
    ['config="{\\"hostname\\":\\"a.example\\"}"', /hostname\\":\\"([^\\]+)/, "https://a.example"],
    ["listening at a.example:12345", /at (\S+:\d+)/, "https://a.example:12345"],
    ["wss://a.example", /wss:\S+/, "https://a.example"],
    ["ws://127.0.0.1:1", /ws:\S+/, "http://127.0.0.1:1"],
    // Its flags are kept, but for those that make a match depend on the last one.
    ["the URL https://a.example", /url (\S+)/giy, "https://a.example"],
    ["URL https://a.example", /url (\S+)/gi, "https://a.example"],
    ["nothing", /(x)?/, undefined],
    ["ssh://a.example", /\S+/, undefined],
  ])("finds in %j with %s: %s", (line, pattern, origin) => {
    expect(found(line, pattern)).toBe(origin);
    expect(found(line, pattern)).toBe(origin);
  });
});

it.each([
  ["https://a.example", true],
  ["http://127.0.0.1:1", true],
  ["http://[::1]:1", true],
  ["http://localhost:1", true],
  ["http://192.168.1.4", false],
  ["http://a.example", false],
  ["http://localhost.example", false],
])("%s may stand in a link: %s", (url, safe) => expect(isSafe(new URL(url))).toBe(safe));

describe("the URLs in an output", () => {
  function printing(pattern?: RegExp) {
    const clock = new FakeClock();
    const urls = new PrintedUrls(pattern, clock);
    return { clock, urls, reader: urls.reader() };
  }

  it("are found on any chunking, and no part of one is ever taken for it", () => {
    const text = `hello\r\n${ESC}[32mopen https://long-name.a.example/${ESC}[0m now\nnot https://b.example\n`;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 })), (cuts) => {
        const { urls, reader } = printing();
        let rest = text;
        for (const cut of cuts) {
          reader.read(rest.slice(0, cut));
          rest = rest.slice(cut);
          expect([undefined, "https://long-name.a.example"]).toContain(urls.first?.origin);
        }
        reader.read(rest);
        expect([urls.first?.origin, urls.later?.origin]).toEqual([
          "https://long-name.a.example",
          "https://b.example",
        ]);
      }),
    );
  });

  it("count in an unfinished line after a second of silence, and are corrected when more of it comes", async () => {
    const { clock, urls, reader } = printing();
    reader.read("at https://a.exam");
    await clock.advance(999);
    expect(urls.first).toBeUndefined();
    await clock.advance(1);
    expect(urls.first?.origin).toBe("https://a.exam");
    reader.read("ple");
    await clock.advance(1_000);
    expect(urls.first?.origin).toBe("https://a.example");
    reader.read(".org\nhttps://b.example\n");
    expect([urls.first?.origin, urls.later?.origin]).toEqual(["https://a.example.org", "https://b.example"]);
    expect(clock.waiting).toBe(0);
  });

  it("count at the end of the output, and on a line that is written over", () => {
    const ended = printing();
    ended.reader.read("https://a.example");
    ended.reader.end();
    expect([ended.urls.first?.origin, ended.clock.waiting]).toEqual(["https://a.example", 0]);
    const spun = printing();
    for (let turn = 0; turn < 10_000; turn += 1) spun.reader.read("\r| connecting, please wait");
    spun.reader.read("\rhttps://a.example\r");
    expect(spun.urls.first?.origin).toBe("https://a.example");
  });

  it("are told once when another one comes, whichever output it is on", () => {
    const { urls, reader } = printing();
    let told = 0;
    const forget = urls.onLater(() => (told += 1));
    const other = urls.reader();
    reader.read("https://a.example\n");
    other.read("https://a.example\nhttps://b.example\n");
    reader.read("https://b.example\n");
    expect(told).toBe(1);
    forget();
    reader.read("https://c.example\n");
    expect([told, urls.first?.origin, urls.later?.origin]).toEqual([
      1,
      "https://a.example",
      "https://c.example",
    ]);
  });
});
