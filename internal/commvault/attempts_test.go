package commvault

import "testing"

func TestAttemptsInWhateverShape(t *testing.T) {
	for info, want := range map[string]int64{
		`[{"attemptNumber":1},{"attemptNumber":2}]`:                         2,
		`[{"attemptNumber":7},{"attemptNumber":3}]`:                         7, // the highest, in any order
		`[{"phase":"Scan","attempt":"1"},{"phase":"Backup","attempt":"1"}]`: 1, // said, so not counted
		`[{"phase":"Backup"},{"phase":"Backup"},{"phase":"Backup"}]`:        3,
		`[{"PhaseAttempt":"4"}]`:                                            4,
		`[{"phases":[{"name":"Scan"},{"name":"Backup"}],"status":"done"}]`:  1,
		`[{"phases":[{"name":"Scan"},{"name":"Backup"}]}]`:                  1,
		`[{"info":{"number":5}}]`:                                           5,
		`{"attemptNo":3,"status":"Running"}`:                                3,
		`{"status":"Running"}`:                                              1,
		`{"attempts":[{"attemptId":1},{"attemptId":2}]}`:                    2,
		`{"attempts":{"list":[{"status":"a"},{"status":"b"}]},"none":null}`: 2,
		`{"attempt":{"number":"1"},"attempt":{"number":"2"}}`:               2, // as XML is read
		`[{"attempt":0}]`:               0, // none yet
		`[{"attempt":0},{"attempt":1}]`: 1,
		`[{"attempt":-999}]`:            1,
		`[{"attempt":"2.0"}]`:           2,
		`[{"errors":[{"code":1},{"code":2},{"code":3}],"attempt":2}]`:                   2,
		`{"byPhase":[{"status":"a"},{"status":"b"},{"status":"c"}],"now":{"number":2}}`: 2,

		`[]`: 0, `{}`: 0, `null`: 0, `"2"`: 0, `2`: 0, `true`: 0, `[null,"x",3,[],{}]`: 0, `{"attempts":[]}`: 0, `{"a":null}`: 0,
	} {
		s := decoded(t, detailsWithAttempts(info))
		if got := number(s.Attempt); got != want {
			t.Errorf("%s: attempt %d, want %d", info, got, want)
		}
	}
	if s := decoded(t, answer("", "", "")); s.Attempt != nil {
		t.Errorf("attempt %d of an answer without", *s.Attempt)
	}
}

func detailsWithAttempts(info string) string {
	return `{"job":{"jobDetail":{"generalInfo":{"jobId":71},"progressInfo":{"state":"Running"},"attemptsInfo":` + info + `}}}`
}

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

func TestAttemptsInBothFormats(t *testing.T) {
	for name, row := range map[string]struct {
		info any
		want int64
	}{
		"one":                 {tree{{"attemptNumber", literal("2")}, {"phase", "Backup"}}, 2},
		"several":             {[]tree{{{"phase", "Scan"}}, {{"phase", "Backup"}}, {{"phase", "Backup"}}}, 3},
		"several, numbered":   {[]tree{{{"attemptNo", "1"}}, {{"attemptNo", "2"}}}, 2},
		"within":              {tree{{"attempts", []tree{{{"phase", "Scan"}}, {{"phase", "Backup"}}}}}, 2},
		"within, one":         {tree{{"attempts", []tree{{{"attempt", literal("3")}}}}}, 3},
		"within, and counted": {tree{{"attemptCount", literal("4")}, {"attempts", []tree{{{"phase", "Scan"}}}}}, 4},
	} {
		d := detailsOf(member{"generalInfo", tree{{"jobId", literal("71")}}}, member{"attemptsInfo", row.info})
		for _, body := range inBoth(d, detailsRoot) {
			if got := number(decoded(t, body).Attempt); got != row.want {
				t.Errorf("%s: attempt %d, want %d, of %s", name, got, row.want, body)
			}
		}
	}
}
