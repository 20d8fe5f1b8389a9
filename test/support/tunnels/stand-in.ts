import { writeFileSync } from "node:fs";
import { join } from "node:path";

const FAKE = new URL("fake-cloudflared.mjs", import.meta.url).href;
let made = 0;

/**
 * A program in `directory` that is fake-cloudflared.mjs with these settings, to be named as the path of cloudflared. It sets
 * them itself, since a child is given no variable of the server's that it could take for a setting.
 */
export function standIn(directory: string, settings: Readonly<Record<string, string>> = {}): string {
  made += 1;
  const path = join(directory, `fake-cloudflared-${made}.mjs`);
  const lines = [
    "#!/usr/bin/env node",
    `Object.assign(process.env, ${JSON.stringify(settings)});`,
    `await import(${JSON.stringify(FAKE)});`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o755 });
  return path;
}
