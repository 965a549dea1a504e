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
		"h\tünter":     "h\tünter",
		"hun\uFEFFter": "hun\uFEFFter",
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
		"none":     {"hunter2\n\n", "holds more than one line; keep the secret alone"},
		"CR":       {"hunter2\rhunter2", "holds more than one line; keep the secret alone"},
		"unicode":  {"hunter2\u2028hunter2", "holds more than one line; keep the secret alone"},
		"BOM":      {"\uFEFFhunter2\n", "begins with a byte order mark; save it as UTF-8 without one"},
		"BOM-only": {"\uFEFF\r\n", "begins with a byte order mark; save it as UTF-8 without one"},
		"BOM-two":  {"\uFEFFhunter2\nhunter2", "begins with a byte order mark; save it as UTF-8 without one"},
		"UTF-16LE": {"\xff\xfeh\x00u\x00\n\x00", "is UTF-16, with a byte order mark; save it as UTF-8 without one"},
		"UTF-16BE": {"\xfe\xff\x00h\x00u\x00\n", "is UTF-16, with a byte order mark; save it as UTF-8 without one"},
		"no-BOM":   {"h\x00u\x00\n\x00", "holds a NUL; is it UTF-16? Save it as UTF-8"},
		"NUL":      {"hunter2\x00\n", "holds a NUL; is it UTF-16? Save it as UTF-8"},
		"Latin-1":  {"h\xfcnter2", "is not UTF-8; save it as UTF-8"},
		"first":    {"\u200Bhunter2", "begins with an invisible character (U+200B); take it out"},
		"last":     {"hunter2\u200E\n", "ends in an invisible character (U+200E); take it out"},
		"escape":   {"hunter\x1b[D2", "holds a control character (U+001B); take it out"},
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
		filepath.Join(dir, "missing"): "no such file or directory; write the secret into it, or mend the path",
		dir:                           "is a directory",
	} {
		_, err := ReadSecret("nats.token_file", file)
		if want := "nats.token_file: " + file + ": " + want; err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
