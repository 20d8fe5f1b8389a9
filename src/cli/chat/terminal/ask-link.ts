import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { BREAK, keyboard, PASTE_OFF, PASTE_ON, type TerminalInput } from "./keyboard.ts";

/** Something in it that begins like a link. */
const LINK = /wss?:\/\/\S+/i;

/** Without marks the lines of a pasted invite come one by one, in one go. */
const PASTE_MS = 200;

/**
 * Asks for the link without showing it: it is a secret, and terminals keep what they show.
 * @param marksPaste whether the terminal can be told to mark what is pasted; otherwise it is sent no code at all
 * @returns the text that was given, with the link somewhere in it; undefined when nothing was given
 */
export function askLink(
  input: TerminalInput,
  write: (text: string) => void,
  marksPaste: boolean,
): Promise<string | undefined> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return new Promise((resolve) => {
    const { keys, stop } = keyboard(input, {
      onPaste: (text) => rl.write(text),
      onActivity: () => undefined,
    });
    const rl = createInterface({ input: keys, output: nowhere, terminal: true, historySize: 0 });
    let given = "";
    rl.on("line", (line) => {
      given += `${line}\n`;
      if (marksPaste || LINK.test(given)) rl.close();
      else setTimeout(() => rl.close(), PASTE_MS);
    });
    rl.once("SIGINT", () => {
      given = "";
      rl.close();
    });
    rl.once("close", () => {
      write(marksPaste ? `${PASTE_OFF}\n` : "\n");
      stop();
      resolve(given.trim() === "" ? undefined : given.replaceAll(BREAK, "\n").trim());
    });
    write(`${marksPaste ? PASTE_ON : ""}Invite link, or the whole invite (it is not shown): `);
  });
}
