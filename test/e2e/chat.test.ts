import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  BUNDLE,
  closeOtherSide,
  NODE,
  otherSide,
  portOf,
  sandbox,
  unfenced,
  type Sandbox,
} from "../support/agent.ts";
import { accepts, gone, until } from "../support/processes.ts";

const FAKE = fileURLToPath(new URL("../support/tunnels/fake-cloudflared.mjs", import.meta.url));
const POSIX = process.platform !== "win32";
const eventSchema = z.looseObject({ event: z.string() });
const openedSchema = z.looseObject({ invites: z.array(z.looseObject({ joinLink: z.string() })).min(1) });

let boxes: Sandbox[] = [];
let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const box of boxes.splice(0)) box.remove();
});
afterAll(closeOtherSide);

interface Program {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  readonly box: Sandbox;
  stdout(): string;
  stderr(): string;
  write(line: string): void;
  event(name: string): Promise<z.infer<typeof eventSchema>>;
}

/** The command line as a script runs it, with pipes on all sides; `wrapped` puts another program in front. */
function program(
  args: string[],
  env: Record<string, string> = {},
  wrapped?: (command: string[]) => string[],
): Program {
  const box = sandbox(env);
  boxes.push(box);
  const command = [NODE, BUNDLE, ...args];
  const [file = "", ...rest] = wrapped?.(command) ?? command;
  const child = spawn(file, rest, { env: box.env, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    child,
    box,
    exited: once(child, "exit"),
    stdout: () => stdout,
    stderr: () => stderr,
    write: (line) => void child.stdin.write(`${line}\n`),
    async event(name) {
      const found = () =>
        stdout
          .split("\n")
          .slice(0, -1)
          .map((line) => eventSchema.parse(JSON.parse(line)))
          .find(({ event }) => event === name);
      await until(`the event ${name}`, () => found() !== undefined);
      return found() ?? { event: name };
    },
  };
}

async function linkFrom(host: Program): Promise<string> {
  return openedSchema.parse(await host.event("opened")).invites[0]?.joinLink ?? "";
}

describe("a program in a tunnel with an agent", () => {
  it("opens it, and both talk", async () => {
    const host = program(["open", "--json", "--transport", "direct", "--goal", "align", "--name", "ana"]);
    const ben = await otherSide();
    const joinLink = await linkFrom(host);
    const joined = await ben.call("tunnel_join", { joinLink, name: "ben" });
    expect(joined.goal).toBe("align");
    host.write('{"say":"which page size?","intent":"request","ref":1}');
    expect(await host.event("sent")).toMatchObject({ ref: 1, seq: 2 });
    const [asked] = await ben.hear();
    expect(asked).toMatchObject({ fromName: "ana", intent: "request" });
    expect(unfenced(asked?.text ?? "")).toBe("which page size?");
    await ben.call("tunnel_say", { text: "50", replyTo: 2 });
    expect(await host.event("message")).toMatchObject({ fromName: "ben", text: "50", replyTo: 2 });
    host.write('{"close":true}');
    expect(await host.exited).toEqual([0, null]);
    expect([host.stderr(), host.box.left()]).toEqual(["", []]);
    expect(await accepts(portOf(joinLink))).toBe(false);
    const { ended } = await ben.call("tunnel_listen", { timeoutMs: 5_000 });
    expect(ended?.cause).toBe("closed-by-host");
  });

  it("joins it by a link from its input, says one thing and is gone", async () => {
    const ana = await otherSide();
    const { joinLink } = await ana.call("tunnel_open", { goal: "align", name: "ana" });
    const guest = program(["join", "--json", "--name", "script"]);
    guest.child.stdin?.end(`${joinLink}\n{"say":"the build is green"}\n`);
    expect(await guest.exited).toEqual([0, null]);
    expect(guest.stderr()).toBe("");
    const [said] = await ana.hear();
    expect([said?.fromName, unfenced(said?.text ?? "")]).toEqual(["script", "the build is green"]);
  });
});

describe.skipIf(!POSIX)("a signal", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s leaves no process, no port and no file behind",
    async (signal) => {
      const env = {
        TUNNEL_TRANSPORT: "cloudflared",
        TUNNEL_CLOUDFLARED: FAKE,
        TUNNEL_SKIP_REACHABILITY_CHECK: "1",
      };
      const host = program(["open", "--json", "--goal", "to be torn down"], env);
      await host.event("opened");
      const tunnels = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
        .split("\n")
        .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
        .filter((found) => Number(found?.[2]) === host.child.pid && found?.[3]?.includes("fake-cloudflared"));
      const [, pid = "", , args = ""] = tunnels[0] ?? [];
      expect(tunnels).toHaveLength(1);
      const port = Number(/--url\s+\S+:(\d+)/.exec(args)?.[1]);
      expect(await accepts(port)).toBe(true);
      host.child.kill(signal);
      const numbers = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
      expect(await host.exited).toEqual([numbers[signal], null]);
      await gone(Number(pid));
      expect([await accepts(port), host.box.left(), host.stderr()]).toEqual([false, [], ""]);
      expect(await host.event("ended")).toMatchObject({ cause: "host-stopped" });
    },
  );
});

