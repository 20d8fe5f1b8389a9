import { beforeAll, expect, it } from "vitest";
import { HOST } from "../expose/gateway/harness.ts";
import { project, start, type Project } from "./dev-server.ts";
import { show, type Shown } from "./shown.ts";

/** The server alone, as its documents show it: the command line would come in a package of its own. */
const serve = `
import webpack from "webpack";
import WebpackDevServer from "webpack-dev-server";
const compiler = webpack({ mode: "development", devtool: false, entry: "./src/main.js", infrastructureLogging: { level: "none" } });
const server = new WebpackDevServer({ port: Number(process.env.PORT), host: "localhost", static: "./static", hot: true }, compiler);
await server.start();
`;

let files: Project;
let shown: Shown;
beforeAll(async () => {
  files = project("webpack", ["webpack@5.113.0", "webpack-dev-server@6.1.0"], {
    "serve.js": serve,
    "src/main.js":
      'import { word } from "./word.js";\ndocument.title = word;\nimport.meta.webpackHot?.accept();\n',
    "src/word.js": 'export const word = "before";\n',
    "static/index.html": '<!doctype html><title>shown</title><script src="/main.js"></script>',
  });
  shown = await show(await start(files.folder, "serve.js"));
});

it("serves its page and its bundle under the public name", async () => {
  const page = await shown.get("/");
  expect(page).toMatchObject({ status: 200, body: (await shown.getDirectly("/")).body });
  const fields = { origin: `https://${HOST}`, referer: `https://${HOST}/` };
  const bundle = await shown.get("/main.js", { fields });
  expect(bundle.status).toBe(200);
  expect(bundle.body).toContain("before");
  expect(bundle.body).toBe((await shown.getDirectly("/main.js")).body);
});

it("would refuse the public name without the gateway", async () => {
  expect((await shown.getDirectly("/", { fields: { host: HOST } })).body).toBe("Invalid Host header");
});

it("tells of an edited file through the WebSocket, and serves the new one", async () => {
  const socket = await shown.socket("/ws");
  await socket.next(/"type":"(?:ok|still-ok|hash)"/);
  await new Promise((resolve) => setTimeout(resolve, 500));
  files.write("src/word.js", 'export const word = "after";\n');
  await socket.next(/"type":"invalid"/);
  await socket.next(/"type":"hash"/);
  await socket.next(/"type":"ok"/);
  expect((await shown.get("/main.js")).body).toContain("after");
  socket.close();
});
