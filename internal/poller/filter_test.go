package poller

import (
	"strings"
	"testing"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// globs reads "client=fall*,winter; job_type=Backup".
func globs(text string) map[string][]string {
	by := map[string][]string{}
	for part := range strings.SplitSeq(text, "; ") {
		if key, patterns, found := strings.Cut(part, "="); found && patterns != "" {
			by[key] = strings.Split(patterns, ",")
		} else if found {
			by[key] = nil
		}
	}
	return by
}

func TestFilter(t *testing.T) {
	full := commvault.Line{
		Number: 71, Client: "Fall.example.com", ClientGroups: []job.Text{"Servers", "Berlin"}, JobType: "Backup",
		Operation: "Snap Backup", Application: "Virtual Server", Subclient: "vms/daily",
	}
	bare := commvault.Line{Number: 71}
	const taken = ""
	for _, row := range []struct {
		include, exclude string
		line             commvault.Line
		leftOutBy        string
	}{
		{"", "", full, taken},
		{"", "", bare, taken},
		{"client=fall*", "", full, taken},
		{"client=FALL.EXAMPLE.COM", "", full, taken},
		{"client=fall", "", full, "include.client"},
		{"client=winter,fall*", "", full, taken},
		{"client=[a-f]all.*", "", full, taken},
		{"client=[A-F]all.*", "", full, taken},
		{"client=?all.*", "", full, taken},
		{"client_group=berlin", "", full, taken},
		{"client_group=servers,paris", "", full, taken},
		{"client_group=paris", "", full, "include.client_group"},
		{"job_type=Backup; operation=Snap*", "", full, taken},
		{"job_type=Backup; operation=Restore", "", full, "include.operation"},
		{"application=virtual server", "", full, taken},
		{"subclient=vms/daily", "", full, taken},
		{"subclient=vms*", "", full, taken}, // a name, no path
		{"subclient=vms?daily", "", full, taken},
		{"subclient=vms[/]daily", "", full, taken},
		{"client=", "client=", full, taken}, // a key without globs says nothing

		{"", "client=fall*", full, "exclude.client"},
		{"", "client=winter*", full, taken},
		{"", "client_group=berlin", full, "exclude.client_group"},
		{"", "client_group=paris; subclient=*daily", full, "exclude.subclient"},
		{"client=fall*", "job_type=backup", full, "exclude.job_type"},
		{"client=winter*", "job_type=backup", full, "include.client"},

		{"client=*; client_group=*; job_type=*; operation=*; application=*; subclient=*", "", bare, taken},
		{"client=?*", "", bare, "include.client"},
		{"client_group=?*", "", bare, "include.client_group"},
		{"", "client=fall*; client_group=berlin; subclient=?*", bare, taken},
		{"", "client_group=*", bare, "exclude.client_group"},
	} {
		got := NewFilter(globs(row.include), globs(row.exclude)).LeftOutBy(&row.line)
		if got != row.leftOutBy {
			t.Errorf("include %q, exclude %q: job of client %q is left out by %q, want %q", row.include, row.exclude, row.line.Client, got, row.leftOutBy)
		}
	}
}
