package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"jobwatch/internal/event"
)

// Prove gives an inclusion proof of line n, from 1 on, in the form of c2sp.org/tlog-proof: who has the line, the public
// key and this text needs nothing else of the log.
func Prove(dir, key string, n int64) (string, error) {
	public, err := Verification{Dir: dir, Key: key}.publicKey()
	if err != nil {
		return "", err
	}
	current, err := readCheckpoint(filepath.Join(dir, "checkpoint"), public)
	if err != nil {
		return "", err
	}
	if n < 1 || n > current.size {
		return "", fmt.Errorf("line %d: the log has %d lines", n, current.size)
	}
	hashes, err := os.Open(filepath.Join(dir, "hashes"))
	if err != nil {
		return "", err
	}
	defer hashes.Close()
	t := tree{file: hashes, size: current.size, saved: tlog.StoredHashCount(current.size)}
	proof, err := tlog.ProveRecord(current.size, n-1, &t)
	if err != nil {
		return "", err
	}
	leaf, err := t.leaf(n)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckRecord(proof, current.size, current.root, n-1, leaf); err != nil {
		return "", fmt.Errorf("the hashes do not fit the checkpoint; see: watcher audit verify %s", dir)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "c2sp.org/tlog-proof@v1\nindex %d\n", n-1)
	for _, h := range proof {
		fmt.Fprintln(&text, h)
	}
	fmt.Fprintf(&text, "\n%s", current.text)
	return text.String(), nil
}

// CheckProof says whether a proof shows that the log of a public key holds a line: that key, or where it is empty the
// folder's.
func CheckProof(dir, key, proof string, line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	public, err := Verification{Dir: dir, Key: key}.publicKey()
	if err != nil {
		return err
	}
	head, signed, ok := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no proof of the form c2sp.org/tlog-proof@v1")
	}
	var index int64
	if _, err := fmt.Sscanf(lines[1], "index %d", &index); err != nil {
		return errors.New("the proof has no index")
	}
	var path tlog.RecordProof
	for _, text := range lines[2:] {
		h, err := tlog.ParseHash(text)
		if err != nil {
			return fmt.Errorf("%q is no hash", text)
		}
		path = append(path, h)
	}
	current, err := parseCheckpoint([]byte(signed), public)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(path, current.size, current.root, index, tlog.RecordHash(line)); err != nil {
		return errors.New("the proof is not of this line")
	}
	return nil
}

func seqOf(line []byte) uint64 {
	var l struct {
		Seq uint64 `json:"seq"`
	}
	_ = json.Unmarshal(line, &l)
	return l.Seq
}

// Columns are those of an export as CSV.
var Columns = []string{"n", "seq", "at", "id", "time", "type", "job", "client", "kind", "detail", "from", "to", "severity", "state", "vm"}

// Export writes the lines that the checkpoint covers: as they are, or as CSV.
func Export(dir string, out io.Writer, asCSV bool) error {
	public, err := Verification{Dir: dir}.publicKey()
	if err != nil {
		return err
	}
	current, err := readCheckpoint(filepath.Join(dir, "checkpoint"), public)
	if err != nil {
		return err
	}
	table := csv.NewWriter(out)
	if asCSV {
		if err := table.Write(Columns); err != nil {
			return err
		}
	}
	err = eachLine(dir, func(l located) error {
		switch {
		case l.n > current.size:
			return errCovered
		case asCSV:
			return table.Write(rowOf(l.text))
		}
		_, err := fmt.Fprintf(out, "%s\n", l.text)
		return err
	})
	if errors.Is(err, errCovered) {
		err = nil
	}
	table.Flush()
	return errors.Join(err, table.Error())
}

// rowOf never fails: a line that is no event of ours has few columns.
func rowOf(text []byte) []string {
	var l Line
	_ = json.Unmarshal(text, &l)
	row := []string{strconv.FormatInt(l.N, 10), strconv.FormatUint(l.Seq, 10), l.At.Format(time.RFC3339Nano)}
	e, err := event.Parse(l.Event)
	if err != nil {
		return append(row, make([]string, len(Columns)-len(row))...)
	}
	row = append(row, e.ID, e.Time.Format(time.RFC3339Nano), e.Type, e.PartitionKey)
	if e.IsCommCell() {
		data, _ := e.CommCell()
		row = append(row, "", "commcell", data.Detail, "", string(data.Reason), string(data.Severity), "", "")
	} else {
		data, _ := e.Job()
		row = append(row, string(data.Job.Client), data.Change.Kind, data.Change.Detail, string(data.Change.From), string(data.Change.To),
			string(data.Severity), string(data.Job.State), data.Change.VM)
	}
	for n := range row {
		row[n] = inert(row[n])
	}
	return row
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
