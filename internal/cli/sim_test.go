package cli

import (
	"net"
	"testing"
)

func TestReachable(t *testing.T) {
	for listening, want := range map[string]string{
		"0.0.0.0:8081": "127.0.0.1:8081", "[::]:8081": "127.0.0.1:8081", "127.0.0.1:1": "127.0.0.1:1", "[::1]:1": "[::1]:1",
	} {
		address, err := net.ResolveTCPAddr("tcp", listening)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(address); got != want {
			t.Errorf("%s: got %s, want %s", listening, got, want)
		}
	}
}
