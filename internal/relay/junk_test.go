package relay

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// lines is a log that counts.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(text))
	return len(text), nil
}

func (l *lines) said() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// TestJunkInTheBucket: somebody with the right to write the bucket fills a relay's keys with what no relay writes. That relay
// says so in a line that names the key, and goes on once the junk is gone; another relay is not touched.
func TestJunkInTheBucket(t *testing.T) {
	slow.Test(t, "20 s", "a relay that cannot go on tries again each second, and a holder is believed for 8 s")
	t.Parallel()
	w := newWorld(t)
	w.tell(7)
	deep := strings.Repeat(`{"positions":[`, 20_000)
	junk := map[string]string{
		"empty": "", "text": "hello\nworld\x1b[2J", "a list": `["a"]`, "a number": "1e999", "wrong types": `{"beat":"x"}`, "cut": `{"instance":"a`,
		"deep": deep, "a long time": `{"since":"` + strings.Repeat("x", 300<<10) + `"}`, "far ahead": `{"born":"2026-01-01T00:00:00Z","floor":18446744073709551615}`,
		"no such place": `{"born":"2026-01-01T00:00:00Z","floor":5,"positions":[{"sequence":18446744073709551615,"id":"\u0000"},{}]}`,
	}
	bucket := w.broker.Bucket(BucketName("JOBS"))
	for _, key := range []string{"", ".off", ".parked.prod.7", ".parked.x", ".redrive.x", ".replay.y"} {
		for name, value := range junk {
			relay := "r" + strings.NewReplacer(".", "_", " ", "-").Replace(key+"-"+name)
			t.Run(strings.TrimSpace(key+" "+name), func(t *testing.T) {
				t.Parallel()
				revision, err := bucket.Put(soon(t), stream.Entry{Key: relay + key, Value: []byte(value)})
				if err != nil {
					t.Fatal(err)
				}
				log, to := new(lines), new(receiver)
				r := New(w.config(to, func(c *Config) { c.Name, c.Log = relay, slog.New(slog.NewJSONHandler(log, nil)) }))
				runs(t, r.Run)
				warned := func() []string {
					return slices.DeleteFunc(log.said(), func(line string) bool {
						return !strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, "the relay goes on behind")
					})
				}
				stands := func(line string) bool { return key == ".off" || strings.Contains(line, "cannot go on") }
				until(t, "it delivers, or says why not", func() bool { return to.count() > 0 || slices.ContainsFunc(warned(), stands) })
				if to.count() == 0 {
					if line := warned()[0]; key != ".off" && !strings.Contains(line, "key "+relay+key+" of bucket JOBS_RELAY_STATE") {
						t.Errorf("the key is not named: %.1000s", line)
					}
					if err := bucket.Delete(soon(t), relay+key, revision); err != nil {
						t.Error(err)
					}
				}
				until(t, "it delivers", func() bool { return to.count() == 1 })
				if said := warned(); len(said) > 1 || len(strings.Join(said, "")) > 1000 {
					t.Errorf("%d lines: %.1000q", len(said), said)
				}
			})
		}
	}
}
