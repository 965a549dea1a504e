package setup

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Person is who is asked.
type Person struct {
	Out    io.Writer
	Line   func() (string, error)                             // what is typed next, without its end
	Secret func() (string, error)                             // the same, and it does not show
	Keep   func(name, secret string) (file string, err error) // puts a secret into a file of its own
}

// ErrNoAnswer ends the questions where nobody answers any more.
var ErrNoAnswer = errors.New("no answer; nothing is written")

type question struct {
	text     string
	usual    string // taken for an empty answer
	optional bool   // an empty answer is one
	check    func(string) error
}

// Complete asks for what the answers lack.
func (p *Person) Complete(a Answers) (Answers, error) {
	for _, about := range []func(*Answers) error{p.commCell, p.login, p.nats} {
		if err := about(&a); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (p *Person) commCell(a *Answers) (err error) {
	if a.URL != "" {
		return nil
	}
	if a.CommCell, err = p.ask(question{text: "A short name for the CommCell; each subject has it", usual: a.CommCell, check: checkName}); err != nil {
		return err
	}
	a.URL, err = p.ask(question{text: "The root of its REST API (https://cs.example.com/commandcenter/api)", check: checkURL})
	return err
}

func (p *Person) login(a *Answers) (err error) {
	if a.TokenFile != "" {
		return nil
	}
	if a.Username == "" {
		if a.Username, err = p.ask(question{text: "A user who may see the jobs (empty: there is a token)", optional: true}); err != nil {
			return err
		}
	}
	switch {
	case a.Username == "":
		a.TokenFile, err = p.secret("The token", a.CommCell+".token")
	case a.PasswordFile == "":
		a.PasswordFile, err = p.secret("Password of "+a.Username, a.CommCell+".password")
	}
	return err
}

func (p *Person) nats(a *Answers) (err error) {
	if a.NATS != "" {
		return nil
	}
	a.NATS, err = p.ask(question{text: "NATS server, as nats://nats.example.com:4222 (empty: one inside the watcher)", optional: true, check: checkNATS})
	if err != nil || a.NATS == "" || a.NATSCreds != "" {
		return err
	}
	a.NATSCreds, err = p.ask(question{text: "File of NATS credentials (empty: none)", optional: true})
	return err
}

func (p *Person) ask(q question) (string, error) {
	text := q.text
	if q.usual != "" {
		text += " [" + q.usual + "]"
	}
	for {
		fmt.Fprint(p.Out, text+": ")
		line, err := p.Line()
		if err != nil {
			return "", ErrNoAnswer
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = q.usual
		}
		if answer == "" && q.optional {
			return "", nil
		}
		if answer != "" && q.check == nil {
			return answer, nil
		}
		if err := q.check(answer); err != nil {
			fmt.Fprintf(p.Out, "  %v\n", err)
			continue
		}
		return answer, nil
	}
}

func (p *Person) secret(what, name string) (string, error) {
	for {
		fmt.Fprintf(p.Out, "%s (does not show; is kept in %s): ", what, name)
		secret, err := p.Secret()
		fmt.Fprintln(p.Out)
		if err != nil {
			return "", ErrNoAnswer
		}
		if secret != "" {
			return p.Keep(name, secret)
		}
	}
}

// Agrees asks whether to go on; all but a yes is a no.
func (p *Person) Agrees(text string) bool {
	fmt.Fprintf(p.Out, "%s [y/N]: ", text)
	line, err := p.Line()
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "y" || answer == "yes")
}
