import type { ErrorArea } from "../base/entry.ts";

/** A public address for a local service. */
export const EXPOSE = {
  "expose-target-invalid": {
    message: "this cannot be exposed",
    next: "Give a port (3000), localhost:3000, an http:// or https:// address on this machine, or a folder.",
    retryable: false,
  },
  "expose-target-not-local": {
    message: "the target is not on this machine",
    next: "Give a port of this machine. Only your human can allow another one, by name and port, in TUNNEL_EXPOSE_ALLOW.",
    nextForPerson: "Give a port of this machine, or list the other one in TUNNEL_EXPOSE_ALLOW as HOST:PORT.",
    retryable: false,
  },
  "expose-target-refused": {
    message: "this target is too dangerous to expose",
    next: "Expose the app that needs it instead. Only your human can allow it, in TUNNEL_EXPOSE_ALLOW.",
    nextForPerson:
      "Expose the app that needs it instead. If you mean it, list it in TUNNEL_EXPOSE_ALLOW as HOST:PORT.",
    retryable: false,
  },
  "expose-target-own": {
    message: "this port belongs to tunnel-mcp itself",
    next: "Give the port of the service that is to be seen.",
    retryable: false,
  },
  "expose-target-silent": {
    message: "nothing answers at the target",
    next: "Start the service, see which port it prints, and call again with that.",
    nextForPerson: "Start the service, see which port it prints, and try again with that.",
    retryable: true,
  },
  "expose-target-not-http": {
    message: "what listens at the target does not speak HTTP",
    next: "Give the port of an HTTP service. For one that speaks HTTPS, write https:// before it.",
    retryable: false,
  },
  "expose-folder-refused": {
    message: "this folder may not be exposed",
    next: "Give a folder inside the working directory that holds only what everybody may see.",
    nextForPerson: "Give a folder inside the working directory, or add one above it to TUNNEL_SHARE_ROOTS.",
    retryable: false,
  },
  "expose-path-invalid": {
    message: "this is no open path",
    next: 'Write a method and a path, such as "POST /hooks/*"; a * stands at the end alone.',
    retryable: false,
  },
  "expose-access-invalid": {
    message: "these ways in do not go together",
    next: 'Give claim, token, prefix or basic, or "open" alone.',
    retryable: false,
  },
  "expose-name-taken": {
    message: "another exposure has this name",
    next: "Give another name, or stop that one first (expose_stop).",
    nextForPerson: "Give another name, or stop that one first: tunnel-mcp expose stop NAME.",
    retryable: false,
  },
  "expose-subdomain": {
    message: "this transport cannot give a name of your choice",
    next: "Leave subdomain out.",
    nextForPerson: "Leave the subdomain out.",
    retryable: false,
  },
  "expose-tcp": {
    message: "this transport carries no TCP",
    next: "Offer it to a peer inside a tunnel instead (tunnel_share), or use transport relay, with a relay of your own that allows TCP.",
    nextForPerson: "Use --transport relay, with a relay of your own that allows TCP.",
    retryable: false,
  },
  "expose-tcp-open": {
    message: "nobody can be asked for a credential over TCP: whoever learns the address reaches the service",
    next: 'Where the service asks for one itself and your human agrees, call again with access: ["open"]. Otherwise offer it to a peer inside a tunnel (tunnel_share).',
    nextForPerson: "Where the service asks for one itself, add --access open.",
    retryable: false,
  },
  "expose-denied": {
    message: "a person has said no to this exposure",
    next: "Do not ask again and do not try another way; tell them what you wanted it for.",
    nextForPerson: "It was refused in another window. Start it again if that was a mistake.",
    retryable: false,
  },
  "expose-undecided": {
    message: "nobody has decided about this exposure in time",
    next: "Tell your human that it waits for them in tunnel-mcp watch, then call again.",
    nextForPerson: "Start it again.",
    retryable: true,
  },
  "expose-running": {
    message: "this target is exposed already, in another way",
    next: "Use that one, or stop it first (expose_stop) and start it as you want it.",
    nextForPerson: "Use that one, or stop it first: tunnel-mcp expose stop NAME.",
    retryable: false,
  },
  "expose-too-many": {
    message: "too many exposures are running",
    next: "Stop one that is no longer needed (expose_list, expose_stop).",
    nextForPerson: "Stop one that is no longer needed: tunnel-mcp expose list, tunnel-mcp expose stop NAME.",
    retryable: false,
  },
  "expose-unproved": {
    message: "the address is up, but a visit from outside did not come through it",
    next: "Try again. If it keeps failing, ask your human whether a firewall or a proxy is in the way.",
    nextForPerson: "Try again. If it keeps failing, see whether a firewall or a proxy is in the way.",
    retryable: true,
  },
  "expose-unknown": {
    message: "there is no such exposure",
    next: "See those that run with expose_list.",
    nextForPerson: "See those that run: tunnel-mcp expose list.",
    retryable: false,
  },
  "expose-ambiguous": {
    message: "several exposures are running",
    next: "Say which one, by its name or exposureId (expose_list).",
    nextForPerson: "Say which one, by its name.",
    retryable: false,
  },
  "expose-not-ours": {
    message: "this exposure belongs to another server of this user",
    next: "Leave it: only the session that made it, or your human, ends it.",
    nextForPerson: "End it in the session that made it, or with: tunnel-mcp expose stop NAME.",
    retryable: false,
  },
  "expose-over": {
    message: "this exposure is over",
    next: "Start it again with expose_start.",
    nextForPerson: "Start it again.",
    retryable: false,
  },
  "claim-unknown": {
    message: "there is no such claim link",
    next: "See the claims of each exposure with expose_list.",
    nextForPerson: "See the links that were made: type claims where it runs.",
    retryable: false,
  },
  "request-unknown": {
    message: "there is no such request any more",
    next: "See those that are kept with expose_requests without id.",
    nextForPerson: "The list shows those that are kept.",
    retryable: false,
  },
  "replay-impossible": {
    message: "this request cannot be sent again as it was",
    next: "Give what is missing, such as the body, with the replay.",
    retryable: false,
  },
  "replay-failed": {
    message: "the service gave no whole answer to the replay",
    next: "See whether the service runs, then try again.",
    retryable: true,
  },
  "expose-target-forbidden": {
    message: "nothing at this address is ever exposed",
    next: "Give a port of this machine. This address belongs to the cloud or a router itself.",
    retryable: false,
  },
  "expose-target-untrusted": {
    message: "nobody vouches for the certificate of the target",
    next: "Give a service on this machine, which may sign for itself, or ask your human to have its certificate trusted here.",
    nextForPerson:
      "Give a service on this machine, which may sign for itself, or name its authority in NODE_EXTRA_CA_CERTS.",
    retryable: false,
  },
  "claims-too-many": {
    message: "this exposure has as many claim links as it may have",
    next: "Revoke links that nobody needs any more (expose_stop with claim), or give a token to scripts.",
    nextForPerson: "Revoke links that nobody needs any more, or give a token to scripts.",
    retryable: false,
  },
  "stop-in-agent": {
    message:
      "this ends what any session of this user exposes, so it is for a person, and an agent's shell is none",
    next: "End what you have exposed yourself with expose_stop, and leave the rest to your human.",
    nextForPerson: "Type it in a terminal of your own, outside the agent.",
    retryable: false,
  },
} as const satisfies ErrorArea;
