package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// keyring are the keys that are trusted to have signed a log.
type keyring []note.Verifier

// Verifier makes a keyring a note.Verifiers.
func (k keyring) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, v := range k {
		if v.Name() == name && v.KeyHash() == hash {
			return v, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

func (k keyring) String() string {
	var names []string
	for _, v := range k {
		names = append(names, nameOf(v))
	}
	return strings.Join(names, ", ")
}

// parseKeys reads verifier keys, one a line.
func parseKeys(text string) (keyring, error) {
	var keys keyring
	for line := range strings.Lines(text) {
		v, err := note.NewVerifier(strings.TrimSuffix(line, "\n"))
		if err != nil || !strings.HasSuffix(line, "\n") || keys.has(nameOf(v)) {
			return nil, fmt.Errorf("not a verifier key a line: %.100q", line)
		}
		keys = append(keys, v)
	}
	if len(keys) == 0 {
		return nil, errors.New("no verifier key in it")
	}
	return keys, nil
}

// signer signs with all keys of a key file.
type signer struct {
	signers []note.Signer
	public  []string // verifier keys
	keys    keyring
}

func (s signer) origin() string { return s.signers[0].Name() }

func (s signer) sign(text string) ([]byte, error) {
	return note.Sign(&note.Note{Text: text}, s.signers...)
}

// readSigner reads the key file. Its errors hold nothing of it.
func readSigner(file string) (signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return signer{}, err
	}
	var s signer
	for line := range strings.Lines(strings.TrimSpace(string(text))) {
		line = strings.TrimSpace(line)
		one, err := note.NewSigner(line)
		if err != nil {
			return signer{}, damaged("%s: no signing key; restore it, as a log goes on with its own key alone", file)
		}
		public, err := publicOf(line)
		if err != nil {
			return signer{}, damaged("%s: no signing key; restore it, as a log goes on with its own key alone", file)
		}
		s.signers, s.public = append(s.signers, one), append(s.public, public)
	}
	if len(s.signers) == 0 {
		return signer{}, damaged("%s: empty; restore it, as a log goes on with its own key alone", file)
	}
	for _, one := range s.signers {
		if one.Name() != s.origin() {
			return signer{}, damaged("%s: keys of two logs, %s and %s", file, s.origin(), one.Name())
		}
	}
	s.keys, err = parseKeys(strings.Join(s.public, "\n") + "\n")
	return s, err
}

// writeKeyFile makes a key. The file is there whole or not at all.
func writeKeyFile(d disk, file, origin string) error {
	secret, _, err := note.GenerateKey(rand.Reader, clean(origin))
	if err != nil {
		return err
	}
	return replace(d, file, []byte(secret+"\n"), 0o600)
}

// clean takes out of a name what no name of a key may have.
func clean(origin string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '+' || r > '~' {
			return '-'
		}
		return r
	}, origin)
}

// AddKey puts a new signing key in front of those in the key file. From the next checkpoint on all of them sign, which
// hands the log over to the new key. The verifier key is returned.
func AddKey(file string) (public string, err error) {
	old, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	s, err := readSigner(file)
	if err != nil {
		return "", err
	}
	secret, public, err := note.GenerateKey(rand.Reader, s.origin())
	if err != nil {
		return "", err
	}
	return public, replace(realDisk{}, file, slices.Concat([]byte(secret+"\n"), old), 0o600)
}

func exists(file string) (bool, error) {
	_, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// publicOf is the verifier key of a signing key, PRIVATE+KEY+<name>+<hash>+<base64 of the algorithm and the seed>.
func publicOf(secret string) (string, error) {
	parts := strings.SplitN(secret, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("no signing key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(key) != 1+ed25519.SeedSize {
		return "", errors.New("no signing key")
	}
	public := ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}

// has says whether the key of that name is one of them.
func (k keyring) has(name string) bool {
	return slices.ContainsFunc(k, func(v note.Verifier) bool { return nameOf(v) == name })
}

func unite(some, more keyring) keyring {
	all := slices.Clone(some)
	for _, v := range more {
		if !all.has(nameOf(v)) {
			all = append(all, v)
		}
	}
	return all
}

// hasOneOf says whether one of the keys of those names is among them.
func (k keyring) hasOneOf(names []string) bool { return slices.ContainsFunc(names, k.has) }

// ofOrigin says whether all of them are of that log.
func (k keyring) ofOrigin(origin string) bool {
	return !slices.ContainsFunc(k, func(v note.Verifier) bool { return v.Name() != origin })
}
