package stream

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

var errRefused = errors.New("credentials refused; mend nats.user, password_file, token_file, creds_file or nkey_file")

// appendCredentials reads them anew: each connection takes those of now.
func (c Config) appendCredentials(opts []nats.Option) ([]nats.Option, error) {
	if c.Secrets != nil {
		var err error
		if c.Password, c.Token, err = c.Secrets(); err != nil {
			return nil, err
		}
	}
	switch {
	case c.CredsFile != "":
		return append(opts, nats.UserCredentials(c.CredsFile)), checkCreds(c.CredsFile)
	case c.NKeyFile != "":
		key, err := nkeyOption(c.NKeyFile)
		return append(opts, key), err
	case c.Token != "":
		return append(opts, nats.Token(c.Token)), nil
	case c.User != "":
		return append(opts, nats.UserInfo(c.User, c.Password)), nil
	}
	return opts, nil
}

// checkCreds says what is wrong with a file of credentials. NATS would say that they are refused.
func checkCreds(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("nats.creds_file %s: %w", file, innermost(err))
	}
	token, err := nkeys.ParseDecoratedJWT(text)
	if err == nil {
		_, err = nkeys.ParseDecoratedUserNKey(text)
	}
	var user *jwt.UserClaims
	if err == nil {
		user, err = jwt.DecodeUserClaims(token)
	}
	if err != nil { // which may quote what it met
		return fmt.Errorf("nats.creds_file %s: holds no credentials, that is, a user's JWT and seed; write them with: nats auth user credential", file)
	}
	if until := time.Unix(user.Expires, 0); user.Expires > 0 && time.Now().After(until) {
		return fmt.Errorf("nats.creds_file %s: has expired at %s; write new ones there", file, until.UTC().Format(time.RFC3339))
	}
	return nil
}

func nkeyOption(file string) (nats.Option, error) {
	key, err := nats.NkeyOptionFromSeed(file)
	if err == nil {
		return key, nil
	}
	if _, unread := os.ReadFile(file); unread != nil {
		return nil, fmt.Errorf("nats.nkey_file %s: %w", file, innermost(unread))
	}
	return nil, fmt.Errorf("nats.nkey_file %s: holds no seed of an nkey (SU…); make one with: nats auth nkey gen user", file)
}

func (c Config) showsCertificate() bool { return c.TLS != nil && len(c.TLS().Certificates) > 0 }

// ownRefused says why the server does not take our certificate, or that there is none.
func (c Config) ownRefused(why error) error {
	if !c.showsCertificate() {
		return fmt.Errorf("%w: the server wants to see one; name a certificate for jobwatch in nats.tls.cert_file and key_file", why)
	}
	return fmt.Errorf("%w: the server refuses the certificate in nats.tls.cert_file; renew it, or see that the server's tls.ca_file has its authority", why)
}

// untrusted says why the server's certificate is not taken. The time of now, which x509 names, would be news at each try.
func untrusted(err error) error {
	if bad := (x509.CertificateInvalidError{}); errors.As(err, &bad) && bad.Reason == x509.Expired && bad.Cert != nil {
		return fmt.Errorf("the server's certificate has expired or is not yet valid (%s to %s); renew it there, or mend this machine's clock",
			bad.Cert.NotBefore.UTC().Format(time.RFC3339), bad.Cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return errors.New(err.Error() + "; name its authority in nats.tls.ca_file, and the server in nats.url as its certificate does")
}
