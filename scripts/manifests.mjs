/**
 * Every manifest by which a client, a marketplace or a registry takes this package, as data made of package.json and of
 * the program's own tables: nothing in them is written twice. scripts/gen-manifests.mjs writes them, and
 * scripts/mcpb.mjs puts one of them into the bundle for Claude Desktop.
 */

/** How the plugin and its server are called: the first makes the slash commands (`/tunnel:pair`), both the tools' names. */
const NAME = "tunnel";
const DISPLAY_NAME = "Tunnel";
const PROGRAM = "dist/tunnel-mcp.cjs";
const SERVER_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
const AGENT_PLUGINS = "https://agent-plugins.org/schemas/1.0.0";

/** Who is to own the public repository: the registry knows a server by that, and checks it when something is published. */
const INTENDED_OWNER = "tunnel-mcp";

/**
 * The files by their path in the repository. server.json and `mcpName` take the owner of `repository`, and as long as there is
 * none the intended one; `npm run release` refuses until there is.
 */
export function manifestFiles({ pkg, published, settings }) {
  const repository = repositoryOf(pkg);
  const common = {
    name: NAME,
    version: pkg.version,
    description: pkg.description,
    author: { name: pkg.author },
    ...(repository === undefined ? {} : { homepage: repository.url, repository: repository.url }),
    license: pkg.license,
    keywords: pkg.keywords,
  };
  const files = {
    ".claude-plugin/plugin.json": claudePlugin(common),
    ".claude-plugin/marketplace.json": marketplace(pkg, published),
    "monitors/monitors.json": [
      {
        name: "tunnel-arrivals",
        command: `node "\${CLAUDE_PLUGIN_ROOT}/${PROGRAM}" wake --watch`,
        description: "What arrives in open tunnels, one line each",
      },
    ],
    ".codex-plugin/plugin.json": codexPlugin(common, pkg, published, settings),
    ".cursor-plugin/plugin.json": {
      ...common,
      displayName: DISPLAY_NAME,
      commands: "./commands/",
      skills: "./skills/",
      ...servers(launch(pkg, published, "${CURSOR_PLUGIN_ROOT}/")),
    },
    "plugin.json": { $schema: `${AGENT_PLUGINS}/plugin.schema.json`, ...common },
    "mcp.json": {
      $schema: `${AGENT_PLUGINS}/mcp.schema.json`,
      ...servers({ type: "stdio", ...launch(pkg, published, "${PLUGIN_ROOT}/") }),
    },
    "gemini-extension.json": {
      name: NAME,
      version: pkg.version,
      description: pkg.description,
      ...servers(launch(pkg, published, "${extensionPath}/")),
    },
  };
  files["server.json"] = registryEntry(pkg, repository, settings);
  return files;
}

/** package.json with the name in the MCP registry: `mcpName` must equal the name in server.json. */
export function withRegistryName(pkg) {
  const { mcpName: _, name, version, ...others } = pkg;
  return { name, version, mcpName: registryName(pkg, repositoryOf(pkg)), ...others };
}

function registryName(pkg, repository) {
  return `io.github.${repository?.owner ?? INTENDED_OWNER}/${pkg.name.replace(/^@.*\//, "")}`;
}

/** manifest.json of the MCPB bundle. */
export function bundleManifest({ pkg, tools, settings }) {
  const asked = settings.filter(({ isAsked }) => isAsked);
  const repository = repositoryOf(pkg);
  return {
    manifest_version: "0.3",
    name: pkg.name,
    display_name: DISPLAY_NAME,
    version: pkg.version,
    description: pkg.description,
    author: { name: pkg.author },
    ...(repository === undefined ? {} : { repository: { type: "git", url: repository.url } }),
    license: pkg.license,
    keywords: pkg.keywords,
    server: {
      type: "node",
      entry_point: PROGRAM,
      mcp_config: {
        command: "node",
        args: [`\${__dirname}/${PROGRAM}`],
        env: Object.fromEntries(
          asked.map(({ variable }) => [variable, `\${user_config.${formKey(variable)}}`]),
        ),
      },
    },
    tools: tools.map(({ name, description }) => ({ name, description })),
    compatibility: { platforms: ["darwin", "win32", "linux"], runtimes: { node: pkg.engines.node } },
    user_config: Object.fromEntries(asked.map((setting) => [formKey(setting.variable), formField(setting)])),
  };
}

