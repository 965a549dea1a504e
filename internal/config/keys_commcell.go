package config

import (
	"math"
	"strings"
	"time"
)

// commcells also finds what no single CommCell can see: that there is none, or a name twice.
func (r *reader) commcells(dst *[]CommCell) func(node) {
	return func(n node) {
		before, lines := len(r.errs), map[string]int{}
		for _, item := range r.items(n) {
			c := r.commcell(item)
			line := r.lines[item.key+".name"]
			if first, twice := lines[c.Name]; twice && c.Name != "" {
				r.fail(node{key: item.key + ".name", line: line}, "%q: the name of the CommCell on line %d too; give each its own", c.Name, first)
			}
			lines[c.Name] = line
			*dst = append(*dst, c)
		}
		if len(*dst) == 0 && len(r.errs) == before {
			r.fail(n, "empty; name at least one CommServe, as configs/minimal.yaml does")
		}
	}
}

func (r *reader) commcell(n node) CommCell {
	before := len(r.errs)
	c := defaultCommCell()
	r.mapping(n, fields{
		{"name", r.text(&c.Name, commCellName)},
		{"url", r.text(&c.URL, serviceURL)},
		{"commcell_id", whole(r, &c.CommCellID, 0, math.MaxInt32)},
		{"guid", r.text(&c.GUID)},
		{"format", r.oneOf(&c.Format, "json", "xml")},
		{"auth", r.auth(&c.Auth)},
		{"tls", r.tls(&c.TLS)},
		{"schedule", r.text(&c.Schedule, schedule)},
		{"jobs", r.jobs(&c)},
		{"discover", r.discover(&c.Discover)},
		{"sweep", r.oneOf(&c.Sweep, "auto", "list", "details")},
		{"full_refresh", r.duration(&c.FullRefresh, positive)},
		{"feed_every", r.durationOrOff(&c.FeedEvery, time.Second)},
		{"concurrency", whole(r, &c.Concurrency, 1, math.MaxInt32)},
		{"rate_limit", r.rate(&c.RateLimit)},
		{"timeout", r.duration(&c.Timeout, positive)},
		{"stall_after", r.duration(&c.StallAfter, positive)},
		{"lost_after", r.duration(&c.LostAfter, positive)},
		{"keep_finished", r.duration(&c.KeepFinished, positive)},
	})
	c.URL = strings.TrimRight(c.URL, "/")
	if len(r.errs) == before {
		r.completeCommCell(n, &c)
	}
	return c
}

func (r *reader) auth(a *Auth) func(node) {
	return func(n node) {
		before := len(r.errs)
		r.mapping(n, fields{
			{"token", r.secret(&a.Token)},
			{"token_file", r.path(&a.TokenFile)},
			{"username", r.text(&a.Username)},
			{"password", r.secret(&a.Password)},
			{"password_file", r.path(&a.PasswordFile)},
			{"domain", r.text(&a.Domain)},
			{"access_token_file", r.path(&a.AccessTokenFile)},
			{"refresh_token_file", r.path(&a.RefreshTokenFile)},
			{"scheme", r.oneOf(&a.Scheme, "authtoken", "bearer")},
		})
		if len(r.errs) == before {
			r.oneWayIn(n, a)
		}
	}
}

func (r *reader) tls(t *TLS, more ...field) func(node) {
	return func(n node) {
		r.mapping(n, append(fields{
			{"ca_file", r.path(&t.CAFile)},
			{"cert_file", r.path(&t.CertFile)},
			{"key_file", r.path(&t.KeyFile)},
			{"insecure_skip_verify", r.boolean(&t.InsecureSkipVerify)},
		}, more...))
		r.certWithKey(n, t.CertFile, t.KeyFile)
	}
}

func (r *reader) jobs(c *CommCell) func(node) {
	return func(n node) {
		for _, item := range r.items(n) {
			id, ok := r.wholeAt(item, 1, math.MaxInt64)
			if !ok {
				continue
			}
			if line, twice := c.JobLines[id]; twice {
				r.fail(item, "%d: listed on line %d already; keep one", id, line)
				continue
			}
			c.Jobs = append(c.Jobs, id)
			c.JobLines[id] = item.line
		}
	}
}

func (r *reader) discover(d *Discover) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"enabled", r.boolean(&d.Enabled)},
			{"finished_within", r.duration(&d.FinishedWithin, positive)},
			{"include", r.filter(d.Include)},
			{"exclude", r.filter(d.Exclude)},
		})
	}
}

// filter reads which jobs are meant: names of clients and the like => globs.
func (r *reader) filter(dst map[string][]string) func(node) {
	var known fields
	for _, name := range []string{"client", "client_group", "job_type", "operation", "application", "subclient"} {
		known = append(known, field{name, func(n node) { dst[name] = r.globs(n) }})
	}
	return func(n node) { r.mapping(n, known) }
}

func (r *reader) globs(n node) []string {
	var globs []string
	for _, item := range r.items(n) {
		if s, ok := r.textAt(item, []func(string) error{glob}); ok {
			globs = append(globs, s)
			r.set[n.key] = true
		}
	}
	return globs
}
