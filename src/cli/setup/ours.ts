import { PUBLISHED } from "../../view/setup/registration.ts";

/** The program that runs a server, by its name alone. */
export function isNode(program: string): boolean {
  return /^node(?:\.exe)?$/i.test(lastSegment(program));
}

/** Whether an entry starts this program, or another copy of it. */
export function isOurs(argv: readonly string[]): boolean {
  const [program = "", ...args] = argv.map(lastSegment);
  if (isNode(program)) return args.includes("tunnel-mcp.cjs");
  // Until publication the package of that name is another program (src/view/registration.ts).
  const isRunner = PUBLISHED && /^(?:npx|cmd)(?:\.cmd|\.exe)?$/i.test(program);
  return isRunner && args.some((arg) => /^tunnel-mcp(?:@|$)/.test(arg));
}

function lastSegment(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}
