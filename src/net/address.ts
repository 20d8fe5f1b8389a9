import { BlockList, isIP } from "node:net";

/** The kind of an IP address, as far as dialling it is concerned. */
export type AddressKind =
  "unspecified" | "loopback" | "link-local" | "multicast" | "broadcast" | "private" | "public";

type Range = readonly [address: string, prefix: number];

const RANGES: readonly (readonly [AddressKind, readonly Range[]])[] = [
  // 0.0.0.0/8 as a whole: Linux treats any of it as "this host".
  [
    "unspecified",
    [
      ["0.0.0.0", 8],
      ["::", 128],
    ],
  ],
  ["broadcast", [["255.255.255.255", 32]]],
  [
    "loopback",
    [
      ["127.0.0.0", 8],
      ["::1", 128],
    ],
  ],
  // Includes the metadata service that clouds answer on (169.254.169.254), and its IPv6 twin at AWS.
  [
    "link-local",
    [
      ["169.254.0.0", 16],
      ["fe80::", 10],
      ["fd00:ec2::254", 128],
    ],
  ],
  [
    "multicast",
    [
      ["224.0.0.0", 4],
      ["ff00::", 8],
    ],
  ],
  // 100.64.0.0/10 is shared address space: carrier NAT and Tailscale.
  [
    "private",
    [
      ["10.0.0.0", 8],
      ["172.16.0.0", 12],
      ["192.168.0.0", 16],
      ["100.64.0.0", 10],
      ["fc00::", 7],
    ],
  ],
];

let lists: readonly { readonly kind: AddressKind; readonly list: BlockList }[] | undefined;
/** Built on first use: it takes a tenth of the time in which a server starts. */
function blockLists(): NonNullable<typeof lists> {
  return (lists ??= RANGES.map(([kind, ranges]) => ({ kind, list: listOf(ranges) })));
}

const NEVER_DIALLED: ReadonlySet<AddressKind | undefined> = new Set<AddressKind>([
  "unspecified",
  "broadcast",
  "link-local",
  "multicast",
]);

/** The kind of an IP literal (IPv6 with or without brackets or zone; IPv4-mapped counts as IPv4); undefined for a name. */
export function addressKind(host: string): AddressKind | undefined {
  const address = ipLiteral(host);
  if (address === undefined) return undefined;
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  return blockLists().find(({ list }) => list.check(address, family))?.kind ?? "public";
}

/** True for an IP literal that is never a tunnel: unspecified, broadcast, multicast or link-local. Names are not judged. */
export function isForbiddenDialAddress(host: string): boolean {
  return NEVER_DIALLED.has(addressKind(host));
}

/** The address as the host part of a URL: IPv6 in brackets. */
export function hostForUrl(address: string): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}

function listOf(ranges: readonly Range[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of ranges)
    list.addSubnet(address, prefix, isIP(address) === 6 ? "ipv6" : "ipv4");
  return list;
}

/** An IP literal as it is dialled: without brackets and zone, IPv6 in its shortest spelling, IPv4-mapped as IPv4; undefined for a name. */
export function ipLiteral(host: string): string | undefined {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const address = bare.replace(/%.*$/s, "");
  return isIP(address) === 0 ? undefined : unmapped(address);
}

/** `::ffff:a.b.c.d` in any spelling as `a.b.c.d`, which the kernel dials in the end. BlockList does not do this everywhere. */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (match === null) return canonical;
  const halves = match.slice(1).map((group) => Number.parseInt(group, 16));
  return halves.flatMap((half) => [half >> 8, half & 255]).join(".");
}
