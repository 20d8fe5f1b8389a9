import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FolderRules } from "../../../src/expose/target/folder/locate.ts";
import { serveFolder, type ServedFolder } from "../../../src/expose/target/folder/serve.ts";
import { resolveShownFolder, secretNameToShow } from "../../../src/session/paths/show.ts";
import { rejection } from "../../support/rejection.ts";

const IS_WINDOWS = process.platform === "win32";

let parent: string;
let root: string;
let served: ServedFolder;

function rulesIn(cwd: string, home = "/nowhere/home"): FolderRules {
  const reach = { cwd, home, roots: [] };
  return { folder: (typed) => resolveShownFolder(typed, reach), secretName: secretNameToShow };
}

beforeAll(async () => {
  parent = realpathSync(mkdtempSync(path.join(tmpdir(), "tunnel-folder-")));
  root = path.join(parent, "site");
  for (const folder of ["assets", "empty", ".hidden", "docs", "cookies", "größe"])
    mkdirSync(path.join(root, folder), { recursive: true });
  const files: Record<string, string> = {
    "index.html": "<h1>start</h1>",
    "assets/app.js": "run()",
    "assets/style.css": "a{}",
    "assets/data.json": "{}",
    "assets/picture.svg": "<svg/>",
    "assets/unknown.qqq": "?",
    "assets/program.wasm": "w",
    "docs/index.html": "<h1>docs</h1>",
    "cookies/index.html": "<h1>cookies</h1>",
    "größe/ü.txt": "umlaut",
    "a b.txt": "blank",
    "100%.txt": "percent",
    "empty.txt": "",
    "digits.txt": "0123456789",
    ".env": "SECRET=1",
    ".hidden/file.txt": "secret",
    ".well-known": "secret",
    "server.pem": "secret",
    "assets/SERVER.KEY": "secret",
    id_rsa: "secret",
    "store.p12": "secret",
    "terraform.tfstate": "secret",
    "con.txt": "secret",
    aux: "secret",
    "empty/.keep": "secret",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(root, name), text);
  writeFileSync(path.join(parent, "outside.txt"), "secret");
  served = await serveFolder("./site/", rulesIn(parent));
});
afterAll(async () => {
  await served.close();
  rmSync(parent, { recursive: true, force: true });
});

interface Got {
  readonly status: number;
  readonly fields: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

function get(
  target: string,
  {
    method = "GET",
    fields = {},
    from = served,
    secret = true,
  }: { method?: string; fields?: Record<string, string>; from?: ServedFolder; secret?: boolean } = {},
): Promise<Got> {
  const { address, port, secretField } = from.upstream;
  const [name = "", value = ""] = secretField ?? [];
  return new Promise((resolve, reject) => {
    const headers = { ...(secret ? { [name]: value } : {}), ...fields };
    const outgoing = request({ host: address, port, path: target, method, headers, agent: false });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("error", reject);
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          fields: response.headers as Record<string, string | undefined>,
          body,
        }),
      );
    });
    outgoing.end();
  });
}

describe("a file", () => {
  it.each([
    ["/", "<h1>start</h1>", "text/html;charset=utf-8"],
    ["/index.html", "<h1>start</h1>", "text/html;charset=utf-8"],
    ["/?a=1&b=%2f", "<h1>start</h1>", "text/html;charset=utf-8"],
    ["/assets/app.js", "run()", "text/javascript;charset=utf-8"],
    ["/assets/style.css", "a{}", "text/css;charset=utf-8"],
    ["/assets/data.json", "{}", "application/json"],
    ["/assets/picture.svg", "<svg/>", "image/svg+xml"],
    ["/assets/program.wasm", "w", "application/wasm"],
    ["/assets/unknown.qqq", "?", "application/octet-stream"],
    ["/docs/", "<h1>docs</h1>", "text/html;charset=utf-8"],
    ["/cookies/", "<h1>cookies</h1>", "text/html;charset=utf-8"],
    ["/a%20b.txt", "blank", "text/plain;charset=utf-8"],
    ["/100%25.txt", "percent", "text/plain;charset=utf-8"],
    ["/gr%C3%B6%C3%9Fe/%C3%BC.txt", "umlaut", "text/plain;charset=utf-8"],
    ["/empty.txt", "", "text/plain;charset=utf-8"],
  ])("%s", async (target, body, type) => {
    const got = await get(target);
    expect(got).toMatchObject({ status: 200, body });
    expect(got.fields).toMatchObject({
      "content-type": type,
      "content-length": String(Buffer.byteLength(body)),
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      etag: expect.stringMatching(/^"[^"]+"$/) as string,
    });
    const head = await get(target, { method: "HEAD" });
    expect(head.body).toBe("");
    expect({ ...head.fields, date: 0 }).toEqual({ ...got.fields, date: 0 });
  });

  it("is not there", async () => {
    expect(await get("/no.txt")).toMatchObject({ status: 404, body: "Not found.\n" });
    expect((await get("/no.txt", { method: "HEAD" })).body).toBe("");
  });

  it("is no folder, and a folder without a page of its own is nothing", async () => {
    expect((await get("/index.html/")).status).toBe(404);
    expect((await get("/assets/")).status).toBe(404);
    expect((await get("/assets")).status).toBe(404);
    expect((await get("/empty/")).status).toBe(404);
  });

  it("a folder with a page sends to the address with a slash, with the same query", async () => {
    expect(await get("/docs?a=1")).toMatchObject({ status: 301, fields: { location: "/docs/?a=1" } });
  });

  it.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])("is not for %s", async (method) => {
    expect(await get("/index.html", { method })).toMatchObject({
      status: 405,
      fields: { allow: "GET, HEAD" },
    });
  });
});

