package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/cluster"
)

func TestFindingsOfACluster(t *testing.T) {
	member := func(name string, alive bool, differs ...string) cluster.MemberStatus {
		return cluster.MemberStatus{Instance: name, Host: "host-" + name, Alive: alive, Differs: differs}
	}
	polled := cluster.CommCellStatus{Name: "prod", Owner: new("w1"), Since: new(time.Time)}
	for _, row := range []struct {
		is      cluster.Status
		running bool
		want    string
	}{
		{cluster.Status{}, false, "ok cluster: instance: w2 is free for this watcher\nok cluster: members: nobody is there now; run is the first\n"},
		{cluster.Status{Members: []cluster.MemberStatus{member("w1", false), member("w2", false)}}, false,
			"ok cluster: instance: w2 is free for this watcher\nok cluster: members: nobody is there now; run is the first\n"},
		{cluster.Status{Members: []cluster.MemberStatus{member("w1", true), member("w2", true)}, CommCells: []cluster.CommCellStatus{polled}}, true,
			"ok cluster: instance: w2 is this watcher, which runs\nok cluster: members: w1, w2\n"},
		{cluster.Status{Members: []cluster.MemberStatus{member("w2", true)}, CommCells: []cluster.CommCellStatus{polled}}, false,
			"failed cluster: instance: cluster.instance: another watcher, on host host-w2, runs as w2; give this one another name, or stop that one\nok cluster: members: w2\n"},
		{cluster.Status{Members: []cluster.MemberStatus{member("w1", true, "prod"), member("w3", false)}, CommCells: []cluster.CommCellStatus{polled, {Name: "test"}}}, false,
			"ok cluster: instance: w2 is free for this watcher\nok cluster: members: w1\n" +
				"warning cluster: members: w1 is configured differently: prod; w3 gives no sign of life; nobody polls test; see watcher cluster status\n"},
	} {
		var got strings.Builder
		for _, f := range append([]Finding{checkInstance(row.is, "w2", row.running)}, membersOf(row.is, "w2")...) {
			fmt.Fprintf(&got, "%s %s: %s\n", f.Grade, f.What, f.Text)
		}
		if got.String() != row.want {
			t.Errorf("got\n%swant\n%s", got.String(), row.want)
		}
	}
}
