package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// relay is a file with one relay, of these keys, from line 6 on; the name is on line 6.
func relay(lines string) string {
	return section("relays:\n  - name: ops\n    " + strings.ReplaceAll(lines, "\n", "\n    "))
}

const hook = "webhook: {url: https://hooks.example.com/a}"

func TestRelayDefaults(t *testing.T) {
	here := func(name string) string { return filepath.Join(absolute(t, "."), name) }
	c := parse(t, section(`relays:
  - {name: a, slack: {token_file: t, channel: C0123456789}}
  - {name: b, slack: {webhook_url_file: u}}
  - {name: c, webhook: {url: "https://hooks.example.com/a?b=c"}}
  - {name: d, email: {server: "mail:25", from: a@b, to: [c@d]}}
  - {name: e, audit: }
  - {name: f-1_, audit: {dir: there}, subjects: [jobs.prod.>]}
  - {name: g, slack: {token_file: t, channel: G0123456, group: , broadcast: []}}`))
	relay := func(name string, set func(*Relay)) Relay {
		r := Relay{Name: name, Subjects: []string{"jobs.>", "commcells.>"}, Match: map[string][]string{}, Concurrency: 16,
			Timeout: 15 * time.Second, GiveUpAfter: 24 * time.Hour}
		set(&r)
		return r
	}
	slack := func(s Slack) *Slack {
		s.APIURL = "https://slack.com/api/"
		return &s
	}
	rotate := Rotate{Size: 64 << 20, Age: 24 * time.Hour}
	want := []Relay{
		relay("a", func(r *Relay) {
			r.Slack = slack(Slack{TokenFile: here("t"), Channel: "C0123456789", Broadcast: []string{"failed"}})
		}),
		relay("b", func(r *Relay) { r.Slack = slack(Slack{WebhookURLFile: here("u"), Broadcast: []string{"failed"}}) }),
		relay("c", func(r *Relay) { r.Webhook = &Webhook{URL: "https://hooks.example.com/a?b=c"} }),
		relay("d", func(r *Relay) { r.Email = &Email{Server: "mail:25", TLS: "starttls", From: "a@b", To: []string{"c@d"}} }),
		relay("e", func(r *Relay) {
			r.Audit = &Audit{Dir: here("data/audit/e"), KeyFile: here("data/audit/e.key"), Rotate: rotate}
		}),
		relay("f-1_", func(r *Relay) {
			r.Audit = &Audit{Dir: here("there"), KeyFile: here("there.key"), Rotate: rotate}
			r.Subjects = []string{"jobs.prod.>"}
		}),
		relay("g", func(r *Relay) {
			r.Slack = slack(Slack{TokenFile: here("t"), Channel: "G0123456", Group: &Group{By: "client", Within: 2 * time.Minute, Over: 3}})
		}),
	}
	compareRelays(t, c.Relays, want)
}

func compareRelays(t *testing.T, got, want []Relay) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d relays, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s:\n got %+v %+v %+v %+v %+v\nwant %+v %+v %+v %+v %+v", want[i].Name,
				got[i], got[i].Slack, got[i].Webhook, got[i].Email, got[i].Audit, want[i], want[i].Slack, want[i].Webhook, want[i].Email, want[i].Audit)
		}
	}
}

