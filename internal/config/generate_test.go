package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

//go:generate go test -run TestGeneratedFiles -update .

var update = flag.Bool("update", false, "write the files that are generated from keys.go")

// TestGeneratedFiles holds what is generated from keys.go to be what keys.go says.
func TestGeneratedFiles(t *testing.T) {
	for file, want := range map[string]string{
		"../../configs/watcher.schema.json": schemaText(t),
		completeFile:                        completeText(),
		"../../docs/configuration.md":       docsText(),
	} {
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what keys.go says; mend with: go generate ./internal/config", file)
		}
	}
}

// schemaText is what watcher config schema prints.
func schemaText(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(Schema()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// completeText is configs/watcher.yaml: every key with its default.
func completeText() string {
	return `# yaml-language-server: $schema=watcher.schema.json
#
# Every key there is, with the value it has when the key is left out; only name, url and the way to
# log in have none. Start from configs/minimal.yaml and take from here what you want otherwise.
#
# ${NAME} in a value is the environment variable NAME, and must be set; $${ is a plain ${.
# Durations are written 5s, 10m, 168h. ` + "`watcher check -c FILE`" + ` tells what is wrong, and tries it out.
# A running watcher takes an edited file by itself, but for nats, store, http, log.format, cluster, severity and metrics.
# Names of files that do not begin with / are looked for from the folder of this file.
# A relay stands here as a comment, with each key that it may have.
#
# Generated from internal/config/keys.go.
` + sectionText("", "", "", new(Config).keys())
}

// sectionText has the keys below path; first is what stands in front of the first one, instead of indent.
// A sentence that is too long to stand behind its key stands above it.
func sectionText(path, first, indent string, keys []key) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			first = indent
		}
		comment := sentence(k)
		line := first + k.name + ":" + defaultText(path+k.name, k.value)
		behind := fmt.Sprintf("%-31s # %s", line, comment)
		above := len([]rune(behind)) > 121 || strings.Contains(comment, "\n")
		if path == "" || above && i > 0 {
			b.WriteString("\n")
		}
		if above {
			b.WriteString(indent + "# " + strings.Join(wrap(comment, 116-len(indent)), "\n"+indent+"# ") + "\n" + line + "\n")
		} else {
			b.WriteString(behind + "\n")
		}
		switch {
		case k.name == "commcells":
			b.WriteString(sectionText("commcells.", indent+"  - ", indent+"    ", k.value.keys))
		case k.name == "relays":
			b.WriteString(asComment(sectionText("relays.", indent+"  - ", indent+"    ", k.value.keys)))
		case k.value.keys != nil && !isFilter(k.name):
			b.WriteString(sectionText(path+k.name+".", indent+"  ", indent+"  ", k.value.keys))
		}
	}
	return b.String()
}

// asComment puts a # in the place of each line's first space.
func asComment(text string) string {
	return regexp.MustCompile(`(?m)^ ?`).ReplaceAllString(strings.TrimSuffix(text, "\n"), "#") + "\n"
}

// sentence documents a key, and names its words.
func sentence(k key) string {
	words := words(k.value)
	for _, word := range words {
		if !strings.Contains(k.doc, word) {
			return strings.Join(words, ", ") + "; " + k.doc
		}
	}
	return k.doc
}

// words are those of which the value is one, if there are such.
func words(v value) []string {
	var words []string
	if len(v.schema.AnyOf) > 0 {
		for _, word := range v.schema.AnyOf[0].Enum {
			words = append(words, word.(string))
		}
	}
	return words
}

// isFilter tells a section whose keys are one table for all that are like it.
func isFilter(name string) bool {
	return slices.Contains([]string{"include", "exclude", "match"}, name)
}

// keys that have no default, and a value that shows what they are for.
var examples = map[string]string{
	"commcells.name":            "prod",
	"commcells.url":             "https://cs.example.com/webconsole/api",
	"commcells.auth.token_file": "/run/secrets/cv-token",
	"relays.name":               "ops",
}

var needsNoQuotes = regexp.MustCompile(`^"[A-Za-z0-9][A-Za-z0-9./:]*"$`)

// defaultText is the default as YAML, behind a space.
func defaultText(key string, v value) string {
	if example, ok := examples[key]; ok {
		return " " + example
	}
	switch def := strings.ReplaceAll(string(v.schema.Default), `","`, `", "`); {
	case needsNoQuotes.MatchString(def):
		return " " + strings.Trim(def, `"`)
	case def != "":
		return " " + def
	case v.keys != nil && isFilter(key[strings.LastIndexByte(key, '.')+1:]):
		return " {}"
	}
	return ""
}

func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && len([]rune(line+" "+word)) > width {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		lines = append(lines, line)
	}
	return lines
}

