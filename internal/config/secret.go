package config

import (
	"errors"
	"io"
	"os"
	"strings"
)

// maxSecret is many times a token; it keeps a wrong name (a device, a log) from being read whole.
const maxSecret = 64 << 10

// ReadSecret reads the secret in a file, without the line end behind it.
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
	if err := oneLine(secret); err != nil {
		return refuse(err.Error())
	}
	return secret, nil
}

func trimLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

func oneLine(secret string) error {
	if strings.ContainsAny(trimLineEnd(secret), "\r\n\x00") {
		return errors.New("holds more than one line; keep the secret alone")
	}
	return nil
}