func TestEveryKeyOfARelay(t *testing.T) {
	here := func(name string) string { return filepath.Join(absolute(t, "."), name) }
	c := parse(t, section(`relays:
  - name: a
    subjects: ["jobs.*.*.*.state.>", "jobs.*.*.*.failure.>", "commcells.*.unreachable"]
    match: {severity: [warning, error], class: [failed], commcell: [p*], client: ["sql*", "${N}"], client_group: [a], agent: [b],
      backupset: [c], subclient: [d], operation: [e], level: [f], job_type: [g]}
    start: 24h
    concurrency: 1
    rate: 0.5
    timeout: 1s
    give_up_after: 0
    slack: {token_file: /t, channel: D0123456, broadcast: [failed, killed, lost, stalled], group: {by: client_group, within: 1m, over: 0},
      links: {"Command Center": "https://cs/#/jobs/{id}", Again: "http://b/{commcell}?j={id}"}, api_url: "http://127.0.0.1:1/api"}
  - name: b
    start: all
    webhook:
      url_file: u
      secret_files: [new, old]
      headers: {X-Key: {value_file: k}, Authorization: {value_file: a}}
      body: {text: "{data.job.client}: ${N}", "z": [1, 1.5, true, ~, "1"], a: {b: "<&>\"\n"}}
      allow: [10.20.0.0/16, "::1", 127.0.0.1]
      allow_http: true
      tls: {ca_file: ca, cert_file: c, key_file: k, insecure_skip_verify: true}
  - name: c
    start: new
    email: {server: "mail:465", tls: implicit, username: u, password_file: p, from: "Backup <a@b.c>", to: [x@y, '"Z, z" <z@y>'], group: {by: commcell}}
  - name: d
    audit: {dir: /d, rotate: {size: 1KiB, age: 0}, keep: 3, key_file: k}
`))
	match := map[string][]string{"severity": {"warning", "error"}, "class": {"failed"}, "commcell": {"p*"}, "client": {"sql*", "16"},
		"client_group": {"a"}, "agent": {"b"}, "backupset": {"c"}, "subclient": {"d"}, "operation": {"e"}, "level": {"f"}, "job_type": {"g"}}
	rest := Relay{Subjects: []string{"jobs.>", "commcells.>"}, Match: map[string][]string{}, Concurrency: 16, Timeout: 15 * time.Second, GiveUpAfter: 24 * time.Hour}
	b, email, audit := rest, rest, rest
	a := Relay{Name: "a", Subjects: []string{"jobs.*.*.*.state.>", "jobs.*.*.*.failure.>", "commcells.*.unreachable"}, Match: match,
		Start: Start(24 * time.Hour), Concurrency: 1, Rate: 0.5, Timeout: time.Second, Slack: &Slack{
			TokenFile: "/t", Channel: "D0123456", Broadcast: []string{"failed", "killed", "lost", "stalled"}, Group: &Group{By: "client_group", Within: time.Minute},
			Links: []Link{{"Command Center", "https://cs/#/jobs/{id}"}, {"Again", "http://b/{commcell}?j={id}"}}, APIURL: "http://127.0.0.1:1/api",
		}}
	b.Name, b.Start, b.Webhook = "b", StartAll, &Webhook{
		URLFile: here("u"), SecretFiles: []string{here("new"), here("old")}, Headers: []Header{{"X-Key", here("k")}, {"Authorization", here("a")}},
		Body:  []byte(`{"text":"{data.job.client}: 16","z":[1,1.5,true,null,"1"],"a":{"b":"<&>\"\n"}}`),
		Allow: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("127.0.0.1/32")}, AllowHTTP: true,
		TLS: TLS{CAFile: here("ca"), CertFile: here("c"), KeyFile: here("k"), InsecureSkipVerify: true},
	}
	email.Name, email.Email = "c", &Email{Server: "mail:465", TLS: "implicit", Username: "u", PasswordFile: here("p"), From: "Backup <a@b.c>",
		To: []string{"x@y", `"Z, z" <z@y>`}, Group: &Group{By: "commcell", Within: 2 * time.Minute, Over: 3}}
	audit.Name, audit.Audit = "d", &Audit{Dir: "/d", Rotate: Rotate{Size: 1024}, Keep: 3, KeyFile: here("k")}
	compareRelays(t, c.Relays, []Relay{a, b, email, audit})
}

func TestRelayErrors(t *testing.T) {
	check(t, []row{
		{section("relays: [a]"), "5: relays[0]: wants keys with values, not text"},
		{section("relays: [{}]"), "5: relays[0].name: missing; name the relay, as \"ops\"\n5: relays[0]: no destination; set one of slack, webhook, email, audit"},
		{section("relays:\n  - name: Ops\n    " + hook), `6: relays[0].name: "Ops": wants lower-case letters, digits, _ and - only: it becomes part of each subject`},
		{section("relays:\n  - name: ops\n    " + hook + "\n  - name: ops\n    " + hook), `8: relays[1].name: "ops": the name of the relay on line 6 too; give each its own`},
		{relay("timeout: 1s"), "6: relays[0]: no destination; set one of slack, webhook, email, audit"},
		{relay(hook + "\naudit: {}"), "6: relays[0]: webhook, audit: more than one destination; give each a relay of its own"},
		{relay("webhok: {url: a}"), `7: relays[0].webhok: unknown key; did you mean "webhook"?`},
		{relay(hook + "\nstart: yesterday"), `8: relays[0].start: "yesterday": wants new, all or a duration like 24h`},
		{relay(hook + "\nstart: -1h"), `8: relays[0].start: "-1h": wants new, all or a duration like 24h`},
		{relay(hook + "\nconcurrency: 0"), "8: relays[0].concurrency: 0: wants 1 or more"},
		{relay(hook + "\nrate: -1"), "8: relays[0].rate: -1: wants 0 (no limit) or more"},
		{relay(hook + "\ntimeout: 0"), "8: relays[0].timeout: 0: wants a duration above 0"},
		{relay(hook + "\ngive_up_after: -1s"), `8: relays[0].give_up_after: "-1s": wants 0 or more`},
	})
}

