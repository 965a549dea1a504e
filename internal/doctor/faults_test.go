package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"jobwatch/internal/config"
	"jobwatch/internal/sim"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/certs"
	"jobwatch/internal/testing/fakeslack"
)

// TestEachFaultHasOneLine breaks one thing of a set-up that is otherwise well. Of all lines one is not well, and
// says what is wrong and what to do.
func TestEachFaultHasOneLine(t *testing.T) {
	for _, row := range []struct {
		fault       string
		spoil       func(*place)
		says, mends string
	}{
		{"DNS", func(p *place) { p.url = "https://commserve.invalid/api" },
			"failed   commcell prod: name: commserve.invalid: ", "mend url:, or the name server"},
		{"port", func(p *place) { p.url = "http://" + p.closedPort() + "/api" },
			"failed   commcell prod: connection: ", "connection refused; start the CommServe's web server, or set another url"},
		{"TLS name", func(p *place) {
			p.secure(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"backup.example.com"}, nil })
		}, "failed   commcell prod: TLS: ", "set url: to a name that the certificate holds"},
		{"TLS end", func(p *place) { p.secure(certs.Expired) },
			"failed   commcell prod: TLS: the server's certificate (commserve) ended on ", "have it renewed"},
		{"CA", func(p *place) { p.secure(nil); p.ca = "" },
			"failed   commcell prod: TLS: the server's certificate is signed by an unknown authority", "name its certificate in tls.ca_file"},
		{"login", func(p *place) { p.password = "another-secret" },
			`failed   commcell prod: login: login as "watcher" refused`, "mend auth.username and auth.password"},
		{"lock-out", func(p *place) { p.fault(sim.AccountLocked, sim.OpLogin) },
			"failed   commcell prod: login: ", "is unlocked in the Command Center"},
		{"right", func(p *place) { p.fault(sim.AccessDenied, sim.OpJobDetails) },
			"failed   commcell prod: job details: ", "may this user see the jobs"},
		{"GUID", func(p *place) { p.guid = "1F-2" },
			"failed   commcell prod: identity: the CommServe has the GUID ", "point url: back, or accept it with guid: "},
		{"clock", func(p *place) { p.clock = -time.Hour },
			"warning  commcell prod: clock: ", "set the clocks by NTP"},
		{"quota", func(p *place) { p.serves = rationed(p.serves, 200, 900) },
			"warning  commcell prod: quota: 900 requests are allowed in 1h0m0s", "make them rarer"},
		{"NATS version", func(p *place) { p.nats = p.oldNATS() },
			"failed   NATS: ", "2.11"},
		{"NATS right", func(p *place) {
			p.nats = p.narrowNATS() + `", user: watcher, password_file: "` + p.in("nats-password")
			p.write("nats-password", "nats-secret")
		},
			"failed   NATS rights: ", "jobs."},
		{"stream", func(p *place) {
			p.makeStream(nats.StreamConfig{Name: "JOBS", Subjects: []string{"other.>"}, MaxAge: 720 * time.Hour})
		},
			"failed   NATS stream: ", "other.>"},
		{"full disk", func(p *place) { p.store = filepath.Join(fullDisk(p.t), "watcher.db") },
			"failed   store: store.path: ", "or set another"},
		{"foreign store", func(p *place) { p.write("watcher.db", strings.Repeat("a shopping list ", 20)) },
			"failed   store: ", "not a store of jobwatch"},
		{"relay's channel", func(p *place) {
			slack := fakeslack.New(p.t)
			slack.Inside(false)
			p.more = fmt.Sprintf("relays: [{name: ops, slack: {channel: C024BE91L, token_file: %q, api_url: %q}}]", p.in("slack-token"), slack.URL)
			p.write("slack-token", fakeslack.Token)
		}, "failed   relay ops: ", "invite"},
		{"relay's address", func(p *place) {
			p.more = fmt.Sprintf("relays: [{name: hook, webhook: {url: %q, allow_http: true, allow: [127.0.0.1]}}]", "http://"+p.closedPort()+"/hook")
		}, "failed   relay hook: no connection: dial tcp 127.0.0.1:", "mend the relay's address"},
	} {
		t.Run(row.fault, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			row.spoil(p)
			var bad []string
			p.check(func(f Finding) {
				if f.Grade != stream.OK {
					bad = append(bad, fmt.Sprintf("%-7s  %s: %s", f.Grade, f.What, f.Text))
				}
			})
			if len(bad) != 1 || !strings.HasPrefix(bad[0], row.says) || !strings.Contains(bad[0], row.mends) || strings.Contains(bad[0], "\n") {
				t.Errorf("one line that begins with %q and says %q is wanted, got\n%s", row.says, row.mends, strings.Join(bad, "\n"))
			}
		})
	}
}

func (p *place) check(tell func(Finding)) {
	p.t.Helper()
	p.write("watcher.yaml", p.config())
	cfg, err := config.Load(p.in("watcher.yaml"))
	if err != nil {
		p.t.Fatal(err)
	}
	Check(p.t.Context(), cfg, p.in("watcher.yaml"), "test", tell)
}

// secure has the CommServe speak TLS, with a certificate that change spoils.
func (p *place) secure(change func(*x509.Certificate)) {
	authority := certs.New(p.t)
	if change == nil {
		change = func(*x509.Certificate) {}
	}
	authority.Sign("commserve", change)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serves.ServeHTTP(w, r) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Pair("commserve")}}
	server.StartTLS()
	p.t.Cleanup(server.Close)
	p.url, p.ca = server.URL+"/webconsole/api", authority.File("ca.pem")
}

func (p *place) fault(kind sim.FaultKind, op sim.Op) {
	p.serves.(*sim.Sim).Fault(sim.Fault{Kind: kind, Op: op, Rate: 1})
}

// oldNATS greets as a server of an old version does.
func (p *place) oldNATS() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprint(conn, `INFO {"server_id":"OLD","version":"2.9.0","proto":1,"headers":true,"max_payload":1048576,"jetstream":true}`+"\r\n")
				buffer := make([]byte, 4096)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					if strings.Contains(string(buffer[:n]), "PING") {
						fmt.Fprint(conn, "PONG\r\n")
					}
				}
			}()
		}
	}()
	return "nats://" + listener.Addr().String()
}

// narrowNATS is a server where this user may do all but publish jobs.
func (p *place) narrowNATS() string {
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: p.t.TempDir(), NoSigs: true,
		Users: []*server.User{{Username: "watcher", Password: "nats-secret", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"jobs.>"}}}}}}
	s, err := server.NewServer(options)
	if err != nil {
		p.t.Fatal(err)
	}
	s.Start()
	p.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		p.t.Fatal("the NATS server does not start")
	}
	return s.ClientURL()
}

func (p *place) makeStream(config nats.StreamConfig) {
	nc, err := nats.Connect(p.nats)
	if err != nil {
		p.t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := js.AddStream(&config); err != nil {
		p.t.Fatal(err)
	}
}
