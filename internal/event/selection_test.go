package event

import (
	"slices"
	"testing"
)

func TestSelection(t *testing.T) {
	for _, row := range []struct {
		selection Selection
		want      []string
	}{
		{Selection{}, []string{"acme.jobs.*.*.*.*.>", "acme.commcells.*.>"}},
		{Selection{CommCell: "prod"}, []string{"acme.jobs.prod.*.*.*.>", "acme.commcells.prod.>"}},
		{Selection{CommCell: "prod", Job: 1248}, []string{"acme.jobs.prod.1248.*.*.>"}},
		{Selection{Client: "fall.example.com"}, []string{"acme.jobs.*.*.fall%2Eexample%2Ecom.*.>"}},
		{Selection{Kind: "failure"}, []string{"acme.jobs.*.*.*.failure.>"}},
		{Selection{Kind: "commcell", CommCell: "prod"}, []string{"acme.commcells.prod.>"}},
	} {
		if got := row.selection.Subjects("acme"); !slices.Equal(got, row.want) {
			t.Errorf("%+v: got %v, want %v", row.selection, got, row.want)
		}
	}
	if got := (Selection{Kind: "state"}).Subjects(""); !slices.Equal(got, []string{"jobs.*.*.*.state.>"}) {
		t.Errorf("without a prefix: got %v", got)
	}
}
