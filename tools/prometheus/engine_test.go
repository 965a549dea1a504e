package prometheus

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory is a storage of series: all that the engine of Prometheus needs. Its own storage would have its module fetch and
// compile the clouds that it can write to.
type memory map[string]*entry // by the text of the labels

type entry struct {
	labels  labels.Labels
	samples []chunks.Sample
}

func (m memory) add(of labels.Labels, at time.Time, value float64) {
	e := m[of.String()]
	if e == nil {
		e = &entry{labels: of}
		m[of.String()] = e
	}
	e.samples = append(e.samples, sample{at.UnixMilli(), value})
}

// Querier ignores the time: the engine takes what it wants.
func (m memory) Querier(int64, int64) (storage.Querier, error) {
	return querier{storage.NoopQuerier(), m}, nil
}

type querier struct {
	storage.Querier
	of memory
}

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &set{at: -1}
	for _, e := range q.of {
		wrong := func(m *labels.Matcher) bool { return !m.Matches(e.labels.Get(m.Name)) }
		if !slices.ContainsFunc(matchers, wrong) {
			found.all = append(found.all, storage.NewListSeries(e.labels, e.samples))
		}
	}
	slices.SortFunc(found.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return found
}

type set struct {
	all []storage.Series
	at  int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *set) At() storage.Series                { return s.all[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

var (
	language = parser.NewParser(parser.Options{})
	engine   = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, Parser: language})
)

// ask evaluates an expression at a time.
func (m memory) ask(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	query, err := engine.NewInstantQuery(t.Context(), m, nil, expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer query.Close()
	result := query.Exec(t.Context())
	if result.Err != nil {
		t.Fatalf("%s: %v", expr, result.Err)
	}
	switch value := result.Value.(type) {
	case promql.Vector:
		return slices.Clone(value)
	case promql.Scalar:
		return promql.Vector{{T: value.T, F: value.V}}
	default:
		t.Fatalf("%s is a %s, which no panel or rule shows", expr, result.Value.Type())
		return nil
	}
}
