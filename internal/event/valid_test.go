package event_test

import (
	"testing"

	"jobwatch/internal/event"
	"jobwatch/internal/testing/eventtest"
)

// eventtest imports event, so the tests inside of event reach it from here.
func init() {
	event.Valid = func(t *testing.T, subject string, message []byte) {
		t.Helper()
		eventtest.Valid(t, subject, nil, message)
	}
}
