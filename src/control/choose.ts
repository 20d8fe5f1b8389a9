import type { Descriptor, Identity } from "./descriptor.ts";

/**
 * The servers that a command of this user, run in this session and folder, most likely means: those of the same session,
 * else those of the same folder, else all. A session gets a new id on the way (after it was cleared, say), so that
 * another one rules nothing out.
 */
export function likelyServers(servers: readonly Descriptor[], own: Identity): readonly Descriptor[] {
  const ofSession = servers.filter(({ session }) => session !== undefined && session === own.session);
  if (ofSession.length > 0) return ofSession;
  const ofPlace = servers.filter(({ place }) => place === own.place);
  return ofPlace.length > 0 ? ofPlace : servers;
}

/**
 * The servers that surely belong to this session. Whoever watches on behalf of an agent, unasked, must not wake it for
 * what another one was told: two known sessions that differ rule each other out, and a foreign folder does.
 */
export function ownServers(servers: readonly Descriptor[], own: Identity): readonly Descriptor[] {
  return servers.filter(({ session, place }) =>
    session === undefined || own.session === undefined ? place === own.place : session === own.session,
  );
}
