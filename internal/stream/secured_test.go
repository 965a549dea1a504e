package stream

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"jobwatch/internal/testing/certs"
	"jobwatch/internal/tlsfile"
)

// secured is a server that lets in who shows what it wants, as administrators write it into its configuration.
type secured struct {
	t      *testing.T
	ca     *certs.Authority
	other  *certs.Authority
	srv    *server.Server
	reload func(text string)
}

func newSecured(t *testing.T, text string) *secured {
	t.Helper()
	s := &secured{t: t, ca: certs.New(t), other: certs.New(t)}
	for _, a := range []*certs.Authority{s.ca, s.other} {
		a.Sign("server")
		a.Sign("watcher", func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "watcher", Organization: []string{"Backup"}}
			c.EmailAddresses = []string{"watcher@example.com"}
		})
		a.Sign("stranger", func(c *x509.Certificate) { c.EmailAddresses = []string{"stranger@example.com"} })
		a.Sign("expired", certs.Expired)
	}
	s.srv, s.reload = configured(t, s.fill(text))
	return s
}

// fill puts files into places: {server.pem}.
func (s *secured) fill(text string) string {
	for _, name := range []string{"ca", "server", "expired"} {
		for _, kind := range []string{".pem", ".key"} {
			text = strings.ReplaceAll(text, "{"+name+kind+"}", fmt.Sprintf("%q", s.ca.File(name+kind)))
		}
	}
	return text
}

// tls are settings with a certificate of an authority; without a name, none is shown.
func (s *secured) tls(trusted, signer *certs.Authority, name string) tlsfile.Source {
	f := tlsfile.Files{CA: trusted.File("ca.pem")}
	if name != "" {
		f.Cert, f.PrivateKey = signer.File(name+".pem"), signer.File(name+".key")
	}
	return trusts(s.t, f)
}

// comesIn publishes and reads.
func (s *secured) comesIn(c Config) {
	s.t.Helper()
	c.URL = s.srv.ClientURL()
	b := run(s.t, c)
	ready(s.t, b)
	publish(s.t, b, event(1, "a", 0))
	if _, err := b.Scan(soon(s.t), 0, func(Message) error { return nil }); err != nil {
		s.t.Error(err)
	}
}

// staysOut says why, in one line and in the same words at each try.
func (s *secured) staysOut(c Config, want string) {
	s.t.Helper()
	c.URL = s.srv.ClientURL()
	for range 3 {
		_, err := New(c).dial(soon(s.t), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") {
			s.t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

const (
	serverTLS = `tls: {cert_file: {server.pem}, key_file: {server.key}, timeout: 10}`
	mutualTLS = `tls: {cert_file: {server.pem}, key_file: {server.key}, ca_file: {ca.pem}, verify: true, timeout: 10}`
	mappedTLS = `tls: {cert_file: {server.pem}, key_file: {server.key}, ca_file: {ca.pem}, verify_and_map: true, timeout: 10}
		accounts {A {jetstream: enabled, users: [{user: "watcher@example.com"}]}}`
)

func TestTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t, serverTLS)
	s.comesIn(Config{TLS: s.tls(s.ca, nil, "")})
	s.staysOut(Config{TLS: s.tls(s.other, nil, "")}, "name its authority in nats.tls.ca_file")
	s.staysOut(Config{}, "name its authority in nats.tls.ca_file")
}

func TestTLSOfAServerWhoseCertificateHasExpired(t *testing.T) {
	t.Parallel()
	s := newSecured(t, `tls: {cert_file: {expired.pem}, key_file: {expired.key}, timeout: 10}`)
	s.staysOut(Config{TLS: s.tls(s.ca, nil, "")}, "certificate has expired or is not yet valid")
	s.staysOut(Config{TLS: s.tls(s.ca, nil, "")}, "renew it there")
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"": mutualTLS, "handshake first": strings.Replace(mutualTLS, "verify:", "handshake_first: true, verify:", 1),
	} {
		s := newSecured(t, text)
		first := name != ""
		s.comesIn(Config{TLS: s.tls(s.ca, s.ca, "watcher"), HandshakeFirst: first})
		s.staysOut(Config{TLS: s.tls(s.ca, nil, ""), HandshakeFirst: first}, "name a certificate for jobwatch in nats.tls.cert_file and key_file")
		s.staysOut(Config{TLS: s.tls(s.ca, s.other, "watcher"), HandshakeFirst: first}, "the server refuses the certificate in nats.tls.cert_file")
		s.staysOut(Config{TLS: s.tls(s.ca, s.ca, "expired"), HandshakeFirst: first}, "the server refuses the certificate in nats.tls.cert_file")
	}
}

