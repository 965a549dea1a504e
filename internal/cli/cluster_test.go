package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
)

var threeOClock = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

// aMember is one that lives and polls; what is different about it comes behind.
func aMember(name string, cells string, change ...func(*cluster.MemberStatus)) cluster.MemberStatus {
	m := cluster.MemberStatus{
		Instance: name, Version: "1.3.0", Host: "host-" + name, CommCells: strings.Fields(cells), LastSeen: threeOClock,
		Alive: true, CaughtUp: true, Differs: []string{},
	}
	m.Tracked = 100 * len(m.CommCells)
	for _, c := range change {
		c(&m)
	}
	return m
}

func dead(since time.Duration) func(*cluster.MemberStatus) {
	return func(m *cluster.MemberStatus) { m.Alive, m.LastSeen = false, m.LastSeen.Add(-since) }
}

// clusterOf is one in which these CommCells are polled by those members that live.
func clusterOf(cells string, members ...cluster.MemberStatus) cluster.Status {
	s := cluster.Status{Members: members}
	for cell := range strings.FieldsSeq(cells) {
		row := cluster.CommCellStatus{Name: cell}
		for _, m := range members {
			if m.Alive && slices.Contains(m.CommCells, cell) {
				row.Owner, row.Since, row.Why = &m.Instance, new(threeOClock.Add(-time.Hour)), cluster.Death
			}
		}
		s.CommCells = append(s.CommCells, row)
	}
	return s
}

func TestClusterTroubles(t *testing.T) {
	leaving := func(m *cluster.MemberStatus) { m.Leaving = true }
	for _, row := range []struct {
		of   cluster.Status
		want string
	}{
		{clusterOf("prod test", aMember("w1", "prod"), aMember("w2", "test")), "2 members live, and each CommCell is polled"},
		{clusterOf("prod", aMember("w1", "prod")), "one member alone takes what there is to poll: nobody would replace it"},
		{clusterOf("prod test", aMember("w1", "prod"), aMember("w2", ""), aMember("w3", "test", dead(12*time.Minute))),
			"nobody polls test since w3 gives no sign of life\nw3 is dead: not heard of for 12 min"},
		{clusterOf("prod new", aMember("w1", "prod"), aMember("w2", "")), "nobody polls new"},
		{clusterOf("prod", aMember("w1", "prod", dead(time.Hour)), aMember("w2", "", dead(3*time.Hour))),
			"all members are dead: nothing is polled\nnobody polls prod since w1 gives no sign of life\n" +
				"w1 is dead: not heard of for 65 min\nw2 is dead: not heard of for 3 h"},
		{clusterOf("prod", aMember("w1", "prod"), aMember("w2", "", leaving)), "w2 was told to leave: it takes nothing more until its next start\n" +
			"one member alone takes what there is to poll: nobody would replace it"},
		{clusterOf("prod", aMember("w1", "prod"), aMember("w2", "", func(m *cluster.MemberStatus) { m.CaughtUp = false })),
			"w2 has not read the stream to its end yet: others are preferred to it"},
		{clusterOf("prod", aMember("w1", "prod"), aMember("w2", "", func(m *cluster.MemberStatus) { m.Differs = []string{"prod", "test"} })),
			"w2 is configured differently: prod, test"},
		{clusterOf("prod", aMember("w1", "prod"), aMember("w2", "", func(m *cluster.MemberStatus) { m.Version = "1.2.9" })),
			"they run different versions: 1.2.9 (w2), 1.3.0 (w1)"},
	} {
		if got := strings.Join(troubles(row.of, threeOClock.Add(5*time.Minute)), "\n"); got != row.want {
			t.Errorf("got\n%s\nwant\n%s", got, row.want)
		}
	}
}

func TestClusterTable(t *testing.T) {
	var out strings.Builder
	s := clusterOf("prod test", aMember("w1", "prod"), aMember("w2", "", func(m *cluster.MemberStatus) { m.CaughtUp = false }),
		aMember("w3", "test", dead(12*time.Minute)), aMember("w4", "", func(m *cluster.MemberStatus) { m.Leaving = true }), aMember("w5", ""))
	if err := printCluster(&out, s, threeOClock); err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) string { return threeOClock.Add(-d).Local().Format(time.DateTime) }
	want := strings.NewReplacer("<now>", at(0), "<dead>", at(12*time.Minute), "<hour>", at(time.Hour)).Replace(`nobody polls test since w3 gives no sign of life
w3 is dead: not heard of for 12 min
w2 has not read the stream to its end yet: others are preferred to it
w4 was told to leave: it takes nothing more until its next start

MEMBER  STATE  COMMCELLS  JOBS  LAST SEEN            VERSION  HOST
w1      polls  prod       100   <now>  1.3.0    host-w1
w2      reads  -          0     <now>  1.3.0    host-w2
w3      dead   test       100   <dead>  1.3.0    host-w3
w4      left   -          0     <now>  1.3.0    host-w4
w5      ready  -          0     <now>  1.3.0    host-w5

COMMCELL  OWNER  SINCE                REASON
prod      w1     <hour>  death
test      -      -                    -
`)
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestClusterShown holds that a CommCell of the past alarms nobody, and one that nobody has claimed yet does.
func TestClusterShown(t *testing.T) {
	s := clusterOf("gone others prod", aMember("w1", "prod others"))
	s = daemon.Shown(s, []config.CommCell{{Name: "prod"}, {Name: "new"}})
	var got []string
	for _, c := range s.CommCells {
		got = append(got, c.Name+":"+s.Owner(c.Name))
	}
	if want := []string{"new:", "others:w1", "prod:w1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
