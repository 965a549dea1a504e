package metrics

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestDocsListAllMetrics holds the table of docs/metrics.md against the metrics that a program may show, with the names of
// their labels.
func TestDocsListAllMetrics(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllSubmatch(text, -1) {
		for _, name := range regexp.MustCompile("`(jobwatch_.*?)`").FindAllSubmatch(row[1], -1) {
			listed = append(listed, string(name[1]))
		}
	}
	exposed := described()
	for _, name := range exposed {
		if !slices.Contains(listed, name) {
			t.Errorf("docs/metrics.md has no row for %s", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(exposed, name) {
			t.Errorf("docs/metrics.md lists %s, which there is not", name)
		}
	}
}

// described are all metrics of ours as the docs write them: jobwatch_polls_total{commcell,result}.
func described() (all []string) {
	m := New("test")
	m.Read(Sources{})
	to := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(to)
		close(to)
	}()
	for d := range to {
		parts := regexp.MustCompile(`fqName: "(.*?)", .*constLabels: \{(.*?)\}, variableLabels: \{(.*?)\}`).FindStringSubmatch(d.String())
		if !regexp.MustCompile("^jobwatch_").MatchString(parts[1]) {
			continue
		}
		labels := parts[3]
		if parts[1] == "jobwatch_build_info" {
			labels = "version,revision,goversion"
		}
		if labels != "" {
			labels = "{" + labels + "}"
		}
		all = append(all, parts[1]+labels)
	}
	return all
}