// docsText is docs/configuration.md.
func docsText() string {
	return `<!-- Generated from internal/config/keys.go by go generate ./internal/config; a test holds it up to date. -->

# The configuration

One YAML file, ` + "`watcher.yaml`" + ` unless ` + "`-c FILE`" + ` names another. The smallest is
[configs/minimal.yaml](../configs/minimal.yaml); [configs/watcher.yaml](../configs/watcher.yaml) has every key with its
default. ` + "`watcher check`" + ` tells all that is wrong with a file, with line, key and what to write instead, and tries it out.

- Durations are Go's: ` + "`30s`, `10m`, `168h`" + `.
- ` + "`${NAME}`" + ` in a value is the environment variable NAME, and must be set; ` + "`$${`" + ` is a plain ` + "`${`" + `. What it holds
  is taken as it is, and is never part of an error. Who looks (` + "`jobs`" + `, ` + "`top`" + `, ` + "`tail`" + `, ` + "`store`" + `, ` + "`relay status`" + `) needs no variable that
  stands in a CommCell's ` + "`auth`" + `, in a file's name, or in the body of a webhook: a service manager sets such for the service alone.
- Names of files that do not begin with / are looked for from the folder of the configuration file.
- Anchors (` + "`&a`" + `), aliases (` + "`*a`" + `) and merge keys (` + "`<<: *a`" + `) are YAML's. A key that stands twice is an error.
- A running watcher takes an edited file by itself, but for nats, store, http, log.format, cluster, severity and metrics. A file with a mistake is
  refused, and the one before goes on.

## In an editor

Editors with the [YAML language server](https://github.com/redhat-developer/yaml-language-server) (the YAML extension of
VS Code, and most others) complete and check the file while you write, where its first line names the schema:

    # yaml-language-server: $schema=watcher.schema.json

` + "`watcher config schema > watcher.schema.json`" + ` writes it beside the file, for exactly the version that you run. It knows
keys, types, words and ranges; what holds between keys, only ` + "`watcher check`" + ` knows.

` + sectionDocs("", new(Config).keys())
}

// sectionDocs is a table of the keys below path, and behind it those of their sections.
func sectionDocs(path string, keys []key) string {
	var table, below strings.Builder
	title := "The file"
	if path != "" {
		title = "`" + strings.TrimSuffix(path, ".") + "`"
	}
	table.WriteString("## " + title + "\n\n| key | takes | default | |\n|---|---|---|---|\n")
	for _, k := range keys {
		name := path + k.name
		if path == "" && (k.name == "commcells" || k.name == "relays") {
			name += "[]"
		}
		takes, def := takes(k), ""
		switch {
		case k.value.keys != nil:
			takes += " [" + name + "](#" + strings.NewReplacer(".", "", "[]", "").Replace(name) + ")"
			below.WriteString("\n" + sectionDocs(name+".", k.value.keys))
		case len(k.value.schema.Default) > 0:
			def = "`" + strings.TrimSpace(defaultText("", k.value)) + "`"
		default:
			def = "none"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", k.name, takes, def, strings.NewReplacer("|", `\|`, "*", `\*`, "\n", "<br>").Replace(k.doc))
	}
	return table.String() + below.String()
}

// lists of something else than patterns.
var lists = map[string]string{"subjects": "filters", "secret_files": "files", "allow": "networks", "to": "addresses"}

// takes says what kind of value it is.
func takes(k key) string {
	v := k.value
	if words := words(v); words != nil {
		return "`" + strings.Join(words, "`, `") + "`"
	}
	s := v.schema
	switch types := append(s.Types, s.Type); {
	case strings.HasPrefix(fmt.Sprint(s.Extra["patternErrorMessage"]), "wants a duration"):
		return "duration"
	case types[0] == "array" && v.keys != nil:
		return "list of"
	case types[0] == "array" && len(s.Items.Types) > 0:
		return "list of whole numbers"
	case types[0] == "array" && words(value{schema: s.Items}) != nil:
		return "list of `" + strings.Join(words(value{schema: s.Items}), "`, `") + "`"
	case types[0] == "array":
		return "list of " + cmp.Or(lists[k.name], "patterns")
	case k.name == "body":
		return "any value"
	case k.name == "size":
		return "size"
	case v.keys != nil:
		return "keys:"
	case types[0] == "object":
		return "keys with values"
	case types[0] == "boolean":
		return "`true`, `false`"
	case s.Maximum != nil && *s.Maximum < 1000:
		return fmt.Sprintf("whole number, %v to %v", *s.Minimum, *s.Maximum)
	case types[0] == "integer":
		return fmt.Sprintf("whole number, %v or more", *s.Minimum)
	case types[0] == "number":
		return fmt.Sprintf("number, %v or more", *s.Minimum)
	}
	switch {
	case strings.HasSuffix(k.name, "_file"), k.name == "path":
		return "file"
	case k.name == "dir":
		return "folder"
	}
	return "text"
}
