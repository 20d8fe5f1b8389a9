import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { hasOtherUsers } from "../../src/services/taker/other-users.ts";

const mayBecome = process.platform === "linux" && process.getuid?.() === 0;

it.skipIf(!mayBecome)(
  "somebody else who runs a program here is found (only root can be somebody else)",
  async () => {
    const before = await hasOtherUsers();
    const other = spawn("sleep", ["30"], { uid: 23_456, gid: 23_456, stdio: "ignore" });
    await once(other, "spawn");
    expect(await hasOtherUsers()).toBe(true);
    other.kill("SIGKILL");
    await once(other, "exit");
    expect(await hasOtherUsers()).toBe(before);
  },
);

it("asking does no harm where the programs that answer are missing", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nowhere";
  try {
    for (const platform of ["win32", "darwin"] as const) expect(await hasOtherUsers(platform)).toBe(false);
  } finally {
    process.env["PATH"] = path;
  }
});
