package stream

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const largestEvent = 64 << 10 // bytes

// edit is the command that mends a stream.
func edit(name, flags string) string { return fmt.Sprintf("nats stream edit %s %s", name, flags) }

// misfits says, a line each, what keeps a stream from holding each event once, in order and for its time.
func (c Config) misfits(is jetstream.StreamConfig) []string {
	var lines []string
	wrong := func(key string, is, needs any, mend string) {
		lines = append(lines, fmt.Sprintf("stream %s: %s is %v, needs %v; mend with: %s", c.Stream, key, is, needs, mend))
	}
	another := "name another stream in nats.stream (this cannot be edited)"
	if missing := c.uncovered(is.Subjects); len(missing) > 0 {
		wrong("subjects", strings.Join(is.Subjects, ","), "also "+strings.Join(missing, ","),
			edit(c.Stream, "--subjects="+strings.Join(append(is.Subjects, missing...), ",")))
	}
	if is.Retention != jetstream.LimitsPolicy {
		wrong("retention", is.Retention, jetstream.LimitsPolicy, another)
	}
	if is.Mirror != nil {
		wrong("mirror", is.Mirror.Name, "none", another)
	}
	if is.Sealed {
		wrong("sealed", true, false, another)
	}
	if is.NoAck {
		wrong("no_ack", true, false, edit(c.Stream, "--ack"))
	}
	if is.MaxMsgsPerSubject > 0 {
		wrong("max_msgs_per_subject", is.MaxMsgsPerSubject, -1, edit(c.Stream, "--max-msgs-per-subject=-1"))
	}
	if is.Discard == jetstream.DiscardOld && (is.MaxBytes > 0 || is.MaxMsgs > 0) {
		wrong("discard", "old with a limit on bytes or messages", "new, or no such limit", edit(c.Stream, "--discard=new"))
	}
	if is.MaxMsgSize >= 0 && is.MaxMsgSize < largestEvent {
		wrong("max_msg_size", is.MaxMsgSize, fmt.Sprintf("-1 or %d at least", largestEvent), edit(c.Stream, "--max-msg-size=-1"))
	}
	if is.SubjectTransform != nil {
		wrong("subject_transform", is.SubjectTransform.Source, "none", another)
	}
	return lines
}

// uncovered are our subjects that the stream does not take.
func (c Config) uncovered(subjects []string) []string {
	var missing []string
	for _, ours := range c.Subjects {
		covered := false
		for _, theirs := range subjects {
			covered = covered || server.SubjectMatchesFilter(ours, theirs)
		}
		if !covered {
			missing = append(missing, ours)
		}
	}
	return missing
}

// differences are what is otherwise than configured, and does no harm to what is told.
func (c Config) differences(is jetstream.StreamConfig) []string {
	var lines []string
	if is.MaxAge != c.MaxAge {
		lines = append(lines, fmt.Sprintf("stream %s: max_age is %v, nats.max_age says %v; mend with: %s",
			c.Stream, is.MaxAge, c.MaxAge, edit(c.Stream, "--max-age="+c.MaxAge.String())))
	}
	if is.Replicas != c.Replicas {
		lines = append(lines, fmt.Sprintf("stream %s: replicas is %d, nats.replicas says %d; mend with: %s",
			c.Stream, is.Replicas, c.Replicas, edit(c.Stream, fmt.Sprintf("--replicas=%d", c.Replicas))))
	}
	return lines
}

// warn logs each line once in the life of the program.
func (b *Broker) warn(lines []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range lines {
		if !b.warned[line] {
			b.warned[line] = true
			b.log.Warn(line)
		}
	}
}
