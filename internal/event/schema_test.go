package event

import (
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/job"
)

// A description of a member that is no more is one that nobody reads.
func TestDescriptionsAreOfMembers(t *testing.T) {
	members := slices.Concat(
		members[Event]("event"), members[JobData]("jobData"), members[Observed]("change"),
		members[CommCellData]("commcellData"), members[job.Snapshot]("job"), members[job.VMCount]("vms"), members[job.FeedEntry]("feedEntry"))
	for member, n := range descriptions {
		if !slices.Contains(members, member) {
			t.Errorf("a note on %s, which is no member", member)
		}
		if !strings.HasSuffix(n.text, ".") && !strings.HasSuffix(n.text, "…") {
			t.Errorf("the note on %s is no sentence: %q", member, n.text)
		}
	}
}

func members[T any](name string) []string {
	var all []string
	for _, member := range schemaOf[T]("").PropertyOrder {
		all = append(all, name+"."+member)
	}
	return all
}

// Each call gives a schema of its own, which its caller may change.
func TestSchemaIsFresh(t *testing.T) {
	Schema().Defs["job"].Properties["id"].Types = []string{"string"}
	delete(Schema().Defs, "job")
	if id := Schema().Defs["job"].Properties["id"]; id == nil || id.Type != "integer" || id.Types != nil {
		t.Errorf("after another was changed job.id is %+v", id)
	}
}
