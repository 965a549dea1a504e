#!/bin/sh
# Takes jobwatch's events with curl, by the server-sent events of its HTTP interface. What it does with an event is to
# write it into a ledger, each once, whatever is killed.
#
#   ./subscribe.sh http://127.0.0.1:9480 ledger.jsonl
#
# There is no consumer in NATS: the place in the stream is remembered here, in ledger.jsonl.place, once the event's line is
# on the disk, and given to the watcher at each start and each reconnect. So nothing is missed that the stream still holds,
# and what comes again is known by its id. Who has the nats command can let NATS remember the place instead:
#
#   nats consumer add JOBS example --pull --ack explicit --max-pending 1 --filter 'jobs.*.*.*.state.>' --defaults
#   nats consumer next JOBS example --ack
set -u
url=$1 ledger=$2
touch "$ledger" || exit
# One at a time. Ctrl-C and systemd end all its processes; where somebody ends this one alone, the next waits for the rest.
exec 9>"$ledger.lock" && flock 9 || exit

# handle does what is to be done with an event. The event's own id is the first "id" in it.
handle() {
	id=${1#*'"id":"'}
	id=${id%%'"'*}
	grep -qF "\"id\":\"$id\"" "$ledger" && return
	printf '%s\n' "$1" >>"$ledger" && sync "$ledger" && printf '%s\n' "$id"
}

follow() {
	curl -sSN --fail --max-time 300 -H "Last-Event-ID: $(cat "$ledger.place" 2>/dev/null || echo 0)" \
		"$url/api/v1/events?kind=state&kind=failure" |
		while IFS= read -r line; do
			case $line in
			id:*) place=${line#id:} ;;
			data:*) event=${line#data:} ;;
			'') # the end of an event
				test -n "${event-}" || continue
				handle "${event# }" || exit
				printf '%s\n' "${place# }" >"$ledger.new" && mv "$ledger.new" "$ledger.place" || exit
				event=
				;;
			esac
		done
}

while :; do
	follow
	sleep 1
done
