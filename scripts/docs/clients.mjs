/** The blocks in docs/CLIENTS.md. */
import { fenced } from "./markdown.mjs";

/** One block for each client that `setup` knows, for those who would rather do it by hand. */
export function clientBlocks({ CLIENTS, configText, describePlace, ownLine, serverCommand }) {
  const server = serverCommand("/path/to/tunnel-mcp/dist/tunnel-mcp.cjs");
  return CLIENTS.map((client) => {
    const line = ownLine(client, server, "linux");
    const skills = client.skills === undefined ? undefined : describePlace(client.skills, "linux");
    const project = projectFile(client);
    return [
      "<details>",
      `<summary>${client.title}</summary>`,
      ...(line === undefined ? [] : [fenced("sh", line), "Or by hand:"]),
      fenced(client.format.kind, configText(client.format).snippet(server)),
      clientFiles(client, describePlace),
      ...(client.unattended === undefined ? [] : unattended(client)),
      [
        ...(project === undefined
          ? []
          : [`For one folder alone: \`${project}\` (\`setup --project --client ${client.name}\`).`]),
        ...(skills === undefined ? [] : [`The skill goes to \`${skills}\`.`]),
        `Then ${client.afterwards}. Only this one: \`setup --client ${client.name}\`.`,
        `Form and places are [documented](${client.source}).`,
      ].join(" "),
      "</details>",
    ].join("\n\n");
  }).join("\n\n");
}

function projectFile({ project }) {
  return project === undefined ? undefined : [project.folder, project.files.at(-1)].filter(Boolean).join("/");
}

/** What a human may add for a mode that asks nobody. */
function unattended({ program, unattended: tools }) {
  return [
    `\`${program} exec\` asks nobody, so it refuses these tools. To approve one beforehand, add its lines. There is none for \`tunnel_receive\`, since a human decides what is saved.`,
    fenced("toml", tools.join("\n\n")),
  ];
}

/** Where the client's file is on each system, each path once. */
function clientFiles({ folders, files }, describePlace) {
  const systems = [
    ["Linux", "linux"],
    ["macOS", "darwin"],
    ["Windows", "win32"],
  ];
  const byPath = new Map();
  for (const [title, platform] of systems) {
    const separator = platform === "win32" ? "\\" : "/";
    const places = folders
      .map((place) => describePlace(place, platform))
      .filter((place) => place !== undefined);
    const [usual, ...packaged] = places
      .map((place) => `\`${place}${separator}${files.at(-1)}\``)
      .toReversed();
    const list = packaged.length === 0 ? usual : `${usual}, or as a package ${packaged.join(" or ")}`;
    byPath.set(list, [...(byPath.get(list) ?? []), title]);
  }
  return [...byPath].map(([paths, titles]) => `- ${titles.join(" and ")}: ${paths}`).join("\n");
}
