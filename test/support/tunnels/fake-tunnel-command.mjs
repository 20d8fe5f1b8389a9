/**
 * A stand-in for tunnel commands: `node fake-tunnel-command.mjs MODE [ARGUMENT]...`, started by the exec provider.
 *
 *   print TEXT...    writes each TEXT as a line on standard output, then goes on running
 *   complain TEXT... the same on standard error
 *   slowly TEXT      writes TEXT byte by byte, without a line end
 *   exit CODE TEXT   writes TEXT and ends
 *   silent           writes nothing
 *   flood TEXT       writes 20 MB without a line end, then TEXT on a line
 *   stubborn TEXT    like print, and ignores SIGTERM
 *   wrapper TEXT     starts another process that prints TEXT on the same output, and waits for it
 *   proxy PORT       forwards a port of its own to PORT, and writes its address; SIGUSR2 cuts it off
 *   environment      writes the names of its variables, and that of its folder, to FAKE_STATE
 *
 * Every process adds a line to the file FAKE_STATE: its id, and the arguments it was given.
 */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { connect, createServer } from "node:net";

const [mode = "", ...args] = process.argv.slice(2);
const state = process.env.FAKE_STATE;
const note = (facts) => {
  if (state !== undefined) appendFileSync(state, `${JSON.stringify({ pid: process.pid, args, ...facts })}\n`);
};
const say = (stream, text) => stream.write(`${text}\n`);
const stay = () => setInterval(() => undefined, 60_000);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

if (mode !== "proxy" && mode !== "environment") note({});
switch (mode) {
  case "stubborn":
    process.on("SIGTERM", () => undefined);
  // falls through
  case "print":
    for (const text of args) say(process.stdout, text);
    stay();
    break;
  case "complain":
    for (const text of args) say(process.stderr, text);
    stay();
    break;
  case "slowly":
    for (const byte of Buffer.from(args[0])) {
      process.stdout.write(Buffer.of(byte));
      await pause(1);
    }
    stay();
    break;
  case "exit":
    say(process.stderr, args[1]);
    process.exitCode = Number(args[0]);
    break;
  case "silent":
    stay();
    break;
  case "flood":
    for (let written = 0; written < 320; written += 1) {
      if (!process.stdout.write("x".repeat(65_536)))
        await new Promise((go) => process.stdout.once("drain", go));
    }
    say(process.stdout, `\n${args[0]}`);
    stay();
    break;
  case "wrapper":
    spawn(process.execPath, [process.argv[1], "stubborn", ...args], { stdio: "inherit" });
    break;
  case "environment":
    note({ env: Object.keys(process.env), cwd: process.cwd() });
    stay();
    break;
  case "proxy":
    proxyTo(Number(args[0]));
    break;
  default:
    process.exitCode = 64;
}

function proxyTo(port) {
  const sockets = new Set();
  const server = createServer((socket) => {
    const onward = connect(port, "127.0.0.1");
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        socket.destroy();
        onward.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  });
  server.listen(0, "127.0.0.1", () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    note({ url });
    say(process.stdout, `\u001b[32mForwarding\u001b[0m ${url}/ -> 127.0.0.1:${port}`);
  });
  process.on("SIGUSR2", () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
}
