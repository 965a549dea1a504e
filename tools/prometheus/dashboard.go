package prometheus

import (
	"encoding/json"
)

// shown is a panel as it is declared below.
type shown struct {
	kind, title, unit string
	width             int // of 24
	says              string
	asks              []asked
	warn, bad         float64 // from where on a tile is yellow, and red; 0: never
	classes           bool    // its series are those of classes
	signed            bool    // below 0, too
}

// asked is an expression, and how its series are called.
type asked struct{ expr, legend string }

// What the variables choose, in every expression: of a CommCell, and of a watcher.
const (
	cells = `instance=~"$instance",commcell=~"$commcell"`
	own   = `instance=~"$instance"`
)

var rows = []struct {
	title  string
	height int
	panels []shown
}{
	{"Now", 4, []shown{
		{kind: "stat", title: "Jobs by class", classes: true, unit: "short", width: 10, asks: []asked{{`sum by (class) (jobwatch_tracked_jobs{` + cells + `})`, "{{class}}"}},
			says: "Jobs that are polled now, by the class of their last answer."},
		{kind: "stat", title: "CommCells silent", unit: "short", width: 3, bad: 1, asks: []asked{{`count(jobwatch_commcell_up{` + cells + `}) - sum(jobwatch_commcell_up{` + cells + `})`, ""}},
			says: "Nothing is known of their jobs."},
		{kind: "stat", title: "Oldest answer", unit: "s", width: 3, warn: 300, bad: 900, asks: []asked{{`max(time() - jobwatch_commcell_last_answer_timestamp_seconds{` + cells + `})`, ""}},
			says: "How old what one sees is at most."},
		{kind: "stat", title: "Stalled", unit: "short", width: 2, warn: 1, asks: []asked{{`sum(jobwatch_jobs_stalled{` + cells + `})`, ""}}},
		{kind: "stat", title: "Held longest", unit: "s", width: 3, warn: 14400, asks: []asked{{`max(jobwatch_jobs_held_oldest_seconds{` + cells + `})`, ""}}},
		{kind: "stat", title: "Events waiting", unit: "short", width: 3, warn: 100, asks: []asked{{`sum(jobwatch_outbox_events{` + own + `})`, ""}},
			says: "For NATS, in the store."},
	}},
	{"Ended", 8, []shown{
		{kind: "timeseries", title: "Ended within an hour, by class", classes: true, unit: "short", width: 10, asks: []asked{{`sum by (class) (increase(jobwatch_jobs_ended_total{` + cells + `}[1h]))`, "{{class}}"}}},
		{kind: "timeseries", title: "Ended badly within an hour, by operation", unit: "short", width: 7, asks: []asked{{`sum by (operation) (increase(jobwatch_jobs_ended_total{` + cells + `,class=~"failed|partial|killed"}[1h]))`, "{{operation}}"}}},
		{kind: "timeseries", title: "Machines failed within an hour", unit: "short", width: 7, asks: []asked{{`sum by (commcell) (increase(jobwatch_vms_failed_total{` + cells + `}[1h]))`, "{{commcell}}"}}},
	}},
	{"Delay", 8, []shown{
		{kind: "heatmap", title: "How late a change was seen, at most", unit: "s", width: 12, asks: []asked{{`sum by (le) (increase(jobwatch_detection_delay_seconds_bucket{` + cells + `}[$__rate_interval]))`, "{{le}}"}},
			says: "Between which two polls a state has changed."},
		{kind: "timeseries", title: "The same, median and 95%", unit: "s", width: 6, asks: []asked{
			{`histogram_quantile(0.5, sum by (le) (rate(jobwatch_detection_delay_seconds_bucket{` + cells + `}[30m])))`, "median"},
			{`histogram_quantile(0.95, sum by (le) (rate(jobwatch_detection_delay_seconds_bucket{` + cells + `}[30m])))`, "95%"},
		}},
		{kind: "timeseries", title: "Age of the last answer", unit: "s", width: 6, asks: []asked{{`time() - jobwatch_commcell_last_answer_timestamp_seconds{` + cells + `}`, "{{commcell}}"}}},
	}},
	{"Asking", 7, []shown{
		{kind: "timeseries", title: "Requests by status", unit: "reqps", width: 6, asks: []asked{{`sum by (code) (rate(jobwatch_requests_total{` + cells + `}[$__rate_interval]))`, "{{code}}"}}, says: "0: no answer came."},
		{kind: "timeseries", title: "Requests by operation", unit: "reqps", width: 6, asks: []asked{{`sum by (operation) (rate(jobwatch_requests_total{` + cells + `}[$__rate_interval]))`, "{{operation}}"}}},
		{kind: "timeseries", title: "Time of a request, 95%", unit: "s", width: 6, asks: []asked{{`histogram_quantile(0.95, sum by (le, operation) (rate(jobwatch_request_duration_seconds_bucket{` + cells + `}[$__rate_interval])))`, "{{operation}}"}}},
		{kind: "timeseries", title: "Polls without an answer", unit: "cps", width: 6, asks: []asked{{`sum by (result) (rate(jobwatch_polls_total{` + cells + `,result!~"ok|unchanged|older"}[$__rate_interval]))`, "{{result}}"}}},
		{kind: "timeseries", title: "Requests at once, at most", unit: "short", width: 6, asks: []asked{{`jobwatch_request_limit{` + cells + `}`, "{{commcell}}"}}, says: "Less than concurrency: the CommServe bears no more."},
		{kind: "timeseries", title: "Quota used", unit: "percentunit", width: 6, asks: []asked{{`jobwatch_quota_requests{` + cells + `} / jobwatch_quota_limit{` + cells + `}`, "{{commcell}}"}}, says: "Empty where a CommServe names none."},
		{kind: "timeseries", title: "Time of a tick, and ticks skipped an hour", unit: "short", width: 6, asks: []asked{
			{`sum by (commcell) (rate(jobwatch_tick_duration_seconds_sum{` + cells + `}[$__rate_interval])) / sum by (commcell) (rate(jobwatch_tick_duration_seconds_count{` + cells + `}[$__rate_interval]))`, "{{commcell}}: s"},
			{`increase(jobwatch_ticks_skipped_total{` + cells + `}[1h])`, "{{commcell}}: skipped"},
		}},
		{kind: "timeseries", title: "Jobs a tick", unit: "short", width: 6, asks: []asked{{`jobwatch_tick_jobs{` + cells + `}`, "{{commcell}}"}}},
		{kind: "stat", title: "Certificate ends in", unit: "s", width: 6, asks: []asked{{`jobwatch_tls_not_after_timestamp_seconds{` + cells + `} - time()`, "{{commcell}}"}}, says: "Empty without TLS."},
		{kind: "timeseries", title: "Clock of the CommServe is ahead", signed: true, unit: "s", width: 6, asks: []asked{{`jobwatch_clock_skew_seconds{` + cells + `}`, "{{commcell}}"}}},
	}},
	{"Telling", 7, []shown{
		{kind: "timeseries", title: "Events published", unit: "eps", width: 6, asks: []asked{{`sum by (instance) (rate(jobwatch_published_total{` + own + `}[$__rate_interval]))`, "{{instance}}"}}},
		{kind: "timeseries", title: "Publishes not acknowledged, by reason", unit: "eps", width: 6, asks: []asked{{`sum by (reason) (rate(jobwatch_publish_errors_total{` + own + `}[$__rate_interval]))`, "{{reason}}"}}},
		{kind: "timeseries", title: "Oldest event that waits for NATS", unit: "s", width: 6, asks: []asked{{`jobwatch_outbox_oldest_seconds{` + own + `}`, "{{instance}}"}}},
		{kind: "timeseries", title: "Connected to NATS", unit: "short", width: 6, asks: []asked{{`jobwatch_nats_connected{` + own + `}`, "{{instance}}"}, {`increase(jobwatch_nats_reconnects_total{` + own + `}[1h])`, "{{instance}}: reconnects an hour"}}},
		{kind: "timeseries", title: "Messages that wait for a reader", unit: "short", width: 6, asks: []asked{
			{`max by (consumer) (jobwatch_consumer_pending{` + own + `})`, "{{consumer}}"}, {`max by (consumer) (jobwatch_consumer_ack_pending{` + own + `})`, "{{consumer}}: not acknowledged"},
		}, says: "Of durable consumers; empty without the right to list them."},
		{kind: "timeseries", title: "Relays: oldest event not delivered", unit: "s", width: 6, asks: []asked{{`max by (relay) (jobwatch_relay_oldest_seconds{` + own + `})`, "{{relay}}"}}},
		{kind: "timeseries", title: "Relays: delivered, refused, dead", unit: "eps", width: 6, asks: []asked{
			{`sum by (relay) (rate(jobwatch_relay_delivered_total{` + own + `}[$__rate_interval]))`, "{{relay}}"},
			{`sum by (relay, reason) (rate(jobwatch_relay_failures_total{` + own + `}[$__rate_interval]))`, "{{relay}}: {{reason}}"},
			{`sum by (relay) (rate(jobwatch_relay_dead_total{` + own + `}[$__rate_interval]))`, "{{relay}}: dead"},
		}},
		{kind: "timeseries", title: "The stream", unit: "bytes", width: 6, asks: []asked{{`max(jobwatch_stream_bytes{` + own + `})`, "bytes"}}},
	}},
	{"Watcher", 7, []shown{
		{kind: "timeseries", title: "CPU", unit: "percentunit", width: 6, asks: []asked{{`rate(process_cpu_seconds_total{` + own + `}[$__rate_interval]) and on (instance) jobwatch_build_info{` + own + `}`, "{{instance}}"}}},
		{kind: "timeseries", title: "Memory", unit: "bytes", width: 6, asks: []asked{{`process_resident_memory_bytes{` + own + `} and on (instance) jobwatch_build_info{` + own + `}`, "{{instance}}"}}},
		{kind: "timeseries", title: "Store, and what of it is free", unit: "bytes", width: 6, asks: []asked{{`jobwatch_store_size_bytes{` + own + `}`, "{{instance}}"}, {`jobwatch_store_free_bytes{` + own + `}`, "{{instance}}: free"}}},
		{kind: "timeseries", title: "Disk of the store, free", unit: "bytes", width: 6, asks: []asked{{`jobwatch_disk_free_bytes{` + own + `}`, "{{instance}}"}}},
		{kind: "timeseries", title: "Time of a commit, 95%", unit: "s", width: 6, asks: []asked{{`histogram_quantile(0.95, sum by (le, instance) (rate(jobwatch_store_commit_duration_seconds_bucket{` + own + `}[$__rate_interval])))`, "{{instance}}"}}},
		{kind: "timeseries", title: "Who follows over HTTP", unit: "short", width: 6, asks: []asked{{`jobwatch_http_followers{` + own + `}`, "{{instance}}"}, {`increase(jobwatch_http_followers_dropped_total{` + own + `}[1h])`, "{{instance}}: dropped an hour"}}},
		{kind: "timeseries", title: "Members, and CommCells that each polls", unit: "short", width: 6, asks: []asked{{`jobwatch_cluster_members{` + own + `}`, "{{instance}}: members"}, {`jobwatch_leases_held{` + own + `}`, "{{instance}}: CommCells"}}, says: "Of a cluster."},
		{kind: "stat", title: "Version, and whether its configuration was taken", unit: "short", width: 6, asks: []asked{
			{`jobwatch_build_info{` + own + `}`, "{{instance}} {{version}}"}, {`jobwatch_config_last_reload_successful{` + own + `}`, "{{instance}}: configuration taken"},
		}},
	}},
}

