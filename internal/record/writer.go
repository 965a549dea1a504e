package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"jobwatch/internal/standin"
)

// Config says what is recorded, and how.
type Config struct {
	Dir      string // must not exist, or be empty
	URL      string // of the web service; the base path is kept where it is a usual one
	Asked    string // json, xml
	Schedule string
	Version  string
	Renumber bool   // ids, too
	MaxSize  int64  // bytes of the file
	Ended    func() // is called once when no more is written; may be nil
}

// Writer writes a record. Its methods may be called from many goroutines.
type Writer struct {
	began  time.Time
	max    int64
	ended  func()
	mu     sync.Mutex
	file   *os.File          // nil: no more is written; all from here on is guarded by mu
	stand  *standin.Scrubber // whose memory is the only way back from a stand-in
	stats  Stats
	reason error // why it ended before it was closed
}

// Stats are what a record has come to.
type Stats struct {
	Entries  int
	Answered int // of them
	Jobs     map[int64]bool
	Size     int64
}

// ErrFull says that a record has come to its largest size.
var ErrFull = errors.New("the record is full")

// Create makes the folder and the file, for the owner alone.
func Create(c Config) (*Writer, error) {
	if err := emptyDir(c.Dir); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(c.Dir, FileName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if c.Ended == nil {
		c.Ended = func() {}
	}
	w := &Writer{began: time.Now(), max: c.MaxSize, ended: sync.OnceFunc(c.Ended), file: file, stand: standin.New(c.Renumber)}
	w.stats.Jobs = map[int64]bool{}
	if err := w.line(c.head(w.began)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	switch names, err := d.Readdirnames(1); {
	case len(names) > 0:
		return fmt.Errorf("%s: is not empty; name a folder that is, or that does not exist", dir)
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

func (c *Config) head(began time.Time) Head {
	h := Head{Format: format, Version: c.Version, Began: began.UTC().Truncate(time.Second), IDs: "kept", Asked: c.Asked}
	if c.Renumber {
		h.IDs = "renumbered"
	}
	if strings.HasPrefix(c.Schedule, "@every ") {
		h.Schedule = c.Schedule
	}
	if u, err := url.Parse(c.URL); err == nil {
		h.Secure = u.Scheme == "https"
		if path := strings.TrimRight(u.Path, "/"); slices.Contains(basePaths, path) {
			h.BasePath = path
		}
	}
	return h
}

// write scrubs a body and writes its entry. What fails ends the record, and nothing else.
func (w *Writer) write(e Entry, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return
	}
	if e.Status != 0 && !e.Long {
		e.Body, e.Form = w.stand.Body(body)
	}
	e.Job = w.stand.ID("job", e.Job)
	if err := w.line(e); err != nil {
		w.end(err)
		return
	}
	w.stats.Entries++
	if e.isAnswer() {
		w.stats.Answered++
	}
	if e.Job != 0 {
		w.stats.Jobs[e.Job] = true
	}
}

// line writes a line whole, or nothing of it.
func (w *Writer) line(value any) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	if w.max > 0 && w.stats.Size+int64(line.Len()) > w.max {
		return ErrFull
	}
	n, err := w.file.Write(line.Bytes())
	if err != nil {
		_ = w.file.Truncate(w.stats.Size) // what stays is what was whole
		return err
	}
	w.stats.Size += int64(n)
	return nil
}

func (w *Writer) end(reason error) {
	w.reason = errors.Join(reason, w.file.Close())
	w.file = nil
	w.ended()
}

// Close ends the record. The error says why it ended before.
func (w *Writer) Close() (Stats, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		w.end(nil)
	}
	return w.stats, w.reason
}

// IsRecord says whether a folder holds one.
func IsRecord(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, FileName))
	return err == nil
}
