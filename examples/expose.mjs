import { createServer } from "node:http";
import { expose } from "tunnel-mcp/expose";

const server = createServer((request, response) =>
  response.end(`hello ${request.headers["x-forwarded-for"]}\n`),
);
server.listen(0, "127.0.0.1", async () => {
  const { url } = await expose({
    port: server.address().port,
    relay: process.env.TUNNEL_RELAY,
    token: process.env.TUNNEL_RELAY_TOKEN,
  });
  console.log(url);
});
