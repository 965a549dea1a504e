package email

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"jobwatch/internal/relay"
)

// verdict says what the answer to a mail that was handed over means. Only what plainly says that it is this mail is unfit:
// 550 and its like may be a quota, or a sender who may not send.
func verdict(err error) relay.Kind {
	answer, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return relay.Uncertain // it may have been taken
	}
	enhanced, _, _ := strings.Cut(answer.Msg, " ")
	isEnhanced := strings.HasPrefix(enhanced, "5.") && strings.Count(enhanced, ".") == 2
	switch {
	case answer.Code == 421:
		return relay.Away
	case enhanced == "5.3.4", strings.HasPrefix(enhanced, "5.6."):
		return relay.Unfit
	case !isEnhanced && (answer.Code == 552 || answer.Code == 554):
		return relay.Unfit
	}
	return relay.Uncertain
}

// refuse tells what went wrong on the line.
func (l *line) refuse(kind relay.Kind, err error) *relay.Refusal {
	answer, answered := errors.AsType[*textproto.Error](err)
	if answered && answer.Code == 421 {
		kind = relay.Away
	}
	status, text := 0, err.Error()
	if answered {
		status = answer.Code
		text = strings.Replace(text, answer.Error(), fmt.Sprintf("%d %s", answer.Code, answer.Msg), 1) // without quotes
	}
	switch {
	case l.ctx.Err() != nil && !answered:
		text = fmt.Sprintf("no answer within %s", l.Timeout)
		if errors.Is(l.ctx.Err(), context.Canceled) {
			text = "broken off"
		}
	case errors.Is(err, smtp.ErrUnencrypted), errors.Is(err, errNoLogin) && l.Security == None:
		text = "the password is not sent unencrypted; set tls: starttls"
	}
	return l.refusal(kind, status, l.hide(text))
}

// hide takes the password out of what a server says.
func (l *line) hide(text string) string {
	if l.secret == "" {
		return text
	}
	encode := base64.StdEncoding.EncodeToString
	return strings.NewReplacer(
		encode([]byte("\x00"+l.Username+"\x00"+l.secret)), "…", encode([]byte(l.secret)), "…", l.secret, "…",
	).Replace(text)
}

func (l *line) mended(r *relay.Refusal, mend string) *relay.Refusal {
	r.Reason += "; " + mend
	return r
}

func (e *Email) refusal(kind relay.Kind, status int, text string) *relay.Refusal {
	return &relay.Refusal{Kind: kind, Status: status, Reason: "mail server " + e.Server + ": " + forReason(text)}
}
