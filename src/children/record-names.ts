import { readdir } from "node:fs/promises";
import { processIsRunning } from "../runtime/processes.ts";

const NAME = /^child-([1-9]\d{0,9})-[1-9]\d{0,9}\.json$/;

/** The file of a record: the numbers of a server and of its child. */
export function recordName(server: number, child: number): string {
  return `child-${server}-${child}.json`;
}

/** The files in a folder that have the name of a record. */
export async function recordNames(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name));
  } catch (error) {
    if (error instanceof Error) return []; // There is no such folder.
    throw error;
  }
}

/**
 * Whether a server that is gone has left a record. Cheap, for a start that must not wait: where the server's number was given
 * out again it is not noticed here, but by the sweep before the first tunnel.
 */
export async function hasLeftovers(
  folders: readonly string[],
  isRunning: (pid: number) => boolean = processIsRunning,
): Promise<boolean> {
  const names = await Promise.all(folders.map(recordNames));
  return names.flat().some((name) => !isRunning(Number(NAME.exec(name)?.[1])));
}
