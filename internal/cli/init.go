package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/doctor"
	"jobwatch/internal/setup"
	"jobwatch/internal/stream"
)

func newInit() *cobra.Command {
	answers := setup.Usual()
	var force, unchecked bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a first configuration, and try it out",
		Long: "init writes a configuration with comments to the file that -c names. What no flag says, it asks for on a\n" +
			"terminal; a password or token that is typed there goes into a file of its own that nobody else may read. Then it\n" +
			"looks at all that the configuration names, as watcher check does, and writes it if nothing failed.",
		Example: "  watcher init\n" +
			"  watcher init -c /etc/jobwatch/watcher.yaml --url https://cs.example.com/commandcenter/api --user watcher --password-file /etc/jobwatch/password --store /var/lib/jobwatch/watcher.db --socket-group jobwatch\n" +
			"  watcher init --url https://cs.example.com/commandcenter/api --token-file token --nats nats://nats.example.com:4222",
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	text := func(to *string, name, usage string) { flags.StringVar(to, name, *to, usage) }
	text(&answers.CommCell, "commcell", "a `name` for the CommCell")
	text(&answers.URL, "url", "the root of its REST API")
	text(&answers.Username, "user", "a `name` to log in with")
	text(&answers.Domain, "domain", "of the user")
	text(&answers.PasswordFile, "password-file", "the `file` that holds the password")
	text(&answers.TokenFile, "token-file", "the `file` that holds a token, in place of a user")
	text(&answers.CAFile, "ca-file", "the `file` of the authority that signed the web server's certificate")
	text(&answers.NATS, "nats", "`servers`, with commas between them; left out: one inside the watcher")
	text(&answers.NATSCreds, "nats-creds", "the `file` of NATS credentials")
	text(&answers.Stream, "stream", "the `name` of the stream")
	text(&answers.Store, "store", "the `file` for what the watcher remembers, from the configuration's folder")
	text(&answers.SocketGroup, "socket-group", "a `group` whose members may command the watcher; left out: its user alone")
	text(&answers.HTTP, "http", "the `address` of page, API and metrics; empty: none")
	flags.BoolVar(&force, "force", false, "write over a file that is there")
	flags.BoolVar(&unchecked, "unchecked", false, "write without trying it out")
	for _, name := range []string{"password-file", "token-file", "ca-file", "nats-creds", "store"} {
		completeFlag(c, name, completeFile)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		file, _ := c.Flags().GetString("config")
		w := &writing{file: file, folder: filepath.Dir(file), out: c.OutOrStdout()}
		if err := w.look(); err != nil {
			return fail(err)
		}
		if _, err := os.Lstat(file); err == nil && !force {
			return fmt.Errorf("%s is there already; name another file with -c, or say --force", file)
		}
		w.fromHere(&answers.PasswordFile, &answers.TokenFile, &answers.CAFile, &answers.NATSCreds)
		person, ask := w.person(c)
		if ask {
			var err error
			if answers, err = person.Complete(answers); err != nil {
				return w.undo(fail(err))
			}
		} else if lacks := answers.Lacking(); len(lacks) > 0 {
			return fmt.Errorf("%s: not said, and there is no terminal to ask on; see watcher init --help", strings.Join(lacks, "; "))
		}
		if err := w.draft(answers); err != nil {
			return w.undo(err)
		}
		if !unchecked {
			if failures := w.try(c.Context()); failures > 0 && (!ask || !person.Agrees(fmt.Sprintf("%d failed. Write it all the same?", failures))) {
				return w.undo(fail(fmt.Errorf("%s is not written, since %d of the checks failed; mend what they name, or say --unchecked", file, failures)))
			}
		}
		if err := os.Rename(w.temporary, file); err != nil {
			return w.undo(fail(err))
		}
		with := ""
		if file != c.Flag("config").DefValue {
			with = " -c " + file
		}
		fmt.Fprintf(c.OutOrStdout(), "\n%s is written. Next: watcher run%s, and in another shell watcher tail%s\n", file, with, with)
		return nil
	}
	return c
}

// writing is a configuration on its way to its file, and what is taken back if it doesn't get there.
type writing struct {
	file, folder string
	out          io.Writer
	mode         fs.FileMode // of what is written
	temporary    string
	secrets      []string // files that were made
}

// look finds the folder, and who may read there: a folder that gives its group to its files means that group to.
func (w *writing) look() error {
	info, err := os.Stat(w.folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: no such folder; make it first", w.folder)
	case err != nil:
		return err
	case info.Mode()&fs.ModeSetgid != 0:
		w.mode = 0o640
	default:
		w.mode = 0o600
	}
	return nil
}

// fromHere turns names that are meant from the working directory into what the file is to say.
func (w *writing) fromHere(names ...*string) {
	folder, err := filepath.Abs(w.folder)
	for _, name := range names {
		if *name == "" || err != nil {
			continue
		}
		if whole, err := filepath.Abs(*name); err == nil && filepath.Dir(whole) == folder {
			*name = filepath.Base(whole)
		} else if err == nil {
			*name = whole
		}
	}
}

// person is who sits at the terminal, if anybody does.
func (w *writing) person(c *cobra.Command) (*setup.Person, bool) {
	in, is := c.InOrStdin().(*os.File)
	if !is || !term.IsTerminal(int(in.Fd())) {
		return nil, false
	}
	return &setup.Person{
		Out:    c.OutOrStdout(),
		Line:   func() (string, error) { return unless(c.Context(), func() (string, error) { return typedLine(in) }) },
		Secret: func() (string, error) { return typedSecret(c.Context(), in) },
		Keep:   w.keep,
	}, true
}

func (w *writing) keep(name, secret string) (string, error) {
	path := filepath.Join(w.folder, name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, w.mode)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%s is there already; remove it, or name it with --password-file or --token-file", path)
	}
	if err != nil {
		return "", err
	}
	w.secrets = append(w.secrets, path)
	_, err = file.WriteString(secret + "\n")
	return name, errors.Join(err, file.Close())
}

// draft writes beside the file: names in it are looked for from its folder.
func (w *writing) draft(a setup.Answers) error {
	draft, err := os.CreateTemp(w.folder, ".init-*.yaml")
	if err != nil {
		return fail(err)
	}
	w.temporary = draft.Name()
	_, err = draft.WriteString(a.Text())
	if err := errors.Join(err, draft.Chmod(w.mode), draft.Close()); err != nil {
		return fail(err)
	}
	cfg, err := config.Load(w.temporary)
	if err == nil {
		err = daemon.CheckSocket(cfg)
	}
	if err != nil {
		return errors.New(w.called(err.Error()))
	}
	return nil
}

// called says the file's own name for the draft's.
func (w *writing) called(text string) string { return strings.ReplaceAll(text, w.temporary, w.file) }

func (w *writing) try(ctx context.Context) (failures int) {
	cfg, err := config.Load(w.temporary)
	if err != nil {
		return 1 // draft has loaded it
	}
	group := ""
	doctor.Check(ctx, cfg, w.file, version(), func(f doctor.Finding) {
		f.Text = w.called(f.Text)
		_ = printFinding(w.out, f, f.Group != group) // who has gone away learns it by the status
		group = f.Group
		if f.Grade == stream.Failed {
			failures++
		}
	})
	return failures
}

// undo removes what was made, since the configuration that names it is not there.
func (w *writing) undo(because error) error {
	for _, file := range append(w.secrets, w.temporary) {
		if file != "" {
			_ = os.Remove(file)
		}
	}
	return because
}
