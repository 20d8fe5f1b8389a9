import { MENDED_FIRST, TRIED_AGAIN, type ErrorArea } from "../../base/entry.ts";
import { AGENT_OTHER, PERSON_OTHER, RESTART } from "../../base/steps.ts";

/** A relay of one's own: its host's side, and the program itself. */
export const RELAY = {
  "relay-not-set": {
    message: "no relay is set",
    next: `Ask your human to set TUNNEL_RELAY to the address of their relay, ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Set TUNNEL_RELAY to the address of your relay. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-unreachable": {
    message: "the relay cannot be reached",
    next: `Wait a little and call again; if it goes on, ask your human whether the relay in TUNNEL_RELAY runs. Or ${AGENT_OTHER}.`,
    nextForPerson: `Check that the relay in TUNNEL_RELAY runs; tunnel-mcp doctor looks at it from here. Or ${PERSON_OTHER}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "relay-untrusted": {
    message: "the certificate of the relay does not vouch for its name",
    next: `Ask your human to set TUNNEL_RELAY_CA to the certificate of the relay's authority, ${RESTART}, or to mend the relay's certificate. There is no way round it.`,
    nextForPerson:
      "Set TUNNEL_RELAY_CA to the certificate of the relay's authority, or mend the relay's certificate. There is no way round it.",
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-not-ours": {
    message: "what answers at the address of the relay is no relay of tunnel-mcp",
    next: "Ask your human to check TUNNEL_RELAY, and that a proxy in front of the relay passes WebSockets and the field Host on.",
    nextForPerson:
      "Check TUNNEL_RELAY, and that a proxy in front of the relay passes WebSockets and the field Host on.",
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "relay-refused": {
    message: "the relay refuses this tunnel",
    next: `Tell your human what the relay says: token, name or kind have to be changed first. Or ${AGENT_OTHER}.`,
    nextForPerson: `Change what the relay names: token, name or kind. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-token": {
    message: "the relay does not take the token",
    next: `Ask your human to set TUNNEL_RELAY_TOKEN or TUNNEL_RELAY_TOKEN_FILE to a token of this relay, ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Set TUNNEL_RELAY_TOKEN or TUNNEL_RELAY_TOKEN_FILE to a token of this relay (there: tunnel-mcp relay token create NAME). Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-name": {
    message: "the relay does not give this name",
    next: "Choose another subdomain, or leave it out to get a random one.",
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-names": {
    message: "the token holds as many names as it may",
    next: `Use the subdomain of a service that is exposed already or was before, from the same project. Or ask your human to have the relay's operator raise the limit of the token. Or ${AGENT_OTHER}.`,
    nextForPerson: `Use a subdomain that this project has had before, or have the relay's operator raise the token's limit (limits.names, --max-names-per-token). Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-busy": {
    message: "the relay takes no more at the moment",
    next: `Wait a little and call again. Or ${AGENT_OTHER}.`,
    nextForPerson: `Wait a little and try again. Or ${PERSON_OTHER}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "relay-evicted": {
    message: "another process with the same key has taken this address",
    next: "Find out with your human which process serves it now. Stop one of the two before you open it again.",
    nextForPerson: "Find out which process serves it now. Stop one of the two before you open it again.",
    retryable: false,
  },
  "relay-version": {
    message: "this relay speaks another version",
    next: `Ask your human to bring tunnel-mcp to the same version here and on the relay. Or ${AGENT_OTHER}.`,
    nextForPerson: `Bring tunnel-mcp to the same version here and on the relay. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "relay-key": {
    message: "the key of this address cannot be kept in the private folder",
    next: "Tell your human: the private folder of tunnel-mcp must be theirs alone and writable.",
    nextForPerson: "See that the private folder of tunnel-mcp is yours alone and writable.",
    retryable: false,
  },
  "relay-state": {
    message: "a file in the folder of the relay cannot be used",
    next: "Mend or move the named file. A relay that starts without it may give names away.",
    retryable: false,
  },
  "cluster-unreachable": {
    message: "no server of the relay's cluster answers",
    next: "Start the engine (nats-server with JetStream), and see that --cluster names its servers with their login.",
    retryable: true,
  },
  "cluster-unusable": {
    message: "the engine of the relay's cluster cannot be used",
    next: "Do what the detail says: a nats-server that is new enough, with JetStream on and room on its disk.",
    retryable: false,
  },
} as const satisfies ErrorArea;