func TestSubjectsOfARelay(t *testing.T) {
	const front = `wants jobs. or commcells. in front, and no nats.subject_prefix; write it like "jobs.>" or "jobs.*.*.*.failure.>"`
	for filter, want := range map[string]string{
		`"acme.jobs.>"`: `"acme.jobs.>": ` + front, `">"`: `">": ` + front, `""`: `"": ` + front, `"*.prod.>"`: `"*.prod.>": ` + front, `jobs`: `"jobs": ` + front,
		`jobs..a.>`: `"jobs..a.>": has nothing between two dots, or at its end`, `jobs.`: `"jobs.": has nothing between two dots, or at its end`,
		`"jobs.a b.>"`:                          `"jobs.a b.>": has a space in it; a subject has %20 there, and a * stands for any word`,
		`jobs.>.a`:                              `"jobs.>.a": has more behind the >, which stands for all the rest; write * for one word`,
		`jobs.p*.>`:                             `"jobs.p*.>": wants * and > as whole words between the dots; match: has patterns for parts of a name`,
		`jobs.prod`:                             `"jobs.prod": no event has such a subject: they have 6 words (docs/subjects-and-events.md); write > for all the rest`,
		`jobs.prod.1248.fall.state.completed.>`: `"jobs.prod.1248.fall.state.completed.>": no event has such a subject: they have 6 words (docs/subjects-and-events.md); write > for all the rest`,
		`commcells.*`:                           `"commcells.*": no event has such a subject: they have 3 words (docs/subjects-and-events.md); write > for all the rest`,
	} {
		check(t, []row{{relay(hook + "\nsubjects: [" + filter + "]"), "8: relays[0].subjects[0]: " + want}})
	}
	for filters, want := range map[string]string{
		``:                           "empty: no event would do; name a filter, or leave the key out for all events",
		`"jobs.>", "jobs.prod.>"`:    `"jobs.prod.>" is within "jobs.>", which NATS refuses; take it out`,
		`"jobs.*.1.>", "jobs.a.1.>"`: `"jobs.a.1.>" is within "jobs.*.1.>", which NATS refuses; take it out`,
		`"jobs.a.>", "jobs.a.>"`:     `"jobs.a.>" stands there twice; keep one`,
	} {
		check(t, []row{{relay(hook + "\nsubjects: [" + filters + "]"), "8: relays[0].subjects: " + want}})
	}
	parse(t, relay(hook+`
subjects: ["jobs.*.*.*.state.>", "jobs.prod.>", jobs.a.2.b.*.*, "jobs.*.1.>", jobs.prod2.*.*.phase.scan]`)) // crossing ones are taken
}

func TestMatchOfARelay(t *testing.T) {
	check(t, []row{
		{relay(hook + "\nmatch: {severity: [warn]}"), `8: relays[0].match.severity[0]: "warn": wants info, warning or error`},
		{relay(hook + "\nmatch: {class: [bad]}"), `8: relays[0].match.class[0]: "bad": wants queued, active, held, succeeded, partial, failed, killed or unknown`},
		{relay(hook + "\nmatch: {cient: [a]}"), `8: relays[0].match.cient: unknown key; did you mean "client"?`},
		{relay(hook + "\nmatch: {client: [\"a[\"]}"), `8: relays[0].match.client[0]: "a[": no pattern: a bracket is open; write it like "fall*" or "[a-c]*"`},
		{relay(hook + "\nmatch: {client: []}"), "8: relays[0].match.client: empty: no event would do; name what does, or leave the key out"},
		{relay(hook + "\nmatch: {client: a}"), "8: relays[0].match.client: wants a list, not text"},
	})
}

