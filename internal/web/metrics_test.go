package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// scrape reads the metrics as Prometheus does.
func (w *world) scrape() map[string]*dto.MetricFamily {
	w.Helper()
	_, body := w.get("/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	w.must(err)
	return families
}

// value finds a sample: `jobwatch_polls_total result=ok`. A histogram's is its count.
func value(families map[string]*dto.MetricFamily, sample string) (float64, bool) {
	words := strings.Fields(sample)
	for _, m := range families[words[0]].GetMetric() {
		if !labelled(m, words[1:]) {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.Counter.GetValue(), true
		case m.Gauge != nil:
			return m.Gauge.GetValue(), true
		}
		return float64(m.Histogram.GetSampleCount()), true
	}
	return 0, false
}

func labelled(m *dto.Metric, pairs []string) bool {
	has := map[string]bool{}
	for _, l := range m.Label {
		has[l.GetName()+"="+l.GetValue()] = true
	}
	for _, pair := range pairs {
		if !has[pair] {
			return false
		}
	}
	return true
}

func (w *world) measures(samples map[string]float64) {
	w.Helper()
	families := w.scrape()
	for sample, want := range samples {
		if got, there := value(families, sample); !there || got != want {
			w.Errorf("%s is %v (there: %v), want %v", sample, got, there, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	w.becomes(503, "ok    nats")
	w.measures(map[string]float64{ // before anything happened
		"jobwatch_polls_total commcell=prod result=ok":                    0,
		"jobwatch_polls_total commcell=prod result=unreachable":           0,
		"jobwatch_events_total commcell=prod kind=state":                  0,
		"jobwatch_events_total commcell=prod kind=commcell":               0,
		"jobwatch_ticks_skipped_total commcell=prod":                      0,
		"jobwatch_publish_errors_total reason=stream_full":                0,
		"jobwatch_published_total":                                        0,
		"jobwatch_taken_over_total commcell=prod":                         0,
		"jobwatch_quota_requests commcell=prod":                           0,
		"jobwatch_quota_period_seconds commcell=prod":                     3600,
		"jobwatch_poll_duration_seconds commcell=prod":                    0,
		"jobwatch_build_info version=test goversion=" + runtime.Version(): 1,
		"jobwatch_detection_delay_seconds commcell=prod":                  0,
		"jobwatch_jobs_ended_total class=failed operation=backup":         0,
		"jobwatch_jobs_ended_total class=unknown operation=other":         0,
		"jobwatch_vms_failed_total commcell=prod":                         0,
	})
	if _, known := value(w.scrape(), "jobwatch_commcell_up"); known {
		t.Error("up or down, before anything was asked")
	}
	for _, unknown := range []string{"jobwatch_commcell_last_answer_timestamp_seconds", "jobwatch_clock_skew_seconds", "jobwatch_tls_not_after_timestamp_seconds"} {
		if has(w.scrape(), unknown) {
			t.Errorf("%s, before there was an answer", unknown)
		}
	}
	if has(w.scrape(), "jobwatch_quota_limit") {
		t.Error("a limit, before one was named")
	}
	w.commServe.is(running(71))
	w.commServe.is(running(72))
	w.poll()
	w.poll()
	w.sees(ended(72, "Failed", time.Now()))
	w.sent()
	w.measures(map[string]float64{
		"jobwatch_polls_total commcell=prod result=ok":           3,
		"jobwatch_polls_total commcell=prod result=unchanged":    3,
		"jobwatch_poll_duration_seconds commcell=prod":           6,
		"jobwatch_tick_duration_seconds commcell=prod":           3,
		"jobwatch_events_total commcell=prod kind=state":         3,
		"jobwatch_events_total commcell=prod kind=phase":         2,
		"jobwatch_events_total commcell=prod kind=failure":       1,
		"jobwatch_detection_delay_seconds commcell=prod":         1, // a first observation has none
		"jobwatch_jobs_ended_total class=failed operation=other": 1,
		"jobwatch_jobs_ended_total class=killed operation=other": 0,
		"jobwatch_published_total":                               6,
		"jobwatch_outbox_events":                                 0,
		"jobwatch_outbox_oldest_seconds":                         0,
		"jobwatch_tracked_jobs commcell=prod class=active":       1,
		"jobwatch_tracked_jobs commcell=prod class=failed":       0, // its end is told: it is polled no more
		"jobwatch_commcell_up commcell=prod":                     1, "jobwatch_tick_jobs commcell=prod": 2,
		"jobwatch_jobs_stalled commcell=prod":             0,
		"jobwatch_jobs_held_oldest_seconds commcell=prod": 0, "jobwatch_nats_connected": 1,
		"jobwatch_nats_reconnects_total":                        0,
		"jobwatch_stream_messages":                              6,
		"jobwatch_config_last_reload_successful":                1,
		"jobwatch_http_followers":                               0,
		"jobwatch_http_followers_dropped_total":                 0,
		"jobwatch_leases_held":                                  0,
		"jobwatch_polls_total commcell=prod result=unreachable": 0,
	})
	families := w.scrape()
	for _, something := range []string{"jobwatch_store_size_bytes", "jobwatch_disk_free_bytes", "jobwatch_stream_bytes", "jobwatch_store_commit_duration_seconds"} {
		if is, there := value(families, something); !there || is <= 0 {
			t.Errorf("%s is %v (there: %v)", something, is, there)
		}
	}
	if at, _ := value(families, "jobwatch_stream_first_timestamp_seconds"); time.Since(time.UnixMilli(int64(at*1000))).Abs() > time.Minute {
		t.Errorf("the stream begins at %v", at)
	}
	if at, _ := value(w.scrape(), "jobwatch_commcell_last_answer_timestamp_seconds commcell=prod"); time.Since(time.UnixMilli(int64(at*1000))).Abs() > time.Minute {
		t.Errorf("the last answer came at %v", at)
	}
	if sum := w.scrape()["jobwatch_detection_delay_seconds"].Metric[0].Histogram.GetSampleSum(); sum <= 0 || sum > 60 {
		t.Errorf("the delay is %v s", sum)
	}
}

// TestLabelsAreThereFromTheStart holds the series of a process to which nothing has happened yet against the values
// that docs/metrics.md lists: an alert sees no increase from nothing.
func TestLabelsAreThereFromTheStart(t *testing.T) {
	docs, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families := newWorld(t).scrape()
	listed := func(label, pattern, words string) {
		t.Helper()
		found := regexp.MustCompile(pattern).FindSubmatch(docs)
		if found == nil {
			t.Fatalf("docs/metrics.md has no %s", pattern)
		}
		for _, word := range regexp.MustCompile(words).FindAllStringSubmatch(string(found[2]), -1) {
			if sample := fmt.Sprintf("%s %s=%s", found[1], label, word[1]); !has(families, sample) {
				t.Errorf("%s is not there", sample)
			}
		}
	}
	listed("result", "`(jobwatch_polls_total){.*?` \\|(.*)", "`([a-z_]+)`")
	listed("reason", "`(jobwatch_publish_errors_total){.*?` \\|(.*)", "`([a-z_]+)`")
	listed("class", "`(jobwatch_jobs_ended_total){.*?` \\|(.*?);", "`([a-z_]+)`")
	listed("operation", "`(jobwatch_jobs_ended_total){.*?` \\|.*?(;.*)", "`([a-z_]+)`")
	listed("reason", "`(jobwatch_requests_unanswered_total){.*?` \\|(.*)", "`([a-z_]+)`")
	listed("kind", "`(jobwatch_events_total){.*?` \\| events committed:(.*)", `([a-z]+)`)
	for _, class := range classes {
		if sample := "jobwatch_tracked_jobs class=" + class; !has(families, sample) {
			t.Errorf("%s is not there", sample)
		}
	}
}

func has(families map[string]*dto.MetricFamily, sample string) bool {
	_, there := value(families, sample)
	return there
}

func TestMetricsOfAQuota(t *testing.T) {
	w := newWorld(t)
	for _, q := range []commvault.Quota{{Limit: 1000, Period: time.Hour, Spent: 17}, {Limit: 10, Period: time.Minute, Spent: 1}} {
		w.quota.Store(&q)
		w.measures(map[string]float64{
			"jobwatch_quota_requests commcell=prod":       float64(q.Spent),
			"jobwatch_quota_limit commcell=prod":          float64(q.Limit),
			"jobwatch_quota_period_seconds commcell=prod": q.Period.Seconds(),
		})
	}
}

func TestMetricsWhileAllIsAway(t *testing.T) {
	slow.Test(t, "2 s", "an outage is known when the tries of a cycle are over, with their real pauses")
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	w.stopNATS()
	w.commServe.goes(errAway)
	w.poll()
	w.measures(map[string]float64{
		"jobwatch_commcell_up commcell=prod":                    0,
		"jobwatch_events_total commcell=prod kind=commcell":     1,
		"jobwatch_polls_total commcell=prod result=unreachable": 1,
		"jobwatch_outbox_events":                                1,
		"jobwatch_tracked_jobs commcell=prod class=active":      1,
	})
	w.until("the event grows old", func() bool {
		oldest, _ := value(w.scrape(), "jobwatch_outbox_oldest_seconds")
		return oldest > 0
	})
}

func TestRefusedEventsAreCounted(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.becomes(200, "ok    publish")
	w.editStream(func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
	w.sees(running(71))
	w.until("it is refused", func() bool {
		refused, _ := value(w.scrape(), "jobwatch_publish_errors_total reason=stream_full")
		return refused > 0
	})
}

// A second watcher is counted, and is no reason to be red: a restart would fix nothing.
func TestASecondWatcherIsCounted(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	other, err := store.Open(filepath.Join(w.dir, "other.db"), event.NewMinter(nil))
	w.must(err)
	t.Cleanup(func() { other.Close() })
	log := slog.New(slog.DiscardHandler)
	broker := stream.New(stream.Config{URL: w.nats.ClientURL(), Log: log})
	w.runs(broker.Run)
	w.runs(publish.New(publish.Config{Store: other, Broker: broker, Log: log}).Run)
	seen := job.Snapshot{CommCell: "prod", Number: 72, State: "Running"}
	w.must(other.Commit(store.PollResult{
		Seen:    job.Observation{Snapshot: seen, Asked: time.Now(), Answered: time.Now()},
		Changes: diff.Since(job.Told{}, &seen),
	}))
	w.until("it is counted", func() bool {
		times, _ := value(w.scrape(), "jobwatch_taken_over_total commcell=prod")
		return times == 1
	})
	w.poll()
	w.readyz(200, "ok    publish")
}

// Durable consumers are told of by name; one whose name is gone tomorrow would be a series for ever.
func TestWhoReadsTheStreamIsMeasured(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	nc, err := nats.Connect(w.nats.ClientURL())
	w.must(err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	w.must(err)
	siem, err := js.CreateConsumer(t.Context(), "JOBS", jetstream.ConsumerConfig{Durable: "siem", AckPolicy: jetstream.AckExplicitPolicy})
	w.must(err)
	_, err = js.CreateConsumer(t.Context(), "JOBS", jetstream.ConsumerConfig{Name: "passing", InactiveThreshold: time.Minute})
	w.must(err)
	_, err = siem.Next()
	w.must(err)
	w.measures(map[string]float64{
		"jobwatch_consumer_pending consumer=siem":     1,
		"jobwatch_consumer_ack_pending consumer=siem": 1,
	})
	if has(w.scrape(), "jobwatch_consumer_pending consumer=passing") {
		t.Error("a consumer that does not stay is told of")
	}
}

func TestWhoFollowsIsMeasured(t *testing.T) {
	w := newWorld(t)
	ctx, leave := context.WithCancel(t.Context())
	follow, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/events", nil)
	w.must(err)
	response, err := w.client.Do(follow)
	w.must(err)
	defer response.Body.Close()
	followers := func(n float64) func() bool {
		return func() bool { now, _ := value(w.scrape(), "jobwatch_http_followers"); return now == n }
	}
	w.until("one follows", followers(1))
	leave()
	w.until("none follows", followers(0))
}

func TestReconnectsAreCounted(t *testing.T) {
	w := newWorld(t)
	w.becomes(503, "ok    nats")
	w.stopNATS()
	connected := func(n float64) func() bool {
		return func() bool { now, _ := value(w.scrape(), "jobwatch_nats_connected"); return now == n }
	}
	w.until("NATS is away", connected(0))
	w.startNATS()
	w.until("NATS is back", connected(1))
	w.measures(map[string]float64{"jobwatch_nats_reconnects_total": 1})
}
