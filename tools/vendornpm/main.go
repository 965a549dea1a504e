// Command vendornpm copies files of npm packages beside the code that serves them, as the folder's vendor.json says:
// which package, which version, with which integrity, under which licence, which of its files. A tarball whose sha512
// differs is refused. It writes the sum of each file into vendor.json, so that a test without network finds what drifts.
//
//	go run ./vendornpm ../internal/web/page/vendor
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"
)

const (
	registry     = "https://registry.npmjs.org/"
	tarballLimit = 64 << 20
)

// vendored is one package in vendor.json.
type vendored struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Integrity string `json:"integrity"` // sha512 of the tarball, as npm names it
	Licence   string `json:"licence"`
	Why       string `json:"why"`
	Files     []file `json:"files"`
}

type file struct {
	From string `json:"from"` // in the package
	To   string `json:"to"`   // beside vendor.json
	Sum  string `json:"sha256"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "vendornpm: wants one folder, with a vendor.json")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := vendor(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "vendornpm:", err)
		os.Exit(1)
	}
}

func vendor(ctx context.Context, dir string) error {
	list := filepath.Join(dir, "vendor.json")
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	var packages []vendored
	if err := json.Unmarshal(text, &packages); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	for i := range packages {
		if err := packages[i].copyTo(ctx, dir); err != nil {
			return fmt.Errorf("%s@%s: %w", packages[i].Name, packages[i].Version, err)
		}
	}
	text, err = json.MarshalIndent(packages, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(list, append(text, '\n'), 0o644)
}

func (p *vendored) copyTo(ctx context.Context, dir string) error {
	tarball, err := fetch(ctx, fmt.Sprintf("%s%s/-/%s-%s.tgz", registry, p.Name, path.Base(p.Name), p.Version))
	if err != nil {
		return err
	}
	sum := sha512.Sum512(tarball)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != p.Integrity {
		return fmt.Errorf("its integrity is %s, and vendor.json says %s", got, p.Integrity)
	}
	contents, err := unpack(tarball)
	if err != nil {
		return err
	}
	for i, f := range p.Files {
		content, found := contents[f.From]
		if !found {
			return fmt.Errorf("has no %s", f.From)
		}
		sum := sha256.Sum256(content)
		p.Files[i].Sum = hex.EncodeToString(sum[:])
		if err := os.WriteFile(filepath.Join(dir, f.To), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fetch(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, tarballLimit))
}

// unpack gives the files of a package by their names in it.
func unpack(tarball []byte) (map[string][]byte, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return nil, err
	}
	contents := map[string][]byte{}
	for archive := tar.NewReader(zipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return contents, nil
		}
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel("package", header.Name)
		if err != nil {
			return nil, err
		}
		if contents[name], err = io.ReadAll(archive); err != nil {
			return nil, err
		}
	}
}
