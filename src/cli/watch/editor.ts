import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Environment } from "../io/environment.ts";

/** The editor that a person has chosen for their terminal; every Windows has one. */
function editorOf(env: Environment, platform: string): string | undefined {
  const chosen = [env["VISUAL"], env["EDITOR"]].find((name) => name !== undefined && name.trim() !== "");
  return chosen ?? (platform === "win32" ? "notepad" : undefined);
}

interface Editing {
  readonly env: Environment;
  readonly platform: string;
  /** Ends the editor. */
  readonly signal: AbortSignal;
}

/**
 * Lets a person edit a text in their own editor, in a file that only this user can read and that is gone afterwards.
 * @returns the text; `undefined` where they have left it as it was, or empty
 * @throws {TunnelError} input-invalid where there is no editor, or it has failed
 */
export async function editedBy(
  text: string,
  { env, platform, signal }: Editing,
): Promise<string | undefined> {
  const editor = editorOf(env, platform);
  if (editor === undefined)
    throw new TunnelError("input-invalid", {
      detail: "set EDITOR, or type the text behind the number: edit N TEXT",
    });
  const folder = await mkdtemp(path.join(tmpdir(), "tunnel-mcp-edit-"));
  const file = path.join(folder, "message.txt");
  try {
    await writeFile(file, text, { mode: 0o600, flag: "wx" });
    await run(editor, file, signal);
    const edited = (await contentOf(file)).replace(/\r\n/g, "\n").trimEnd();
    return edited === "" || edited === text.trimEnd() ? undefined : edited;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `code --wait` is a usual value: words after the program are its arguments, and quotes keep a path with spaces together. */
function wordsOf(editor: string): string[] {
  return Array.from(editor.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? "");
}

async function run(editor: string, file: string, signal: AbortSignal): Promise<void> {
  const [program = "", ...given] = wordsOf(editor);
  const child = spawn(program, [...given, file], { stdio: "inherit", signal });
  const code = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null)).once("close", resolve);
  });
  if (code !== 0) throw failed();
}

/** An editor may put another file in its place, or take it away. */
async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error) throw failed();
    throw error;
  }
}

function failed(): TunnelError {
  return new TunnelError("input-invalid", { detail: "the editor has failed, and nothing was sent" });
}
