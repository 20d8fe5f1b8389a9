import { beforeAll, expect, it } from "vitest";
import { HOST } from "../expose/gateway/harness.ts";
import { project, start } from "./dev-server.ts";
import { show, type Shown } from "./shown.ts";

const app = `
import express from "express";
const app = express();
app.set("trust proxy", "loopback");
app.use(express.json());
app.use("/static", express.static("public"));
app.get("/", (request, response) => response.cookie("a", "1").cookie("b", "2", { httpOnly: true }).send("<h1>hello</h1>"));
app.get("/where", (request, response) => response.json({ host: request.hostname, scheme: request.protocol, from: request.ip }));
app.get("/leave", (request, response) => response.redirect("/arrived"));
app.get("/absolute", (request, response) => response.redirect(\`\${request.protocol}://\${request.host}/arrived\`));
app.post("/echo", (request, response) => response.status(201).json(request.body));
app.get("/events", (request, response) => {
  response.set("content-type", "text/event-stream").flushHeaders();
  response.write("data: 1\\n\\n");
  setTimeout(() => response.end("data: 2\\n\\n"), 200);
});
app.use((request, response) => response.status(404).type("text").send("nothing at " + request.url));
app.listen(Number(process.env.PORT), "127.0.0.1");
`;

let shown: Shown;
beforeAll(async () => {
  const files = project("express", ["express@5.3.0"], { "app.js": app, "public/file.txt": "0123456789" });
  shown = await show(await start(files.folder, "app.js"));
});

it("is found by its name", () => {
  expect(shown.facts).toMatchObject({ status: 200, server: "Express", warnings: [] });
});

it("answers through the gateway as it does without", async () => {
  for (const target of ["/", "/static/file.txt", "/nothing?a=%2f..//", "/leave", "/events"]) {
    const [through, direct] = [await shown.get(target), await shown.getDirectly(target)];
    expect([target, through.status, through.body]).toEqual([target, direct.status, direct.body]);
    for (const name of ["content-type", "etag", "set-cookie", "location", "content-length", "x-powered-by"])
      expect([target, name, through.fields[name]]).toEqual([target, name, direct.fields[name]]);
  }
  const range = { fields: { range: "bytes=2-4" } };
  expect(await shown.get("/static/file.txt", range)).toMatchObject({ status: 206, body: "234" });
});

it("knows the public address, and takes what is posted", async () => {
  const { body } = await shown.get("/where");
  expect(JSON.parse(body)).toEqual({ host: HOST, scheme: "https", from: "127.0.0.1" });
  expect((await shown.get("/absolute")).fields["location"]).toBe(`https://${HOST}/arrived`);
  const posted = await shown.get("/echo", {
    method: "POST",
    fields: { "content-type": "application/json" },
    body: '{"ü":[1]}',
  });
  expect(posted).toMatchObject({ status: 201, body: '{"ü":[1]}' });
});