func TestMutualTLSThatNamesTheUser(t *testing.T) {
	t.Parallel()
	s := newSecured(t, mappedTLS)
	s.comesIn(Config{TLS: s.tls(s.ca, s.ca, "watcher")})
	s.staysOut(Config{TLS: s.tls(s.ca, s.ca, "stranger")}, "credentials refused")
	s.staysOut(Config{TLS: s.tls(s.ca, s.ca, "stranger")}, "nats.tls.cert_file")
	s.staysOut(Config{TLS: s.tls(s.ca, nil, "")}, "nats.tls.cert_file")
}

func TestUserTokenAndNKey(t *testing.T) {
	t.Parallel()
	seed := newUser(t)
	dir := t.TempDir()
	keep := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	right, wrong := keep("right.nk", seed.seed), keep("wrong.nk", newUser(t).seed)
	const refused = "credentials refused; mend nats.user"
	for _, row := range []struct {
		server string
		of     Config
		others map[string]Config // what is said => who stays out
	}{
		{`authorization {user: jobwatch, password: s3cret}`, Config{User: "jobwatch", Password: "s3cret"},
			map[string]Config{refused: {User: "jobwatch", Password: "no s3cret"}}},
		{`authorization {token: s3cret}`, Config{Token: "s3cret"}, map[string]Config{refused: {Token: "no s3cret"}}},
		{`authorization {users: [{nkey: ` + seed.public + `}]}`, Config{NKeyFile: right}, map[string]Config{
			refused:                         {NKeyFile: wrong},
			"nats.nkey_file " + dir + "/no": {NKeyFile: filepath.Join(dir, "no")},
			"holds no seed of an nkey":      {NKeyFile: keep("text.nk", "hello")},
			"holds no seed of an nkey ":     {NKeyFile: keep("public.nk", seed.public)},
		}},
	} {
		s := newSecured(t, row.server)
		s.comesIn(row.of)
		for want, c := range row.others {
			s.staysOut(c, want)
		}
	}
}

// user is an identity of NATS.
type identity struct {
	key          nkeys.KeyPair
	public, seed string
}

func newIdentity(t *testing.T, make func() (nkeys.KeyPair, error)) identity {
	t.Helper()
	key, err := make()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, public, string(seed)}
}

func newUser(t *testing.T) identity { return newIdentity(t, nkeys.CreateUser) }

// operator is a server in operator mode, whose resolver holds its accounts in memory.
type operator struct {
	*secured
	self, account, system identity
	claims                *jwt.AccountClaims
	head                  string // of the configuration: it has to stay as it is
	dir                   string
}

func newOperator(t *testing.T) *operator {
	o := &operator{
		self: newIdentity(t, nkeys.CreateOperator), account: newIdentity(t, nkeys.CreateAccount), system: newIdentity(t, nkeys.CreateAccount),
		dir: t.TempDir(),
	}
	o.claims = jwt.NewAccountClaims(o.account.public)
	o.claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	o.secured = newSecured(t, o.text(t))
	return o
}

// text is the server's configuration, with the account as it is now.
func (o *operator) text(t *testing.T) string {
	if o.head == "" {
		operator, system := jwt.NewOperatorClaims(o.self.public), jwt.NewAccountClaims(o.system.public)
		operator.SystemAccount = o.system.public
		o.head = fmt.Sprintf("operator: %q\nresolver: MEMORY\nresolver_preload: {%s: %q, ", o.signed(t, operator), o.system.public, o.signed(t, system))
	}
	return o.head + fmt.Sprintf("%s: %q}\n", o.account.public, o.signed(t, o.claims))
}

