import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { contentOf } from "../support/streaming.ts";
import { room, share } from "../services/scene.ts";
import { program } from "./programs.ts";
import { folderOf, run, serve, stopServers, type Ran } from "./server.ts";

let target: number;
let folder: string;
beforeAll(async () => {
  folder = folderOf();
  for (const name of ["host", "user"]) {
    const { status, stderr } = spawnSync(
      program("ssh-keygen"),
      ["-q", "-t", "ed25519", "-N", "", "-f", path.join(folder, name)],
      { encoding: "utf8" },
    );
    if (status !== 0) throw new Error(stderr);
  }
  // Where sshd of Debian gives up its rights; only root needs it.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  target = await serve(program("sshd"), (port) => {
    const config = path.join(folder, "sshd_config");
    const lines = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${folder}/host`,
      `AuthorizedKeysFile ${folder}/user.pub`,
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "PermitRootLogin yes",
      `PidFile ${folder}/pid`,
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    return ["-D", "-e", "-f", config];
  });
});
afterAll(stopServers);

/** Ben's ssh to ana's machine: the server's key is checked as ever. */
async function ssh(): Promise<(command: string, input?: Buffer) => Promise<Ran>> {
  const { ana, ben } = await room(["ben"]);
  const { listening } = await share(ana, ben, { target, name: "shell", to: ["ben"] });
  const { host, port } = listening;
  const known = path.join(folder, "known_hosts");
  const scanned = await run("cat", [path.join(folder, "host.pub")]);
  writeFileSync(known, `[${host}]:${port} ${scanned.out}`);
  const args = ["-F", "none", "-i", path.join(folder, "user"), "-p", String(port)];
  const strict = [
    "-o",
    `UserKnownHostsFile=${known}`,
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    "BatchMode=yes",
  ];
  return (command, input) =>
    run(
      program("ssh"),
      [...args, ...strict, `${userInfo().username}@${host}`, command],
      input === undefined ? {} : { input },
    );
}

it("ssh logs in with a key, and runs a command", async () => {
  const shell = await ssh();
  expect(await shell("echo from $((6 * 7)); exit 3")).toMatchObject({ code: 3, out: "from 42\n" });
});

it("16 MiB go in, and their hash comes back after the end of the input", async () => {
  const shell = await ssh();
  const content = Buffer.from(contentOf(16 * 1024 * 1024));
  const hash = createHash("sha256").update(content).digest("hex");
  expect((await shell("sha256sum", content)).out).toBe(`${hash}  -\n`);
});

it("16 MiB come out whole", async () => {
  const shell = await ssh();
  expect((await shell("head -c 16777216 /dev/zero")).out.length).toBe(16 * 1024 * 1024);
});
