// Package prometheus holds what Prometheus and Grafana make of the metrics: the rules and the dashboard in configs/, which its tests
// judge with Prometheus's own parser and engine.
package prometheus

import (
	"cmp"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const rulesFile = "../../configs/prometheus-rules.yaml"

// rules reads them as Prometheus does.
func rules(t *testing.T) (all []rulefmt.Rule) {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.LegacyValidation, language, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAlertsSayWhatToDo: each has a severity, one plain line, and a place in the runbooks, which tell of no other.
func TestAlertsSayWhatToDo(t *testing.T) {
	var headings, alerts []string
	for _, h := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(file(t, "../../docs/runbooks.md"), -1) {
		headings = append(headings, h[1])
	}
	for _, r := range rules(t) {
		alerts = append(alerts, r.Alert)
		if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
			t.Errorf("%s: severity is %q", r.Alert, r.Labels["severity"])
		}
		for _, name := range []string{"summary", "description"} {
			if text := r.Annotations[name]; text == "" || strings.Contains(text, "\n") || len(text) > 200 {
				t.Errorf("%s: %s is no plain line: %q", r.Alert, name, text)
			}
		}
		if want := "docs/runbooks.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
	}
	if slices.Sort(headings); !slices.Equal(headings, sorted(alerts)) {
		t.Errorf("docs/runbooks.md has %q, and there are %q", headings, sorted(alerts))
	}
}

func sorted(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return words
}

// TestRulesUseMetricsThatThereAre holds them against the table of docs/metrics.md, which a test of internal/metrics holds
// against the program.
func TestRulesUseMetricsThatThereAre(t *testing.T) {
	for _, r := range rules(t) {
		known(t, r.Alert, r.Expr)
	}
}

// known complains of a metric, or a label of one, that docs/metrics.md does not list.
func known(t *testing.T, of, expr string) {
	t.Helper()
	listed := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`jobwatch_.*?) \\|").FindAllStringSubmatch(file(t, "../../docs/metrics.md"), -1) {
		for _, m := range regexp.MustCompile("`(jobwatch_[a-z_]+)(?:\\{(.*?)\\})?`").FindAllStringSubmatch(row[1], -1) {
			listed[m[1]] = strings.Split(m[2], ",")
		}
	}
	parsed, err := language.ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", of, err)
	}
	for _, matchers := range parser.ExtractSelectors(parsed) {
		name := ""
		for _, m := range matchers {
			if m.Name == labels.MetricName {
				name = regexp.MustCompile("_(bucket|sum|count)$").ReplaceAllString(m.Value, "")
			}
		}
		if !strings.HasPrefix(name, "jobwatch_") { // go_ and process_
			continue
		}
		its := listed[name]
		if its == nil {
			t.Errorf("%s: there is no metric %s", of, name)
		}
		for _, m := range matchers {
			if own := []string{labels.MetricName, "instance", "le"}; !slices.Contains(own, m.Name) && !slices.Contains(its, m.Name) {
				t.Errorf("%s: %s has no label %s", of, name, m.Name)
			}
		}
	}
}

// TestEachAlertFiresAndStaysSilent plays for each alert series with which it fires, and such with which it does not. They
// are in the notation of promtool: a sample a minute.
func TestEachAlertFiresAndStaysSilent(t *testing.T) {
	tested := map[string]bool{}
	for _, r := range rules(t) {
		row, has := alertRows[r.Alert]
		if !has {
			t.Errorf("%s has no row", r.Alert)
			continue
		}
		tested[r.Alert] = true
		for _, loud := range [][]string{row.fires, alsoFires[r.Alert]} {
			if loud != nil && !fires(t, r, loud) {
				t.Errorf("%s stays silent at %q", r.Alert, loud)
			}
		}
		for _, quiet := range row.silent {
			if fires(t, r, quiet) {
				t.Errorf("%s fires at %q", r.Alert, quiet)
			}
		}
		if len(row.silent) == 0 {
			t.Errorf("%s has nothing at which it stays silent", r.Alert)
		}
	}
	for alert := range alertRows {
		if !tested[alert] {
			t.Errorf("there is no alert %s", alert)
		}
	}
}

// fires says whether a rule fires at the end of the series: where its expression has given the same labels for as long as
// its for: says.
func fires(t *testing.T, r rulefmt.Rule, series []string) bool {
	t.Helper()
	stored, minutes := played(t, series)
	since := map[string]int{} // minute, by labels
	for now := range minutes {
		held := map[string]int{}
		for _, s := range stored.ask(t, r.Expr, minute(now)) {
			held[s.Metric.String()] = cmp.Or(since[s.Metric.String()], now+1)
		}
		since = held
	}
	for _, began := range since {
		if time.Duration(minutes-began)*time.Minute >= time.Duration(r.For) {
			return true
		}
	}
	return false
}

// minute is the time of a sample: series begin with the Unix epoch.
func minute(n int) time.Time { return time.Unix(int64(n)*60, 0).UTC() }

func played(t *testing.T, series []string) (stored memory, minutes int) {
	t.Helper()
	stored, minutes = memory{}, 1
	for _, text := range series {
		of, values, err := language.ParseSeriesDesc(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		minutes = max(minutes, len(values))
		for i, v := range values {
			if !v.Omitted {
				stored.add(of, minute(i), v.Value)
			}
		}
	}
	return stored, minutes
}
