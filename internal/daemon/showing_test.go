package daemon

import (
	"reflect"
	"testing"

	"jobwatch/internal/cluster"
	"jobwatch/internal/metrics"
)

func TestMeasureOfACluster(t *testing.T) {
	view := cluster.Status{
		Members:   []cluster.MemberStatus{{Instance: "w1", Alive: true}, {Instance: "w2", Alive: true}, {Instance: "w3"}},
		CommCells: []cluster.CommCellStatus{{Name: "prod", Owner: new("w1")}, {Name: "test", Owner: new("w2")}, {Name: "lost"}, {Name: "of the past"}},
	}
	counts := map[cluster.Reason]int{cluster.Start: 1}
	cells := []string{"prod", "test", "lost", "new"}
	want := metrics.ClusterState{Leases: 1, Members: 2, Unowned: 2, Takeovers: counts}
	if got := measure(view, "w1", cells, counts); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	view.Trouble = "no answer"
	want.Members = 0
	if got := measure(view, "w1", cells, counts); !reflect.DeepEqual(got, want) {
		t.Errorf("cut off: got %+v, want %+v", got, want)
	}
}
