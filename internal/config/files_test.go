package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// place is a folder /etc/… with the configuration, and a folder to start in.
type place struct {
	*testing.T
	etc, start string
}

func newPlace(t *testing.T, text string) place {
	dir := t.TempDir()
	p := place{t, filepath.Join(dir, "etc"), filepath.Join(dir, "start")}
	p.puts(p.etc, "watcher.yaml", text)
	p.puts(p.start, "some file", "")
	t.Chdir(p.start)
	return p
}

func (p place) puts(folder, name, text string) string {
	p.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

func (p place) load() (*Config, error) { return Load(filepath.Join(p.etc, "watcher.yaml")) }

// Every name of a file is looked for from the configuration file's folder, wherever the watcher is started, and however
// the file is named.
func TestNamesAreLookedForFromTheFilesFolder(t *testing.T) {
	p := newPlace(t, `commcells:
  - {name: a, url: https://a, auth: {token_file: f1}, tls: {ca_file: f2, cert_file: f3, key_file: f4}}
  - {name: b, url: https://a, auth: {username: a, password_file: f5}}
  - {name: c, url: https://a, auth: {access_token_file: f6, refresh_token_file: ../f7}}
  - {name: d, url: https://a, auth: {token_file: /run/secrets/f8}}
nats: {creds_file: f9, tls: {ca_file: f10}}
http: {token_file: f11, tls: {cert_file: f12, key_file: f13, client_ca_file: f14}}
`)
	for _, file := range []string{filepath.Join(p.etc, "watcher.yaml"), "../etc/watcher.yaml"} {
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		cells := c.CommCells
		got := []string{
			cells[0].Auth.TokenFile, cells[0].TLS.CAFile, cells[0].TLS.CertFile, cells[0].TLS.KeyFile, cells[1].Auth.PasswordFile,
			cells[2].Auth.AccessTokenFile, cells[2].Auth.RefreshTokenFile, cells[3].Auth.TokenFile, c.NATS.CredsFile, c.NATS.TLS.CAFile,
			c.HTTP.TokenFile, c.HTTP.TLS.CertFile, c.HTTP.TLS.KeyFile, c.HTTP.TLS.ClientCAFile,
			c.Store.Path, c.NATS.Embedded.Dir,
		}
		want := strings.Fields("f1 f2 f3 f4 f5 f6 ../f7 /run/secrets/f8 f9 f10 f11 f12 f13 f14 data/watcher.db data/nats")
		for i, name := range want {
			if !filepath.IsAbs(name) {
				name = filepath.Join(p.etc, name)
			}
			if got[i] != name {
				t.Errorf("%s: got %s, want %s", want[i], got[i], name)
			}
		}
		if c.CommCells[1].Auth.TokenFile != "" {
			t.Errorf("a key that is left out names %s", c.CommCells[1].Auth.TokenFile)
		}
	}
}

// Versions before looked for names from the folder of the start: what one has left there is named, and nothing is begun
// anew in its place.
func TestWhatAVersionBeforeHasUsedIsNamed(t *testing.T) {
	for name, row := range map[string]struct{ more, at, key, fix string }{
		"the store":             {"store: {path: w.db}", "w.db", "5: store.path", "write path: START/w.db under store, "},
		"the store, by default": {"", "data/watcher.db", " store.path", "write path: START/data/watcher.db under store, "},
		"the stream":            {"nats: {embedded: {dir: js}}", "js/jetstream/meta", "5: nats.embedded.dir", "write dir: START/js under nats.embedded, "},
		"a secret":              {"http: {token_file: ht}", "ht", "5: http.token_file", "write token_file: START/ht under http, "},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, section(row.more))
			if _, err := p.load(); err != nil {
				t.Fatalf("with nothing anywhere: %v", err)
			}
			p.puts(p.start, row.at, "")
			_, err := p.load()
			if err == nil {
				t.Fatal("nothing is said of what lies in the folder of the start")
			}
			for _, part := range []string{row.key + ": ", p.etc + "/", " is not there, and ", strings.Replace(row.fix, "START", p.start, 1)} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
			p.puts(p.etc, row.at, "")
			c, err := p.load()
			if err != nil {
				t.Fatalf("with both there: %v", err)
			}
			if warns := len(c.Warnings()) == 1 && strings.Contains(c.Warnings()[0], p.start); warns != (name != "a secret") {
				t.Errorf("with both there, the warnings are %q", c.Warnings())
			}
		})
	}
}

func TestNothingIsLeftBehindInTheFilesOwnFolder(t *testing.T) {
	p := newPlace(t, section("store: {path: w.db}\nnats: {url: 'nats://a', embedded: {dir: js}}"))
	p.puts(p.start, "js/meta", "") // a server inside this program is not in use
	linked := filepath.Join(p.start, "linked")
	if err := os.Symlink(p.etc, linked); err != nil {
		t.Fatal(err)
	}
	p.puts(p.etc, "w.db", "")
	withData := newPlace(t, section(""))
	withData.puts(withData.start, "data", "no folder")
	if _, err := withData.load(); err != nil {
		t.Errorf("a file where a folder would have been: %v", err)
	}
	for _, folder := range []string{p.start, p.etc, linked} {
		t.Chdir(folder)
		c, err := p.load()
		if err != nil || len(c.Warnings()) > 0 {
			t.Errorf("started in %s: %v, warnings %q", folder, err, c.Warnings())
		}
	}
}
