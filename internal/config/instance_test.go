package config

import (
	"os"
	"testing"
)

func TestInstance(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c, named := parse(t, section("cluster: {enabled: false}")), parse(t, section("cluster: {instance: w1}"))
	if got, err := c.Instance(); got != host || err != nil {
		t.Errorf("got %q, %v, want the host's name, %q", got, err, host)
	}
	if got, err := named.Instance(); got != "w1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := c.named("db-1.example.com"); got != "db-1.example.com" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, host := range []string{"", "Büro", "a..b", ".", "a b"} {
		_, err := c.named(host)
		want := `watcher.yaml:5: cluster.instance: the host's name is "` + host +
			`", and an instance's has letters, digits, _ and -, and single dots between them; name this watcher`
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", host, err, want)
		}
	}
}
