package internal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/testing/slow"
)

// linked is a package that is linked into the program.
type linked struct{ module, version, root, dir string }

func linkedPackages(t *testing.T) (all []linked) {
	t.Helper()
	for _, system := range []string{"linux", "darwin"} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps",
			"-f", "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}", "./cmd/watcher")
		list.Dir, list.Env, list.Stderr = "..", append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0"), os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			field := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(field) == 4 && field[0] != "jobwatch" { // none: the standard library
				all = append(all, linked{field[0], field[1], field[2], field[3]})
			}
		}
	}
	if len(all) < 100 {
		t.Fatalf("%d packages are linked: is that all?", len(all))
	}
	return all
}

// What a licence has to say, and what none may, once its lines are joined.
var (
	grants = []string{
		"Apache License Version 2.0, January 2004",
		"Permission is hereby granted, free of charge, to any person obtaining a copy",                                 // MIT
		"Redistribution and use in source and binary forms, with or without modification, are permitted provided that", // BSD
		"hereby grants to You a perpetual, worldwide, non-exclusive, no-charge, royalty-free, irrevocable",             // Go's PATENTS
	}
	restricts = regexp.MustCompile(`(?i)GNU (affero|lesser|library|general) |mozilla public|eclipse public|server side public|business source|` +
		`commons clause|elastic license|polyform|non-?commercial|attribution-sharealike`)
	licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|patents)([-._].*)?$`)
)

// TestLicences: each module that is linked, and each package of it with a licence of its own, may be put to any use, in closed
// programs too. A licence file that is none of the known ones fails, until somebody has read it.
func TestLicences(t *testing.T) {
	slow.Test(t, "3 s", "go list reads a thousand packages, for two systems")
	files := map[string]bool{}
	for _, p := range linkedPackages(t) {
		found := false
		for _, dir := range []string{p.root, p.dir} {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if licence.MatchString(e.Name()) && e.Type().IsRegular() && filepath.Ext(e.Name()) != ".go" {
					files[filepath.Join(dir, e.Name())] = true
					found = true
				}
			}
		}
		if !found {
			t.Errorf("%s %s has no licence file", p.module, p.version)
		}
	}
	for file := range files {
		text := strings.Join(strings.Fields(read(t, file)), " ")
		granted := slices.ContainsFunc(grants, func(words string) bool { return strings.Contains(text, words) })
		if found := restricts.FindString(text); !granted || found != "" {
			t.Errorf("%s: no licence that is known to allow any use (%s): %.200s", file, found, text)
		}
	}
}

// TestModulesArePinned: go.sum has the hash of each module that is linked, and none comes from elsewhere than its name says.
func TestModulesArePinned(t *testing.T) {
	slow.Test(t, "3 s", "go list reads a thousand packages, for two systems")
	sums := read(t, "../go.sum")
	for _, p := range linkedPackages(t) {
		if !strings.Contains(sums, p.module+" "+p.version+" h1:") {
			t.Errorf("go.sum lacks %s %s", p.module, p.version)
		}
	}
	for _, file := range []string{"../go.mod", "../tools/go.mod", "../tools/sbom/go.mod"} {
		if found := regexp.MustCompile(`(?m)^(replace|exclude)\b.*`).FindString(read(t, file)); found != "" {
			t.Errorf("%s: %s", file, found)
		}
	}
}
