package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"jobwatch/internal/audit"
	"jobwatch/internal/printable"
)

func newAuditProve() *cobra.Command {
	c := &cobra.Command{
		Use:   "prove DIR N",
		Short: "Print a proof that line N is in the log, or check one",
		Long: "prove prints an inclusion proof in the form of https://c2sp.org/tlog-proof, whose index is N-1, and whose extra data is\n" +
			"the line. Who has it and the verifier key needs nothing else of the log: prove --check prints the line that it proves.",
		Example: "  watcher audit prove data/audit/trail 1248 > 1248.tlog-proof\n" +
			"  watcher audit prove --check 1248.tlog-proof --key data/audit/trail.key.pub",

		ValidArgsFunction: completeDir,
	}
	key := keyFlag(c)
	check := c.Flags().String("check", "", "check the proof in this `file` (-: standard input), by --key, and print its line")
	line := c.Flags().String("line", "", "the line that is proved, in a `file`, where the proof does not hold it")
	completeFlag(c, "check", completeFile)
	completeFlag(c, "line", completeFile)
	c.Args = func(c *cobra.Command, args []string) error {
		if *check != "" {
			return cobra.NoArgs(c, args)
		}
		return cobra.ExactArgs(2)(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if *check != "" {
			return checkProof(c, *check, *key, *line)
		}
		n, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return fmt.Errorf("%q: no number of a line; write one as 1248", args[1])
		}
		proof, err := audit.Prove(args[0], n)
		if err != nil {
			return fail(err)
		}
		_, err = c.OutOrStdout().Write(proof)
		return fail(err)
	}
	return c
}

func checkProof(c *cobra.Command, file, key, lineFile string) error {
	keys, err := keyText(key)
	if err != nil {
		return err
	}
	if keys == "" {
		return errors.New("--check: wants --key, the verifier key of the log: without it a proof proves nothing")
	}
	proof, err := readInput(c.InOrStdin(), file)
	if err != nil {
		return err
	}
	var line []byte
	if lineFile != "" {
		if line, err = os.ReadFile(lineFile); err != nil {
			return err
		}
		line = trimNewline(line)
	}
	p, err := audit.CheckProof(proof, keys, line)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", file, err))
	}
	_, err = fmt.Fprintf(printable.JSON{Out: c.OutOrStdout()}, "%s\n", p.Line)
	if err == nil {
		_, err = fmt.Fprintf(c.ErrOrStderr(), "proved: line %d of %s, of whose %d lines %v has signed the root\n", p.N, printable.Line(p.Origin), p.Size, p.By)
	}
	return fail(err)
}

func trimNewline(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1]
	}
	return line
}