func TestSlackOfARelay(t *testing.T) {
	const good = "slack: {token_file: t, channel: C0123456"
	check(t, []row{
		{relay("slack: {}"), "7: relays[0].slack: no way to post; set token_file and channel, or webhook_url_file"},
		{relay("slack:"), "7: relays[0].slack: no way to post; set token_file and channel, or webhook_url_file"},
		{relay("slack: {token_file: t}"), "7: relays[0].slack: token_file without channel; set it to the channel's id, like C0123456789"},
		{relay("slack: {channel: C0123456}"), "7: relays[0].slack: channel without token_file; set it to the file that holds the bot token (xoxb-…)"},
		{relay("slack: {token_file: t, channel: \"#ops\"}"), `7: relays[0].slack.channel: "#ops": wants the channel's id, not its name; it stands at the end of the channel's details in Slack, like C0123456789`},
		{relay("slack: {token_file: t, channel: ops}"), `7: relays[0].slack.channel: "ops": wants the channel's id, not its name; it stands at the end of the channel's details in Slack, like C0123456789`},
		{relay("slack: {token_file: t, webhook_url_file: u}"), "7: relays[0].slack: token_file, webhook_url_file: more than one way to post; keep one"},
		{relay("slack: {channel: C0123456, webhook_url_file: u}"), "7: relays[0].slack.channel: goes with token_file: an incoming webhook has its own channel; take it out"},
		{relay("slack: {group: {}, webhook_url_file: u}"), "7: relays[0].slack.group: goes with token_file: an incoming webhook takes one message an event; take it out"},
		{relay("slack: {tokenfile: xoxb}"), `7: relays[0].slack.tokenfile: unknown key; did you mean "token_file"?`},
		{relay(good + ", broadcast: [fail]}"), `7: relays[0].slack.broadcast[0]: "fail": wants queued, active, held, succeeded, partial, failed, killed, unknown, lost or stalled`},
		{relay(good + ", group: {by: agent}}"), `7: relays[0].slack.group.by: "agent": wants client, client_group, subclient or commcell`},
		{relay(good + ", group: {within: 0s}}"), `7: relays[0].slack.group.within: "0s": wants a duration above 0`},
		{relay(good + ", links: {a: \"cs/{id}\"}}"), `7: relays[0].slack.links.a: "cs/{id}": wants http:// or https:// in front, and a host; write it like https://cs.example.com/commandcenter/#/jobs/{id}`},
		{relay(good + ", links: {a: \"https://cs/{job}\"}}"), `7: relays[0].slack.links.a: "https://cs/{job}": knows no {job}; what is filled in is {id} and {commcell}`},
		{relay(good + ", links: {a: \"https://cs/<b>\"}}"), `7: relays[0].slack.links.a: "https://cs/<b>": wants http:// or https:// in front, and a host; write it like https://cs.example.com/commandcenter/#/jobs/{id}`},
		{relay(good + ", api_url: slack.com}"), `7: relays[0].slack.api_url: "slack.com": wants https:// in front, and a host; write it like https://hooks.example.com/backup`},
	})
}

// A webhook's address may hold a secret: no error shows it.
func TestWebhookOfARelay(t *testing.T) {
	const good = "webhook: {url: https://a"
	check(t, []row{
		{relay("webhook: {}"), "7: relays[0].webhook: no address; set url, or url_file where it holds a secret"},
		{relay(good + ", url_file: u}"), "7: relays[0].webhook: url, url_file: more than one address; keep one"},
		{relay("webhook: {url: \"http://a/hunter2\"}"), "7: relays[0].webhook.url: wants https://: over http:// everybody on the way can read and change it; set allow_http: true if that is meant"},
		{relay("webhook: {url: \"ftp://a/hunter2\"}"), "7: relays[0].webhook.url: wants https:// in front, and a host; write it like https://hooks.example.com/backup"},
		{relay("webhook: {url: \"https://me:hunter2@a\"}"), "7: relays[0].webhook.url: wants no user in it; set headers: {Authorization: {value_file: …}}"},
		{relay("webhook: {url: \"https://a#hunter2\"}"), "7: relays[0].webhook.url: wants no # in it: what is behind it would never be sent"},
		{relay(good + ", secret_files: [\"\"]}"), `7: relays[0].webhook.secret_files[0]: "": wants a value; leave it out otherwise`},
		{relay(good + ", headers: {a b: {value_file: a}}}"), `7: relays[0].webhook.headers."a b": no name of a header; write it like X-Api-Key`},
		{relay(good + ", headers: {webhook-ID: {value_file: a}}}"), "7: relays[0].webhook.headers.webhook-ID: is set by jobwatch itself; take it out"},
		{relay(good + ", headers: {Jobwatch-Attempt: {value_file: a}}}"), "7: relays[0].webhook.headers.Jobwatch-Attempt: is set by jobwatch itself; take it out"},
		{relay(good + ", headers: {a: {value_file: a}, A: {value_file: b}}}"), "7: relays[0].webhook.headers.A: the same header as on line 7; keep one"},
		{relay(good + ", headers: {a: hunter2}}"), "7: relays[0].webhook.headers.a: wants keys with values, not text"},
		{relay(good + ", headers: {a: {}}}"), "7: relays[0].webhook.headers.a: without a value; write {value_file: …}, the file that holds it"},
		{relay(good + ", body: {a: .nan}}"), "7: relays[0].webhook.body.a: wants a number that JSON knows"},
		{relay(good + ", body: {a: b, a: c}}"), "7: relays[0].webhook.body.a: set twice, first on line 7; keep one"},
		{relay(good + ", body: {a: \"${MISSING}\"}}"), "7: relays[0].webhook.body.a: the environment variable MISSING is not set; set it, or write $${ for a plain ${"},
		{relay("webhook: {url: https://a, allow: [10.1.2.3/8]}"), `7: relays[0].webhook.allow[0]: "10.1.2.3/8": has bits behind the prefix; write 10.0.0.0/8`},
		{relay("webhook: {url: https://a, allow: [intranet]}"), `7: relays[0].webhook.allow[0]: "intranet": wants a network; write it like 10.20.0.0/16, or 10.20.1.5 for one address`},
		{relay(good + ", tls: {cert_file: c}}"), "7: relays[0].webhook.tls: cert_file and key_file go together; set both or neither"},
	})
}

