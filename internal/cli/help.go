package cli

import "github.com/spf13/cobra"

// inOneVoice has cobra's own commands speak as ours do, and a shell offer files only where a command says so.
func inOneVoice(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short, c.Long = "Say what a command does", "help says of a command what watcher COMMAND --help says."
			c.Example = "  watcher help jobs list"
		case "completion":
			c.Short, c.Long = "Print what a shell needs to complete commands, jobs, clients and flags", "completion prints a script for a shell."
			c.Example = "  source <(watcher completion bash)\n  watcher completion zsh > \"${fpath[1]}/_watcher\""
			for _, shell := range c.Commands() {
				shell.Short = "Print the script for " + shell.Name()
				shell.Example = "  watcher completion " + shell.Name()
			}
		}
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
}
