// Package slow marks the tests that take longer than a second.
package slow

import "testing"

// Test leaves the test out where make quick runs it (go test -short). takes is how long the test takes on two cores that
// have nothing else to do; why says what it shows that a short one cannot.
func Test(t testing.TB, takes, why string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("takes %s: %s", takes, why)
	}
}
