package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/tlsfile"
)

// checkCommCell goes as far as the CommServe lets it.
func checkCommCell(ctx context.Context, cell config.CommCell) []Finding {
	p := &commCellProbe{cell: cell}
	for _, step := range []func(context.Context) bool{p.settings, p.way, p.name, p.connection, p.list, p.clock, p.identity, p.details, p.feed} {
		if !step(ctx) {
			break
		}
	}
	p.quota()
	return p.found
}

// commCellProbe is a row of steps, each of which says whether the next is worth trying.
type commCellProbe struct {
	cell   config.CommCell
	client *commvault.Client
	tls    tlsfile.Source
	host   string   // and port
	proxy  *url.URL // nil: it is asked without one
	found  []Finding

	jobs       int   // of the list
	newest     int64 // of them
	unfinished int   // of them and the configured ones, as far as they are followed
	pages      int   // of the list
}

func (p *commCellProbe) what(step string) string { return "commcell " + p.cell.Name + ": " + step }

func (p *commCellProbe) ok(step, format string, values ...any) bool {
	p.found = append(p.found, fine(p.what(step), format, values...))
	return true
}

func (p *commCellProbe) failed(step string, err error) bool {
	p.found = append(p.found, broken(p.what(step), err))
	return false
}

func (p *commCellProbe) warn(step, format string, values ...any) {
	p.found = append(p.found, doubtful(p.what(step), format, values...))
}

func (p *commCellProbe) settings(context.Context) bool {
	var err error
	log := slog.New(slog.DiscardHandler)
	if p.client, err = daemon.NewClient(p.cell, nil, log); err != nil {
		return p.failed("settings", err)
	}
	if p.tls, err = daemon.NewTLS("tls", p.cell.TLS, log); err != nil {
		return p.failed("settings", err)
	}
	return true
}

func (p *commCellProbe) name(ctx context.Context) bool {
	u, err := url.Parse(p.cell.URL)
	if err != nil {
		return p.failed("name", err)
	}
	port := u.Port()
	if port == "" {
		port = usualPorts[u.Scheme]
	}
	p.host = net.JoinHostPort(u.Hostname(), port)
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || p.proxy != nil { // which looks for the name itself
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, p.cell.Timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil {
		var unknown *net.DNSError
		if errors.As(err, &unknown) && unknown.IsNotFound {
			err = fmt.Errorf("%s: no such host; mend url:, or the name server", u.Hostname())
		}
		return p.failed("name", err)
	}
	return p.ok("name", "%s is %s", u.Hostname(), strings.Join(addresses, ", "))
}

func (p *commCellProbe) connection(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, p.cell.Timeout)
	defer cancel()
	if p.proxy != nil {
		return p.throughProxy(ctx)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.host)
	if err != nil {
		return p.failed("connection", fmt.Errorf("%w; start the CommServe's web server, or set another url", err))
	}
	defer conn.Close()
	if !strings.HasPrefix(p.cell.URL, "https:") {
		if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
			p.warn("connection", "plain HTTP carries the token and the password for all to read; use https where the web server offers it")
		}
		return p.ok("connection", "%s answers", p.host)
	}
	return p.handshake(ctx, conn)
}

const soonExpired = 30 * 24 * time.Hour

// handshake checks the certificate that requests will meet. What else is wrong, the requests themselves say best.
func (p *commCellProbe) handshake(ctx context.Context, conn net.Conn) bool {
	secure := &tls.Config{}
	if p.tls != nil {
		secure = p.tls().Clone()
	}
	secure.ServerName, _, _ = net.SplitHostPort(p.host)
	session := tls.Client(conn, secure)
	if err := session.HandshakeContext(ctx); err != nil {
		if bad, is := errors.AsType[*tls.CertificateVerificationError](err); is {
			return p.failed("TLS", errors.New(commvault.Untrusted(bad)))
		}
		if _, plain := errors.AsType[tls.RecordHeaderError](err); plain {
			return p.failed("TLS", fmt.Errorf("%s speaks no TLS; write http:// in url:, or name the port that does", p.host))
		}
		return true
	}
	if p.cell.TLS.InsecureSkipVerify {
		p.warn("TLS", "the certificate is not verified: anybody on the way may read the token; name the certificate in tls.ca_file instead of insecure_skip_verify")
	}
	certificate := session.ConnectionState().PeerCertificates[0]
	if left := time.Until(certificate.NotAfter); left < soonExpired {
		p.warn("TLS", "the certificate ends on %s", certificate.NotAfter.Format(time.DateOnly))
	}
	return p.ok("TLS", "%s, certificate of %s, valid until %s", tls.VersionName(session.ConnectionState().Version),
		certificate.Subject.CommonName, certificate.NotAfter.Format(time.DateOnly))
}

var mendOf = map[string]string{
	"login": "mend auth.username and auth.password_file; an account that is locked is unlocked in the Command Center, by who administers users",
	"token": "put another token into auth.token_file",
}

