package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSecret is many times a token; it keeps a wrong name (a device, a log) from being read whole.
const maxSecret = 64 << 10

// ReadSecret reads the secret in a file, without the line end behind it. What can only be sent wrong is refused.
// key is the configuration's key that names the file ("commcells[0].auth.token_file").
// The error names key, file and mend, never what the file holds.
func ReadSecret(key, file string) (string, error) {
	refuse := func(problem string) (string, error) {
		return "", errors.New(key + ": " + file + ": " + problem)
	}
	f, err := os.Open(file)
	if err != nil {
		return refuse(reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return refuse(reason(err))
	}
	secret := trimLineEnd(string(data))
	if secret == "" {
		return refuse("empty; write the secret into it")
	}
	if len(data) > maxSecret {
		return refuse("larger than 64 KiB; is it the right file?")
	}
	if err := sendable(secret); err != nil {
		return refuse(err.Error())
	}
	return secret, nil
}

func trimLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// sendable refuses what an editor or a shell leaves in a secret and nobody sees. Sent along, the secret would be a wrong
// one, and each try counts towards a lock-out.
func sendable(secret string) error {
	first, _ := utf8.DecodeRuneInString(secret)
	last, _ := utf8.DecodeLastRuneInString(secret)
	switch {
	case strings.HasPrefix(secret, "\uFEFF"):
		return errors.New("begins with a byte order mark; save it as UTF-8 without one")
	case strings.HasPrefix(secret, "\xff\xfe"), strings.HasPrefix(secret, "\xfe\xff"):
		return errors.New("is UTF-16, with a byte order mark; save it as UTF-8 without one")
	case strings.Contains(secret, "\x00"):
		return errors.New("holds a NUL; is it UTF-16? Save it as UTF-8")
	case strings.ContainsAny(secret, "\n\r\v\f\u0085\u2028\u2029"):
		return errors.New("holds more than one line; keep the secret alone")
	case !utf8.ValidString(secret):
		return errors.New("is not UTF-8; save it as UTF-8")
	case unicode.Is(unicode.Cf, first):
		return fmt.Errorf("begins with an invisible character (%U); take it out", first)
	case unicode.Is(unicode.Cf, last):
		return fmt.Errorf("ends in an invisible character (%U); take it out", last)
	}
	for _, r := range secret {
		if unicode.IsControl(r) && r != '\t' {
			return fmt.Errorf("holds a control character (%U); take it out", r)
		}
	}
	return nil
}