describe("ranges (RFC 9110 §14)", () => {
  it.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=4-", "456789", "bytes 4-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=-99", "0123456789", "bytes 0-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
    ["BYTES=9-9", "9", "bytes 9-9/10"],
  ])("%s", async (range, body, content) => {
    const got = await get("/digits.txt", { fields: { range } });
    expect(got).toMatchObject({ status: 206, body });
    expect(got.fields).toMatchObject({ "content-range": content, "content-length": String(body.length) });
  });

  it.each(["bytes=10-", "bytes=99-100", "bytes=-0"])("%s cannot be had", async (range) => {
    const got = await get("/digits.txt", { fields: { range } });
    expect(got).toMatchObject({ status: 416, fields: { "content-range": "bytes */10" } });
  });

  it.each(["bytes=3-1", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=-", "bytes", ""])(
    "%j is not looked at",
    async (range) =>
      expect(await get("/digits.txt", { fields: { range } })).toMatchObject({
        status: 200,
        body: "0123456789",
      }),
  );

  it("an empty file has none", async () => {
    expect((await get("/empty.txt", { fields: { range: "bytes=0-" } })).status).toBe(416);
  });

  it("only for whoever has the same file", async () => {
    const { fields } = await get("/digits.txt");
    const range = "bytes=0-0";
    const ask = async (condition: string | undefined): Promise<number> =>
      (await get("/digits.txt", { fields: { range, "if-range": condition ?? "" } })).status;
    expect(await ask(fields["etag"])).toBe(206);
    expect(await ask(fields["last-modified"])).toBe(206);
    expect(await ask('"another"')).toBe(200);
    expect(await ask(`W/${fields["etag"]}`)).toBe(200);
  });
});

describe("conditions (RFC 9110 §13)", () => {
  it("a file that has not changed is not sent again, by its tag or by its time", async () => {
    const { fields } = await get("/digits.txt");
    const { etag = "", "last-modified": modified = "" } = fields;
    for (const condition of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const got = await get("/digits.txt", { fields: { "if-none-match": condition } });
      expect(got).toMatchObject({ status: 304, body: "", fields: { etag } });
      expect(got.fields).not.toHaveProperty("content-length");
    }
    expect((await get("/digits.txt", { fields: { "if-modified-since": modified } })).status).toBe(304);
    const both = { "if-none-match": '"x"', "if-modified-since": modified };
    expect((await get("/digits.txt", { fields: both })).status).toBe(200);
    expect((await get("/digits.txt", { fields: { "if-modified-since": "nonsense" } })).status).toBe(200);
    expect((await get("/digits.txt", { fields: { "if-match": '"x"' } })).status).toBe(412);
    expect((await get("/digits.txt", { fields: { "if-match": etag } })).status).toBe(200);
  });

  it("a change of the file changes its tag", async () => {
    const file = path.join(root, "changing.txt");
    writeFileSync(file, "one");
    const before = await get("/changing.txt");
    writeFileSync(file, "two");
    utimesSync(file, new Date(0), new Date(0));
    const after = await get("/changing.txt");
    expect(after.body).toBe("two");
    expect(after.fields["etag"]).not.toBe(before.fields["etag"]);
    expect(after.fields["last-modified"]).toBe("Thu, 01 Jan 1970 00:00:00 GMT");
  });
});

