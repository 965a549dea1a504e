// Package config reads and checks the configuration: a YAML file in which every key but three has a
// default, and every mistake an error that names file, line, key and what to write instead.
//
// keys.go declares each key once: name, type, default, check, and the sentence that documents it. From there come the
// reading (yaml.go: bytes to YAML; reader.go: YAML to the values of value.go; rules.go: what holds between keys), the
// JSON Schema (schema.go), and what go generate writes (generate_test.go): configs/watcher.yaml and docs/configuration.md.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Config is the configuration file, key for key, with the defaults filled in and the names of files whole.
// keys.go says what each key means.
type Config struct {
	CommCells []CommCell // at least one
	NATS      NATS
	Store     Store
	HTTP      HTTP
	Log       Log
	Cluster   Cluster
	Severity  map[string]string // slug of a state => info, warning or error
	Relays    []Relay
	Metrics   Metrics

	Text []byte // what was read of the file

	show     func() any
	file     string
	lines    map[string]int // key path => line, of each key that the file holds
	warnings []string
}

// Metrics are those that are kept only where they are asked for.
type Metrics struct {
	LastSuccess LastSuccess
}

// LastSuccess names the clients of whose subclients the last good backup is shown.
type LastSuccess struct {
	Clients []string // globs that path.Match accepts; none: nothing is shown
	Limit   int      // subclients shown at most
}

// CommCell is one CommServe to watch, and how.
type CommCell struct {
	Name         string // [A-Za-z0-9_-]+, unique
	URL          string // the <webservice> root, without a slash at its end
	CommCellID   int    // 0: none is sent
	GUID         string // empty: to be learned
	Format       string // json, xml
	Auth         Auth
	TLS          TLS
	Schedule     string // ParseSchedule accepts it
	Jobs         []int64
	JobLines     map[int64]int // job id => the line that lists it
	Discover     Discover
	Sweep        string // auto, list, details
	FullRefresh  time.Duration
	FeedEvery    time.Duration // 0: off
	Concurrency  int           // at least 1
	RateLimit    float64       // requests a second; 0: no limit
	Timeout      time.Duration // of one request
	StallAfter   time.Duration
	LostAfter    time.Duration
	KeepFinished time.Duration // not less than Discover.FinishedWithin
}

// Auth holds exactly one way to log in: Token, TokenFile, Username with Password or PasswordFile, or
// AccessTokenFile with RefreshTokenFile. What is not used is empty.
type Auth struct {
	Token, TokenFile                         string
	Username, Password, PasswordFile, Domain string
	AccessTokenFile, RefreshTokenFile        string
	Scheme                                   string // authtoken, bearer
}

// TLS is how a connection is secured; empty names mean the system's roots and no client certificate.
type TLS struct {
	CAFile             string
	CertFile, KeyFile  string // both or neither
	InsecureSkipVerify bool
}

// Discover says which jobs of the Job list are tracked.
// The filters go by their keys (client, client_group, …) to globs that path.Match accepts.
type Discover struct {
	Enabled          bool
	FinishedWithin   time.Duration
	Include, Exclude map[string][]string
}

// NATS is the broker and the stream. At most one of CredsFile, NKeyFile, User, TokenFile is set.
type NATS struct {
	URL           string // "embedded", or URLs separated by commas
	Embedded      Embedded
	TLS           TLS
	TLSFirst      bool   // the TLS handshake comes before NATS says a word
	Domain        string // of JetStream; empty: the server's own
	Stream        string
	Replicas      int           // 1 to 5
	MaxAge        time.Duration // 0: no limit
	MaxBytes      int64         // 0: no limit
	SubjectPrefix string        // empty, or subject tokens: "acme", "acme.backup"
	OnNewStream   string        // resend, continue

	CredsFile, NKeyFile, User, PasswordFile, TokenFile string
}

// Embedded is the NATS server inside this program, used when NATS.URL is "embedded".
type Embedded struct {
	Listen string // host:port
	Dir    string
	Sync   string // always, interval
}

// Store is the bbolt file.
type Store struct {
	Path        string
	KeepSent    time.Duration // 0: not at all
	SocketGroup string        // "": none
}

