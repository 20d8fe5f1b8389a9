import type { ErrorArea } from "../base/entry.ts";

/** Invites and the links in them. */
export const INVITES = {
  "link-malformed": {
    message: "this is not a complete invite link",
    next: "Give the whole link, or the whole invite with one link in it. If you have no more than this, ask the host for it again: it starts with wss:// or ws://.",
    retryable: false,
  },
  "link-version": {
    message: "this version of tunnel-mcp cannot read the invite link",
    next: "Ask both humans to update tunnel-mcp, then ask the host for a new link.",
    nextForPerson: "Update tunnel-mcp on both sides, then ask the host for a new link.",
    retryable: false,
  },
  "link-address": {
    message: "the invite link points to an address that is never a tunnel",
    next: "Do not use this link. Ask the host for a new one.",
    retryable: false,
  },
  "link-other-host": {
    message: "the invite link names a tunnel that is joined here, but another host key",
    next: "Do not use this link: it may be forged. Tell your human, and ask the host for a new one over a channel you trust.",
    nextForPerson:
      "Do not use this link: it may be forged. Ask the host for a new one over a channel you trust.",
    retryable: false,
  },
  "admission-pending": {
    message: "the person at the host is asked before anybody joins, and has not answered yet",
    next: "Wait a minute, then call tunnel_join again with the same link: it is not used up. If it goes on, tell your human: they can ask the person at the host, who answers in `tunnel-mcp watch`.",
    nextForPerson:
      "Wait a minute, then join again with the same link: it is not used up. If it goes on, ask the person at the host.",
    retryable: true,
  },
  "own-link": {
    message: "this invite link belongs to a tunnel that was opened here",
    next: "Give the link to the other developer. You are in the tunnel already: use tunnel_listen and tunnel_say.",
    nextForPerson: "Give the link to the other person. You are in the tunnel already.",
    retryable: false,
  },
  "already-joined": {
    message: "the tunnel of this invite link is joined here already",
    next: "Use tunnel_listen and tunnel_say with the tunnelId you have.",
    nextForPerson: "You are in this tunnel already.",
    retryable: false,
  },
  "invite-refused": {
    message:
      "the host refused the invite: it was used, has expired, was revoked, or somebody else is using it now",
    next: "Ask the host for a new invite (tunnel_invite). If your side has not used this one, tell both humans: somebody else may have.",
    nextForPerson:
      "Ask the host for a new invite. If you have not used this one, tell the host: somebody else may have.",
    retryable: false,
  },
  "observer-link": {
    message: "this link is for a person who reads along, and no agent joins with it",
    next: "Do not join with it. Give it back to your human: they type `tunnel-mcp observe` in a terminal of their own, and paste it there. To take part, ask the host for an invite of yours.",
    nextForPerson:
      "Type `tunnel-mcp observe` and paste it there. To take part, ask the host for an invite instead.",
    retryable: false,
  },
  "member-link": {
    message: "this link makes a member, and not somebody who only reads along",
    next: "Use it with tunnel_join. To read along, ask the host for an observer's link: tunnel_invite with observer.",
    nextForPerson:
      "Give it to your agent, or type `tunnel-mcp join`: it is not used up. To read along only, ask the host for an observer's link.",
    retryable: false,
  },
  "observer-limit": {
    message: "the tunnel has as many observers and observers' links as it may have",
    next: "Revoke a link or remove an observer with tunnel_invite first.",
    nextForPerson: "Take a link back or remove an observer first.",
    retryable: false,
  },
  "no-history": {
    message:
      "this tunnel keeps no history, and its members were told so: nobody is given what was said before",
    next: "Leave `history` out: the observer then sees what is said from its arrival on. Only a tunnel opened with history can show it all.",
    nextForPerson: "Leave the history out: an observer then sees what is said from its arrival on.",
    retryable: false,
  },
  "observer-addressed": {
    message: "somebody among the receivers only reads along, and gets no message of their own",
    next: "Leave them out: they see what is said to everybody. tunnel_status shows who is an observer.",
    nextForPerson: "Leave them out: they see what is said to everybody.",
    retryable: false,
  },
  "observer-spoke": {
    message: "an observer only reads along: nothing that its program says or does reaches the room",
    next: "If it concerns another side, tell your human: that program is no honest one, and it was removed. If it is your own, ask the host for an invite.",
    nextForPerson: "To take part, ask the host for an invite, and join with that.",
    retryable: false,
  },
  "invite-limit": {
    message: "the tunnel has no room for so many members",
    next: "Make fewer invites, wait until a pending one expires, or revoke one with tunnel_invite.",
    nextForPerson: "Make fewer invites, wait until a pending one expires, or remove somebody.",
    retryable: false,
  },
  "invite-unknown": {
    message: "there is no pending invite with this id",
    next: "Call tunnel_status: it lists the pending invites.",
    nextForPerson: "Look at the status: it lists the pending invites.",
    retryable: false,
  },
} as const satisfies ErrorArea;
