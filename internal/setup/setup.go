// Package setup writes a first configuration from a few answers.
package setup

import (
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Answers is what a first configuration is made of. Paths are as the file is to say them.
type Answers struct {
	CommCell, URL       string
	Username, Domain    string
	PasswordFile        string // with Username
	TokenFile           string // in place of Username
	CAFile              string // "": the system's authorities
	NATS, NATSCreds     string // NATS "": the embedded server
	Stream, Store, HTTP string
	SocketGroup         string // "": none
}

// natsDir is where the embedded server keeps the stream: where the watcher may write the store, it may write that.
func (a Answers) natsDir() string { return path.Join(path.Dir(filepath.ToSlash(a.Store)), "nats") }

// Usual is what stands there where nothing is said.
func Usual() Answers {
	return Answers{CommCell: "prod", Stream: "JOBS", Store: "data/watcher.db", HTTP: "127.0.0.1:9480"}
}

//go:embed watcher.yaml.tmpl
var text string

// quoted is a YAML string, whatever it would be read as without quotes. A ${ is meant as it stands.
func quoted(value string) string { return strconv.Quote(strings.ReplaceAll(value, "${", "$${")) }

// Text is the configuration, with comments.
func (a Answers) Text() string {
	auth := "token_file: " + quoted(a.TokenFile)
	if a.TokenFile == "" {
		auth = "username: " + quoted(a.Username) + "\n      " + has("domain: ", a.Domain, "\n      ") + "password_file: " + quoted(a.PasswordFile)
	}
	tls := "# tls: {ca_file: cs.pem}   # where the web server's certificate is of your own authority"
	if a.CAFile != "" {
		tls = "tls: {ca_file: " + quoted(a.CAFile) + "}"
	}
	nats := "url: embedded                # a server inside the watcher; several watchers, or other machines, want one of its own\n" +
		"  embedded: {dir: " + quoted(a.natsDir()) + "} # listen: \"127.0.0.1:4222\""
	if a.NATS != "" {
		nats = "url: " + quoted(a.NATS)
	}
	nats += has("\n  creds_file: ", a.NATSCreds, "")
	return strings.NewReplacer(
		"{{commcell}}", quoted(a.CommCell), "{{name}}", a.CommCell, "{{url}}", quoted(a.URL), "{{auth}}", auth, "{{tls}}", tls, "{{nats}}", nats,
		"{{stream}}", quoted(a.Stream), "{{store}}", quoted(a.Store), "{{group}}", has("\n  socket_group: ", a.SocketGroup, ""), "{{http}}", quoted(a.HTTP),
	).Replace(text)
}

// has is a key with its value, or nothing where there is none.
func has(key, value, end string) string {
	if value == "" {
		return ""
	}
	return key + quoted(value) + end
}

// Lacking names what there is no configuration without.
func (a Answers) Lacking() []string {
	var lacks []string
	if a.URL == "" {
		lacks = append(lacks, "the CommServe's address")
	}
	if a.TokenFile == "" && (a.Username == "" || a.PasswordFile == "") {
		lacks = append(lacks, "a token, or a user with a password")
	}
	return lacks
}

var names = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func checkName(name string) error {
	if !names.MatchString(name) {
		return errors.New("a name has letters, digits, _ and - alone: it is a word of each subject")
	}
	return nil
}

// checkURL wants the root of the API, which no host's name tells.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("write it with https://, as https://cs.example.com/commandcenter/api")
	case strings.Trim(u.Path, "/") == "":
		return fmt.Errorf("the API lies below: %[1]s/commandcenter/api (2024E and newer) or %[1]s/webconsole/api", strings.TrimSuffix(text, "/"))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("an address without user, ? and #")
	}
	return nil
}

func checkNATS(text string) error {
	for server := range strings.SplitSeq(text, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); err != nil || u.Host == "" || u.User != nil {
			return errors.New("write nats://host:4222, several with commas between them, without a user in it")
		}
	}
	return nil
}
