package poller

import (
	"testing"
	"time"
)

func TestDelayOfTheLastChanges(t *testing.T) {
	var d delays
	if got := d.ofLast(); got != (Delay{}) {
		t.Errorf("of none: %+v", got)
	}
	d.add(7 * time.Second)
	if got := d.ofLast(); got != (Delay{7 * time.Second, 7 * time.Second, 1}) {
		t.Errorf("of one: %+v", got)
	}
	for i := range 2 * lastDelays { // 1 to 2,000 s, of which the last 1,000 count
		d.add(time.Duration(i+1) * time.Second)
	}
	if got := d.ofLast(); got != (Delay{1500 * time.Second, 1990 * time.Second, lastDelays}) {
		t.Errorf("of many: %+v", got)
	}
}

func TestDelayOfACycle(t *testing.T) {
	var d delays
	for _, s := range []int{30, 10, 20} {
		d.add(time.Duration(s) * time.Second)
	}
	if got := d.ofCycle(); got != (Delay{20 * time.Second, 30 * time.Second, 3}) {
		t.Errorf("got %+v", got)
	}
	if got := d.ofCycle(); got != (Delay{}) {
		t.Errorf("the next one: %+v", got)
	}
	for range cycleDelays + 5 {
		d.add(time.Second)
	}
	if got := d.ofCycle().Changes; got != cycleDelays || d.ofLast().Changes != lastDelays {
		t.Errorf("%d changes are held", got)
	}
}