/** util-linux has `script`, which gives a program a terminal; the one of BSD and macOS takes other arguments. */
function canScript(): boolean {
  try {
    return execFileSync("script", ["--version"], { encoding: "utf8", stdio: "pipe" }).includes("util-linux");
  } catch {
    return false;
  }
}

describe.skipIf(!canScript())("a person at a pseudo-terminal (needs script of util-linux)", () => {
  const inTerminal = (command: string[]): string[] => [
    "script",
    "--quiet",
    "--return",
    "--command",
    command.map((word) => `'${word}'`).join(" "),
    "/dev/null",
  ];

  it("opens a tunnel, talks with an agent, and leaves with Ctrl-C", async () => {
    const env = { TERM: "xterm", NO_COLOR: "1" };
    const args = ["open", "--goal", "align", "--name", "ana", "--transport", "direct"];
    const host = program(args, env, inTerminal);
    await until("the prompt", () => host.stdout().includes("ana> "));
    const [joinLink = ""] = /ws:\S+/.exec(host.stdout()) ?? [];
    const ben = await otherSide();
    await ben.call("tunnel_join", { joinLink, name: "ben" });
    await until("the arrival", () => host.stdout().includes("ben has joined"));
    host.child.stdin?.write("hello from a keyboard\r");
    const [heard] = await ben.hear();
    expect(unfenced(heard?.text ?? "")).toBe("hello from a keyboard");
    await ben.call("tunnel_say", { text: "hello, person" });
    await until("the answer", () => /\d\d:\d\d ben: hello, person\r\n/.test(host.stdout()));
    expect(host.stdout()).toContain("\u001b[?2004h");
    host.child.stdin?.write("\u0003");
    await until("the question", () => host.stdout().includes("(Ctrl-C again to end it for everybody"));
    host.child.stdin?.write("\u0003");
    expect(await host.exited).toEqual([0, null]);
    expect(host.stdout()).toContain("\u001b[?2004l");
    expect(host.stdout()).toContain("You have closed the tunnel.");
    expect(await accepts(portOf(joinLink))).toBe(false);
  });

  it("offers a service to another person at a terminal, who uses it until it is withdrawn", async () => {
    const service = createServer((socket) => socket.on("error", () => undefined).end("from ana's machine"));
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    try {
      const { port: target } = service.address() as AddressInfo;
      const env = { TERM: "xterm", NO_COLOR: "1" };
      const args = ["open", "--goal", "align", "--name", "ana", "--transport", "direct"];
      const ana = program(args, env, inTerminal);
      await until("the prompt", () => ana.stdout().includes("ana> "));
      const [joinLink = ""] = /ws:\S+/.exec(ana.stdout()) ?? [];
      const ben = program(["join", joinLink, "--name", "ben"], env, inTerminal);
      await until("the arrival", () => ana.stdout().includes("ben has joined"));
      ana.child.stdin?.write(`/offer ${target} greeter --tcp --to ben\r`);
      await until("the question", () => ana.stdout().includes("Type /approve 1"));
      ana.child.stdin?.write("/approve 1\r");
      await until("the offer", () => /offers the service greeter[^]*\/connect 1/.test(ben.stdout()));
      ben.child.stdin?.write("/connect 1\r");
      await until("the ask", () => ana.stdout().includes("ben wants to connect to greeter"));
      ana.child.stdin?.write("/approve 2\r");
      await until("it is here", () => /greeter is here: host 127\.0\.0\.1,\s+port \d+/.test(ben.stdout()));
      const port = Number(/greeter is here: host 127\.0\.0\.1,\s+port (\d+)/.exec(ben.stdout())?.[1]);
      let heard = "";
      for await (const chunk of connect({ port, host: "127.0.0.1" })) heard += String(chunk);
      expect(heard).toBe("from ana's machine");
      ana.child.stdin?.write("/withdraw greeter\r");
      await until("the end", () => ben.stdout().includes("The service greeter is not here any more"));
      expect(await accepts(port)).toBe(false);
      ana.child.stdin?.write("/quit\r");
      expect([await ana.exited, await ben.exited]).toEqual([
        [0, null],
        [0, null],
      ]);
      expect([ana.box.left(), ben.box.left()]).toEqual([[], []]);
    } finally {
      service.close();
    }
  });

  it("who has a terminal that knows no codes (TERM=dumb) is sent none, and Ctrl-C ends it", async () => {
    const args = ["open", "--goal", "align", "--name", "ana", "--transport", "direct"];
    const host = program(args, { TERM: "dumb" }, inTerminal);
    await until("the link", () => /ws:\S+/.test(host.stdout()));
    const [joinLink = ""] = /ws:\S+/.exec(host.stdout()) ?? [];
    const ben = await otherSide();
    await ben.call("tunnel_join", { joinLink, name: "ben" });
    await until("the arrival", () => host.stdout().includes("ben has joined"));
    host.child.stdin?.write("hello from a dumb terminal\n");
    expect(unfenced((await ben.hear())[0]?.text ?? "")).toBe("hello from a dumb terminal");
    host.child.stdin?.write("\u0003");
    expect(await host.exited).toEqual([130, null]);
    expect(host.stdout()).not.toContain("\u001b");
  });
});
