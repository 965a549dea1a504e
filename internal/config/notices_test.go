package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	open := []string{"watcher.yaml:5: nats.embedded.listen: whoever reaches 0.0.0.0:4222 may read and write the stream; " +
		"set nats.user and nats.password_file, or listen on 127.0.0.1"}
	openHTTP := []string{"watcher.yaml:5: http.listen: whoever reaches 0.0.0.0:9480 may read all jobs and events; " +
		"set http.token_file or http.tls.client_ca_file, or listen on 127.0.0.1"}
	pair, inCluster := auth("access_token_file: a, refresh_token_file: b"), "nats: {url: nats://a}\ncluster: {enabled: true}\n"
	for _, row := range []struct {
		text string
		want []string
	}{
		{minimal, nil},
		{section("nats: {embedded: {listen: '0.0.0.0:4222'}}"), open},
		{section("nats: {embedded: {listen: '0.0.0.0:4222'}, user: a, password_file: b}"), nil},
		{section("nats: {embedded: {listen: '0.0.0.0:4222'}, token_file: a}"), nil},
		{section("nats: {embedded: {listen: '0.0.0.0:4222'}, url: nats://a}"), nil},
		{section("nats: {embedded: {listen: '127.8.0.1:4222'}}"), nil},
		{section("nats: {embedded: {listen: '[::1]:4222'}}"), nil},
		{section("nats: {embedded: {listen: 'localhost:4222'}}"), nil},
		{section("http: {listen: '0.0.0.0:9480'}"), openHTTP},
		{section("http: {listen: '0.0.0.0:9480', tls: {cert_file: a, key_file: b}}"), openHTTP},
		{section("http: {listen: '0.0.0.0:9480', tls: {cert_file: a, key_file: b, client_ca_file: c}}"), nil},
		{section("http: {listen: '0.0.0.0:9480', token_file: a}"), nil},
		{section("http: {listen: '127.0.0.1:1'}"), nil},
		{section("http: {listen: ''}"), nil},
		{pair + inCluster, []string{"watcher.yaml:4: commcells[0].auth.refresh_token_file: a pair of tokens serves one machine; " +
			"make one for each, or use token_file or username"}},
		{pair, nil},
		{strings.Replace(minimal, "https://cs", "http://cs", 1), []string{"watcher.yaml:3: commcells[0].url: tokens, passwords and answers cross the network " +
			"to cs.example.com unencrypted; write https://"}},
		{strings.Replace(minimal, "https://cs.example.com", "http://127.0.0.1:81", 1), nil},
		{strings.Replace(minimal, "https://cs.example.com", "http://localhost:81", 1), nil},
		{commcell("tls: {insecure_skip_verify: true}"), []string{"watcher.yaml:5: commcells[0].tls.insecure_skip_verify: whoever stands between gets " +
			"the login, and answers in the CommServe's place; set tls.ca_file to the certificate of who signed its own"}},
		{section("nats: {url: tls://a, tls: {insecure_skip_verify: true}}"), []string{"watcher.yaml:5: nats.tls.insecure_skip_verify: whoever stands " +
			"between gets the login, and reads and writes the stream; set tls.ca_file to the certificate of who signed its own"}},
		{minimal + inCluster, nil},
	} {
		if got := parse(t, row.text).Warnings(); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s\n got %q\nwant %q", row.text, got, row.want)
		}
	}
	for _, listen := range []string{":4222", "[::]:4222", "10.0.0.1:4222", "cs.example.com:4222"} {
		if got := parse(t, section("nats: {embedded: {listen: '"+listen+"'}}")).Warnings(); len(got) != 1 {
			t.Errorf("%s: got %q, want a warning", listen, got)
		}
	}
}
