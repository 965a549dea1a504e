package publish

import (
	"testing"

	"jobwatch/internal/job"
)

// What comes while somebody sends is sent by whom: or it would wait for the next round.
func TestASenderTriesOnceMoreForWhatCameMeanwhile(t *testing.T) {
	var c claims
	id := job.ID{CommCell: "prod", Number: 71}
	if !c.take(id) {
		t.Fatal("nobody has the job, and it cannot be taken")
	}
	if c.take(id) {
		t.Error("two send the events of a job")
	}
	if c.release(id) {
		t.Error("who sends lets go, and does not look for what came meanwhile")
	}
	if !c.release(id) || !c.take(id) {
		t.Error("the job is not let go")
	}
}
