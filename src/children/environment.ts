import { win32 } from "node:path";

export type Variables = Readonly<Record<string, string | undefined>>;

/** Where programs, the home and temporary files are; who runs; language and time zone. */
const PLACES = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "LANG", "LANGUAGE", "TZ"];
/** The way out through a proxy, and the certificates to believe. Programs read the former in both cases. */
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
const CERTIFICATES = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/** Without the first two no program of Windows opens a socket. */
const WINDOWS = ["SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "PROGRAMDATA"];
const WINDOWS_USER = ["USERPROFILE", "USERNAME", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA"];

const POSIX_NAMES = new Set([
  ...PLACES,
  ...PROXIES,
  ...PROXIES.map((name) => name.toLowerCase()),
  ...CERTIFICATES,
]);
const WINDOWS_NAMES = new Set([...PLACES, ...PROXIES, ...CERTIFICATES, ...WINDOWS, ...WINDOWS_USER]);

/**
 * The environment of a program that needs the machine and the network but none of the user's own settings. A list of what is
 * let through, since a program may give a meaning to any name that it was not told to ignore.
 */
export function plainEnvironment(env: Variables, platform: string): Record<string, string> {
  const isAllowed = (name: string): boolean =>
    platform === "win32"
      ? WINDOWS_NAMES.has(name.toUpperCase())
      : POSIX_NAMES.has(name) || /^LC_[A-Z]+$/.test(name);
  return chosen(env, isAllowed);
}

/** The environment of a program that is the user's own: `env` without the variables whose names match. */
export function environmentWithout(env: Variables, names: RegExp): Record<string, string> {
  return chosen(env, (name) => !names.test(name));
}

function chosen(env: Variables, isChosen: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || !isChosen(name) ? [] : [[name, value]],
    ),
  );
}

/** A program of Windows itself, wherever Windows is: never one of the same name that comes first in the `PATH`. */
export function systemProgram(env: Variables, ...path: readonly string[]): string {
  const [, root] = Object.entries(env).find(([name]) => name.toUpperCase() === "SYSTEMROOT") ?? [];
  return win32.join(root ?? String.raw`C:\Windows`, "System32", ...path);
}
