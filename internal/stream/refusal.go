package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrSequence: the filter's last message has another sequence than expected. The error is a *SequenceError.
	ErrSequence = errors.New("another last sequence")

	// ErrBusy: another message with this id or filter is being stored, or the broker remembers the id of one that it no
	// longer holds; find out what became of it, then try again.
	ErrBusy = errors.New("another message is being stored")

	// ErrNoStream: nobody takes the subject or knows the stream. Ready makes it again.
	ErrNoStream = errors.New("no such stream")

	// ErrNone: no message of that subject is in the stream.
	ErrNone = errors.New("no message")
)

// SequenceError is a refused expectation (JetStream error 10071). errors.Is(err, ErrSequence) holds.
type SequenceError struct {
	Last uint64 // last sequence of the filter, as the refusal named it; 0 if there is none, or if it was not named
}

func (e *SequenceError) Error() string        { return fmt.Sprintf("last sequence is %d", e.Last) }
func (e *SequenceError) Is(target error) bool { return target == ErrSequence }

// Reasons of a RefusedError.
const (
	TooLarge   = "too_large"
	Permission = "permission"
	StreamFull = "stream_full"
	Limits     = "limits"  // of the account or the server
	Storage    = "storage" // the server cannot write
	Misfit     = "misfit"  // the stream was changed, or its subjects belong to another one: Ready says more
	Subject    = "subject" // no subject that NATS could carry
)

// RefusedError is a refusal that the same message will meet again until someone fixes its cause.
type RefusedError struct {
	Reason string // one of the constants, fit for a metric's label
	Text   string // one sentence, with the fix
}

func (e *RefusedError) Error() string { return e.Text }

func permissionError(verb, subject string) error {
	return &RefusedError{Permission, fmt.Sprintf(
		"%s: no right; allow jobwatch's NATS user to %s it, or give jobwatch other credentials", subject, verb)}
}

// refusal turns the error of a publish into what it means. What it does not know is returned as it is: the outcome is
// unknown.
func refusal(streamName string, m Outgoing, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return apiRefusal(streamName, m, api)
	case errors.Is(err, nats.ErrMaxPayload):
		return tooLarge(m, "max_payload of the NATS server; raise it in the server's configuration")
	case errors.Is(err, nats.ErrBadSubject):
		return badSubject(m)
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return ErrNoStream
	case errors.Is(err, errNoAnswer):
		return fmt.Errorf("stream %s does not answer what is published: %w; a server whose disk was full does not until it is restarted; see its log",
			streamName, err)
	}
	return err
}

// apiRefusal reads JetStream's own error codes (nats-server, errors.json).
func apiRefusal(name string, m Outgoing, api *jetstream.APIError) error {
	switch uint16(api.ErrorCode) {
	case code(server.JSStreamWrongLastSequenceErrF):
		e := &SequenceError{}
		_, _ = fmt.Sscanf(api.Description, "wrong last sequence: %d", &e.Last)
		return e
	case code(server.JSStreamDuplicateMessageConflict), code(server.JSStreamExpectedLastSeqPerSubjectNotReady),
		code(server.JSStreamWrongLastSequenceConstantErr):
		return fmt.Errorf("%w: %s", ErrBusy, api.Description)
	case code(server.JSStreamMessageExceedsMaximumErr), code(server.JSStreamHeaderExceedsMaximumErr):
		return tooLarge(m, fmt.Sprintf("max_msg_size of stream %s; mend with: %s", name, edit(name, "--max-msg-size=-1")))
	case code(server.JSStreamStoreFailedF):
		return storeRefusal(name, m, api)
	case code(server.JSAccountResourcesExceededErr), code(server.JSInsufficientResourcesErr),
		code(server.JSStorageResourcesExceededErr), code(server.JSMemoryResourcesExceededErr), code(server.JSNoLimitsErr):
		return &RefusedError{Limits, fmt.Sprintf(
			"stream %s: %s; raise the limits of the JetStream account or server, or make room", name, api.Description)}
	case code(server.JSStreamNotMatchErr):
		return &RefusedError{Misfit, fmt.Sprintf("stream %s: another stream takes what is published to %s; %s", name, m.Subject, unmap(""))}
	case code(server.JSStreamSealedErr), code(server.JSMessageIncrMissingErr):
		return &RefusedError{Misfit, fmt.Sprintf(
			"stream %s: %s; name another stream in nats.stream", name, api.Description)}
	}
	return fmt.Errorf("stream %s: %w", name, api)
}

// storeRefusal tells a full stream from a failing one by the text: JetStream has one code for both.
func storeRefusal(name string, m Outgoing, api *jetstream.APIError) error {
	for text, fix := range map[string]string{
		server.ErrMaxMsgs.Error():           edit(name, "--max-msgs=-1"),
		server.ErrMaxBytes.Error():          edit(name, "--max-bytes=-1"),
		server.ErrMaxMsgsPerSubject.Error(): edit(name, "--max-msgs-per-subject=-1"),
	} {
		if api.Description == text {
			return &RefusedError{StreamFull, fmt.Sprintf("stream %s is full: %s; mend with: %s", name, text, fix)}
		}
	}
	if api.Description == server.ErrMsgTooLarge.Error() {
		return tooLarge(m, "what JetStream can store")
	}
	if api.Description == server.ErrStoreClosed.Error() { // it stops
		return fmt.Errorf("stream %s: %w", name, api)
	}
	return &RefusedError{Storage, fmt.Sprintf(
		"stream %s: the NATS server cannot write: %s; make room on its disk, and restart it if it goes on so", name, api.Description)}
}

func code(id server.ErrorIdentifier) uint16 { return server.ApiErrors[id].ErrCode }

func tooLarge(m Outgoing, limit string) error {
	return &RefusedError{TooLarge, fmt.Sprintf("%s: message of %d bytes is larger than %s", m.Subject, len(m.Data), limit)}
}

func badSubject(m Outgoing) error {
	return &RefusedError{Subject, fmt.Sprintf("%.100q is no subject that NATS could carry", m.Subject)}
}

// carriable says whether NATS can carry the subject: an empty token would look like an outage, and a line of more than
// 4,096 bytes, with the reply subject and the sizes, costs the connection.
func carriable(subject string) bool {
	return len(subject) <= 3900 && server.IsValidLiteralSubject(subject) && !strings.ContainsAny(subject, " \t\r\n\f")
}
