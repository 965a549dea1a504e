package tlsfile

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/testing/certs"
)

// folder is where an administrator puts the files that somebody's configuration names.
type folder struct {
	t    *testing.T
	dir  string
	said bytes.Buffer
}

func newFolder(t *testing.T) *folder { return &folder{t: t, dir: t.TempDir()} }

func (f *folder) file(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) of(a *certs.Authority, name string) { a.Install(f.dir, name) }

func (f *folder) files() Files {
	return Files{Key: "tls", CA: f.file("ca.pem"), Cert: f.file("own.pem"), PrivateKey: f.file("own.key")}
}

func (f *folder) log() *slog.Logger { return slog.New(slog.NewTextHandler(&f.said, nil)) }

func (f *folder) client() Source {
	f.t.Helper()
	s, err := Client(f.files(), f.log())
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *folder) server() Source {
	f.t.Helper()
	s, err := Server(f.files(), f.log())
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func authority(t *testing.T) *certs.Authority {
	a := certs.New(t)
	a.Sign("server")
	a.Sign("client")
	return a
}

// Everything is renewed, the authority too, while both sides run; the connections that were open are not used again.
func TestRenewedCertificatesNeedNoRestart(t *testing.T) {
	before, after := authority(t), authority(t)
	theirs, ours := newFolder(t), newFolder(t)
	theirs.of(before, "server")
	ours.of(before, "client")
	var mu sync.Mutex
	var shown []*x509.Certificate
	srv := serve(t, theirs.server(), func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		shown = append(shown, r.TLS.PeerCertificates[0])
	})
	client := &http.Client{Transport: Transport(http.DefaultTransport.(*http.Transport).Clone(), ours.client())}
	defer client.CloseIdleConnections()
	for _, a := range []*certs.Authority{before, after} {
		theirs.of(a, "server")
		ours.of(a, "client")
		for range 2 {
			response, err := client.Get(srv)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.ProtoMajor != 2 {
				t.Errorf("HTTP/%d, want 2", response.ProtoMajor)
			}
			if issuer := response.TLS.PeerCertificates[0]; issuer.CheckSignatureFrom(a.Certificate()) != nil {
				t.Errorf("the server showed %v", issuer.Subject)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i, of := range []*certs.Authority{before, before, after, after} {
		if shown[i].CheckSignatureFrom(of.Certificate()) != nil {
			t.Errorf("request %d came with another certificate", i+1)
		}
	}
	if said := ours.said.String(); strings.Count(said, "tls: changed certificates are in force") == 0 {
		t.Errorf("said %s", said)
	}
}

func serve(t *testing.T, source Source, see func(*http.Request)) (url string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { see(r) }))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return source(), nil }}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

// A client whose authority was taken out does not come in, also where it goes on with a session of before.
func TestAnAuthorityTakenOutIsOut(t *testing.T) {
	trusted, other := authority(t), authority(t)
	theirs := newFolder(t)
	theirs.of(trusted, "server")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	source := theirs.server()
	serving := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return source(), nil }}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = tls.Server(conn, serving).Write([]byte("hello"))
			}()
		}
	}()
	in := &tls.Config{
		RootCAs: trusted.Pool(), Certificates: []tls.Certificate{trusted.Pair("client")}, ServerName: "127.0.0.1",
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	comesIn := func() (resumed bool, err error) {
		dialer := &tls.Dialer{Config: in}
		conn, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			return false, err
		}
		defer conn.Close()
		_, err = io.ReadFull(conn, make([]byte, 5))
		return conn.(*tls.Conn).ConnectionState().DidResume, err
	}
	if _, err := comesIn(); err != nil {
		t.Fatal(err)
	}
	if resumed, err := comesIn(); err != nil || !resumed {
		t.Fatalf("resumed: %v, %v", resumed, err)
	}
	other.Copy("ca.pem", theirs.file("ca.pem"))
	if resumed, err := comesIn(); err == nil {
		t.Errorf("came in (resumed: %v)", resumed)
	}
}

