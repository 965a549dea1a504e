package job

import "testing"

func TestParseID(t *testing.T) {
	for _, id := range []ID{{"prod", 1248}, {"prod", 1}, {"de-1_b", 9007199254740993}} {
		got, err := ParseID(id.String())
		if err != nil || got != id {
			t.Errorf("%s reads as %v (%v)", id, got, err)
		}
	}
	for _, text := range []string{"", "prod", "1248", "/1248", "prod/", "prod/0", "prod/-1", "prod/x", "prod/1/2", "prod/1.5"} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("%q names %v, want an error", text, id)
		}
	}
}

func TestParseIDSaysTheFix(t *testing.T) {
	_, err := ParseID("1248")
	if want := `"1248" names no job; write <commcell>/<job id>, as in prod/1248`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestCommCellID(t *testing.T) {
	id := ID{CommCell: "prod"}
	if !id.IsCommCell() || id.String() != "prod" {
		t.Errorf("%q: a CommCell is %t", id, id.IsCommCell())
	}
	if (ID{"prod", 1}).IsCommCell() {
		t.Error("prod/1 is a CommCell")
	}
}
