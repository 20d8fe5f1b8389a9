/** What the measurements of file transfers share: a place for the files, rooms to send them through, and what it costs. */
import { randomFillSync } from "node:crypto";
import { open, readFile, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "./support.mjs";

export const MIB = 2 ** 20;
const RAM_DISK = "/dev/shm";
/** The source, three copies of it at once, and some air. */
const COPIES = 4.2;
/** Of Linux, whatever the machine. */
const TICKS_PER_SECOND = 100;
const PATIENCE = { timeout: 600_000, onprogress: () => undefined };
const WAIT_MS = 110_000;

/** A RAM disk, where there is one with enough room: a disk is not what is measured. */
export async function placeFor(bytes) {
  if (process.platform === "linux") {
    const { bavail, bsize } = await statfs(RAM_DISK).catch(() => ({ bavail: 0, bsize: 0 }));
    if (bavail * bsize >= COPIES * bytes)
      return { parent: RAM_DISK, what: `RAM disk (${RAM_DISK}): no disk is measured` };
  }
  return { parent: tmpdir(), what: "temporary folder, no RAM disk: its disk is measured, too" };
}

/** Different in every MiB, and nothing that could be compressed. */
export async function makeSource(file, bytes) {
  const block = randomFillSync(Buffer.alloc(MIB));
  const handle = await open(file, "wx");
  try {
    for (let at = 0; at < bytes; at += MIB) {
      block.writeDoubleLE(at);
      await handle.writeFile(block.subarray(0, Math.min(MIB, bytes - at)));
    }
  } finally {
    await handle.close();
  }
}

/** Runs `work` with the server processes of a host and its guests, each in a folder; all gone when it has settled. */
export async function withRoom({ server }, { host: hostFolder, guests: folders }, work) {
  const members = [];
  try {
    const host = await connect(server, { cwd: hostFolder, name: "host" });
    members.push(host);
    const { invites } = await host.call("tunnel_open", { goal: "measure", invites: folders.length });
    for (const [index, cwd] of folders.entries()) {
      const guest = await connect(server, { cwd, name: `guest-${index + 1}` });
      members.push(guest);
      await guest.call("tunnel_join", { joinLink: invites[index].joinLink });
    }
    return await work(...members);
  } finally {
    for (const member of members.reverse()) await member.close();
  }
}

/** Offers what is wanted, and returns its id when the receiver has read of it. */
export async function share(sender, receiver, wish) {
  let shared = await sender.call("tunnel_share", wish, PATIENCE);
  while (shared.status === "preparing") shared = await sender.call("tunnel_share", wish, PATIENCE);
  const { fileId, sha256 } = shared;
  for (;;) {
    const { messages } = await receiver.call("tunnel_listen", { timeoutMs: 10_000 });
    if (messages.length === 0) throw new Error("nobody heard of the file");
    const offer = messages.find((message) => message.fileId === fileId);
    if (offer !== undefined) return { fileId, sha256, name: offer.name, from: offer.from };
  }
}

/** Resolves when the file is in its place, verified. */
export async function receive(receiver, { sha256, ...offer }, savePath) {
  const wanted = { ...offer, savePath, waitMs: WAIT_MS };
  for (;;) {
    const result = await receiver.call("tunnel_receive", wanted, PATIENCE);
    if (result.status !== "received") continue;
    if (result.sha256 !== sha256) throw new Error("another file than the one that was sent");
    return;
  }
}

/**
 * What `work` costs these processes: its time in ms, seconds of processor time of each, and how much the peak of what each
 * holds resident, in MB of 10^6 bytes, is above what it held before; and seconds that other processes took meanwhile, or other
 * machines took of this virtual one. Costs can be read on Linux only.
 */
export async function costOf(pids, work) {
  const isReadable = process.platform === "linux";
  const names = Object.keys(pids);
  const each = async (read) =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(pids[name], name)])));
  const before = isReadable ? await each(startOf) : undefined;
  const machineBefore = isReadable ? await machineSeconds() : 0;
  const began = performance.now();
  await work();
  const ms = performance.now() - began;
  if (before === undefined) return { ms };
  const machine = (await machineSeconds()) - machineBefore;
  const after = await each(usageOf);
  const cpuSeconds = await each((_, name) => after[name].cpuSeconds - before[name].cpuSeconds);
  return {
    ms,
    cpuSeconds,
    othersSeconds: Object.values(cpuSeconds).reduce((left, seconds) => left - seconds, machine),
    growthMB: await each((_, name) => after[name].peakMB - before[name].residentMB),
  };
}

async function startOf(pid) {
  // The peak so far is forgotten: a handshake or a hash before is not the transfer.
  await writeFile(`/proc/${pid}/clear_refs`, "5");
  return usageOf(pid);
}

/** What all processors together were busy for, or had taken from them. */
async function machineSeconds() {
  const line = (await readFile("/proc/stat", "utf8")).split("\n")[0];
  const [user, nice, system, , , irq, softIrq, steal] = line.match(/\d+/g).map(Number);
  return (user + nice + system + irq + softIrq + steal) / TICKS_PER_SECOND;
}

async function usageOf(pid) {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, "utf8"),
    readFile(`/proc/${pid}/stat`, "utf8"),
  ]);
  const megabytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1.024e-3;
  // The name of the program may hold spaces; what follows it does not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    residentMB: megabytes("VmRSS"),
    peakMB: megabytes("VmHWM"),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** Folders of a run: the file lies with its sender. */
export function foldersIn(folder) {
  const sender = path.join(folder, "sender");
  const receiver = path.join(folder, "receiver");
  const between = path.join(folder, "between");
  return { sender, receiver, between, source: path.join(sender, "source.bin") };
}

/** Both ways between a host and its guest, and what is told apart as sender and receiver. */
export const DIRECTIONS = {
  hostToGuest: {
    title: "host to guest",
    room: ({ sender, receiver }) => ({ host: sender, guests: [receiver] }),
    roles: (host, guest) => ({ sender: host, receiver: guest }),
  },
  guestToHost: {
    title: "guest to host",
    room: ({ sender, receiver }) => ({ host: receiver, guests: [sender] }),
    roles: (host, guest) => ({ sender: guest, receiver: host }),
  },
};