var from = &source{"prometheus", "${datasource}"}

// makeDashboard lays the panels out in rows.
func makeDashboard() ([]byte, error) {
	d := dashboard{
		Title: "jobwatch", UID: "jobwatch", Description: "Commvault jobs as jobwatch sees them, and jobwatch itself. Written by tools/prometheus: what is edited here is gone with the next version.",
		Tags: []string{"backup", "commvault", "jobwatch"}, SchemaVersion: 39, Editable: true, Refresh: "30s", Time: span{"now-24h", "now"},
		Templating: templating{[]variable{
			{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"},
			choice("instance", "Watcher", `label_values(jobwatch_build_info, instance)`),
			choice("commcell", "CommCell", `label_values(jobwatch_tracked_jobs{instance=~"$instance"}, commcell)`),
		}},
	}
	y := 0
	for _, row := range rows {
		d.Panels = append(d.Panels, panel{ID: len(d.Panels) + 1, Type: "row", Title: row.title, GridPos: place{1, 24, 0, y}, Collapsed: new(false)})
		y++
		x := 0
		for _, p := range row.panels {
			if x+p.width > 24 {
				x, y = 0, y+row.height
			}
			made := p.panel(len(d.Panels) + 1)
			made.GridPos = place{row.height, p.width, x, y}
			d.Panels = append(d.Panels, made)
			x += p.width
		}
		y += row.height
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

// choice is a variable of which any number may be chosen.
func choice(name, label, query string) variable {
	return variable{
		Name: name, Label: label, Type: "query", Query: map[string]string{"query": query, "refId": name}, Definition: query, Datasource: from,
		Multi: true, IncludeAll: true, AllValue: ".*", Refresh: 2, Current: &chosen{"All", "$__all"},
	}
}

func (s shown) panel(id int) panel {
	p := panel{ID: id, Type: s.kind, Title: s.title, Description: s.says, Datasource: from}
	for i, a := range s.asks {
		t := target{RefID: string(rune('A' + i)), Expr: a.expr, LegendFormat: a.legend, Format: "time_series", Datasource: from, Range: true}
		switch s.kind {
		case "stat":
			t.Range, t.Instant = false, true
		case "heatmap":
			t.Format = "heatmap"
		}
		p.Targets = append(p.Targets, t)
	}
	p.FieldConfig = &fields{Defaults: defaults{Unit: s.unit, Min: new(0.0), Thresholds: s.thresholds()}, Overrides: []override{}}
	switch s.kind {
	case "stat":
		p.FieldConfig.Defaults.Min = nil
		p.Options = map[string]any{"colorMode": "value", "graphMode": "none", "textMode": "auto", "reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "values": false}}
	case "heatmap":
		p.Options = map[string]any{"calculate": false, "yAxis": map[string]any{"unit": s.unit}, "color": map[string]any{"mode": "scheme", "scheme": "Blues", "steps": 64}, "cellGap": 1}
	default:
		p.Options = map[string]any{"legend": map[string]any{"displayMode": "list", "placement": "bottom"}, "tooltip": map[string]any{"mode": "multi", "sort": "desc"}}
	}
	if s.signed {
		p.FieldConfig.Defaults.Min = nil
	}
	if s.classes {
		p.FieldConfig.Overrides = byClass()
	}
	return p
}

func (s shown) thresholds() *thresholds {
	t := &thresholds{Mode: "absolute", Steps: []step{{"green", nil}}}
	if s.warn > 0 {
		t.Steps = append(t.Steps, step{"yellow", &s.warn})
	}
	if s.bad > 0 {
		t.Steps = append(t.Steps, step{"red", &s.bad})
	}
	return t
}

// byClass gives each class the color that the page has for it.
func byClass() (all []override) {
	for _, c := range [][2]string{
		{"active", "blue"}, {"queued", "light-blue"}, {"held", "yellow"}, {"succeeded", "green"},
		{"partial", "orange"}, {"failed", "red"}, {"killed", "purple"}, {"unknown", "gray"},
	} {
		color := map[string]string{"mode": "fixed", "fixedColor": c[1]}
		all = append(all, override{property{ID: "byName", Options: c[0]}, []property{{ID: "color", Value: color}}})
	}
	return all
}
