import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { besideEndpoint } from "../support/agent.ts";
import { parts } from "../support/files/file-agents.ts";
import type { Side } from "./side.ts";

/** Processes of this machine that were started for one of these folders, or are in it. */
export function processesOf(places: readonly string[]): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const told = [
        () => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "),
        () => readFileSync(`/proc/${pid}/environ`, "utf8"),
        () => readlinkSync(`/proc/${pid}/cwd`),
      ].map((look) => unlessGone(look));
      return places.some((place) => told.some((text) => text.includes(place))) ? [`${pid} ${told[0]}`] : [];
    });
}

function unlessGone(look: () => string): string {
  try {
    return look();
  } catch (error) {
    // It has ended meanwhile, or is another user's.
    if (error instanceof Error) return "";
    throw error;
  }
}

const filesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];

/** Files of a stay, of a tunnel program, and of files on their way. */
export function filesOf({ agent, name }: Side, states: string): string[] {
  const stays = filesIn(join(states, name, "tunnel-mcp", "stays"));
  return [...stays, ...besideEndpoint(agent.box.left()), ...parts(agent)];
}
