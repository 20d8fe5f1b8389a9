import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { networkInterfaces } from "node:os";
import { addressKind } from "../../net/address.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { isListed, type AllowedTarget } from "./allow.ts";
import { isLocalName, type ServiceTarget } from "./parse.ts";
import { dangerousPort } from "./ports.ts";

export interface JudgeOptions {
  /** Targets that a human has listed (TUNNEL_EXPOSE_ALLOW). */
  readonly allow: readonly AllowedTarget[];
  /** Ports on which this process listens. */
  readonly ownPorts: () => readonly number[];
  /** Another server of this user that listens on the port, in words. */
  readonly portHolder?: (port: number) => Promise<string | undefined>;
  /** Resolves names that a human has listed. */
  readonly lookup: LookupFunction;
  /** Addresses of this machine beside the loopback ones. */
  readonly ownAddresses?: () => readonly string[];
}

/** A target that may be dialled: by these literals and nothing else. */
export interface Judged {
  /** At least one; of a local name one of each family. */
  readonly addresses: readonly string[];
  readonly isListed: boolean;
}

/**
 * Where a target may be dialled, before anything is. A name is resolved once, and what it led to is checked: nobody can make it
 * lead elsewhere afterwards.
 * @throws {TunnelError} expose-target-not-local, expose-target-refused, expose-target-own, expose-target-forbidden, expose-target-silent
 */
export async function judgeTarget(target: ServiceTarget, options: JudgeOptions): Promise<Judged> {
  const { host, port } = target;
  const listed = isListed(options.allow, target);
  const kind = isLocalName(host) ? "loopback" : addressKind(host);
  if (isForbidden(host)) throw new TunnelError("expose-target-forbidden");
  if (kind !== "loopback" && !listed)
    throw new TunnelError("expose-target-not-local", kind === undefined ? { detail: NAME } : {});
  const danger = listed ? undefined : dangerousPort(port);
  if (danger !== undefined)
    throw new TunnelError("expose-target-refused", { detail: `port ${port} is that of ${danger}` });
  const addresses = await addressesOf(target, options.lookup);
  if (addresses.some(isForbidden)) throw new TunnelError("expose-target-forbidden");
  await assertNotOwn(port, addresses, options);
  return { addresses, isListed: listed };
}

const NAME =
  "only localhost and the names below .localhost are sure to mean this machine, whatever others resolve to; write localhost with the port";

/** Clouds answer there with the credentials of the machine. 169.254.0.0/16 and fd00:ec2::254 are link-local to `addressKind`. */
const METADATA: ReadonlySet<string> = new Set([
  "100.100.100.200", // Alibaba
  "168.63.129.16", // Azure
  "192.0.0.192", // Oracle
  "fd20:ce::254", // Google
]);

const NO_TARGETS: ReadonlySet<string | undefined> = new Set([
  "unspecified",
  "link-local",
  "multicast",
  "broadcast",
]);

/** An address that is no target, whoever lists it. */
function isForbidden(host: string): boolean {
  return METADATA.has(host) || NO_TARGETS.has(addressKind(host));
}

async function addressesOf({ host }: ServiceTarget, lookup: LookupFunction): Promise<readonly string[]> {
  if (isLocalName(host)) return ["127.0.0.1", "::1"];
  if (addressKind(host) !== undefined) return [host];
  const found = await resolved(host, lookup);
  if (found.length === 0) throw new TunnelError("expose-target-silent", { detail: "its name is not known" });
  return found;
}

/** @throws {TunnelError} expose-target-forbidden, expose-target-silent */
function resolved(name: string, lookup: LookupFunction): Promise<string[]> {
  return new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, found: string | LookupAddress[]) => {
      if (error === null) {
        const list = typeof found === "string" ? [found] : found.map(({ address }) => address);
        return resolve([...new Set(list)]);
      }
      const isForbiddenName = error instanceof TunnelError && error.code === "link-address";
      const code = isForbiddenName ? "expose-target-forbidden" : "expose-target-silent";
      reject(
        new TunnelError(code, {
          cause: error,
          ...(isForbiddenName ? {} : { detail: "its name is not known" }),
        }),
      );
    });
  });
}

/** Listed or not: a gateway in front of a gateway of ours, or of a relay, only runs in circles. */
async function assertNotOwn(
  port: number,
  addresses: readonly string[],
  { ownPorts, portHolder, ownAddresses = interfaceAddresses }: JudgeOptions,
): Promise<void> {
  const own = new Set(ownAddresses());
  const isHere = addresses.some((address) => addressKind(address) === "loopback" || own.has(address));
  if (!isHere) return;
  if (ownPorts().includes(port)) throw new TunnelError("expose-target-own");
  const holder = await portHolder?.(port);
  if (holder !== undefined) throw new TunnelError("expose-target-own", { detail: holder });
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((one) => one ?? [])
    .map(({ address }) => address);
}
