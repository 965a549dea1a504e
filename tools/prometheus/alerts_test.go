package prometheus

// alertRow has series with which an alert fires at their end, and some with which it does not.
type alertRow struct {
	fires  []string
	silent [][]string
}

// alsoFires has what has more than one reason.
var alsoFires = map[string][]string{
	"StoreDiskFull": {`jobwatch_disk_free_bytes 1e10-1e7x400`}, // a day's worth of that is 14 GB
}

var alertRows = map[string]alertRow{
	"WatcherGone": {
		[]string{`up{job="jobwatch"} 0x10`},
		[][]string{{`jobwatch_build_info{version="1.0"} 1x10`}, {`up{job="jobwatch"} 0x3`}},
	},
	"ReloadRefused": {
		[]string{`jobwatch_config_last_reload_successful 1x3 0x10`},
		[][]string{{`jobwatch_config_last_reload_successful 1x20`}, {`jobwatch_config_last_reload_successful 0x10 1`}, {`jobwatch_config_last_reload_successful 0x3`}},
	},
	"StoreDiskFull": {
		[]string{`jobwatch_disk_free_bytes 9e8x15`},
		[][]string{{`jobwatch_disk_free_bytes 1e10x400`}, {`jobwatch_disk_free_bytes 1e10-1e6x400`}, {`jobwatch_disk_free_bytes 1e12-1e9x400`}},
	},
	"ClockSkewed": {
		[]string{`jobwatch_clock_skew_seconds{commcell="prod"} -90x15`},
		[][]string{{`jobwatch_clock_skew_seconds{commcell="prod"} 1x15`}, {`jobwatch_clock_skew_seconds{commcell="prod"} 1x10 90x3`}},
	},
	"CommCellSilent": {
		[]string{`jobwatch_commcell_up{commcell="prod"} 1x3 0x6`},
		[][]string{{`jobwatch_commcell_up{commcell="prod"} 1x10`}, {`jobwatch_commcell_up{commcell="prod"} 0 0 1 0 0 1 0 0 1 0`}},
	},
	"TickLate": {
		[]string{`jobwatch_commcell_next_tick_timestamp_seconds{commcell="prod"} 60x20`},
		[][]string{
			{`jobwatch_commcell_next_tick_timestamp_seconds{commcell="prod"} 60+60x20`},
			{`jobwatch_commcell_next_tick_timestamp_seconds{commcell="prod"} 60x14`},
			{`jobwatch_commcell_next_tick_timestamp_seconds{commcell="daily"} 86400x60`},
		},
	},
	"TicksSkipped": {
		[]string{`jobwatch_ticks_skipped_total{commcell="prod"} 0+1x30`},
		[][]string{{`jobwatch_ticks_skipped_total{commcell="prod"} 7x60`}, {`jobwatch_ticks_skipped_total{commcell="prod"} 0x50 1 2 3`}},
	},
	"PollsFail": {
		[]string{`jobwatch_polls_total{commcell="prod",result="unchanged"} 0+80x40`, `jobwatch_polls_total{commcell="prod",result="timeout"} 0+20x40`},
		[][]string{
			{`jobwatch_polls_total{commcell="prod",result="unchanged"} 0+80x40`, `jobwatch_polls_total{commcell="prod",result="timeout"} 0+2x40`},
			{`jobwatch_polls_total{commcell="prod",result="ok"} 0+10x40`, `jobwatch_polls_total{commcell="prod",result="unknown_job"} 0+80x40`},
		},
	},
	"QuotaSpent": {
		[]string{`jobwatch_quota_requests{commcell="saas"} 0+100x10`, `jobwatch_quota_limit{commcell="saas"} 1000x10`},
		[][]string{{`jobwatch_quota_requests{commcell="saas"} 0+50x10`, `jobwatch_quota_limit{commcell="saas"} 1000x10`}, {`jobwatch_quota_requests{commcell="prod"} 99999x10`}},
	},
	"CertificateEnds": {
		[]string{`jobwatch_tls_not_after_timestamp_seconds{commcell="prod"} 1000000x10`},
		[][]string{{`jobwatch_tls_not_after_timestamp_seconds{commcell="prod"} 2000000x10`}},
	},
	"JobsFail": {
		[]string{`jobwatch_jobs_ended_total{commcell="prod",class="succeeded",operation="backup"} 0+2x60`, `jobwatch_jobs_ended_total{commcell="prod",class="failed",operation="backup"} 0+1x60`},
		[][]string{
			{`jobwatch_jobs_ended_total{commcell="prod",class="succeeded",operation="backup"} 0+20x60`, `jobwatch_jobs_ended_total{commcell="prod",class="failed",operation="backup"} 0+1x60`},
			{`jobwatch_jobs_ended_total{commcell="prod",class="succeeded",operation="backup"} 0x60`, `jobwatch_jobs_ended_total{commcell="prod",class="failed",operation="backup"} 0x30 1x20 2x9`},
			{`jobwatch_jobs_ended_total{commcell="prod",class="killed",operation="backup"} 0+1x60`},
		},
	},
	"JobsStalled": {
		[]string{`jobwatch_jobs_stalled{commcell="prod"} 0x3 2x31`},
		[][]string{{`jobwatch_jobs_stalled{commcell="prod"} 0x40`}, {`jobwatch_jobs_stalled{commcell="prod"} 1x20 0 1x20`}},
	},
	"NATSAway": {
		[]string{`jobwatch_nats_connected 1x3 0x4`},
		[][]string{{`jobwatch_nats_connected 1x10`}, {`jobwatch_nats_connected 1x3 0`}},
	},
	"EventsWait": {
		[]string{`jobwatch_outbox_oldest_seconds 0 60 120 180 240 300 360`},
		[][]string{{`jobwatch_outbox_oldest_seconds 0x10`}, {`jobwatch_outbox_oldest_seconds 0 60 120`}},
	},
	"EventsRefused": {
		[]string{`jobwatch_publish_errors_total{reason="stream_full"} 0x5 1 2 3`},
		[][]string{{`jobwatch_publish_errors_total{reason="stream_full"} 3x30`}, {`jobwatch_publish_errors_total{reason="disconnected"} 0+1x10`}},
	},
	"NobodyReads": {
		[]string{`jobwatch_consumer_pending{consumer="siem"} 0+3x60`},
		[][]string{
			{`jobwatch_consumer_pending{consumer="siem"} 0x60`},
			{`jobwatch_consumer_pending{consumer="siem"} 5000-50x60`},                                             // it catches up
			{`jobwatch_consumer_pending{consumer="siem"} 0 30 0 40 0 50x9 0 60 0 70 0 80x9 0 50 0 90x9 0 1000x9`}, // it gets to the end
		},
	},
	"RelayStandsStill": {
		[]string{`jobwatch_relay_up{relay="ops"} 1 0x15`},
		[][]string{{`jobwatch_relay_up{relay="ops"} 1x20`}, {`jobwatch_relay_up{relay="ops"} 0x10 1 0x10`}},
	},
	"RelayLate": {
		[]string{`jobwatch_relay_oldest_seconds{relay="ops"} 0+60x16`},
		[][]string{{`jobwatch_relay_oldest_seconds{relay="ops"} 0x20`}, {`jobwatch_relay_oldest_seconds{relay="ops"} 0+60x10`}},
	},
	"RelayDeadLetters": {
		[]string{`jobwatch_relay_dead_total{relay="ops"} 0x5 1x20`},
		[][]string{{`jobwatch_relay_dead_total{relay="ops"} 4x60`}, {`jobwatch_relay_dead_total{relay="ops"} 0x5 1x90`}},
	},
	"RelayMissed": {
		[]string{`jobwatch_relay_missed_total{relay="ops"} 0x5 700x20`},
		[][]string{{`jobwatch_relay_missed_total{relay="ops"} 700x60`}},
	},
	"TwoWatchers": {
		[]string{`jobwatch_taken_over_total{commcell="prod"} 0x5 1 2 3`},
		[][]string{{`jobwatch_taken_over_total{commcell="prod"} 3x60`}},
	},
	"NobodyPolls": {
		[]string{`jobwatch_cluster_unowned_commcells{instance="a"} 0 1x5`},
		[][]string{{`jobwatch_cluster_unowned_commcells{instance="a"} 0x9`}, {`jobwatch_cluster_unowned_commcells{instance="a"} 0 1 0 0 1 0`}},
	},
	"MemberGone": {
		[]string{`jobwatch_cluster_members{instance="a"} 3x20 2x6`},
		[][]string{{`jobwatch_cluster_members{instance="a"} 3x20`}, {`jobwatch_cluster_members{instance="a"} 2x20 3x20`}, {`jobwatch_cluster_members{instance="a"} 3x20 2x2 3`}},
	},
	"PolledTwice": {
		[]string{`jobwatch_commcell_up{commcell="prod",instance="a"} 1x9`, `jobwatch_commcell_up{commcell="prod",instance="b"} 1x9`},
		[][]string{
			{`jobwatch_commcell_up{commcell="prod",instance="a"} 1x9`, `jobwatch_commcell_up{commcell="lab",instance="b"} 1x9`},
			{`jobwatch_commcell_up{commcell="prod",instance="a"} 1x9 stale stale stale stale stale stale stale`, `jobwatch_commcell_up{commcell="prod",instance="b"} _x9 1x6`},
		},
	},
}
