package cli

import (
	"context"
	"os"

	"golang.org/x/term"
)

// unless gives what is read, or the end of the context: a read of a terminal knows of none.
func unless(ctx context.Context, read func() (string, error)) (string, error) {
	type line struct {
		text string
		err  error
	}
	came := make(chan line, 1)
	go func() {
		text, err := read()
		came <- line{text, err}
	}()
	select {
	case l := <-came:
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// typedLine reads a byte at a time: what is typed ahead is the next question's.
func typedLine(in *os.File) (string, error) {
	var line []byte
	for next := make([]byte, 1); ; {
		if _, err := in.Read(next); err != nil {
			return "", err
		}
		if next[0] == '\n' {
			return string(line), nil
		}
		line = append(line, next[0])
	}
}

// typedSecret leaves the terminal as it was, also where the reading is given up.
func typedSecret(ctx context.Context, in *os.File) (string, error) {
	terminal := int(in.Fd())
	state, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(terminal, state) }()
	return unless(ctx, func() (string, error) {
		secret, err := term.ReadPassword(terminal)
		return string(secret), err
	})
}
