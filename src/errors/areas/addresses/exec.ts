import { MENDED_FIRST, TRIED_AGAIN, type ErrorArea } from "../../base/entry.ts";
import { AGENT_OTHER, PERSON_OTHER, RESTART } from "../../base/steps.ts";

/** The human's own command that opens a tunnel (TUNNEL_COMMAND). */
export const EXEC = {
  "exec-no-command": {
    message: "no command is set that could open a tunnel",
    next: `Ask your human to set TUNNEL_COMMAND to a command that prints a public URL, with {port} in place of the port, ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Set TUNNEL_COMMAND to a command that prints a public URL, with {port} in place of the port. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "exec-missing": {
    message: "the program in TUNNEL_COMMAND does not exist or cannot be run",
    next: `Ask your human to check its name and path (on Windows an .exe, not a script) and that it is installed. Or ${AGENT_OTHER}.`,
    nextForPerson: `Check its name and path (on Windows an .exe, not a script) and that it is installed. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "exec-exited": {
    message: "the program in TUNNEL_COMMAND ended",
    next: `Ask your human to run the command in a terminal, with any port, and to read its output: it must run as long as the tunnel is open. Or ${AGENT_OTHER}.`,
    nextForPerson: `Run the command in a terminal, with any port, and read its output: it must run as long as the tunnel is open. Or ${PERSON_OTHER}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "exec-no-url": {
    message: "the program in TUNNEL_COMMAND printed no public URL in time",
    next: `Ask your human to run the command in a terminal and, if it prints its address in another form than an https URL, to set TUNNEL_COMMAND_URL to match that form ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Run the command in a terminal. If it prints its address in another form than an https URL, set TUNNEL_COMMAND_URL to match that form. Or ${PERSON_OTHER}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "exec-insecure-url": {
    message: "the program in TUNNEL_COMMAND printed an address without TLS that leads off this machine",
    next: `Ask your human to make the program give an https address or to make TUNNEL_COMMAND_URL match that one, ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Make the program give an https address, or make TUNNEL_COMMAND_URL match that one. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "exec-unreachable": {
    message: "the public URL from the program in TUNNEL_COMMAND did not answer in time",
    next: `Try again. If it keeps failing, ask your human to check that the URL is the public one or, if this machine cannot reach its own address, to set TUNNEL_SKIP_REACHABILITY_CHECK=1 ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Try again. If it keeps failing, check that the URL is the public one, or set TUNNEL_SKIP_REACHABILITY_CHECK=1 if this machine cannot reach its own address. Or ${PERSON_OTHER}.`,
    whileOpen: TRIED_AGAIN,
    retryable: true,
  },
  "exec-not-ours": {
    message: "the public URL from the program in TUNNEL_COMMAND does not lead to this tunnel",
    next: `Ask your human to check that the command forwards to {port} on the loopback address, asks visitors for no login, and that TUNNEL_COMMAND_URL matches the right URL, ${RESTART}. Or ${AGENT_OTHER}.`,
    nextForPerson: `Check that the command forwards to {port} on the loopback address, asks visitors for no login, and that TUNNEL_COMMAND_URL matches the right URL. Or ${PERSON_OTHER}.`,
    whileOpen: MENDED_FIRST,
    retryable: false,
  },
  "exec-moved": {
    message: "the program in TUNNEL_COMMAND changed its public URL",
    next: "Do nothing: it is started again automatically. tunnel_status shows how it goes.",
    nextForPerson: "Do nothing: it is started again automatically. The status shows how it goes.",
    retryable: true,
  },
  "exec-silent": {
    message: "the public URL from TUNNEL_COMMAND did not lead here for too long, so it was replaced",
    next: "Do nothing: another tunnel takes its place automatically. tunnel_status shows how it goes.",
    nextForPerson: "Do nothing: another tunnel takes its place automatically. The status shows how it goes.",
    retryable: true,
  },
  "exec-same-url": {
    message: "the program in TUNNEL_COMMAND gives the same address every time, so there is no spare tunnel",
    next: "Do nothing: the tunnel works. Your human can set TUNNEL_STANDBY=off to save the attempt.",
    nextForPerson: "Do nothing: the tunnel works. TUNNEL_STANDBY=off saves the attempt.",
    retryable: false,
  },
} as const satisfies ErrorArea;
