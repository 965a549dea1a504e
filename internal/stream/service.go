package stream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"
)

// Service answers requests, and is shown by nats micro ls.
type Service struct {
	Name      string
	About     string
	Version   string
	Endpoints func() []Endpoint // those of now; asked once a second
}

// Endpoint answers the requests to one subject, one at a time. Of several that serve the same subject one answers.
type Endpoint struct {
	Name    string // letters, digits, - and _
	Subject string
	Answer  func(ctx context.Context, request []byte) ([]byte, error) // JSON to JSON
}

// ServiceError is what an asker gets in place of an answer. Any other error is a 500.
type ServiceError struct {
	Code int // of HTTP
	Text string
}

func (e *ServiceError) Error() string { return e.Text }

const (
	lookAtEndpoints = time.Second
	answerWithin    = 5 * time.Second
)

// Serve serves on each connection, until ctx ends.
func (b *Broker) Serve(ctx context.Context, service Service) error {
	for {
		s, err := b.current(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		if err := s.serve(ctx, service); err != nil && !s.isLost() && ctx.Err() == nil {
			b.warnOnce([]string{"requests are not answered: " + err.Error()})
		}
		if pause(ctx) != nil {
			return nil
		}
	}
}

// warnLack says once what goes on without a right, and how.
func (b *Broker) warnLack(without string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.warned[without] {
		b.warned[without] = true
		b.log.Warn(without, "err", err)
	}
}

// serve serves until the connection is lost or ctx ends.
func (s *session) serve(ctx context.Context, service Service) error {
	ticker := time.NewTicker(lookAtEndpoints)
	defer ticker.Stop()
	var running micro.Service
	defer func() { end(running) }()
	var served []string
	for {
		endpoints := service.Endpoints()
		if subjects := subjectsOf(endpoints); running == nil || !slices.Equal(subjects, served) {
			next, err := s.offer(ctx, service, endpoints)
			if err != nil {
				return err
			}
			end(running) // only now: somebody answers all the time
			running, served = next, subjects
		}
		select {
		case <-ticker.C:
		case <-s.lost:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func subjectsOf(endpoints []Endpoint) []string {
	var subjects []string
	for _, e := range endpoints {
		subjects = append(subjects, e.Subject)
	}
	return subjects
}

func end(service micro.Service) {
	if service != nil {
		_ = service.Stop() // what is being answered is answered; on a lost connection there is nothing to stop
	}
}

func (s *session) offer(ctx context.Context, service Service, endpoints []Endpoint) (micro.Service, error) {
	offered, err := micro.AddService(s.nc, micro.Config{
		Name: service.Name, Version: semantic(service.Version), Description: service.About,
		Metadata: map[string]string{"version": service.Version},
	})
	for _, e := range endpoints {
		if err == nil {
			err = offered.AddEndpoint(e.Name, s.handler(ctx, e), micro.WithEndpointSubject(e.Subject))
		}
	}
	if err != nil {
		end(offered)
		return nil, err
	}
	return offered, nil
}

func (s *session) handler(ctx context.Context, e Endpoint) micro.HandlerFunc {
	return func(r micro.Request) {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		answer, err := e.Answer(ctx, r.Data())
		if most := s.nc.MaxPayload(); err == nil && int64(len(answer)) > most {
			err = fmt.Errorf("the answer has %d bytes, and the server's max_payload is %d", len(answer), most)
		}
		if err == nil {
			_ = r.Respond(answer) // who has asked is told, or has gone
			return
		}
		code := 500
		if known, ok := errors.AsType[*ServiceError](err); ok {
			code = known.Code
		}
		_ = r.Error(strconv.Itoa(code), strings.Join(strings.Fields(err.Error()), " "), nil)
	}
}

var semanticForm = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// semantic is the version as services have it, or 0.0.0 for what is none.
func semantic(version string) string {
	if version = strings.TrimPrefix(version, "v"); semanticForm.MatchString(version) {
		return version
	}
	return "0.0.0"
}
