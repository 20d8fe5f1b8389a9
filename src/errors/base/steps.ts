/** Parts of next steps that several errors share. */

/** Settings are read once, at the start; a restart ends the tunnels of the server. */
export const RESTART = "and to start this server again";

const REACH = "it reaches this machine only, and others where";

/** For an agent, in place of a tunnel program that fails. */
export const AGENT_DIRECT = `call tunnel_open with transport: "direct" (${REACH} your human has set TUNNEL_BIND to a LAN or VPN address that they can dial, or TUNNEL_PUBLIC_URL)`;
export const PERSON_DIRECT = `open it with --transport direct (${REACH} TUNNEL_BIND is a LAN or VPN address that they can dial, or TUNNEL_PUBLIC_URL is set)`;

export const AGENT_OTHER = "call tunnel_open with another transport";
export const PERSON_OTHER = "use another --transport";
