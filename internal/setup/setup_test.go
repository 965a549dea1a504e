package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"jobwatch/internal/config"
)

// TestWhatIsWrittenIsReadAsItWasSaid holds for any answer, and for the schema that editors go by.
func TestWhatIsWrittenIsReadAsItWasSaid(t *testing.T) {
	schema, err := config.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for i, change := range []func(*Answers){
		func(*Answers) {},
		func(a *Answers) { a.Username, a.PasswordFile, a.TokenFile = "yes", "pass word: #1", "" },
		func(a *Answers) {
			a.Username, a.Domain, a.PasswordFile, a.TokenFile = `corp\'o"brien`, "null", "/run/p", ""
		},
		func(a *Answers) { a.Username, a.PasswordFile, a.TokenFile = "${USER} - [x]", "~", "" },
		func(a *Answers) { a.URL, a.CAFile = "https://[2001:db8::7]:444/webconsole/api", "ca.pem" },
		func(a *Answers) { a.NATS, a.NATSCreds = "nats://a:4222,tls://b:4222", "jobwatch.creds" },
		func(a *Answers) { a.Stream, a.Store, a.HTTP = "1e3", "/var/lib/jobwatch/watcher.db", "" },
		func(a *Answers) { a.Store, a.SocketGroup = "w.db", "job watch" },
	} {
		a := Usual()
		a.URL, a.TokenFile = "https://cs.example.com/commandcenter/api", "cv-token"
		change(&a)
		text := a.Text()
		file := filepath.Join(folder, fmt.Sprint(i, ".yaml"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(file)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		cell := cfg.CommCells[0]
		in := func(name string) string {
			if name == "" || filepath.IsAbs(name) {
				return name
			}
			return filepath.Join(folder, name)
		}
		nats := a.NATS
		if nats == "" {
			nats = "embedded"
		}
		got := []string{cell.Name, cell.URL, cell.Auth.Username, cell.Auth.Domain, cell.Auth.PasswordFile, cell.Auth.TokenFile, cell.TLS.CAFile, cfg.NATS.URL, cfg.NATS.CredsFile, cfg.NATS.Stream, cfg.Store.Path, cfg.HTTP.Listen, cfg.Store.SocketGroup, cfg.NATS.Embedded.Dir}
		want := []string{a.CommCell, a.URL, a.Username, a.Domain, in(a.PasswordFile), in(a.TokenFile), in(a.CAFile), nats, in(a.NATSCreds), a.Stream, in(a.Store), a.HTTP, a.SocketGroup, filepath.Join(filepath.Dir(in(a.Store)), "nats")}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q in\n%s", got, want, text)
		}
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		value = nil
		if err := json.Unmarshal(plain, &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("the schema refuses it: %v\n%s", err, text)
		}
	}
}

// person answers with lines, and secrets among them.
func person(out *strings.Builder, lines ...string) *Person {
	next := func() (string, error) {
		if len(lines) == 0 {
			return "", errors.New("EOF")
		}
		line := lines[0]
		lines = lines[1:]
		return line, nil
	}
	return &Person{Out: out, Line: next, Secret: next, Keep: func(name, secret string) (string, error) {
		fmt.Fprintf(out, "<%s keeps %s>", name, secret)
		return name, nil
	}}
}

func TestQuestions(t *testing.T) {
	for name, row := range map[string]struct {
		given Answers
		lines []string
		want  Answers
		says  []string
	}{
		"a user, all asked": {Usual(), []string{"", "https://cs/webconsole/api", "watcher", "hunter2", ""},
			Answers{CommCell: "prod", URL: "https://cs/webconsole/api", Username: "watcher", PasswordFile: "prod.password"}, []string{"[prod]: ", "<prod.password keeps hunter2>"}},
		"a token and a server": {Usual(), []string{"lab", "https://cs/api", "", "", "QSDK 1", "nats://n:4222", "n.creds"},
			Answers{CommCell: "lab", URL: "https://cs/api", TokenFile: "lab.token", NATS: "nats://n:4222", NATSCreds: "n.creds"}, []string{"<lab.token keeps QSDK 1>"}},
		"what is wrong is asked again": {Usual(), []string{"prod 1", "prod", "cs", "https://cs", "https://cs/api?x", "https://cs/api", "watcher", "x", "n:4222", "nats://n", ""},
			Answers{CommCell: "prod", URL: "https://cs/api", Username: "watcher", PasswordFile: "prod.password", NATS: "nats://n"}, []string{
				"letters, digits", "write it with https://", "https://cs/commandcenter/api (2024E and newer) or https://cs/webconsole/api", "without user, ? and #", "write nats://host:4222"}},
		"what a flag says is not asked": {Answers{CommCell: "x", URL: "https://cs/api", TokenFile: "t", NATS: "nats://n"}, nil,
			Answers{CommCell: "x", URL: "https://cs/api", TokenFile: "t", NATS: "nats://n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if row.given.Stream != "" {
				row.want.Stream, row.want.Store, row.want.HTTP = row.given.Stream, row.given.Store, row.given.HTTP
			}
			got, err := person(&out, row.lines...).Complete(row.given)
			if err != nil || got != row.want {
				t.Errorf("got  %+v, %v\nwant %+v\n%s", got, err, row.want, out.String())
			}
			for _, part := range row.says {
				if !strings.Contains(out.String(), part) {
					t.Errorf("%q is not in\n%s", part, out.String())
				}
			}
		})
	}
	if _, err := person(new(strings.Builder), "prod").Complete(Usual()); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("without an answer: %v", err)
	}
}
