package config

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
)

// notShown stands for a secret.
const notShown = "(not shown)"

// Show gives the configuration as YAML: every key with its default, and without secrets. What comes from an environment
// variable stands as the file has it, ${NAME}; what has no value is left out.
func (c *Config) Show() string { return marshalYAML(c.sections()) }

// ShowInForce gives what is in force where a running watcher was started with one configuration and has read another
// since: of that CommCells, relays and the log's level.
func ShowInForce(started, latest *Config) string {
	all, now := started.sections(), latest.sections()
	for _, key := range []string{"commcells", "relays"} {
		all = replaced(all, key, find(now, key))
	}
	if log, ok := find(all, "log").(yaml.MapSlice); ok {
		newLog, _ := find(now, "log").(yaml.MapSlice)
		all = replaced(all, "log", replaced(log, "level", find(newLog, "level")))
	}
	return marshalYAML(all)
}

// File is the configuration's.
func (c *Config) File() string { return c.file }

func (c *Config) sections() yaml.MapSlice {
	if c.show == nil { // it was not read
		return nil
	}
	all, _ := c.show().(yaml.MapSlice)
	return all
}

func find(in yaml.MapSlice, key string) any {
	for _, item := range in {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

// replaced is a copy with another value of a key, at its place or at the end; nil takes it out.
func replaced(in yaml.MapSlice, key string, by any) yaml.MapSlice {
	out := slices.Clone(in)
	at := slices.IndexFunc(out, func(item yaml.MapItem) bool { return item.Key == key })
	switch {
	case at < 0 && by == nil:
	case at < 0:
		out = append(out, yaml.MapItem{Key: key, Value: by})
	case by == nil:
		out = slices.Delete(out, at, at+1)
	default:
		out[at].Value = by
	}
	return out
}

func marshalYAML(all yaml.MapSlice) string {
	text, err := yaml.Marshal(all)
	if err != nil {
		return "" // texts, numbers, lists and maps: it cannot fail
	}
	return string(text)
}

// showSection shows the keys in their order; a section in which nothing stands is nothing.
func showSection(keys []key) func() any {
	return func() any {
		var all yaml.MapSlice
		for _, k := range keys {
			if k.value.show == nil {
				continue
			}
			if v := k.value.show(); v != nil {
				all = append(all, yaml.MapItem{Key: k.name, Value: v})
			}
		}
		if all == nil {
			return nil
		}
		return all
	}
}

// shownList is a list of what is shown.
type shownList []func() any

func (l shownList) show() any {
	if len(l) == 0 {
		return nil
	}
	all := make([]any, len(l))
	for i, show := range l {
		all[i] = show()
	}
	return all
}

func shownMap[V any](of map[string]V) any {
	if len(of) == 0 {
		return nil
	}
	var all yaml.MapSlice
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, yaml.MapItem{Key: name, Value: of[name]})
	}
	return all
}

// shown is a value as a file would have it.
func shown(v any, written string) any {
	if written != "" {
		return withoutUser(written)
	}
	switch v := v.(type) {
	case string:
		return withoutUser(v)
	case time.Duration:
		return short(v)
	case fmt.Stringer:
		return v.String()
	default:
		return v
	}
}

// withoutUser takes the user and the password out of a URL.
func withoutUser(text string) string { return userInfo.ReplaceAllString(text, "//…@") }
