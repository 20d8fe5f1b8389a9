import { CLOUDFLARED_VERSION, PINS, type Pin } from "./release.ts";

/** A release to fetch and the program in it, as one value, so that tests can pin their own. */
export interface PinnedRelease extends Pin {
  readonly version: string;
  readonly url: string;
}

/** Windows on arm64 emulates x64, and there is no arm64 build for it. */
const SUBSTITUTES: Readonly<Record<string, string>> = { "win32-arm64": "win32-x64" };

/** The pinned release for a platform; undefined when there is none. */
export function pinnedRelease(platform: string, arch: string): PinnedRelease | undefined {
  const wanted = `${platform}-${arch}`;
  const key = SUBSTITUTES[wanted] ?? wanted;
  const pin = Object.hasOwn(PINS, key) ? PINS[key] : undefined;
  if (pin === undefined) return undefined;
  return { ...pin, version: CLOUDFLARED_VERSION, url: assetUrl(CLOUDFLARED_VERSION, pin.asset) };
}

export function assetUrl(version: string, asset: string): string {
  return `https://github.com/cloudflare/cloudflared/releases/download/${version}/${asset}`;
}

const VERSION = /^(\d{4})\.(\d{1,2})\.(\d{1,3})$/;

/** Whether a cloudflared found on the machine is recent enough to be used: Cloudflare supports a version for one year. */
export function isSupportedVersion(version: string): boolean {
  const age = monthsOf(CLOUDFLARED_VERSION) - monthsOf(version);
  return age <= 12;
}

function monthsOf(version: string): number {
  const [, year = "", month = ""] = VERSION.exec(version) ?? [];
  return year === "" ? Number.NaN : Number(year) * 12 + Number(month);
}