func (o *operator) signed(t *testing.T, c interface {
	Encode(nkeys.KeyPair) (string, error)
}) string {
	t.Helper()
	text, err := c.Encode(o.self.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// creds writes a user's file, for the account.
func (o *operator) creds(name string, user identity, change func(*jwt.UserClaims)) (file string) {
	o.t.Helper()
	claims := jwt.NewUserClaims(user.public)
	change(claims)
	token, err := claims.Encode(o.account.key)
	if err != nil {
		o.t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(token, []byte(user.seed))
	if err != nil {
		o.t.Fatal(err)
	}
	file = filepath.Join(o.dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return file
}

func TestJWTAccounts(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	has := documented(t, "A watcher")
	limited := func(c *jwt.UserClaims) {
		c.Pub.Allow.Add(has.publish...)
		c.Sub.Allow.Add(has.subscribe...)
	}
	user := newUser(t)
	file := o.creds("watcher.creds", user, limited)
	o.comesIn(Config{CredsFile: file})
	const refused = "credentials refused; mend nats.user, password_file, token_file, creds_file or nkey_file"
	o.staysOut(Config{CredsFile: o.creds("expired.creds", newUser(t), func(c *jwt.UserClaims) { c.Expires = time.Now().Add(-time.Minute).Unix() })},
		"has expired")
	o.staysOut(Config{CredsFile: filepath.Join(o.dir, "none.creds")}, "nats.creds_file "+o.dir+"/none.creds: no such file")
	if err := os.WriteFile(filepath.Join(o.dir, "text.creds"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.staysOut(Config{CredsFile: filepath.Join(o.dir, "text.creds")}, "holds no credentials")
	o.staysOut(Config{}, refused)

	// Revoked while it is connected, the user is out, and says why; another one in the same file comes in without a restart.
	var log logbook
	b := run(t, Config{URL: o.srv.ClientURL(), CredsFile: file, Log: log.logger()})
	ready(t, b)
	o.claims.Revoke(user.public)
	o.reload(o.text(t))
	until(t, "it is out", func() bool { return !b.Connected() })
	until(t, "it says why", func() bool { return strings.Contains(fmt.Sprint(b.LastError()), "credentials refused") })
	o.creds("watcher.creds", newUser(t), limited)
	ready(t, b)
	publish(t, b, event(2, "b", 0))
	if n := log.count("level=WARN"); n > 2 { // that it is lost, and why it does not come back
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

// TestWhatChangedIsTakenAtTheNextConnection: the certificates of both sides, their authority and the password are others.
func TestWhatChangedIsTakenAtTheNextConnection(t *testing.T) {
	t.Parallel()
	const user = "\nauthorization {user: jobwatch, password: %s}"
	s := newSecured(t, mutualTLS+fmt.Sprintf(user, "before"))
	ours, password := t.TempDir(), filepath.Join(t.TempDir(), "password")
	put := func(a *certs.Authority, text string) {
		a.Install(ours, "watcher")
		if err := os.WriteFile(password, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(s.ca, "before")
	b := run(t, Config{
		URL:  s.srv.ClientURL(),
		TLS:  trusts(t, tlsfile.Files{CA: ours + "/ca.pem", Cert: ours + "/own.pem", PrivateKey: ours + "/own.key"}),
		User: "jobwatch", Secrets: func() (string, string, error) {
			text, err := os.ReadFile(password)
			return string(text), "", err
		},
	})
	lost := ready(t, b)
	s.ca = s.other
	s.reload(s.fill(mutualTLS + fmt.Sprintf(user, "after")))
	await(t, "the server lets it in no more", lost)
	until(t, "it says why", func() bool { return b.LastError() != nil })
	put(s.other, "after")
	ready(t, b)
	publish(t, b, event(1, "a", 0))
}
