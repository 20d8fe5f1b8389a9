import type { Descriptor, Identity } from "./descriptor.ts";

/**
 * The servers that a command in this session and folder most likely means: those of the same session, else those of the
 * same folder, else all. Clients give a session a new id at times (when it is cleared, say), so a different id rules
 * nothing out.
 */
export function likelyServers(servers: readonly Descriptor[], own: Identity): readonly Descriptor[] {
  const ofSession = servers.filter(({ session }) => session !== undefined && session === own.session);
  if (ofSession.length > 0) return ofSession;
  const ofPlace = servers.filter(({ folder }) => folder === own.folder);
  return ofPlace.length > 0 ? ofPlace : servers;
}

/**
 * The servers that surely belong to this session. A watcher must not wake an agent for messages of another one, so two
 * known sessions that differ rule each other out, and so does another folder.
 */
export function ownServers(servers: readonly Descriptor[], own: Identity): readonly Descriptor[] {
  return servers.filter(({ session, folder }) =>
    session === undefined || own.session === undefined ? folder === own.folder : session === own.session,
  );
}