describe("nothing leads out of the folder, or to what is hidden", () => {
  it.each([
    "/../outside.txt",
    "/assets/../../outside.txt",
    "/%2e%2e/outside.txt",
    "/%2e%2e%2foutside.txt",
    "/..%2foutside.txt",
    "/..%5coutside.txt",
    "/..\\outside.txt",
    "/assets/..%2f..%2foutside.txt",
    "/%252e%252e/outside.txt",
    "/./index.html",
    "/assets/./app.js",
    "/assets/../index.html",
    "//index.html",
    "//outside.txt",
    "/assets//app.js",
    "/assets%2fapp.js",
    "/assets%5capp.js",
    "/index.html%00",
    "/index.html%00.txt",
    "/index.html%0a",
    "/index.html%20",
    "/index.html.",
    "/index.html::$DATA",
    "/index.html%3a%3a$DATA",
    "/con.txt",
    "/aux",
    "/CON",
    "/com1.html",
    "/.env",
    "/%2eenv",
    "/.well-known",
    "/.hidden/file.txt",
    "/%2ehidden/file.txt",
    "/empty/.keep",
    "/id_rsa",
    "/%69d_rsa",
    "/store.p12",
    "/server.pem",
    "/assets/SERVER.KEY",
    "/terraform.tfstate",
    "/%ff",
    "/%",
    "/%zz",
    "/%c0%ae%c0%ae/outside.txt",
    `/${"a".repeat(300)}`,
    `/${"a/".repeat(2_000)}`,
    "/C:/Windows/win.ini",
    "/file:/etc/passwd",
    "/~root/x",
  ])("%s", async (target) => {
    const got = await get(target);
    expect(got).toMatchObject({ status: 404, body: "Not found.\n" });
  });

  it.each(["http://other.example/index.html", "*", "index.html", ""])(
    "%j is no path, and is not found",
    async (target) => {
      const line = `GET ${target} HTTP/1.1\r\nHost: x\r\n${served.upstream.secretField?.join(": ")}\r\n`;
      const answer = await raw(`${line}Connection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
      expect(answer).not.toContain("start");
    },
  );

  it.skipIf(IS_WINDOWS)(
    "links that leave it, or lead to what is hidden, are nothing; links within it are files",
    async () => {
      symlinkSync(path.join(parent, "outside.txt"), path.join(root, "out.txt"));
      symlinkSync(parent, path.join(root, "up"));
      symlinkSync(".env", path.join(root, "settings.txt"));
      symlinkSync(".hidden", path.join(root, "shown"));
      symlinkSync("id_rsa", path.join(root, "notes.txt"));
      symlinkSync("loop", path.join(root, "loop"));
      symlinkSync("digits.txt", path.join(root, "inside.txt"));
      for (const target of [
        "/out.txt",
        "/up/outside.txt",
        "/up/site/index.html",
        "/settings.txt",
        "/shown/file.txt",
        "/notes.txt",
        "/loop",
      ]) {
        // A link out and in again is judged by where it leads.
        const expected = target === "/up/site/index.html" ? 200 : 404;
        expect([target, (await get(target)).status]).toEqual([target, expected]);
      }
      expect((await get("/inside.txt")).body).toBe("0123456789");
    },
  );

  it.skipIf(IS_WINDOWS)("a pipe is not waited for", async () => {
    execFileSync("mkfifo", [path.join(root, "pipe")]);
    expect((await get("/pipe")).status).toBe(404);
  });

  it.skipIf(IS_WINDOWS)(
    "a folder that is exchanged for a link again and again gives nothing away",
    async () => {
      const [there, away, link] = ["swap", "swap.real", "swap.link"].map((name) => path.join(root, name)) as [
        string,
        string,
        string,
      ];
      const outside = path.join(parent, "elsewhere");
      mkdirSync(there);
      mkdirSync(outside);
      writeFileSync(path.join(there, "file.txt"), "inside");
      writeFileSync(path.join(outside, "file.txt"), "secret");
      const over = new AbortController();
      const swapping = (async () => {
        while (!over.signal.aborted) {
          renameSync(there, away);
          symlinkSync(outside, link);
          renameSync(link, there);
          await new Promise(setImmediate);
          unlinkSync(there);
          renameSync(away, there);
          await new Promise(setImmediate);
        }
      })();
      const bodies = new Set<string>();
      for (let round = 0; round < 60; round += 1) {
        const all = await Promise.all(Array.from({ length: 10 }, () => get("/swap/file.txt")));
        for (const { body } of all) bodies.add(body);
      }
      over.abort();
      await swapping;
      expect(bodies).toContain("inside");
      expect(bodies).not.toContain("secret");
    },
  );

  it("whatever is asked, nothing hidden comes", async () => {
    const part = fc.constantFrom(
      "..",
      "%2e%2e",
      ".",
      ".env",
      "%2eenv",
      ".hidden",
      "file.txt",
      "outside.txt",
      "site",
      "/",
      "//",
      "%2f",
      "%5c",
      "\\",
      "assets",
      "id_rsa",
      "%00",
      "::$DATA",
      "up",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), async (parts) => {
        const { body } = await get(`/${parts.join("")}`);
        expect(body).not.toContain("secret");
        expect(body).not.toContain("SECRET");
      }),
      { numRuns: 300 },
    );
  });
});

function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(served.upstream.port, served.upstream.address);
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
    socket.write(text);
  });
}

describe("the server", () => {
  it("answers nobody without its secret, and listens on the loopback address alone", async () => {
    const { address, host, port, secretField = ["", ""] } = served.upstream;
    expect([address, host]).toEqual(["127.0.0.1", `localhost:${port}`]);
    expect(secretField[1]).toMatch(/^[\w-]{43}$/);
    expect((await get("/", { secret: false })).status).toBe(404);
    const near = secretField[1].slice(0, -1);
    expect((await get("/", { secret: false, fields: { [secretField[0]]: near } })).status).toBe(404);
    expect((await get("/", { secret: false, fields: { [secretField[0]]: "" } })).status).toBe(404);
  });

  it("ends, and ends twice", async () => {
    const other = await serveFolder("site", rulesIn(parent));
    expect(other.upstream.secretField).not.toEqual(served.upstream.secretField);
    await Promise.all([other.close(), other.close()]);
    await expect(get("/", { from: other })).rejects.toThrow("ECONNREFUSED");
  });

  it("a file that becomes shorter while it is sent is cut, not ended", async () => {
    const file = path.join(root, "large.bin");
    writeFileSync(file, Buffer.alloc(64 * 1024 * 1024));
    const [name = "", value = ""] = served.upstream.secretField ?? [];
    const cut = new Promise<string>((resolve, reject) => {
      const { address, port } = served.upstream;
      const outgoing = request({
        host: address,
        port,
        path: "/large.bin",
        headers: { [name]: value },
        agent: false,
      });
      outgoing.once("error", reject);
      outgoing.once("response", (response) => {
        writeFileSync(file, "short");
        response.once("error", () => resolve("cut"));
        response.once("end", () => resolve(response.complete ? "whole" : "cut"));
        response.resume();
      });
      outgoing.end();
    });
    expect(await cut).toBe("cut");
  });
});

describe("a folder that may be exposed", () => {
  it("is told by its real path, with a warning where it is a project's own", async () => {
    expect(served).toMatchObject({ path: root, warnings: [] });
    writeFileSync(path.join(parent, "package.json"), "{}");
    const project = await serveFolder(".", rulesIn(parent));
    await project.close();
    rmSync(path.join(parent, "package.json"));
    expect(project.warnings).toEqual([expect.stringContaining("./dist")]);
  });

  it.each([
    ["site/index.html", "expose-folder-refused", "it is no folder"],
    ["missing", "expose-folder-refused", "there is no such folder"],
    ["/", "expose-folder-refused", "outside"],
    ["..", "path-invalid", "`..`"],
    ["~/site", "path-invalid", "`~`"],
    ["site/.git", "expose-folder-refused", "git's own folder"],
  ])("%s is not: %s", async (typed, code, detail) => {
    mkdirSync(path.join(root, ".git"), { recursive: true });
    const error = await rejection(serveFolder(typed, rulesIn(parent)));
    rmSync(path.join(root, ".git"), { recursive: true });
    expect(error).toMatchObject({ code, detail: expect.stringContaining(detail) as string });
  });

  it("is no home, and nothing that a link leads to outside", async () => {
    expect(await rejection(serveFolder(".", rulesIn(parent, parent)))).toMatchObject({
      code: "expose-folder-refused",
      detail: expect.stringContaining("too wide") as string,
    });
    if (IS_WINDOWS) return;
    symlinkSync("/", path.join(parent, "everything"));
    expect(await rejection(serveFolder("./everything", rulesIn(parent)))).toMatchObject({
      code: "expose-folder-refused",
    });
  });
});
