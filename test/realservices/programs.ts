import { existsSync, readdirSync } from "node:fs";
import path from "node:path";

/** Programs that the tests run, with the Debian package of each. */
export const PROGRAMS = {
  postgres: "postgresql",
  initdb: "postgresql",
  psql: "postgresql-client",
  "redis-server": "redis-server",
  "redis-cli": "redis-tools",
  sshd: "openssh-server",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
  "nats-server": "nats-server",
} as const;

export type ProgramName = keyof typeof PROGRAMS;

const POSTGRES = "/usr/lib/postgresql";

/** Debian keeps the programs of a PostgreSQL server out of the path, the newest last. */
function folders(): string[] {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES).toSorted() : [];
  const found = (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => folder !== "");
  return [
    ...versions.toReversed().map((version) => path.join(POSTGRES, version, "bin")),
    ...found,
    "/usr/sbin",
    "/sbin",
  ];
}

/** The absolute path of a program; undefined where it is not installed. */
export function pathOf(name: ProgramName): string | undefined {
  return folders()
    .map((folder) => path.join(folder, name))
    .find((file) => existsSync(file));
}

export const isProgram = (name: string): name is ProgramName => Object.hasOwn(PROGRAMS, name);

export function missing(of: readonly string[] = Object.keys(PROGRAMS)): ProgramName[] {
  return of.filter(isProgram).filter((name) => pathOf(name) === undefined);
}

/** The absolute path of a program that the setup has made sure of. */
export function program(name: ProgramName): string {
  const found = pathOf(name);
  if (found === undefined) throw new Error(`${name} is not installed (Debian: ${PROGRAMS[name]})`);
  return found;
}
