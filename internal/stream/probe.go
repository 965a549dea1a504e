package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Grade says how good a Finding is.
type Grade string

// The grades.
const (
	OK      Grade = "ok"
	Warning Grade = "warning"
	Failed  Grade = "failed"
)

// Finding is one thing that Probe has checked, with the fix where one is needed.
type Finding struct {
	Grade Grade
	What  string // NATS, stream, rights
	Text  string // one line
}

// Probe checks the server, the stream and the rights as Ready and Publish would meet them, and makes and stores
// nothing.
func Probe(ctx context.Context, cfg Config) []Finding {
	cfg.Log = slog.New(slog.DiscardHandler)
	b := New(cfg)
	s, err := b.dial(ctx, nil)
	if err != nil {
		return []Finding{{Failed, "NATS", err.Error()}}
	}
	defer s.nc.Close()
	if err := newEnough(s.host, s.version); err != nil {
		return []Finding{{Failed, "NATS", err.Error()}}
	}
	b.up(s)
	b.admit(s)
	return append([]Finding{{OK, "NATS", s.host + " is nats-server " + s.version}}, b.probeStream(ctx, s)...)
}

func (b *Broker) probeStream(ctx context.Context, s *session) []Finding {
	info, err := s.streamInfo(ctx, b.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return append(b.probeAbsence(ctx, s), b.probePublishing(ctx, s, false)...)
	}
	if err != nil {
		return []Finding{{Failed, "stream", permanent(s, err, 3).Error()}}
	}
	found := graded(Failed, append(misfits(b.cfg, info), s.whyUnreadable(ctx, info)...))
	for _, err := range []error{holderNewEnough(info), b.heldOutsideDomain(ctx, s)} {
		if err != nil {
			found = append(found, Finding{Failed, "stream", err.Error()})
		}
	}
	if len(found) == 0 {
		found = append(found, Finding{OK, "stream", fmt.Sprintf("%s fits, and holds %d events", b.cfg.Stream, info.State.Msgs)})
	}
	found = append(found, graded(Warning, differences(b.cfg, info.Config))...)
	found = append(found, graded(Warning, s.payloadTooSmall())...)
	if !covers(info.Config.Subjects, b.cfg.Subjects) {
		return found // nobody takes what is published, which is said
	}
	return append(found, b.probePublishing(ctx, s, true)...)
}

// probePublishing leaves out what could not be looked at of the ways of subjects that may not be published to at all.
func (b *Broker) probePublishing(ctx context.Context, s *session, there bool) []Finding {
	routes, rights := b.probeRoutes(ctx, there), b.probeRights(ctx, s, there)
	if slices.ContainsFunc(rights, failed) && !slices.ContainsFunc(routes, failed) {
		routes = nil
	}
	return append(append(routes, rights...), b.probeWords(ctx, s)...)
}

func failed(f Finding) bool { return f.Grade == Failed }

func graded(grade Grade, lines []string) []Finding {
	var found []Finding
	for _, line := range lines {
		found = append(found, Finding{grade, "stream", line})
	}
	return found
}

// probeAbsence says whether the stream that is not there could be made.
func (b *Broker) probeAbsence(ctx context.Context, s *session) []Finding {
	if err := b.subjectsHeld(ctx, s); err != nil {
		return []Finding{{Failed, "stream", err.Error()}}
	}
	return []Finding{{OK, "stream", b.cfg.Stream + " is not there yet; run makes it"}}
}

// noSuchStream is what a publish expects that nobody is to store.
const noSuchStream = "jobwatch-check"

// probeRights publishes what the stream must refuse: who gets that far has the right. Where there is no stream, that
// nobody answers says it too.
func (b *Broker) probeRights(ctx context.Context, s *session, there bool) []Finding {
	subject := strings.TrimSuffix(b.cfg.Subjects[0], ">") + "check.0.-.watch.check"
	tracked, done := s.track(ctx, subject)
	defer done()
	_, err := s.js.PublishMsg(tracked, &nats.Msg{Subject: subject},
		jetstream.WithExpectStream(noSuchStream), jetstream.WithRetryAttempts(0))
	err = cause(tracked, err)
	if !isCode(err, server.JSStreamNotMatchErr) && (there || !errors.Is(err, jetstream.ErrNoStreamResponse)) {
		return []Finding{{Failed, "rights", "publish: " + err.Error()}}
	}
	found := []Finding{{OK, "rights", "may publish to " + b.cfg.Subjects[0]}}
	if !there {
		return found
	}
	if _, err := b.Last(ctx, b.cfg.Subjects[0]); err != nil && !errors.Is(err, ErrNone) {
		return append(found, Finding{Failed, "rights", err.Error()})
	}
	return append(found, Finding{OK, "rights", "may read " + b.cfg.Stream})
}

// probeWords looks for the rights without which all goes on, and less is said.
func (b *Broker) probeWords(ctx context.Context, s *session) (found []Finding) {
	for _, right := range []struct{ request, without string }{
		{"INFO", "the account's limit of consumers is not looked at"},
		{"STREAM.NAMES", "another stream that holds the same subjects is not named"},
		{"CONSUMER.NAMES." + b.cfg.Stream, "consumers that a killed watcher has left count as somebody's"},
	} {
		subject := s.api(right.request)
		tracked, done := s.track(ctx, subject)
		_, err := s.nc.RequestWithContext(tracked, subject, nil)
		var refused *RefusedError
		if errors.As(cause(tracked, err), &refused) {
			found = append(found, Finding{Warning, "rights", refused.Text + "; without it " + right.without})
		}
		done()
	}
	return found
}

// probeRoutes asks where the samples of our subjects lead: nothing is published for it. Of an account's mappings no
// user may read more.
func (b *Broker) probeRoutes(ctx context.Context, there bool) []Finding {
	untraced, answers := "", b.traceAll(ctx, b.cfg.Samples)
	for i, subject := range b.cfg.Samples {
		err := answers[i]
		switch {
		case err == nil, errors.Is(err, ErrNoStream) && !there:
		case errors.Is(err, ErrNoTrace):
			untraced = subject
		case errors.Is(err, ErrNoStream):
			return []Finding{{Failed, "subjects", b.nobodyTakes(subject).Error()}}
		default:
			return []Finding{{Failed, "subjects", err.Error()}}
		}
	}
	if untraced != "" {
		return []Finding{{Warning, "subjects", fmt.Sprintf(
			"not looked at: whether a mapping of the NATS account, an import or a leaf node leads %s elsewhere; NATS tells "+
				"those alone who may publish to _INBOX.>, and nothing of other accounts; the first event shows it", untraced)}}
	}
	if len(b.cfg.Samples) == 0 {
		return nil
	}
	return []Finding{{OK, "subjects", "no mapping leads " + strings.Join(b.cfg.Subjects, " or ") + " elsewhere"}}
}

const tracesAtOnce = 16 // of some 30 for each CommCell: the way to a hub may be long

func (b *Broker) traceAll(ctx context.Context, subjects []string) []error {
	answers := make([]error, len(subjects))
	free := make(chan struct{}, tracesAtOnce)
	var all sync.WaitGroup
	for i, subject := range subjects {
		free <- struct{}{}
		all.Go(func() {
			answers[i] = b.Trace(ctx, subject)
			<-free
		})
	}
	all.Wait()
	return answers
}
