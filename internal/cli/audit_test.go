package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/audit"
	"jobwatch/internal/relay"
)

// trail writes an audit log of six lines in two files.
func trail(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "trail")
	log, err := audit.New(audit.Config{Dir: dir, Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for n := range uint64(2) {
		var b relay.Batch
		for seq := 3*n + 1; seq <= 3*n+3; seq++ {
			b.Events = append(b.Events, &relay.Event{Sequence: seq, ID: fmt.Sprint(seq), Data: fmt.Appendf(nil, `{"id":"%d","hostile":"\u202e"}`, seq)})
		}
		if _, err := log.Deliver(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAuditCommands(t *testing.T) {
	dir := trail(t)
	run := func(in string, args ...string) (status int, out, errs string) {
		var o, e bytes.Buffer
		status = Execute(t.Context(), append([]string{"audit"}, args...), strings.NewReader(in), &o, &e)
		return status, o.String(), e.String()
	}
	says := func(want int, words string, in string, args ...string) (out string) {
		t.Helper()
		status, out, errs := run(in, args...)
		if status != want || !strings.Contains(out+errs, words) {
			t.Errorf("audit %q: status %d, want %d and %q\n%s%s", args, status, want, words, out, errs)
		}
		return out
	}
	key := dir + ".key.pub"
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	says(0, "every byte is as it was written", "", "verify", dir)
	says(0, `"findings": []`, "", "verify", dir, "-o", "json")
	says(0, "the log holds that of the checkpoint of 6 lines", string(checkpoint), "verify", dir, "--key", key, "--since", "-")
	says(1, "--since: signature: malformed note", "x", "verify", dir, "--since", "-")
	says(2, "--key: open x: no such file or directory, and it is no verifier key", "", "verify", dir, "--key", "x")
	says(2, "--key: open x: no such file", "", "prove", "--check", dir, "--key", "x")
	says(1, "no audit log", "", "verify", t.TempDir())
	says(2, "no number of a line", "", "prove", dir, "x")
	says(1, "there are lines 1 to 6", "", "prove", dir, "7")
	proof := says(0, "c2sp.org/tlog-proof@v1\nextra ", "", "prove", dir, "2")
	says(0, "proved: line 2 of jobwatch/trail", proof, "prove", "--check", "-", "--key", key)
	says(2, "wants --key", proof, "prove", "--check", "-")
	says(1, "this is not line 1", strings.Replace(proof, "index 1\n", "index 0\n", 1), "prove", "--check", "-", "--key", key)
	says(0, "\n6,6,", "", "export", dir, "-o", "csv")
	says(0, `{"n":6,"seq":6,`, "", "export", dir)
	says(2, "write a day as", "", "export", dir, "--from", "yesterday")
	says(0, "jobwatch/trail+", "", "rekey", dir+".key")

	plain, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(plain) != 1 {
		t.Fatal(plain, err)
	}
	text, err := os.ReadFile(plain[0])
	if err == nil {
		err = os.WriteFile(plain[0], bytes.Replace(text, []byte(`"5"`), []byte(`"6"`), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	says(1, "line 5: changed in audit-00000000000000000004.jsonl", "", "verify", dir)
}
