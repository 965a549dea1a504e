package internal_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/config"
)

// TestTheUnitAgreesWithItsDocument: whoever follows docs/security.md gets a service that finds its files, and may write
// nothing but its own folder.
func TestTheUnitAgreesWithItsDocument(t *testing.T) {
	unit := read(t, "../configs/watcher.service")
	document := read(t, "../docs/security.md")
	set := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=(.*)$`).FindAllStringSubmatch(unit, -1) {
		set[m[1]] = append(set[m[1]], m[2])
	}
	const folder, credentials = "/var/lib/jobwatch", "/run/credentials/watcher.service"
	for name, want := range map[string]string{
		"ExecStart": "/usr/bin/watcher run -c /etc/jobwatch/watcher.yaml", "StateDirectory": "jobwatch", "StateDirectoryMode": "0750", "User": "jobwatch", "Group": "jobwatch",
		"WorkingDirectory": folder, "UMask": "0077", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
		"NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "LimitCORE": "0", "RestartPreventExitStatus": "2",
	} {
		if !slices.Equal(set[name], []string{want}) {
			t.Errorf("%s=%q, want %q", name, set[name], want)
		}
	}
	for _, name := range []string{"ReadWritePaths", "User=root", "Environment", "EnvironmentFile"} {
		if set[name] != nil {
			t.Errorf("%s=%q", name, set[name])
		}
	}

	_, block, _ := strings.Cut(document, "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	cfg, err := config.Parse("watcher.yaml", []byte(block), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for key, path := range map[string]string{"store.path": cfg.Store.Path, "nats.embedded.dir": cfg.NATS.Embedded.Dir} {
		if !strings.HasPrefix(path, folder+"/") {
			t.Errorf("%s is %s, where the unit may not write", key, path)
		}
	}
	var handed []string
	for _, c := range set["LoadCredential"] {
		name, file, _ := strings.Cut(c, ":")
		handed = append(handed, credentials+"/"+name)
		if !strings.Contains(document, file) {
			t.Errorf("the document says nothing of %s", file)
		}
	}
	named := regexp.MustCompile(regexp.QuoteMeta(credentials)+`/[\w-]+`).FindAllString(block, -1)
	for _, name := range named {
		if !slices.Contains(handed, name) {
			t.Errorf("the unit hands over no %s", name)
		}
	}
	if len(named) == 0 {
		t.Error("the configuration uses no credential")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
