import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { BREAK, keyboard, PASTE_OFF, PASTE_ON, type TerminalInput } from "./keyboard.ts";

/**
 * Asks for the link without showing it: it is a secret, and terminals keep what they show.
 * @returns the text that was given, with the link somewhere in it; undefined when nothing was given
 */
export function askLink(input: TerminalInput, write: (text: string) => void): Promise<string | undefined> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return new Promise((resolve) => {
    const { keys, stop } = keyboard(input, {
      onPaste: (text) => rl.write(text),
      onActivity: () => undefined,
    });
    const rl = createInterface({ input: keys, output: nowhere, terminal: true, historySize: 0 });
    let link: string | undefined;
    rl.once("line", (line) => {
      link = line.trim() === "" ? undefined : line.replaceAll(BREAK, "\n");
      rl.close();
    });
    rl.once("SIGINT", () => rl.close());
    rl.once("close", () => {
      write(`${PASTE_OFF}\n`);
      stop();
      resolve(link);
    });
    write(`${PASTE_ON}Invite link, or the whole invite (it is not shown): `);
  });
}
