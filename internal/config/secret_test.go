package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSecret(t *testing.T) {
	for content, want := range map[string]string{
		"hunter2":      "hunter2",
		"hunter2\n":    "hunter2",
		"hunter2\r\n":  "hunter2",
		" hunter 2 \n": " hunter 2 ",
	} {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, content)
		if got, err := ReadSecret("nats.token_file", file); got != want || err != nil {
			t.Errorf("%q: got %q, %v", content, got, err)
		}
	}
}

func TestReadSecretErrors(t *testing.T) {
	dir := t.TempDir()
	for name, row := range map[string]row{
		"empty":    {"", "empty; write the secret into it"},
		"line-end": {"\n", "empty; write the secret into it"},
		"two":      {"hunter2\nhunter2\n", "holds more than one line; keep the secret alone"},
		"large":    {strings.Repeat("hunter2", 10_000), "larger than 64 KiB; is it the right file?"},
	} {
		file := filepath.Join(dir, name)
		write(t, file, row.text)
		_, err := ReadSecret("nats.token_file", file)
		if want := "nats.token_file: " + file + ": " + row.want; err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "missing"): "no such file or directory",
		dir:                           "is a directory",
	} {
		_, err := ReadSecret("nats.token_file", file)
		if want := "nats.token_file: " + file + ": " + want; err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
