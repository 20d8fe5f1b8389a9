import { statfs } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** Better refused now than when the disk is full for everybody. @throws {TunnelError} disk-full */
export async function assertRoom(folder: string, size: number): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined);
  // Some disks do not say how much room they have.
  if (disk === undefined || disk.blocks === 0) return;
  if (disk.bavail * disk.bsize < size) throw new TunnelError("disk-full");
}