func (p *commCellProbe) list(ctx context.Context) bool {
	filter := daemon.NewFilter(p.cell)
	numbers := map[int64]string{} // and what leaves them out
	unfinished := map[int64]bool{}
	for _, number := range p.cell.Jobs {
		unfinished[number] = true
	}
	err := p.client.List(ctx, p.cell.Discover.FinishedWithin, func(lines []commvault.Line) error {
		p.pages++
		for _, line := range lines {
			numbers[line.Number] = filter.LeftOutBy(&line) // one may be listed twice
			if numbers[line.Number] == "" && p.cell.Discover.Enabled && !line.Finished() {
				unfinished[line.Number] = true
			}
			p.newest = max(p.newest, line.Number)
		}
		return nil
	})
	p.jobs, p.unfinished = len(numbers), len(unfinished)
	way := "token"
	if p.cell.Auth.Username != "" {
		way = "login"
	}
	switch commvault.KindOf(err) {
	case "":
	case commvault.Auth:
		return p.failed(way, fmt.Errorf("%w; %s", onceTried(err, p.cell.Name), mendOf[way]))
	case commvault.Unreachable:
		if p.proxy != nil {
			return p.failed("proxy", fmt.Errorf("%w; asked through %s: %s", onceTried(err, p.cell.Name), p.proxy.Host, mendOfProxy))
		}
		fallthrough
	case commvault.HTTP:
		return p.failed("job list", fmt.Errorf("%w; is url: the web service's root?", onceTried(err, p.cell.Name)))
	default:
		return p.failed("job list", onceTried(err, p.cell.Name))
	}
	p.ok(way, "accepted")
	if p.jobs == 0 && p.cell.Discover.Enabled {
		p.warn("job list", "holds no job: none has run within %v, or this user may see none", p.cell.Discover.FinishedWithin)
		return true
	}
	return p.filtered(numbers)
}

// filtered says what the filters make of the list.
func (p *commCellProbe) filtered(leftOutBy map[int64]string) bool {
	if !p.cell.Discover.Enabled || len(p.cell.Discover.Include)+len(p.cell.Discover.Exclude) == 0 {
		return p.ok("job list", "holds %d jobs", p.jobs)
	}
	passing, rules := 0, map[string]bool{}
	for _, rule := range leftOutBy {
		if rule == "" {
			passing++
			continue
		}
		rules["discover."+rule] = true
	}
	if passing == 0 && p.jobs > 0 {
		p.warn("job list", "holds %d jobs, and none passes %s", p.jobs, strings.Join(slices.Sorted(maps.Keys(rules)), ", "))
		return true
	}
	return p.ok("job list", "holds %d jobs, %d match the filters", p.jobs, passing)
}

// onceTried takes out of a refusal what is only so for a watcher that runs on, and what stands before it anyway.
func onceTried(err error, commcell string) error {
	text, _, _ := strings.Cut(err.Error(), " (next try")
	return errors.New(strings.TrimSuffix(strings.TrimPrefix(text, "commcell "+commcell+": "), "."))
}

const skewed = 30 * time.Second // is more than a network explains

// clock is not needed to watch; with clocks that differ, ages and delays are wrong by as much.
func (p *commCellProbe) clock(context.Context) bool {
	ahead, known := p.client.Ahead()
	ahead = ahead.Round(time.Second)
	switch {
	case !known:
		return true
	case ahead.Abs() < skewed:
		return p.ok("clock", "differs from this machine's by less than %v", skewed)
	case ahead > 0:
		p.warn("clock", "the CommServe's is %v ahead of this machine's; ages and delays are wrong by as much: set the clocks by NTP", ahead)
	default:
		p.warn("clock", "the CommServe's is %v behind this machine's; ages and delays are wrong by as much: set the clocks by NTP", -ahead)
	}
	return true
}

// identity is not needed to watch; without it a CommServe that takes another's place would not be noticed.
func (p *commCellProbe) identity(ctx context.Context) bool {
	is, err := p.client.Identity(ctx)
	guid := is.GUID
	switch {
	case err != nil:
		p.warn("identity", "%v; another CommServe behind the same url: would not be noticed", err)
		return true
	case p.cell.GUID != "" && !strings.EqualFold(p.cell.GUID, guid):
		return p.failed("identity", fmt.Errorf("the CommServe has the GUID %s and not %s; point url: back, or accept it with guid: %s", guid, p.cell.GUID, guid))
	}
	release := ""
	if is.Release != "" {
		release = "; its release is " + is.Release
	}
	return p.ok("identity", "the CommServe has the GUID %s%s", guid, release)
}

// details asks for one job: the first configured one, or the newest of the list.
func (p *commCellProbe) details(ctx context.Context) bool {
	var number int64
	switch {
	case len(p.cell.Jobs) > 0:
		number = p.cell.Jobs[0]
	case p.newest > 0:
		number = p.newest
	default:
		p.warn("job details", "no job to ask for")
		return true
	}
	seen, err := p.client.JobDetails(ctx, number)
	if errors.Is(err, commvault.ErrUnknownJob) {
		p.warn("job details", "the CommServe does not know job %d, or does not show it to this user", number)
		return true
	}
	if err != nil {
		return p.failed("job details", fmt.Errorf("%w; may this user see the jobs of all clients that are to be watched?", onceTried(err, p.cell.Name)))
	}
	if refusal := p.client.AttemptsRefused(); refusal != "" {
		p.warn("attempts", "the CommServe is too old to tell them: with showAttempt it refuses what it answers without (%s)", refusal)
	}
	state := string(seen.Snapshot.State)
	if state == "" {
		state = "without a state"
	}
	return p.ok("job details", "job %d of %s is %s", number, orDash(string(seen.Snapshot.Client)), state)
}

// feed is not needed to watch; without it a change is seen at the next tick only.
func (p *commCellProbe) feed(ctx context.Context) bool {
	if p.cell.FeedEvery <= 0 {
		return true
	}
	if _, _, err := p.client.Feed(ctx, commvault.FeedMark{}); err != nil {
		p.warn("feed", "%v; without the CommServe's own events changes are seen at the next tick only; give the user the right to see them, or set feed_every: 0", err)
		return true
	}
	return p.ok("feed", "the CommServe's own events can be read")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
