import { posix, win32, type PlatformPath } from "node:path";

/** The systems on which clients put their files differently. Others count as Linux. */
export type Platform = "linux" | "darwin" | "win32";

/** A place in the user's own folders, for any machine. */
export interface Place {
  /**
   * The start of `path`: the home folder, the system's folder for applications' settings, the one for their data on this
   * machine alone (Windows only), the settings folder of the XDG specification, or the applications themselves (macOS only).
   */
  readonly base: "home" | "settings" | "local" | "xdg" | "applications";
  /** With `/` on every system. A segment may end in `*`, which stands for the rest of any name. */
  readonly path: string;
  /** A variable with a folder that, where it is set, replaces `base` and `path`, and the path below it. */
  readonly variable?: readonly [name: string, path: string];
  /** The only system for it; left out: every system. */
  readonly on?: Platform;
}

/** The facts about a machine that decide where a place is. */
export interface Whereabouts {
  readonly platform: Platform;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of the applications for everybody (macOS); left out: the usual one. */
  readonly applications?: string | undefined;
}

export function platformOf(platform: string): Platform {
  return platform === "darwin" || platform === "win32" ? platform : "linux";
}

export function pathOf(platform: Platform): PlatformPath {
  return platform === "win32" ? win32 : posix;
}

/** The absolute path of a place, its `*` unchanged; undefined where this system has no such place. */
export function locate(place: Place, where: Whereabouts): string | undefined {
  if (place.on !== undefined && place.on !== where.platform) return undefined;
  const path = pathOf(where.platform);
  if (place.variable !== undefined) {
    const [name, below] = place.variable;
    const set = variable(where, name);
    if (set !== undefined) return path.join(set, below);
  }
  const base = baseFolder(place.base, where);
  return base === undefined ? undefined : path.join(base, place.path);
}

function baseFolder(base: Place["base"], where: Whereabouts): string | undefined {
  const { platform, home } = where;
  const path = pathOf(platform);
  switch (base) {
    case "home":
      return home;
    case "applications":
      return where.applications ?? "/Applications";
    case "xdg":
      return variable(where, "XDG_CONFIG_HOME") ?? path.join(home, ".config");
    case "local":
      return platform === "win32"
        ? (variable(where, "LOCALAPPDATA") ?? path.join(home, "AppData", "Local"))
        : undefined;
    case "settings":
      if (platform === "win32") return variable(where, "APPDATA") ?? path.join(home, "AppData", "Roaming");
      if (platform === "darwin") return path.join(home, "Library", "Application Support");
      return variable(where, "XDG_CONFIG_HOME") ?? path.join(home, ".config");
  }
}

/** The folder in a variable. A relative one would mean another folder for every program, so it is ignored. */
function variable({ env, platform }: Whereabouts, name: string): string | undefined {
  const value = platform === "win32" ? withoutCase(env, name) : env[name];
  return value !== undefined && isRooted(value, platform) ? value : undefined;
}

function isRooted(value: string, platform: Platform): boolean {
  // %NAME% stands for a rooted path where paths are described and not opened.
  return pathOf(platform).isAbsolute(value) || (platform === "win32" && value.startsWith("%"));
}

function withoutCase(env: Whereabouts["env"], name: string): string | undefined {
  return Object.entries(env).find(([key]) => key.toUpperCase() === name)?.[1];
}

/** The place as the documentation writes it, with names of variables for folders. */
export function describePlace(place: Place, platform: Platform): string | undefined {
  const windows = { APPDATA: "%APPDATA%", LOCALAPPDATA: "%LOCALAPPDATA%" };
  return locate(place, {
    platform,
    home: platform === "win32" ? "%USERPROFILE%" : "~",
    env: platform === "win32" ? windows : {},
  });
}
