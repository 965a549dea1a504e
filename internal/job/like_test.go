package job

import "testing"

func TestLike(t *testing.T) {
	for _, row := range []struct {
		pattern, name string
		want          bool
	}{
		{"sql-01", "SQL-01", true}, {"sql*", "Sql-01.example.com", true}, {"sql-0?", "sql-012", false},
		{"a*z", "a/b/z", true}, {"[x", "[X", true}, {"[x", "x", false}, {"", "", true}, {"*", "", true}, {"sql", "sql-01", false},
	} {
		if got := Like(row.pattern, row.name); got != row.want {
			t.Errorf("Like(%q, %q) = %v", row.pattern, row.name, got)
		}
	}
}
