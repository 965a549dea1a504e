package config

import "math"

// config reads the whole file: these are the keys at its top.
func (r *reader) config(root node) *Config {
	c := defaults()
	r.mapping(root, fields{
		{"commcells", r.commcells(&c.CommCells)},
		{"nats", r.nats(&c.NATS)},
		{"store", r.store(&c.Store)},
		{"http", r.http(&c.HTTP)},
		{"log", r.log(&c.Log)},
		{"cluster", r.cluster(&c.Cluster)},
		{"severity", r.severity(c.Severity)},
		{"relays", r.relays},
	})
	if r.lines["commcells"] == 0 && len(r.errs) == 0 {
		r.fail(node{key: "commcells", line: root.line}, "missing; name at least one CommServe, as configs/minimal.yaml does")
	}
	return c
}

func (r *reader) nats(c *NATS) func(node) {
	return func(n node) {
		before := len(r.errs)
		r.mapping(n, fields{
			{"url", r.text(&c.URL, brokers)},
			{"embedded", r.embedded(&c.Embedded)},
			{"creds_file", r.path(&c.CredsFile)},
			{"nkey_file", r.path(&c.NKeyFile)},
			{"user", r.text(&c.User)},
			{"password_file", r.path(&c.PasswordFile)},
			{"token_file", r.path(&c.TokenFile)},
			{"tls", r.natsTLS(c)},
			{"domain", r.text(&c.Domain, domain)},
			{"stream", r.text(&c.Stream, streamName)},
			{"replicas", whole(r, &c.Replicas, 1, 5)},
			{"max_age", r.duration(&c.MaxAge, 0)},
			{"max_bytes", whole(r, &c.MaxBytes, 0, math.MaxInt64)},
			{"subject_prefix", r.text(&c.SubjectPrefix, subjectPrefix)},
			{"on_new_stream", r.oneOf(&c.OnNewStream, "resend", "continue")},
		})
		if len(r.errs) == before {
			r.completeNATS(n, c)
		}
	}
}

func (r *reader) natsTLS(c *NATS) func(node) {
	return r.tls(&c.TLS, field{"handshake_first", r.boolean(&c.TLSFirst)})
}

func (r *reader) embedded(e *Embedded) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"listen", r.text(&e.Listen, hostPort)},
			{"dir", r.path(&e.Dir, notEmpty)},
			{"sync", r.oneOf(&e.Sync, "always", "interval")},
		})
	}
}

func (r *reader) store(s *Store) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"path", r.path(&s.Path, notEmpty)},
			{"keep_sent", r.duration(&s.KeepSent, 0)},
		})
	}
}

func (r *reader) http(h *HTTP) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"listen", r.text(&h.Listen, hostPortOrOff)},
			{"token_file", r.path(&h.TokenFile)},
			{"tls", r.httpTLS(&h.TLS)},
		})
	}
}

func (r *reader) httpTLS(t *HTTPTLS) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"cert_file", r.path(&t.CertFile)},
			{"key_file", r.path(&t.KeyFile)},
			{"client_ca_file", r.path(&t.ClientCAFile)},
		})
		r.certWithKey(n, t.CertFile, t.KeyFile)
		if t.ClientCAFile != "" && t.CertFile == "" {
			r.fail(n, "client_ca_file without cert_file: clients are checked over TLS alone; set cert_file and key_file")
		}
	}
}

func (r *reader) log(l *Log) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"level", r.oneOf(&l.Level, "debug", "info", "warn", "error")},
			{"format", r.oneOf(&l.Format, "auto", "text", "json")},
		})
	}
}

func (r *reader) cluster(c *Cluster) func(node) {
	return func(n node) {
		r.mapping(n, fields{
			{"enabled", r.boolean(&c.Enabled)},
			{"instance", r.text(&c.Instance)},
		})
	}
}

// severity reads what a state means here; its keys are slugs, of which the CommServe may know any.
func (r *reader) severity(dst map[string]string) func(node) {
	return func(n node) {
		for _, n := range r.pairs(n) {
			if !slug.MatchString(n.name) {
				r.fail(n, "no slug of a state; write it like completed_with_errors")
				continue
			}
			var severity string
			r.oneOf(&severity, "info", "warning", "error")(n)
			dst[n.name] = severity
		}
	}
}

// relays has no keys of its own yet.
func (r *reader) relays(n node) {
	if len(r.items(n)) > 0 {
		r.set[n.key] = true
	}
}
