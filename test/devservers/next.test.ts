import { beforeAll, expect, it } from "vitest";
import { HOST } from "../expose/gateway/harness.ts";
import { project, start, type Project } from "./dev-server.ts";
import { show, type Shown } from "./shown.ts";

const layout =
  "export default function Layout({ children }) {\n  return <html><body>{children}</body></html>;\n}\n";
const page = (word: string): string => `export default function Page() {\n  return <h1>${word}</h1>;\n}\n`;

let files: Project;
let shown: Shown;
beforeAll(async () => {
  files = project(
    "next",
    ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"],
    {
      "app/layout.jsx": layout,
      "app/page.jsx": page("before"),
      "app/api/where/route.js":
        "export const GET = (request) => Response.json({ host: request.headers.get('x-forwarded-host') });\n",
      "next.config.js": "export default {};\n",
    },
    [".next"],
  );
  shown = await show(
    await start(files.folder, "node_modules/next/dist/bin/next", ["dev", "--port", "{port}"]),
  );
});

it("serves its page, its scripts and its routes under the public name", async () => {
  const html = await shown.get("/");
  expect(html.status).toBe(200);
  expect(html.body).toContain("before");
  const scripts = [...html.body.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, source = ""]) => source);
  expect(scripts.length).toBeGreaterThan(0);
  const fields = {
    accept: "*/*",
    origin: `https://${HOST}`,
    referer: `https://${HOST}/`,
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "cors",
  };
  for (const source of scripts)
    expect([source, (await shown.get(source, { fields })).status]).toEqual([source, 200]);
  expect(JSON.parse((await shown.get("/api/where", { fields })).body)).toEqual({ host: HOST });
});

it("would refuse the public origin without the gateway", async () => {
  const [, script = ""] = /<script[^>]* src="([^"]+)"/.exec((await shown.get("/")).body) ?? [];
  const fields = {
    accept: "*/*",
    origin: `https://${HOST}`,
    "sec-fetch-mode": "no-cors",
    "sec-fetch-site": "cross-site",
  };
  expect((await shown.getDirectly(script, { fields })).status).toBe(403);
});

it("tells of an edited page through the WebSocket, and serves the new one", async () => {
  const [, id = ""] = /__next_r="([^"]+)"/.exec((await shown.get("/")).body) ?? [];
  expect(id).not.toBe("");
  const socket = await shown.socket(`/_next/hmr?id=${id}`);
  await socket.next(/connected|sync/);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  files.write("app/page.jsx", page("after"));
  await socket.next(/serverComponentChanges|reloadPage|"built"/);
  expect((await shown.get("/")).body).toContain("after");
  socket.close();
});
