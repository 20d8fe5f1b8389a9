import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** The environment for git in tests: none of the settings of whoever runs them. */
export const GIT_ENV: Record<string, string> = {
  PATH: process.env["PATH"] ?? "",
  ...(process.env["SystemRoot"] === undefined ? {} : { SystemRoot: process.env["SystemRoot"] }),
};

/** A repository on the branch `main` of a folder that exists. */
export class Repository {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    this.git("init", "--quiet", "--initial-branch=main");
    this.git("config", "user.name", "Test");
    this.git("config", "user.email", "test@example.com");
    this.git("config", "commit.gpgSign", "false");
  }

  git(...args: string[]): string {
    const env = { ...GIT_ENV, HOME: this.folder, GIT_CONFIG_NOSYSTEM: "1", LC_ALL: "C" };
    return execFileSync("git", args, { cwd: this.folder, env, encoding: "utf8", stdio: "pipe" }).trim();
  }

  put(name: string, content: string | Uint8Array, mode = 0o644): string {
    const file = path.join(this.folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content, { mode });
    return file;
  }

  /** The hash of a commit of everything. */
  commit(): string {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message=change");
    return this.git("rev-parse", "HEAD");
  }
}
