import { accessSync, constants, readlinkSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";

/** The folders that the system gives a process. Each may be missing, and none of that stops a start. */

const GONE = / \(deleted\)$/;

/**
 * The working directory, as a path that is not there where it was deleted: a root that is not there allows nothing. `PWD` is not
 * asked: a client that starts the server in another folder does not change it.
 */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return deletedDirectory() ?? path.resolve(path.parse(process.execPath).root, ".no-working-directory");
  }
}

/** Linux still tells its name. */
function deletedDirectory(): string | undefined {
  try {
    const told = readlinkSync("/proc/self/cwd").replace(GONE, "");
    return path.isAbsolute(told) ? told : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** The user's home; the top of the disk where none is known, since a folder that wide is no project. */
export function homeDirectory(): string {
  const top = path.parse(process.execPath).root;
  try {
    const home = homedir();
    return path.isAbsolute(home) ? home : top;
  } catch (error) {
    // Containers may run under a user id without an entry.
    if (error instanceof Error) return top;
    throw error;
  }
}

/** The folder for temporary files: that of the system, or where it cannot be used one that every system has. */
export function tempDirectory(): string {
  const told = tmpdir();
  const usual = process.platform === "win32" ? [] : ["/tmp", "/var/tmp"];
  return [told, ...usual].find(isWritableFolder) ?? told;
}

export function isFolder(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

export function isWritableFolder(folder: string): boolean {
  try {
    // A folder is written to by those who may also search it.
    accessSync(folder, constants.W_OK | constants.X_OK);
    return isFolder(folder);
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