func TestBodyThatNeverEnds(t *testing.T) {
	deep := relay("webhook:\n  url: https://a\n  body: &a {x: *a}")
	wide := relay("webhook:\n  url: https://a\n  body:\n    a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n    b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
		"    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n    d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n    e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]")
	for _, text := range []string{deep, wide} {
		if got := refused(t, text); !strings.Contains(got, "more than 10000 values, or more than 50 deep in each other") || strings.Contains(got, "\n") {
			t.Errorf("got %s", got)
		}
	}
}

func TestEmailOfARelay(t *testing.T) {
	check(t, []row{
		{relay("email: {}"), "7: relays[0].email.server: missing; write it like mail.example.com:587\n7: relays[0].email.from: missing; write it like backup@example.com\n7: relays[0].email.to: missing; write it like [ops@example.com]"},
		{relay("email: {server: mail, from: a@b, to: [c@d]}"), `7: relays[0].email.server: "mail": wants host:port; write it like mail.example.com:587`},
		{relay("email: {server: 'mail:25', from: a, to: [c@d]}"), `7: relays[0].email.from: "a": no address; write it like backup@example.com or "Backup <backup@example.com>"`},
		{relay("email: {server: 'mail:25', from: a@b, to: [c@d, e]}"), `7: relays[0].email.to[1]: "e": no address; write it like backup@example.com or "Backup <backup@example.com>"`},
		{relay("email: {server: 'mail:25', from: a@b, to: []}"), "7: relays[0].email.to: missing; write it like [ops@example.com]"},
		{relay("email: {server: 'mail:25', from: a@b, to: [c@d], tls: ssl}"), `7: relays[0].email.tls: "ssl": wants starttls, implicit or none`},
		{relay("email: {server: 'mail:25', from: a@b, to: [c@d], username: u}"), "7: relays[0].email: username and password_file go together; set both or neither"},
	})
}

func TestAuditOfARelay(t *testing.T) {
	check(t, []row{
		{relay("audit: {rotate: {size: 64}, keep: -1}"), "7: relays[0].audit.keep: -1: wants 0 or more"},
		{relay("audit: {rotate: {size: 0}}"), "7: relays[0].audit.rotate.size: 0: wants a size above 0; write it like 64MiB"},
		{relay("audit: {rotate: {size: 64 megs}}"), `7: relays[0].audit.rotate.size: "64 megs": wants a size above 0; write it like 64MiB`},
		{relay("audit: {rotate: {age: 1d}}"), `7: relays[0].audit.rotate.age: "1d": time: unknown unit "d" in duration; try "24h"`},
		{relay("audit: {dir: a}") + "  - name: b\n    audit: {dir: ./a}\n", "9: relays[1].audit.dir: the folder of the relay on line 7 too; give each its own"},
	})
}

// TestCompleteFileShowsEveryKeyOfARelay asks the reader for the keys that it knows.
func TestCompleteFileShowsEveryKeyOfARelay(t *testing.T) {
	data, err := os.ReadFile(completeFile)
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(data), "\nrelays:")
	for _, text := range []string{
		relay("%"), relay("slack: {%}"), relay("slack: {group: {%}}"), relay("webhook: {%}"), relay("webhook: {tls: {%}}"),
		relay("email: {%}"), relay("audit: {%}"), relay("audit: {rotate: {%}}"),
	} {
		for _, key := range knownKeys(t, text) {
			if !strings.Contains(shown, " "+key+":") {
				t.Errorf("%s lacks %s", completeFile, key)
			}
		}
	}
}
