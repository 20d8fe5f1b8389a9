import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A repository with one commit, and a change to make of it. */
export function gitIn(folder: string) {
  const git = (...args: readonly string[]): void => {
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd: folder,
      stdio: "ignore",
    });
  };
  const file = join(folder, "src", "orders.ts");
  mkdirSync(join(folder, "src"));
  writeFileSync(
    file,
    "export function orders(all: Order[]) {\n  return all.slice(0, 50);\n}\n\nexport function count(all: Order[]) {\n  return all.length;\n}\n",
  );
  writeFileSync(join(folder, ".gitignore"), "cache\nhome\ntmp\n*.json\n.env\n");
  git("init", "-q", "-b", "checkout");
  git("add", "src", ".gitignore");
  git("commit", "-qm", "Begin");
  return {
    change: () =>
      writeFileSync(
        file,
        "export function orders(all: Order[], cursor = 0) {\n  const items = all.slice(cursor, cursor + 50);\n  return { items, nextCursor: cursorOf(cursor + items.length) };\n}\n\nexport function count(all: Order[]) {\n  return all.length;\n}\n",
      ),
  };
}
