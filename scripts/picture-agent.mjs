/** Built servers that pictures are made of: each in folders of its own, driven by an MCP client. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { getDefaultEnvironment, StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const bundle = fileURLToPath(new URL("../dist/tunnel-mcp.cjs", import.meta.url));

const LISTENS = 6;
const LISTEN_MS = 10_000;

/**
 * @param folder in which home, runtime folder and working directory are made
 * @param shop the name of the working directory
 * @param client the name and version that the client tells
 */
export async function startAgent({ folder, name, shop, client: clientInfo }) {
  const [home, runtime, cwd] = ["home", "run", shop].map((one) => path.join(folder, one));
  for (const one of [home, runtime, cwd]) await mkdir(one, { recursive: true, mode: 0o700 });
  const homes = { HOME: home, USERPROFILE: home, XDG_CACHE_HOME: home, LOCALAPPDATA: home };
  const places = { ...homes, XDG_RUNTIME_DIR: runtime, TMPDIR: runtime };
  const settings = {
    TUNNEL_NAME: name,
    TUNNEL_TRANSPORT: "direct",
    TUNNEL_DOH: "off",
    TUNNEL_CONTEXT: "off",
  };
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [bundle],
    env: { ...getDefaultEnvironment(), ...places, ...settings },
    cwd,
    stderr: "inherit",
  });
  const client = new Client(clientInfo);
  await client.connect(transport);

  async function call(tool, args = {}) {
    const { isError, structuredContent } = await client.callTool({ name: tool, arguments: args });
    if (isError === true) throw new Error(`${tool}: ${JSON.stringify(structuredContent)}`);
    return structuredContent;
  }
  /** The first message of that kind; those before it are not shown. */
  async function hear(wanted) {
    for (let listens = 0; listens < LISTENS; listens += 1) {
      const { messages } = await call("tunnel_listen", { timeoutMs: LISTEN_MS });
      const found = messages.find(wanted);
      if (found !== undefined) return { ...found, text: withoutFence(found.text) };
    }
    throw new Error(`${name} was not told`);
  }
  return { cwd, call, hear, controls: path.join(runtime, "tunnel-mcp"), stop: () => client.close() };
}

function withoutFence(text = "") {
  return text.replaceAll(/^<<(?:end )?peer-text.*>>$/gm, "").trim();
}
