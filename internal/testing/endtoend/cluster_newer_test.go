package endtoend

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"jobwatch/internal/testing/slow"
)

// TestClusterMeetsANewerMember has a member of a newer version come, whose values two watchers do not know: who polls, polls
// on, and nobody takes anything, until the newer one is gone again.
func TestClusterMeetsANewerMember(t *testing.T) {
	slow.Test(t, "30 s", "two real watchers, of which one stops and the other may not take over")
	t.Parallel()
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 2, commCells: 2, servers: 1, jobs: 5, arrivals: 0.5, most: 10})
	polls, waits := w.members[0], w.members[1]
	w.start(polls)
	w.settled()
	newer := "$KV.JOBS_cluster.member.w9"
	w.writes(newer, nil, `{"v":2,"epoch":"e9","store":"s9","commcells":{"c1":"x","c2":"x"},"caughtUp":true}`)
	w.start(waits)
	for m, light := range map[*member]string{polls: "note  cluster: " + claimsNothing, waits: "red   cluster: " + claimsNothing} {
		w.until(m.name+" says that it claims nothing more", func() bool {
			_, text := fetch("http://" + m.http + "/readyz")
			return strings.Contains(text, light) && m.meetsNewer()
		}, func() string { _, text := fetch("http://" + m.http + "/readyz"); return text })
	}
	if !polls.ready() || waits.ready() {
		t.Error("who polls is to be green, and who could not take over red")
	}
	at := w.stop(polls)
	stir(w.cells, at)
	for range 5 { // it lives, and would have taken over by now
		w.joined(waits)
	}
	if asks := w.cells[0].since(at.Add(handsOver)); len(asks) > 0 || len(w.cells[1].since(at.Add(handsOver))) > 0 {
		t.Errorf("what it may not claim is polled: %+v", asks)
	}
	w.writes(newer, nats.Header{"KV-Operation": {"DEL"}}, "")
	w.taken(w.cells, polls, at, false)
	w.until(waits.name+" is ready", waits.ready)
	if n := strings.Count(waits.said.String(), "claims nothing more"); n != 1 {
		t.Errorf("said %d times", n)
	}
	stir(w.cells, at)
	w.finale()
}

const claimsNothing = "members of a newer version are in the cluster: this one polls on what it has, and claims nothing more; upgrade it"

// writes writes into the members' bucket.
func (w *clusterWorld) writes(subject string, header nats.Header, value string) {
	w.t.Helper()
	js, end := w.connect()
	defer end()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: []byte(value)}); err != nil {
		w.t.Fatal(err)
	}
}
