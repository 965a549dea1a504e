package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// create makes the stream. That another watcher was faster is no error: Ready inspects again.
func (b *Broker) create(ctx context.Context, s *session) error {
	tracked, done := s.track(ctx, s.api("STREAM.CREATE."+b.cfg.Stream))
	defer done()
	if _, err := s.js.CreateStream(tracked, b.cfg.newStream()); err != nil {
		return b.notMade(ctx, s, cause(tracked, err))
	}
	b.log.Info("made stream " + b.cfg.Stream + " for " + strings.Join(b.cfg.Subjects, ", "))
	return nil
}

// notMade says why the stream could not be made, and how to fix it. JetStream's passing troubles are returned as they
// are.
func (b *Broker) notMade(ctx context.Context, s *session, err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) || passing(err) {
		return err
	}
	what := fmt.Sprintf("stream %s cannot be made: %s", b.cfg.Stream, api.Description)
	switch {
	case isCode(err, server.JSStreamSubjectOverlapErr):
		return b.overlap(ctx, s)
	case isCode(err, server.JSStreamReplicasNotSupportedErr):
		return misfit("%s; this server is alone: set nats.replicas to 1", what)
	case isCode(err, server.JSClusterNoPeersErrF):
		return misfit("%s; nats.replicas is %d: start as many servers with JetStream, or lower it", what, b.cfg.Replicas)
	case isCode(err, server.JSStreamMaxBytesRequired), isCode(err, server.JSStreamMaxStreamBytesExceeded),
		isCode(err, server.JSStorageResourcesExceededErr), isCode(err, server.JSAccountResourcesExceededErr):
		return misfit("%s; nats.max_bytes is %d: set it within the limits of the account and the server", what, b.cfg.MaxBytes)
	}
	return misfit("%s; mend it there, or make the stream yourself: nats stream add %s", what, b.cfg.Stream)
}

func passing(err error) bool {
	for _, id := range []server.ErrorIdentifier{
		server.JSClusterNotAvailErr, server.JSClusterNotLeaderErr, server.JSClusterNotAssignedErr,
		server.JSClusterIncompleteErr, server.JSRaftGeneralErrF, server.JSStreamTooManyRequests,
		server.JSStreamOfflineErr, server.JSStreamCreateErrF, // the latter while one of that name is still being removed
	} {
		if isCode(err, id) {
			return true
		}
	}
	return false
}

// overlap names the stream that holds our subjects, where we may know.
func (b *Broker) overlap(ctx context.Context, s *session) error {
	if err := b.subjectsHeld(ctx, s); err != nil {
		return err
	}
	return misfit("stream %s cannot be made: another stream holds subjects of %s; take them from it (nats stream ls --subject=…), or set nats.subject_prefix",
		b.cfg.Stream, strings.Join(b.cfg.Subjects, ", "))
}

// heldOutsideDomain is a misfit where the server's own JetStream takes our subjects, too, though that of another domain
// is meant: both would acknowledge what is published, and the first acknowledgement would count.
func (b *Broker) heldOutsideDomain(ctx context.Context, s *session) error {
	if s.domain == "" || s.nc.ConnectedDomain() == s.domain {
		return nil
	}
	own, err := jetstream.New(s.nc)
	if err != nil {
		return err
	}
	tracked, done := s.track(ctx, jetstream.DefaultAPIPrefix+"STREAM.NAMES")
	defer done()
	for _, subject := range b.cfg.Subjects {
		if name, err := own.StreamNameBySubject(tracked, subject); err == nil && !b.sameStream(tracked, s, own, name) {
			return misfit("%s: stream %s, outside the domain %s, takes %s too; remove it (nats stream rm %s), or set nats.domain to where it is",
				s.host, name, s.domain, subject, name)
		}
	}
	return nil
}

// sameStream says whether the stream is ours under another address: a server can map its default API to a domain.
func (b *Broker) sameStream(ctx context.Context, s *session, own jetstream.JetStream, name string) bool {
	theirs, err := own.Stream(ctx, name)
	ours, err2 := s.js.Stream(ctx, b.cfg.Stream)
	return err == nil && err2 == nil && theirs.CachedInfo().Created.Equal(ours.CachedInfo().Created)
}

// subjectsHeld is a misfit where another stream holds a subject of ours.
func (b *Broker) subjectsHeld(ctx context.Context, s *session) error {
	ctx, done := s.track(ctx, s.api("STREAM.NAMES"))
	defer done()
	for _, subject := range b.cfg.Subjects {
		if name, err := s.js.StreamNameBySubject(ctx, subject); err == nil {
			return misfit("stream %s cannot be made: stream %s holds subjects of %s; take them from it, set nats.stream to %s, or set nats.subject_prefix",
				b.cfg.Stream, name, subject, name)
		}
	}
	return nil
}
