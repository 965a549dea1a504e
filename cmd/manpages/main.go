// Command manpages writes a man page for each command of watcher into a folder: for packages. It is no part of the program.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"jobwatch/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "manpages DIR: wants the folder to write to")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes the pages. Their date is SOURCE_DATE_EPOCH's, where that is set.
func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := cli.Root()
	root.DisableAutoGenTag = true
	plain(root)
	return doc.GenManTree(root, &doc.GenManHeader{Title: "WATCHER", Section: "1", Source: "jobwatch", Manual: "jobwatch"}, dir)
}

// plain keeps texts from being taken for Markdown, which the generator reads: <commcell> would be a tag, and vanish.
func plain(c *cobra.Command) {
	c.Short, c.Long, c.Use = escape(c.Short), escape(c.Long), escape(c.Use)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = escapeUsage(f.Usage) })
	for _, below := range c.Commands() {
		plain(below)
	}
}

var markdown = strings.NewReplacer(`\`, `\\`, `<`, `\<`, `>`, `\>`, `*`, `\*`, `_`, `\_`, `#`, `\#`, `[`, `\[`, `]`, `\]`, `|`, `\|`)

func escape(text string) string { return markdown.Replace(text) }

// escapeUsage is once for a flag, which commands below may share.
func escapeUsage(text string) string {
	if strings.Contains(text, `\`) {
		return text
	}
	return escape(text)
}
