import type { Environment } from "./io/environment.ts";
import { nearest } from "../errors/nearest.ts";
import { allSettings } from "./settings.ts";

const PREFIX = "TUNNEL_";
const MAX_SHOWN = 8;

/** cloudflared reads settings of its own under the same prefix: a person who runs that as well has made no slip. */
const OF_CLOUDFLARED =
  /^(?:ACCESS|CRED|DNS|EDGE|FORCE|GRACE|HA|HELLO|HOSTNAME|LOG\w*|MANAGEMENT|METRICS|NO|ORIGIN|PIDFILE|POST|PROXY|REGION|RETRIES|SERVICE|SOCKS|TAG|TOKEN|TRANSPORT_LOGLEVEL|TRANSPORT_PROTOCOL|URL)(?:_|$)/;

/** Variables that are named like settings and are none, each with the setting that comes nearest. Never a value. */
export function unknownSettings(env: Environment): string[] {
  const known = allSettings().map(({ variable }): string => variable);
  // Without what all of them begin with, which would make any two of them near.
  const plain = known.map((name) => name.slice(PREFIX.length));
  const isUnknown = (name: string): boolean => {
    const upper = name.toUpperCase();
    if (!upper.startsWith(PREFIX) || known.includes(name) || !env[name]) return false;
    // Windows takes names in any case for the same.
    if (known.includes(upper)) return env[upper] === undefined;
    return !OF_CLOUDFLARED.test(upper.slice(PREFIX.length));
  };
  return Object.keys(env)
    .filter(isUnknown)
    .slice(0, MAX_SHOWN)
    .map((name) => {
      const meant = nearest(name.slice(PREFIX.length), plain);
      const shown = /^\w{1,64}$/.test(name) ? name : `one that begins with ${PREFIX}`;
      return meant === undefined ? shown : `${shown}; the nearest one is ${PREFIX}${meant}`;
    });
}