/** Where the sources are, once they are public. */
function repositoryOf(pkg) {
  const source = typeof pkg.repository === "string" ? pkg.repository : pkg.repository?.url;
  if (source === undefined) return undefined;
  const [, owner, name] = /github\.com[/:]([\w.-]+)\/([\w.-]+?)(?:\.git)?$/.exec(source) ?? [];
  if (owner === undefined) throw new Error("`repository` in package.json must be a repository on GitHub");
  return {
    url: `https://github.com/${owner}/${name}`,
    owner,
  };
}

/**
 * The command of the server. dist/ is built and not in git: a plugin that a client takes from git has it only through npm, in
 * exactly this version.
 */
function launch(pkg, published, root) {
  return published
    ? { command: "npx", args: ["-y", `${pkg.name}@${pkg.version}`] }
    : { command: "node", args: [`${root}${PROGRAM}`] };
}

function servers(server) {
  return { mcpServers: { [NAME]: server } };
}

/** Claude Code installs the npm package itself as the plugin, so the program is always beside the manifest. */
function claudePlugin(common) {
  return {
    ...common,
    displayName: DISPLAY_NAME,
    ...servers({ command: "node", args: [`\${CLAUDE_PLUGIN_ROOT}/${PROGRAM}`] }),
    experimental: { monitors: "./monitors/monitors.json" },
  };
}

function marketplace(pkg, published) {
  return {
    name: pkg.name.replace(/^@.*\//, ""),
    description: pkg.description,
    owner: { name: pkg.author },
    plugins: [
      {
        name: NAME,
        description: pkg.description,
        // Without a package there is only what `npm run plugin` has put together in the clone.
        source: published ? { source: "npm", package: pkg.name, version: pkg.version } : "./dist/plugin",
      },
    ],
  };
}

function codexPlugin(common, pkg, published, settings) {
  return {
    ...common,
    skills: "./skills/",
    // Codex hands a server only what is named here, and takes no placeholder for the plugin's folder: it runs there.
    ...servers({
      ...launch(pkg, published, "./"),
      cwd: ".",
      env_vars: settings.map(({ variable }) => variable),
    }),
    interface: {
      displayName: DISPLAY_NAME,
      shortDescription: "Talk to another developer's agent",
      longDescription: common.description,
      developerName: common.author.name,
      category: "Developer Tools",
      defaultPrompt: ["Open a tunnel to a colleague's agent and give me the invite."],
    },
  };
}

function registryEntry(pkg, repository, settings) {
  return {
    $schema: SERVER_SCHEMA,
    name: registryName(pkg, repository),
    title: DISPLAY_NAME,
    description: pkg.description,
    version: pkg.version,
    ...(repository === undefined
      ? {}
      : { websiteUrl: repository.url, repository: { url: repository.url, source: "github" } }),
    packages: [
      {
        registryType: "npm",
        identifier: pkg.name,
        version: pkg.version,
        runtimeHint: "npx",
        transport: { type: "stdio" },
        environmentVariables: settings.map(registryVariable),
      },
    ],
  };
}

function registryVariable({ variable, help, kind, default: value, isSecret }) {
  const text = kind.write(value);
  return {
    name: variable,
    description: help,
    format: kind.format,
    ...(kind.choices === undefined ? {} : { choices: kind.choices }),
    ...(text === undefined ? {} : { default: text }),
    ...(isSecret ? { isSecret } : {}),
  };
}

function formKey(variable) {
  return variable.replace(/^TUNNEL_/, "").toLowerCase();
}

/** Every field has a default, if only the empty text, which counts as unset: what has none stays a literal `${...}`. */
function formField({ variable, help, kind, default: value, isSecret }) {
  const title = formKey(variable).replaceAll("_", " ");
  return {
    type: { number: "number", filepath: "file", string: "string" }[kind.format],
    title: `${title[0].toUpperCase()}${title.slice(1)}`,
    description: help,
    required: false,
    default: kind.format === "number" ? value : (kind.write(value) ?? ""),
    ...kind.range,
    ...(isSecret ? { sensitive: true } : {}),
  };
}
