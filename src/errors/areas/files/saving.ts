import { CLAUDE_CODE_ASKS_SINCE } from "../../base/clients.ts";
import type { ErrorArea } from "../../base/entry.ts";

/** Paths of this machine, saving a received file, and transcripts. */
export const SAVING = {
  "path-invalid": {
    message: "the path cannot be used",
    next: "Give a relative or absolute path that ends with a plain file name.",
    retryable: false,
  },
  "save-path-not-whole": {
    message: "the path is not the whole one under which the file would be saved",
    next: "Nothing was saved. Call again with the path that is named here, so that your human sees where the file goes.",
    nextForPerson: "Nothing was saved. Give the path that is named here.",
    retryable: false,
  },
  "path-outside": {
    message: "the path is outside the folders that may be used",
    next: "Choose a path in the working directory of this server. Only your human can allow more folders (TUNNEL_SAVE_ROOTS) and start this server again.",
    nextForPerson:
      "Choose a path in the folder in which you started this. TUNNEL_SAVE_ROOTS allows more folders.",
    retryable: false,
  },
  "path-protected": {
    message: "a file saved there would run automatically, or change how a tool or an agent behaves",
    next: "Save it elsewhere in the project under another name. If it belongs there, your human can read it and move it.",
    nextForPerson: "Save it under another name, read it, and move it yourself if it belongs there.",
    retryable: false,
  },
  "client-asks-nobody": {
    message: "this version of the client would save the file without asking anybody first",
    next: `Tell your human that Claude Code asks since version ${CLAUDE_CODE_ASKS_SINCE}, so an update helps. Your human can also save the file without you: from a terminal, with an invite of their own (the command join, then /receive). Or your human allows it for this server with TUNNEL_UNATTENDED=true, and starts this server again.`,
    nextForPerson: `Update Claude Code to ${CLAUDE_CODE_ASKS_SINCE} or newer. Or save the file from a terminal, with an invite of your own (the command join, then /receive). Or set TUNNEL_UNATTENDED=true and start this server again.`,
    retryable: false,
  },
  "save-folder-missing": {
    message: "the folder to save into does not exist",
    next: "Create the folder first, or choose another one.",
    retryable: false,
  },
  "save-exists": {
    message: "a file with this name exists already",
    next: "Choose another name, or set `overwrite` to replace it.",
    nextForPerson: "Choose another name, or replace it with --overwrite (in JSON: overwrite).",
    retryable: false,
  },
  "save-not-a-file": {
    message: "there is a folder, a link or a device at this path",
    next: "Choose another name.",
    retryable: false,
  },
  "save-failed": {
    message: "the file could not be saved, and nothing was left behind",
    next: "Check that the folder is writable, or choose another one. Then try again.",
    retryable: true,
  },
  "save-denied": {
    message: "the system does not let the file be written there, and nothing was left behind",
    next: "Choose a folder that can be written to. If it has to be this one, ask your human to see to its permissions.",
    nextForPerson: "Choose a folder that you can write to, or see to the permissions of this one.",
    retryable: false,
  },
  "disk-full": {
    message: "the disk has no space for the file, and nothing was left behind",
    next: "Choose a folder on another disk, or ask your human to free some space. Then try again.",
    nextForPerson: "Free some space, or choose a folder on another disk. Then try again.",
    retryable: false,
  },
  "transcript-invalid": {
    message: "this is not a tunnel transcript that this version can read",
    next: "Use the .transcript.json file exactly as it was saved, or ask for the original.",
    retryable: false,
  },
  "transcript-not-saved": {
    message: "the transcript was not saved, and nothing was written",
    next: "Choose a name that does not exist yet, in an existing folder inside the working directory.",
    nextForPerson: "Choose a name that does not exist yet, in an existing folder.",
    retryable: false,
  },
  "root-missing": {
    message: "a folder that a setting names is not there, so nothing can be saved in it or shared from it",
    next: "Use another folder. Your human can make the folder, or give it back to this user: it is used as soon as it is there.",
    nextForPerson: "Make the folder, or give it back to this user: it is used as soon as it is there.",
    retryable: true,
  },
  "working-directory-gone": {
    message: "the working directory of this server is not there any more",
    next: "Use absolute paths in folders that your human has allowed (TUNNEL_SAVE_ROOTS, TUNNEL_SHARE_ROOTS). Or ask your human to start the client again in a folder that exists. Talking works as before.",
    nextForPerson:
      "Start this again in a folder that exists, or use absolute paths in the folders of TUNNEL_SAVE_ROOTS or TUNNEL_SHARE_ROOTS. Talking works as before.",
    retryable: false,
  },
} as const satisfies ErrorArea;
