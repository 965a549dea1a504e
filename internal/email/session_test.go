package email

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"io"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

type session struct {
	*server
	conn *smtp.Conn
	mailTaken
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.password == "" {
		return nil
	}
	return s.mechs
}

func (s *session) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tried++
		if password != s.password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no: " + password}
		}
		s.user = user
		return nil
	}
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case cramMD5:
		return &cramServer{s}, nil
	default:
		return &loginServer{check: check}, nil
	}
}

const cramMD5 = "CRAM-MD5" // go-sasl has none, nor a server's LOGIN

type cramServer struct{ *session }

func (c *cramServer) Next(answer []byte) ([]byte, bool, error) {
	const challenge = "<1@mail.test>"
	if answer == nil {
		return []byte(challenge), false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mac := hmac.New(md5.New, []byte(c.password))
	mac.Write([]byte(challenge))
	user, digest, _ := strings.Cut(string(answer), " ")
	if digest != hex.EncodeToString(mac.Sum(nil)) {
		return nil, true, smtp.ErrAuthFailed
	}
	c.user = user
	return nil, true, nil
}

type loginServer struct {
	check func(user, password string) error
	said  []string
}

func (l *loginServer) Next(answer []byte) ([]byte, bool, error) {
	if answer == nil {
		return []byte("Username:"), false, nil
	}
	if l.said = append(l.said, string(answer)); len(l.said) == 1 {
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.said[0], l.said[1])
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.password != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	_, s.safe = s.conn.TLSConnectionState()
	s.from, s.to = from, nil
	return s.refusal
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rcpt[to]; err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.open++
	s.most = max(s.most, s.open)
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.data != nil {
		return s.data
	}
	s.raw = raw
	s.mails = append(s.mails, s.mailTaken)
	if s.cut {
		s.conn.Conn().Close()
	}
	return nil
}
