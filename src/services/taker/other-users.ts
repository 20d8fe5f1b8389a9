import { execFile } from "node:child_process";
import { readdir, stat } from "node:fs/promises";

/** Accounts of people begin there; below are those of services. */
const FIRST_PERSON: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 1_000, darwin: 501 };
/** Above are those that stand for nobody (65534), and those that containers map. */
const LAST_PERSON = 60_000;
const ANSWER_MS = 5_000;

/**
 * Whether somebody else is logged in on this machine, or runs programs there: each of them could use a TCP listener on its loopback
 * interface. Linux: whose processes run, and `who` where these cannot be seen. macOS: the same by `ps`. Windows: sessions by `query user`,
 * which some editions do not have: there nobody is found.
 */
export async function hasOtherUsers(platform: NodeJS.Platform = process.platform): Promise<boolean> {
  if (platform === "win32") return (await windowsSessions()) > 1;
  const own = process.getuid?.() ?? 0;
  const first = FIRST_PERSON[platform] ?? 1_000;
  const uids = platform === "linux" ? await linuxOwners() : await ownersByPs();
  const others = uids.filter((uid) => uid !== own && uid >= first && uid <= LAST_PERSON);
  if (others.length > 0) return true;
  return (await loggedIn()).size > 1;
}

/** The owner of each process, as /proc shows it. */
async function linuxOwners(): Promise<readonly number[]> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^[1-9][0-9]*$/.test(name));
  const found = await Promise.all(
    // One that has ended meanwhile is nobody's.
    pids.map((pid) =>
      stat(`/proc/${pid}`).then(
        ({ uid }) => uid,
        () => undefined,
      ),
    ),
  );
  return [...new Set(found.filter((uid) => uid !== undefined))];
}

async function ownersByPs(): Promise<readonly number[]> {
  const text = await output("ps", ["-axo", "uid="]);
  return [...new Set(text.split("\n").map((line) => Number.parseInt(line, 10)))].filter(Number.isSafeInteger);
}

/** The names that `who` tells: this user's own is one of them where it is logged in at a terminal. */
async function loggedIn(): Promise<ReadonlySet<string>> {
  const text = await output("who", []);
  const names = text.split("\n").map((line) => line.split(/\s/, 1)[0] ?? "");
  return new Set(names.filter((name) => name !== ""));
}

async function windowsSessions(): Promise<number> {
  const text = await output("query", ["user"]);
  return text.split("\n").filter((line) => line.trim() !== "").length - 1;
}

/** The output of a program; nothing where it is not there. */
function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: ANSWER_MS, windowsHide: true }, (_error, stdout) =>
      resolve(stdout),
    );
  });
}
