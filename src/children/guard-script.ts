/** The shell that every POSIX system has at this place. */
export const SHELL = "/bin/sh";

/** Whether only the child is ended when it has to be, or all that is left of its group as well. */
export type GuardScope = "alone" | "group";

/**
 * The guard of a child on POSIX: a fixed script, in which nothing of anybody's ever stands. It is the parent of the child and
 * the leader of a process group that holds no others. It must do in dash, bash, busybox and the shells of macOS and BSD.
 *
 * - `$1` is an empty private folder, `$2` the grace period in whole seconds, `$3` a GuardScope; the rest is the command.
 * - Descriptor 0 is never written to: its end says that the server has gone, however it was ended.
 * - Descriptor 3 goes both ways. The guard writes `pid N` before the child's program is started, waits for a line, and writes
 *   `exit STATUS` with `failed` (the program could not be started) and `unclear` (this shell does not tell a signal from an
 *   exit code above 128) at the end. Whatever else comes is the shell's own remark that a signal has ended the child.
 *
 * Descriptor 1 is nobody's output: it is what the child reads, and what nobody else touches.
 *
 * The child writes into two named pipes, which the server reads. The watcher holds them open and empties them when the server
 * has gone, so that a child may write its last words and ends by SIGTERM, not by a broken pipe. The watcher signals its own
 * group, so that no number can be anybody else's by then. It counts by the clock on the wall in short steps, since a sleeping
 * machine stretches `sleep`, and by the steps, since a clock may be set back.
 *
 * A child that may be held keeps its folder. There `lead` is another named pipe: as long as somebody has it open for writing,
 * a child without a server goes on (holding/caretaker-script.ts), and whoever opens the pipe is its next server. To that one the
 * end is told in the file `exit`, since descriptor 3 ended with the first.
 *
 * The names of variables have the prefix that is never in a child's environment: a shell exports what it found exported.
 * The child runs in the foreground, because a shell makes others ignore SIGINT; `USR1` is how it tells that `exec` failed.
 */
export const GUARD_SCRIPT = `
exec 9<&0 </dev/null
command -p mkfifo -m 600 "$1/out" "$1/err" "$1/lead" || mkfifo -m 600 "$1/out" "$1/err" "$1/lead" || exit 1
exec 8<>"$1/out" 6<"$1/out" 4>"$1/out"
exec 8<>"$1/err" 7<"$1/err" 5>"$1/err"
exec 8>&-
trap '' HUP INT QUIT TERM PIPE
trap 'tunnel_guard_failed=failed' USR1
(
  trap '' USR1
  exec 3>&- 4>&- 5>&-
  while read -r tunnel_guard_line <&9; do :; done
  if [ -p "$1/lead" ]; then
    exec 8<>"$1/lead"
    exec 9<"$1/lead" 8>&-
    while read -r tunnel_guard_line <&9; do :; done
  fi
  PATH=$PATH:/usr/bin:/bin
  cat <&6 >/dev/null &
  cat <&7 >/dev/null &
  kill -TERM "-$$"
  tunnel_guard_steps=0
  tunnel_guard_end=$(($(date +%s) + $2))
  while [ "$tunnel_guard_steps" -lt "$2" ] && [ "$(date +%s)" -lt "$tunnel_guard_end" ]; do
    sleep 1
    tunnel_guard_steps=$((tunnel_guard_steps + 1))
  done
  kill -KILL "-$$"
) &
tunnel_guard_watcher=$!
exec 9<&- 6<&- 7<&- 2>&3
(
  trap - HUP INT QUIT TERM PIPE USR1
  echo "pid $(exec ${SHELL} -c 'echo "$PPID"')" >&3
  read -r tunnel_guard_line <&3 || exit 1
  shift 3
  trap 'kill -USR1 "$$"' EXIT
  case $1 in */*)
    [ -e "$1" ] || exit 127
    [ -x "$1" ] && [ ! -d "$1" ] || exit 126
  esac
  exec "$@" <&1 >&4 2>&5 3>&- 4>&- 5>&-
)
tunnel_guard_status=$?
tunnel_guard_line="exit $tunnel_guard_status $tunnel_guard_failed \${BASH_VERSION:+unclear}\${ZSH_VERSION:+unclear}\${KSH_VERSION:+unclear}"
echo "$tunnel_guard_line" >&3
exec 2>/dev/null
[ ! -d "$1" ] || echo "$tunnel_guard_line" >"$1/exit"
kill -KILL "$tunnel_guard_watcher"
wait "$tunnel_guard_watcher"
[ "$3" = alone ] || kill -KILL "-$$"
`;
