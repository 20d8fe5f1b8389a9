import { randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ensurePrivateDirectory } from "../../runtime/private-directory.ts";

/** The files of a tunnel's folder, relative to it. */
export const FILES = {
  env: ".env",
  gitignore: ".gitignore",
  compose: "docker-compose.yaml",
  proxy: "config/mcp-proxy.yaml",
  ca: "data/ca.crt",
  nextCa: "data/ca-next.crt",
  cert: "data/tls.crt",
  key: "data/tls.key",
  upstreamCa: "data/upstream-ca.crt",
  // The CA's keys stay out of the folders that the containers see.
  caKey: "ca/ca.key",
  nextCaKey: "ca/ca-next.key",
  sample: "sample/server.mjs",
} as const;

/** Nobody but the owner; or also the containers' user, who is let in by a mount and not by the folder around. */
export const MODES = { secret: 0o600, shared: 0o644, privateFolder: 0o700, sharedFolder: 0o755 } as const;

const MAX_BYTES = 262_144;

/** One tunnel's folder. Links are followed nowhere, and files of other users are neither read nor replaced. */
export class Folder {
  readonly root: string;
  readonly #platform: string;

  constructor(root: string, platform: string) {
    this.root = root;
    this.#platform = platform;
  }

  pathOf(name: string): string {
    return path.join(this.root, ...name.split("/"));
  }

  /** Makes the folder, or takes one that is empty or was made here before. */
  async prepare(): Promise<void> {
    const problem = await this.#problemOf(this.root, "folder");
    if (problem !== undefined) throw unusable(this.root, problem);
    const names = await namesIn(this.root);
    const isOurs = names.length === 0 || names.includes(FILES.env);
    if (!isOurs) throw unusable(this.root, "it has other things in it");
    const env = names.length === 0 ? undefined : await this.read(FILES.env);
    if (env !== undefined && !env.includes("MCP_PROXY_IMAGE"))
      throw unusable(this.root, "its .env was made for something else");
    await asUnusable(this.root, async () => {
      await mkdir(path.dirname(this.root), { recursive: true });
      await ensurePrivateDirectory(this.root, this.#platform);
    });
  }

  /** Makes a folder inside, or checks the one that is there. Wrong permissions of an own one are corrected. */
  async folder(name: string, mode: number): Promise<void> {
    const where = this.pathOf(name);
    const problem = await this.#problemOf(where, "folder");
    if (problem !== undefined) throw unusable(where, problem);
    await asUnusable(where, async () => {
      await mkdir(where, { recursive: true, mode });
      if (this.#platform !== "win32") await chmod(where, mode);
    });
  }

  /** @returns undefined where there is none */
  async read(name: string): Promise<string | undefined> {
    const where = this.pathOf(name);
    const problem = await this.#problemOf(where, "file");
    if (problem !== undefined) throw unusable(where, problem);
    return asUnusable(where, async () => {
      const handle = await open(where).catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      if (handle === undefined) return undefined;
      try {
        if ((await handle.stat()).size > MAX_BYTES) throw unusable(where, "it is too large");
        return await handle.readFile("utf8");
      } finally {
        await handle.close();
      }
    });
  }

  /** In one step: a reader sees the old file or the new one. */
  async write(name: string, text: string, mode: number): Promise<void> {
    const where = this.pathOf(name);
    const problem = await this.#problemOf(where, "file");
    if (problem !== undefined) throw unusable(where, problem);
    const draft = `${where}.${randomBytes(6).toString("hex")}.tmp`;
    await asUnusable(where, async () => {
      try {
        const handle = await open(draft, "wx", mode);
        try {
          await handle.writeFile(text);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await chmod(draft, mode); // the umask may have taken some of it
        await rename(draft, where);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    });
  }

  /** Gives a file another name, over one that has it; does nothing where it is not there. */
  async move(from: string, to: string): Promise<void> {
    await asUnusable(this.pathOf(from), () =>
      rename(this.pathOf(from), this.pathOf(to)).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      }),
    );
  }

  /** The fault of a file or folder that is there, or of its permissions; undefined where there is none. */
  async problemOf(name: string, kind: "file" | "folder", mode: number): Promise<string | undefined> {
    const where = this.pathOf(name);
    const problem = await this.#problemOf(where, kind);
    if (problem !== undefined || this.#platform === "win32") return problem;
    const found = await lstat(where).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    const extra = found === undefined ? 0 : found.mode & 0o777 & ~mode;
    return extra === 0
      ? undefined
      : `its permissions are ${octal(found)}, which lets others in; ${mode.toString(8)} is meant`;
  }

  /** A fault of a file that is there: a link, another kind of thing, or somebody else's. */
  async #problemOf(where: string, kind: "file" | "folder"): Promise<string | undefined> {
    try {
      const found = await lstat(where);
      if (found.isSymbolicLink()) return "it is a link";
      if (kind === "file" ? !found.isFile() : !found.isDirectory()) return `it is no ${kind}`;
      const isOther = process.getuid !== undefined && found.uid !== process.getuid();
      // The containers' user may own what the proxy reads.
      if (isOther && found.uid !== CONTAINER_USER) return "it belongs to another user";
      return kind === "file" && found.nlink > 1 ? "it has a second name (a hard link)" : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      return error instanceof Error && "code" in error
        ? `it cannot be looked at (${String(error.code)})`
        : "?";
    }
  }
}

const CONTAINER_USER = 65_532;

function octal(found: { readonly mode: number } | undefined): string {
  return ((found?.mode ?? 0) & 0o777).toString(8);
}

async function namesIn(root: string): Promise<readonly string[]> {
  return asUnusable(root, () =>
    readdir(root).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    }),
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function unusable(where: string, why: string): TunnelError {
  return new TunnelError("anthropic-folder-unusable", { detail: `${where}: ${why}` });
}

async function asUnusable<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const message = code === "" && error instanceof Error ? error.message : `it cannot be used (${code})`;
    throw new TunnelError("anthropic-folder-unusable", { detail: `${where}: ${message}`, cause: error });
  }
}
