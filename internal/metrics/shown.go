package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"jobwatch/internal/commvault"
)

// Requests counts the requests to a CommServe since the start by what came: an HTTP status, or why there was none, in the
// words of requests_unanswered_total.
func (m *Metrics) Requests(commCell string) map[string]int64 {
	counts := map[string]int64{}
	for label, of := range map[string]*prometheus.CounterVec{"code": m.requests, "reason": m.unanswered} {
		for _, sample := range samples(of) {
			labels := map[string]string{}
			for _, l := range sample.Label {
				labels[l.GetName()] = l.GetValue()
			}
			if n := int64(sample.Counter.GetValue()); n > 0 && labels["commcell"] == commCell && labels[label] != "0" {
				counts[labels[label]] += n
			}
		}
	}
	return counts
}

func samples(of prometheus.Collector) (all []*dto.Metric) {
	came := make(chan prometheus.Metric)
	go func() {
		of.Collect(came)
		close(came)
	}()
	for metric := range came {
		sample := new(dto.Metric)
		if metric.Write(sample) == nil {
			all = append(all, sample)
		}
	}
	return all
}

// Quota is what is known of the quota of a CommCell, as it is at this moment.
func (m *Metrics) Quota(commCell string) (q commvault.Quota, known bool) {
	read, known := m.quotas.Load(commCell)
	if known {
		q = read.(func() commvault.Quota)()
	}
	return q, known
}
