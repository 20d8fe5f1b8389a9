import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { release } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { environmentWithout, systemProgram } from "../../children/environment.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  readonly env: Env;
  readonly platform: string;
  /** This process runs in a container: nothing of it can be seen from a browser without a forwarded port. */
  readonly isContainer: boolean;
  /** Linux inside Windows. */
  readonly isWsl: boolean;
  /** Whether a program is in the `PATH`. */
  readonly has: (program: string) => boolean;
}

/**
 * Where a person's browser is. `here`: on this system, and `file` opens it. `near`: on this machine, but not in this system, which is
 * why only 127.0.0.1 leads here. `ssh`: at the other end of a connection, whose own address may be known.
 */
export type Browser =
  | { readonly at: "here" | "near"; readonly open: Opener | undefined }
  | { readonly at: "ssh"; readonly machine: string | undefined; readonly open: Opener | undefined }
  | { readonly at: "container"; readonly open: Opener | undefined };

interface Opener {
  readonly file: string;
  readonly args: readonly string[];
}

export function surroundings(env: Env, platform: string): Surroundings {
  const inContainer = ["/.dockerenv", "/run/.containerenv"].some((file) => existsSync(file));
  const named = ["REMOTE_CONTAINERS", "CODESPACES", "KUBERNETES_SERVICE_HOST", "container"];
  return {
    env,
    platform,
    isContainer: platform === "linux" && (inContainer || named.some((name) => isSet(env, name))),
    isWsl: platform === "linux" && (isSet(env, "WSL_DISTRO_NAME") || /microsoft/i.test(release())),
    has: (program) =>
      (env["PATH"] ?? "")
        .split(delimiter)
        .some((folder) => isAbsolute(folder) && existsSync(join(folder, program))),
  };
}

export function browserOf({ env, platform, isContainer, isWsl, has }: Surroundings): Browser {
  const helper = helperOf(env);
  if (["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].some((name) => isSet(env, name))) {
    const [, , machine] = (env["SSH_CONNECTION"] ?? "").split(" ");
    return { at: "ssh", machine, open: helper };
  }
  if (isContainer) return { at: "container", open: helper };
  if (isWsl) return { at: "near", open: has("wslview") ? { file: "wslview", args: [] } : undefined };
  switch (platform) {
    case "darwin":
      return { at: "here", open: { file: "/usr/bin/open", args: [] } };
    case "win32": {
      // No shell reads the address, so no character of it means anything.
      const file = systemProgram(env, "rundll32.exe");
      return { at: "here", open: { file, args: ["url.dll,FileProtocolHandler"] } };
    }
    default: {
      const hasScreen = isSet(env, "DISPLAY") || isSet(env, "WAYLAND_DISPLAY");
      return { at: "here", open: hasScreen && has("xdg-open") ? { file: "xdg-open", args: [] } : undefined };
    }
  }
}

/** An editor that is connected from elsewhere opens pages at its own end, and forwards the port. */
function helperOf(env: Env): Opener | undefined {
  const file = env["BROWSER"];
  if (!isSet(env, "VSCODE_IPC_HOOK_CLI") || file === undefined || !isAbsolute(file)) return undefined;
  return { file, args: [] };
}

function isSet(env: Env, name: string): boolean {
  return (env[name] ?? "") !== "";
}

/** Time in which an opener has failed, if it does. */
const FAILED_MS = 3_000;

/**
 * Opens an address in the person's browser, and waits for nothing more than that the program has begun.
 * @returns whether it has; that a window has come cannot be known
 */
export function openBrowser({ file, args }: Opener, url: string, env: Env): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(file, [...args, url], {
      detached: true,
      stdio: "ignore",
      env: environmentWithout(env, /^TUNNEL_/i),
      windowsHide: true,
    });
    const late = setTimeout(() => resolve(true), FAILED_MS);
    const done = (hasBegun: boolean) => (): void => {
      clearTimeout(late);
      resolve(hasBegun);
    };
    child.once("error", done(false)).once("exit", (code) => done(code === 0)());
    child.unref();
  });
}
