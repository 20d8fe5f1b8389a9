import { realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { binaryEnvironment } from "../../tunnel/cloudflared/environment.ts";
import { askWhich } from "./choose.ts";
import { platformOf } from "./places.ts";
import { setup, type SetupOptions } from "./setup.ts";

/** The options from the command line. The rest comes from the system of this process. */
export type Here = Pick<
  SetupOptions,
  "request" | "bundle" | "home" | "cwd" | "env" | "clock" | "output" | "onShutdown"
> & { readonly isAtTerminal: boolean };

export async function setupHere({ isAtTerminal, ...options }: Here): Promise<0 | 1> {
  const { env, output } = options;
  const temporary = tmpdir();
  return setup({
    ...options,
    platform: platformOf(process.platform),
    tempDirectories: [temporary, await realpath(temporary).catch(() => temporary)],
    searchPath: binaryEnvironment(env).searchPath,
    ask: isAtTerminal ? (count) => askWhich(process.stdin, output.out, count) : undefined,
  });
}
