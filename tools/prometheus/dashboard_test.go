package prometheus

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

const dashboardFile = "../../configs/grafana-dashboard.json"

var update = flag.Bool("update", false, "write configs/grafana-dashboard.json")

func TestTheDashboardIsTheOneThatIsWritten(t *testing.T) {
	want, err := makeDashboard()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(dashboardFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if file(t, dashboardFile) != string(want) {
		t.Error("configs/grafana-dashboard.json is another; write it with: go -C tools/prometheus test -run Dashboard -update")
	}
}

// drawn are the expressions of the dashboard, with what Grafana puts for its variables where all is chosen.
func drawn() (all []string) {
	variables := strings.NewReplacer("$instance", ".*", "$commcell", ".*", "$__rate_interval", "5m")
	for _, row := range rows {
		for _, p := range row.panels {
			for _, a := range p.asks {
				all = append(all, variables.Replace(a.expr))
			}
		}
	}
	return all
}

// TestTheDashboardUsesMetricsThatThereAre, and labels, and keeps to what its variables choose.
func TestTheDashboardUsesMetricsThatThereAre(t *testing.T) {
	for _, expr := range drawn() {
		known(t, expr, expr)
	}
	for _, row := range rows {
		for _, p := range row.panels {
			for _, a := range p.asks {
				if n := strings.Count(a.expr, `instance=~"$instance"`); n != strings.Count(a.expr, "jobwatch_")+strings.Count(a.expr, "process_") {
					t.Errorf("%s: not each metric is of the watchers chosen", a.expr)
				}
				for _, label := range regexp.MustCompile(`{{(.*?)}}`).FindAllStringSubmatch(a.legend, -1) {
					if strings.Contains(a.expr, " by (") && !strings.Contains(a.expr, label[1]) {
						t.Errorf("%s: the legend names %s, which is not left", a.expr, label[1])
					}
				}
			}
		}
	}
}

func TestPanelsAreWhole(t *testing.T) {
	for _, row := range rows {
		for _, p := range row.panels {
			if p.width < 1 || p.width > 24 || len(p.asks) == 0 || p.unit == "" {
				t.Errorf("%s/%s: %d wide, %d expressions, unit %q", row.title, p.title, p.width, len(p.asks), p.unit)
			}
		}
	}
}