// HTTP is the dashboard's listener.
type HTTP struct {
	Listen    string // host:port; empty: off
	TokenFile string
	TLS       HTTPTLS
}

// HTTPTLS secures the dashboard; empty: plain HTTP.
type HTTPTLS struct {
	CertFile, KeyFile string // both or neither
	ClientCAFile      string // only with CertFile
}

// Log is what is logged, and how.
type Log struct {
	Level, Format string // debug, info, warn, error; auto, text, json
}

// Cluster is for several watchers that share the CommCells.
type Cluster struct {
	Enabled  bool
	Instance string // letters, digits, ., _, -; empty: the host's name
}

// embedded is what nats.url says for the server inside this program.
const embedded = "embedded"

// UsesEmbedded tells whether the NATS server is the one inside this program.
func (n NATS) UsesEmbedded() bool { return n.URL == embedded }

// maxSize is far above any configuration (10,000 jobs are 200 kB) and keeps junk from filling memory.
const maxSize = 1 << 20

// Load reads and checks the file; a ${NAME} in it is looked up in the process's environment.
// The error names file, line, key and fix of everything that is wrong, one a line: each an *Error.
func Load(path string) (*Config, error) { return load(path, false) }

// LoadToLook is Load for who neither polls nor relays: secrets of CommCells and relays may name variables that are not set,
// as those that a service manager sets for the service alone.
func LoadToLook(path string) (*Config, error) { return load(path, true) }

func load(path string, toLook bool) (*Config, error) {
	data, err := readAtMost(maxSize, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{File: path, Problem: "no such file; name one with -c, or start from configs/minimal.yaml"}
	}
	if err != nil {
		return nil, &Error{File: path, Problem: reason(err)}
	}
	return parseText(path, data, os.LookupEnv, toLook)
}

// Parse is Load of data already read. name is the file that errors name, and in whose folder names of files begin;
// getenv gives what a ${NAME} stands for, and nil that none is set.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	return parseText(name, data, getenv, false)
}

func parseText(name string, data []byte, getenv func(string) (string, bool), toLook bool) (*Config, error) {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	folder := filepath.Dir(name)
	if whole, err := filepath.Abs(folder); err == nil {
		folder = whole
	}
	r := &reader{file: name, folder: folder, getenv: getenv, toLook: toLook, anchors: map[string]ast.Node{}, lines: map[string]int{}}
	root, err := r.document(data)
	if err != nil {
		return nil, err
	}
	c := new(Config)
	all := sectionOf(c.keys(), c.rules, c.findLeftBehind)
	all.read(r, root)
	if len(r.errs) > 0 {
		return nil, join(r.errs)
	}
	c.Text, c.show, c.file, c.lines, c.warnings = data, all.show, name, r.lines, r.warnings
	return c, nil
}

// readAtMost takes one byte more than may be there, which shows a file that is too large.
func readAtMost(most int64, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// reason is err without the file's name and the system call, which the one who asks names better.
func reason(err error) string {
	if inner := new(fs.PathError); errors.As(err, &inner) {
		return inner.Err.Error()
	}
	return fmt.Sprint(err)
}

// Error is one thing wrong with the configuration.
// Load and Parse return all they find, joined, ordered by line; errors.As finds the first.
type Error struct {
	File    string
	Line    int    // from 1; 0 where no line is to blame
	Key     string // "commcells[0].schedule"; empty where no key is to blame
	Problem string // what is wrong and what to do; never holds a secret
}

func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Problem
}

// Mistake is what somebody else has found wrong with a key, at its line or at that of the key above.
func (c *Config) Mistake(key, problem string) *Error {
	line, above := c.lines[key], key
	for line == 0 {
		at := strings.LastIndexAny(above, ".[")
		if at < 0 {
			break
		}
		above = above[:at]
		line = c.lines[above]
	}
	return &Error{c.file, line, key, problem}
}

func join(errs []*Error) error {
	slices.SortStableFunc(errs, func(a, b *Error) int { return a.Line - b.Line })
	all := make([]error, len(errs))
	for i, err := range errs {
		all[i] = err
	}
	return errors.Join(all...)
}
