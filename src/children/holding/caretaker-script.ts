/**
 * The caretaker of a stay on POSIX: a fixed script, in which nothing of anybody's ever stands, and the leader of a process group
 * of its own. As long as no server has the stay, it keeps it for a while, and leaves nothing of it afterwards.
 *
 * - `$1` is the folder of the stay, `$2` the time in whole seconds after which nothing is left, `$3` the folder of the child that
 *   is held (guard-script.ts), or empty, and `$4` the file that says so (care-record.ts). Whoever takes the stay over renames it
 *   first, and a caretaker without it touches nothing any more: the server may have been killed before it could be known.
 * - Descriptor 0 is never written to: its end says that the server has gone. An empty line on descriptor 1 says that the child is held.
 * - Descriptor 3 is the listening socket to which the child connects, where there is one. It accepts nobody: connections wait
 *   in it, and are cut when the next server takes the port over. Nobody else can have the port meanwhile.
 *
 * A held child goes on because descriptor 4 is open (`lead` in guard-script.ts), and its output is emptied, so that it never waits for
 * a reader. At the end the child is ended first and the port is freed after it, because the public address leads to the port as
 * long as the child runs. The folder gets another name before it is removed, so that a server finds all of a stay or nothing.
 *
 * A signal ends the caretaker at once, and with it the holding; the folder stays, since a machine that is restarted sends one to
 * everybody. Time is counted as in the guard.
 */
export const CARETAKER_SCRIPT = `
trap '' PIPE
if [ -p "$3/lead" ]; then exec 4<>"$3/lead"; fi
echo
while read -r tunnel_guard_line; do :; done
PATH=$PATH:/usr/bin:/bin
exec </dev/null >/dev/null
tunnel_guard_drain=
if [ -p "$3/lead" ]; then
  cat <"$3/out" 3>&- 4>&- &
  cat <"$3/err" 3>&- 4>&- &
  tunnel_guard_drain=$!
else
  exec 4>&- 3>&-
fi
tunnel_guard_steps=0
tunnel_guard_end=$(($(date +%s) + $2))
while [ -e "$4" ] && [ "$tunnel_guard_steps" -lt "$2" ] && [ "$(date +%s)" -lt "$tunnel_guard_end" ]; do
  tunnel_guard_step=$(($2 - tunnel_guard_steps > 5 ? 5 : 1))
  sleep "$tunnel_guard_step" 3>&- 4>&-
  tunnel_guard_steps=$((tunnel_guard_steps + tunnel_guard_step))
done
exec 4>&-
tunnel_guard_steps=0
while [ -n "$tunnel_guard_drain" ] && kill -0 "$tunnel_guard_drain" && [ "$tunnel_guard_steps" -lt 10 ]; do
  sleep 1 3>&-
  tunnel_guard_steps=$((tunnel_guard_steps + 1))
done
[ -e "$4" ] && mv -f "$1" "$1.over" && rm -rf "$1.over"
exec 3>&-
kill -KILL "-$$"
`;
