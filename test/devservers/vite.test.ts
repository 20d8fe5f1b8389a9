import { beforeAll, expect, it } from "vitest";
import { HOST } from "../expose/gateway/harness.ts";
import { project, start, type Project } from "./dev-server.ts";
import { show, type Shown } from "./shown.ts";

const page =
  '<!doctype html><title>shown</title><div id="app"></div><script type="module" src="/src/main.js"></script>';
const main =
  'import { word } from "./word.js";\nimport "./style.css";\ndocument.querySelector("#app").textContent = word;\nimport.meta.hot?.accept();\n';

let files: Project;
let shown: Shown;
beforeAll(async () => {
  files = project(
    "vite",
    ["vite@8.4.0"],
    {
      "index.html": page,
      "src/main.js": main,
      "src/word.js": 'export const word = "before";\n',
      "src/style.css": "#app { color: red; }\n",
      "public/asset.txt": "an asset",
      "vite.config.js": "export default {};\n",
    },
    ["node_modules/.vite"],
  );
  shown = await show(
    await start(files.folder, "node_modules/vite/bin/vite.js", ["--port", "{port}", "--strictPort"]),
  );
});

it("is found, with a warning that it hands out the sources", () => {
  expect(shown.facts.status).toBe(200);
  expect(shown.facts.upstream.host).toMatch(/^localhost:/);
  expect(shown.facts.warnings).toEqual([expect.stringContaining("Vite")]);
});

it("serves its page, modules, styles and assets unchanged under the public name", async () => {
  const html = await shown.get("/");
  expect(html).toMatchObject({ status: 200, body: (await shown.getDirectly("/")).body });
  expect(html.body).toContain("/@vite/client");
  const module = {
    accept: "*/*",
    "sec-fetch-dest": "script",
    "sec-fetch-mode": "cors",
    "sec-fetch-site": "same-origin",
  };
  for (const target of ["/@vite/client", "/src/main.js", "/src/word.js", "/src/style.css", "/asset.txt"]) {
    const fields = { ...module, origin: `https://${HOST}`, referer: `https://${HOST}/` };
    const [through, direct] = [await shown.get(target, { fields }), await shown.getDirectly(target)];
    expect([target, through.status, through.body]).toEqual([target, 200, direct.body]);
    expect(through.fields["content-type"]).toBe(direct.fields["content-type"]);
  }
});

it("would refuse the public name without the gateway", async () => {
  expect((await shown.getDirectly("/", { fields: { host: HOST } })).status).toBe(403);
});

it("tells of an edited file through the WebSocket, and serves the new one", async () => {
  const client = (await shown.get("/@vite/client")).body;
  const [, token = ""] = /wsToken = "([^"]+)"/.exec(client) ?? [];
  expect(token).not.toBe("");
  await shown.get("/src/main.js");
  await shown.get("/src/word.js");
  const socket = await shown.socket(`/?token=${token}`, ["vite-hmr"]);
  expect(socket.protocol).toBe("vite-hmr");
  await socket.next(/"type":"connected"/);
  files.write("src/word.js", 'export const word = "after";\n');
  const update = await socket.next(/"type":"(?:update|full-reload)"/);
  expect(update).toContain("main.js");
  expect((await shown.get("/src/word.js")).body).toContain("after");
  socket.close();
});
