package system

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestAddressInUse(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := net.Listen("tcp", first.Addr().String())
	if err == nil {
		second.Close()
	}
	if !AddressInUse(err) {
		t.Errorf("the second listener is refused with %v, which is not taken for an address in use", err)
	}
	if _, err := net.Listen("tcp", "256.0.0.1:0"); err == nil || AddressInUse(err) {
		t.Errorf("%v is taken for an address in use", err)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	if _, err := net.Dial("tcp", address); !NobodyListens(err) {
		t.Errorf("a closed port refuses with %v, which is not taken for nobody", err)
	}
}

func TestMayWriteAndFreeBytes(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, file} {
		if err := MayWrite(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := MayWrite(filepath.Join(folder, "none")); err == nil {
		t.Error("what is not there may be written")
	}
	if free, ok := FreeBytes(folder); !ok || free == 0 {
		t.Errorf("%d bytes are free (%v)", free, ok)
	}
	if err := SyncFolder(folder); err != nil {
		t.Error(err)
	}
}