// A pair is two files: between the first and the second, and whatever becomes of them, the pair of before goes on.
func TestWhatCannotBeUsedLeavesInForceWhatWas(t *testing.T) {
	before, after := authority(t), authority(t)
	before.Write("nothing", "NOTHING", nil)
	ours := newFolder(t)
	ours.of(before, "client")
	source := ours.client()
	old := source()
	for _, row := range []struct {
		name, want string
		change     func()
	}{
		{"the certificate without its key", "private key does not match", func() { after.Copy("client.pem", ours.file("own.pem")) }},
		{"no file", "tls.key_file: open ", func() { os.Remove(ours.file("own.key")) }},
		{"an empty authority", "holds no certificate in PEM form", func() {
			ours.of(before, "client")
			before.Copy("nothing", ours.file("ca.pem"))
		}},
	} {
		ours.said.Reset()
		row.change()
		for range 3 {
			if source() != old {
				t.Errorf("%s: other settings are in force", row.name)
			}
		}
		if said := ours.said.String(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, row.want) {
			t.Errorf("%s: said %q, want %s, once", row.name, said, row.want)
		}
	}
	ours.said.Reset()
	ours.of(after, "client")
	if now := source(); now == old || !bytes.Equal(now.Certificates[0].Certificate[0], after.Pair("client").Certificate[0]) {
		t.Error("the new pair is not in force")
	}
	if said := ours.said.String(); !strings.Contains(said, "changed certificates are in force") {
		t.Errorf("said %q", said)
	}
}

// Two files of one length, written within the grain of a file system's clock, look alike.
func TestWhatWasWrittenAMomentAgoIsReadAgain(t *testing.T) {
	before, after := authority(t), authority(t)
	ours := newFolder(t)
	ours.of(before, "client")
	name, at := ours.file("ca.pem"), time.Now()
	write := func(a *certs.Authority) {
		text, err := os.ReadFile(a.File("ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, bytes.Repeat([]byte("\n"), 4096-len(text))...)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(before)
	source := ours.client()
	old := source()
	if source() != old {
		t.Error("other settings, and the files are the same")
	}
	write(after)
	if source().RootCAs.Equal(old.RootCAs) {
		t.Error("the new file is not in force")
	}
}

// Asked before each request, it reads nothing but the files' times.
func TestFilesThatStayAreReadOnce(t *testing.T) {
	ours := newFolder(t)
	ours.of(authority(t), "client")
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"ca.pem", "own.pem", "own.key"} {
		if err := os.Chtimes(ours.file(name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	source := ours.client()
	old := source()
	if n := testing.AllocsPerRun(100, func() { source() }); n > 20 {
		t.Errorf("%v allocations to find that nothing changed", n)
	}
	if source() != old {
		t.Error("other settings, and the files are the same")
	}
}

func TestFilesAtTheStart(t *testing.T) {
	a := authority(t)
	a.Write("no.pem", "NOTHING", nil)
	cert, key, ca := a.File("client.pem"), a.File("client.key"), a.File("ca.pem")
	for _, row := range []struct {
		files Files
		want  string // of the error; "": none; nothing: there are no settings
	}{
		{Files{}, "nothing"},
		{Files{CA: ca}, ""},
		{Files{Cert: cert, PrivateKey: key}, ""},
		{Files{CA: a.File("x")}, "nats.tls.ca_file: open "},
		{Files{CA: a.File("no.pem")}, "no.pem holds no certificate in PEM form"},
		{Files{Cert: a.File("x"), PrivateKey: key}, "nats.tls.cert_file: open "},
		{Files{Cert: cert, PrivateKey: a.File("x")}, "nats.tls.key_file: open "},
		{Files{Cert: cert, PrivateKey: a.File("server.key")}, "private key does not match"},
	} {
		row.files.Key = "nats.tls"
		for kind, of := range map[string]func(Files, *slog.Logger) (Source, error){"client": Client, "server": Server} {
			if kind == "server" && row.files.Cert == "" {
				continue
			}
			source, err := of(row.files, slog.New(slog.DiscardHandler))
			if (source == nil) != (row.want != "") || err != nil && !strings.Contains(err.Error(), row.want) || err == nil && row.want != "" && row.want != "nothing" {
				t.Errorf("%s, %+v: got %v", kind, row.files, err)
			}
		}
	}
	if source, err := Server(Files{Key: "http.tls", CA: ca}, slog.New(slog.DiscardHandler)); source != nil || err != nil {
		t.Errorf("a server without a certificate: %v", err)
	}
}
