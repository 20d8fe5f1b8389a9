import { request } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { project, start, type Project, type Running } from "../devservers/dev-server.ts";
import { later, room, share } from "../services/scene.ts";
import { until } from "../support/processes.ts";

const page =
  '<!doctype html><title>peer</title><div id="app"></div><script type="module" src="/src/main.js"></script>';
const main =
  'import { word } from "./word.js";\ndocument.querySelector("#app").textContent = word;\nimport.meta.hot?.accept();\n';

let files: Project;
let running: Running;
beforeAll(async () => {
  files = project(
    "vite",
    ["vite@8.4.0"],
    {
      "index.html": page,
      "src/main.js": main,
      "src/word.js": 'export const word = "before";\n',
      "vite.config.js": "export default {};\n",
    },
    ["node_modules/.vite"],
  );
  running = await start(files.folder, "node_modules/vite/bin/vite.js", ["--port", "{port}", "--strictPort"]);
});
afterAll(() => running.stop());

interface Got {
  readonly status: number;
  readonly body: string;
  readonly location: string | undefined;
  readonly cookie: string | undefined;
}

/** As a browser asks: it follows nothing, and has what fields it is given. */
function get(url: string, fields: Readonly<Record<string, string>> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { accept: "text/html,*/*;q=0.8", ...fields };
    const asked = request(url, { headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          body,
          location: response.headers.location,
          cookie: response.headers["set-cookie"]?.[0]?.split(";")[0],
        }),
      );
    });
    asked.once("error", reject);
    asked.end();
  });
}

it("a page of the peer's Vite loads in ben's browser, and an edit at ana's reaches it at once", async () => {
  const { ana, ben } = await room(["ben"]);
  const { listening } = await share(ana, ben, { target: running.port, kind: "http", name: "site" });
  const entered = await get(listening.newUrl());
  expect([entered.status, entered.location]).toEqual([303, "/"]);
  const origin = `http://${listening.host}:${listening.port}`;
  const cookie = entered.cookie ?? "";
  const own = { cookie, "sec-fetch-site": "same-origin", referer: `${origin}/` };
  expect((await get(`${origin}/`)).status).toBe(403);
  const html = await get(`${origin}/`, { cookie });
  expect([html.status, html.body]).toEqual([200, expect.stringContaining("/@vite/client")]);
  for (const target of ["/@vite/client", "/src/main.js", "/src/word.js"])
    expect([target, (await get(`${origin}${target}`, { ...own, origin })).status]).toEqual([target, 200]);
  const client = (await get(`${origin}/@vite/client`, own)).body;
  const [, token = ""] = /wsToken = "([^"]+)"/.exec(client) ?? [];
  expect(token).not.toBe("");

  const socket = new WebSocket(`${origin.replace("http", "ws")}/?token=${token}`, ["vite-hmr"], {
    headers: { origin, cookie },
  });
  later(() => socket.terminate());
  let told = "";
  socket.on("message", (data: Buffer) => (told += data.toString("utf8")));
  await until("hot reload is connected", () => told.includes('"type":"connected"'));
  files.write("src/word.js", 'export const word = "after";\n');
  await until("the edit is told", () => /"type":"(?:update|full-reload)"/.test(told), 60_000);
  expect((await get(`${origin}/src/word.js`, own)).body).toContain("after");
});

it("hot reload is refused to a page of another origin, and to one without the cookie", async () => {
  const { ana, ben } = await room(["ben"]);
  const { listening } = await share(ana, ben, { target: running.port, kind: "http", name: "site" });
  const { cookie = "" } = await get(listening.newUrl());
  const address = `ws://${listening.host}:${listening.port}`;
  const origin = address.replace("ws", "http");
  for (const headers of [{ origin: "http://127.0.0.1:1", cookie }, { origin }]) {
    const socket = new WebSocket(`${address}/?token=x`, ["vite-hmr"], { headers });
    later(() => socket.terminate());
    const status = await new Promise((resolve, reject) => {
      socket.once("unexpected-response", (_request, response) => resolve(response.statusCode));
      socket.once("open", () => reject(new Error("it was let in")));
      socket.once("error", reject);
    });
    expect(status).toBe(403);
  }
});
