import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import * as z from "zod/mini";
import { plainEnvironment, type Variables } from "../../children/environment.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** A command that a person has written down. */
export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

const MAX_FILE_BYTES = 256 * 1024;
const MAX_SERVERS = 128;

const NAME = /^(?!\d+$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$/;

/** Whether it can be a name in the file: no port, and nothing that an address has in it. */
export function isServerName(text: string): boolean {
  return NAME.test(text);
}

/** No NUL, which no program can be given. */
const word = z.string().check(
  z.maxLength(32 * 1024),
  z.refine((text) => !text.includes("\0")),
);

/** The form that clients use. A word that is not in it is an error: a misspelt one would go unnoticed. */
const fileSchema = z.strictObject({
  mcpServers: z
    .record(
      z.string().check(z.refine(isServerName)),
      z.strictObject({
        type: z.optional(z.literal("stdio")),
        command: word.check(z.minLength(1)),
        args: z.optional(z.array(word).check(z.maxLength(256))),
        env: z.optional(z.record(z.string().check(z.regex(/^[^=\0]+$/)), word)),
        cwd: z.optional(word.check(z.minLength(1))),
      }),
    )
    .check(z.refine((servers) => Object.keys(servers).length <= MAX_SERVERS)),
});

export interface ServersFileOptions {
  /** As TUNNEL_MCP_SERVERS names it; undefined where it is not set. */
  readonly path: string | undefined;
  readonly cwd: string;
  readonly env: Variables;
  readonly platform: string;
}

/**
 * The command of a name in the file. It is read anew each time, so that a person need not restart anything.
 * @throws {TunnelError} mcp-servers-unset, -unreadable, -open, -invalid, mcp-server-unknown
 */
export async function commandNamed(name: string, options: ServersFileOptions): Promise<ServerCommand> {
  const { path, cwd, env, platform } = options;
  if (path === undefined) throw new TunnelError("mcp-servers-unset");
  const file = await readable(resolve(cwd, path), platform);
  const servers = parseServers(file.text);
  const entry = Object.hasOwn(servers, name) ? servers[name] : undefined;
  if (entry === undefined)
    throw new TunnelError("mcp-server-unknown", { detail: namesText(Object.keys(servers)) });
  const expand = (text: string): string => expanded(text, env);
  const folder = entry.cwd === undefined ? cwd : resolve(dirname(file.path), expand(entry.cwd));
  const own = Object.entries(entry.env ?? {}).map(([key, value]): [string, string] => [key, expand(value)]);
  const command = expand(entry.command);
  return {
    // A path in it is one from its folder, as a shell there would take it.
    file: /[\\/]/.test(command) && !isAbsolute(command) ? resolve(folder, command) : command,
    args: (entry.args ?? []).map(expand),
    env: { ...plainEnvironment(env, platform), ...Object.fromEntries(own) },
    cwd: folder,
  };
}

/** @throws {TunnelError} mcp-servers-invalid, without any value of the file */
function parseServers(text: string): z.infer<typeof fileSchema>["mcpServers"] {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw new TunnelError("mcp-servers-invalid", { detail: "it is not JSON" });
  }
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data.mcpServers;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).map(String).filter((part) => /^[\w.-]{1,64}$/.test(part));
  const unknown =
    issue?.code === "unrecognized_keys" ? issue.keys.filter((key) => /^\w{1,32}$/.test(key)) : [];
  const where = path.length === 0 ? "at its top" : `at ${path.join(".")}`;
  const what = unknown.length === 0 ? "" : `: ${unknown.join(", ")} is not known`;
  throw new TunnelError("mcp-servers-invalid", { detail: `${where}${what}` });
}

/** By one descriptor, so that nobody exchanges the file between its check and its use. */
async function readable(
  path: string,
  platform: string,
): Promise<{ readonly path: string; readonly text: string }> {
  try {
    const real = await realpath(path);
    // A named pipe would never open.
    const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw new TunnelError("mcp-servers-unreadable");
      const isOwn = process.getuid === undefined || found.uid === process.getuid();
      if (platform !== "win32" && (!isOwn || (found.mode & 0o077) !== 0))
        throw new TunnelError("mcp-servers-open");
      if (found.size > MAX_FILE_BYTES)
        throw new TunnelError("mcp-servers-invalid", { detail: "it is too large" });
      return { path: real, text: await handle.readFile("utf8") };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    throw new TunnelError("mcp-servers-unreadable", { cause: error });
  }
}

/** `${NAME}` and `${NAME:-default}`, as clients write them. @throws {TunnelError} mcp-servers-invalid */
function expanded(text: string, env: Variables): string {
  return text.replace(
    /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g,
    (_whole, name: string, other: string | undefined) => {
      const value = /^TUNNEL_/i.test(name) ? undefined : env[name];
      const found = value === undefined || value === "" ? other : value;
      if (found === undefined)
        throw new TunnelError("mcp-servers-invalid", {
          detail: `the variable ${name.slice(0, 64)} is not set`,
        });
      return found;
    },
  );
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(", ");
  return names.length === 0 ? "it names none" : `it names ${shown}${names.length > 10 ? ", …" : ""}`;
}
