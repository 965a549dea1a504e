package stream

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const largest = 64 << 10 // bytes of the largest event

type flaw struct {
	is        bool
	what, fix string
}

// misfits are the properties of a stream that would lose, refuse or hide events, one line each with its fix.
func misfits(c Config, is *jetstream.StreamInfo) []string {
	got := is.Config
	choose := "name another stream in nats.stream"
	fix := func(flag string) string { return "mend with: " + edit(got.Name, flag) }
	return lines(got.Name, []flaw{
		{got.Mirror != nil, "is a mirror, which takes no messages", choose},
		{got.Mirror == nil && !covers(got.Subjects, c.Subjects),
			fmt.Sprintf("subjects are %s, needs %s", strings.Join(got.Subjects, ", "), strings.Join(c.Subjects, ", ")),
			fix("--subjects='" + strings.Join(merge(got.Subjects, c.Subjects), ",") + "'")},
		{got.Retention == jetstream.WorkQueuePolicy, "retention is workqueue, needs limits", choose},
		{got.Retention == jetstream.InterestPolicy, "retention is interest, needs limits", fix("--retention=limits")},
		{got.Sealed, "is sealed", choose},
		{got.NoAck, "no_ack is true, needs false", fix("--ack")},
		{got.MaxMsgsPerSubject > 0, fmt.Sprintf("max_msgs_per_subject is %d, needs -1", got.MaxMsgsPerSubject),
			fix("--max-msgs-per-subject=-1")},
		{got.Discard == jetstream.DiscardOld && (got.MaxMsgs > 0 || got.MaxBytes > 0),
			"discard is old, needs new: a full stream would forget in silence", fix("--discard=new")},
		{got.MaxMsgSize > 0 && got.MaxMsgSize < largest,
			fmt.Sprintf("max_msg_size is %d, needs -1 or at least %d", got.MaxMsgSize, largest), fix("--max-msg-size=-1")},
		{got.SubjectTransform != nil, "subject_transform is set, needs none", fix("--no-transform")},
		{got.AllowMsgCounter, "allow_msg_counter is true, needs false", choose},
		{tooFew(got.MaxConsumers), fmt.Sprintf("max_consumers is %d, needs -1 or at least %d", got.MaxConsumers, consumersNeeded),
			fix("--max-consumers=0")},
	})
}

func tooFew(maxConsumers int) bool { return maxConsumers > 0 && maxConsumers < consumersNeeded }

// shortestAge is how long an event has to stay in the stream so that the watcher, which reads once a minute, sees it.
const shortestAge = time.Minute

// forgetsSooner is a stream that forgets sooner since somebody edited it, and sooner than what waits comes to it:
// nobody could tell whether an event that waits since a lost connection was stored and has aged, or never came. What
// it was like when this process first met it was somebody's choice, and is so where the configuration says the same.
func (b *Broker) forgetsSooner(got jetstream.StreamConfig) []string {
	b.mu.Lock()
	before := b.maxAge
	b.mu.Unlock()
	as := func(other time.Duration) bool { return got.MaxAge <= 0 || other > 0 && got.MaxAge >= other }
	if before == nil || as(*before) || as(b.cfg.MaxAge) {
		return nil
	}
	waits := b.cfg.Waiting != nil && got.MaxAge < b.cfg.Waiting()
	return lines(got.Name, []flaw{{
		got.MaxAge < shortestAge || waits, fmt.Sprintf("max_age is %s, and events wait longer than that", got.MaxAge),
		fmt.Sprintf("mend with: %s, or set nats.max_age to %s", edit(got.Name, "--max-age="+before.String()), got.MaxAge),
	}})
}

// differences are those that the stream may keep: the operator's own choice, or an oversight.
func differences(c Config, got jetstream.StreamConfig) []string {
	want := c.newStream()
	fix := func(flag string) string {
		return "adopt it in the configuration, or mend with: " + edit(got.Name, flag)
	}
	return lines(got.Name, []flaw{
		{got.MaxAge != want.MaxAge, fmt.Sprintf("max_age is %s, nats.max_age says %s", got.MaxAge, want.MaxAge),
			fix("--max-age=" + want.MaxAge.String())},
		{unlimited(got.MaxBytes) != want.MaxBytes,
			fmt.Sprintf("max_bytes is %d, nats.max_bytes says %d", unlimited(got.MaxBytes), want.MaxBytes),
			fix(fmt.Sprintf("--max-bytes=%d", want.MaxBytes))},
		{got.Replicas != want.Replicas, fmt.Sprintf("replicas is %d, nats.replicas says %d", got.Replicas, want.Replicas),
			fix(fmt.Sprintf("--replicas=%d", want.Replicas))},
		{got.Storage == jetstream.MemoryStorage, "storage is memory: a server that restarts forgets it",
			"name another stream in nats.stream"},
	})
}

func lines(stream string, flaws []flaw) []string {
	var lines []string
	for _, f := range flaws {
		if f.is {
			lines = append(lines, fmt.Sprintf("stream %s: %s; %s", stream, f.what, f.fix))
		}
	}
	return lines
}

func edit(stream, flags string) string { return "nats stream edit " + stream + " " + flags }

// covers says whether each of our subjects lies within one of the stream's.
func covers(theirs, ours []string) bool {
	for _, subject := range ours {
		if !slices.ContainsFunc(theirs, func(t string) bool { return server.SubjectMatchesFilter(subject, t) }) {
			return false
		}
	}
	return true
}

// merge is ours, and of theirs what does not overlap with ours: one stream's subjects must not.
func merge(theirs, ours []string) []string {
	merged := slices.Clone(ours)
	for _, t := range theirs {
		if !slices.ContainsFunc(ours, func(o string) bool { return server.SubjectsCollide(t, o) }) {
			merged = append(merged, t)
		}
	}
	return merged
}
