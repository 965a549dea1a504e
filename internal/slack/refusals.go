package slack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"jobwatch/internal/relay"
)

var errNoAnswer = errors.New("the answer is none of Slack's")

// mends are what Slack refuses everybody for, and what to do about it.
var mends = map[string]string{
	"invalid_auth":           "the token is wrong; copy the Bot User OAuth Token (xoxb-…) into token_file",
	"not_authed":             "there is no token; copy the Bot User OAuth Token (xoxb-…) into token_file",
	"token_revoked":          "the token was revoked; install the app again, and copy the new one into token_file",
	"token_expired":          "the token has expired; turn token rotation off, install the app again, and copy the new one into token_file",
	"account_inactive":       "the app was removed; install it again, and copy the new token into token_file",
	"not_allowed_token_type": "the token is no bot's; copy the Bot User OAuth Token (xoxb-…) into token_file",
	"access_denied":          "the workspace denies the app; ask its administrator to approve it",
	"no_permission":          "the workspace denies the app; ask its administrator to approve it",
	"team_access_not_granted": "the token is of an organization without this workspace; " +
		"have the app added to the workspace",
	"org_login_required":        "the workspace is being moved; it goes on by itself",
	"missing_scope":             "the app lacks a scope; add chat:write, channels:history, channels:read (private: groups:history, groups:read), and install it again",
	"channel_not_found":         "the app sees no such channel; check the id, and invite the app with /invite",
	"not_in_channel":            "the app is not in the channel; invite it with /invite",
	"is_archived":               "the channel is archived; unarchive it, or give another",
	"restricted_action":         "the workspace lets nobody of that kind post there; ask its administrator",
	"accesslimited":             "Slack limits the token's access; ask the workspace's administrator",
	"enterprise_is_restricted":  "the token cannot be used in an organization; install the app in the workspace",
	"ekm_access_denied":         "the administrators have suspended posting; ask them",
	"as_user_not_supported":     "the token is no bot's; copy the Bot User OAuth Token (xoxb-…) into token_file",
	"posting_to_channel_denied": "the workspace lets the app not post there; ask its administrator",

	// of incoming webhooks
	"no_service":                        "the webhook was removed; make a new one, and put its address into webhook_url_file",
	"no_service_id":                     "the webhook's address is cut; copy it again into webhook_url_file",
	"no_team":                           "the webhook's address is of no workspace; copy it again into webhook_url_file",
	"team_disabled":                     "the workspace is disabled",
	"invalid_token":                     "the webhook's address is wrong; copy it again into webhook_url_file",
	"channel_is_archived":               "the channel is archived; unarchive it, or make another webhook",
	"action_prohibited":                 "the workspace lets the webhook not post; ask its administrator",
	"posting_to_general_channel_denied": "the workspace lets the webhook not post in that channel; ask its administrator",
}

var (
	badToken   = []string{"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}
	limits     = []string{"ratelimited", "rate_limited", "message_limit_exceeded"}
	unfit      = []string{"invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large", "msg_too_long", "msg_blocks_too_long", "too_many_attachments", "no_text", "invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_payload", "attachment_payload_limit_exceeded"}
	rootIsGone = []string{"message_not_found", "cant_update_message", "thread_not_found", "cannot_reply_to_message", "duplicate_message_not_found"}
	frozen     = "edit_window_closed" // the workspace lets nobody change a message after a while
)

func codeOf(err error) string {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return refused.Err
	}
	return ""
}

func refusesToken(err error) bool { return slices.Contains(badToken, codeOf(err)) }

func isLimit(err error) bool {
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return status.Code == http.StatusTooManyRequests
	}
	return slices.Contains(limits, codeOf(err))
}

// isGone says that the root is to be posted anew.
func isGone(err error) bool {
	refusal, ok := errors.AsType[*relay.Refusal](err)
	return ok && refusal.Kind == relay.Unfit && slices.ContainsFunc(rootIsGone, func(code string) bool {
		return refusal.Reason == goneReason(code)
	})
}

func isFrozen(err error) bool {
	refusal, ok := errors.AsType[*relay.Refusal](err)
	return ok && refusal.Reason == goneReason(frozen)
}

func goneReason(code string) string { return "Slack: " + code }

// refusalOf says what an error of Slack's means. It names no token and no address, not even where what answers, which may
// be no Slack, sends back what it got.
func refusalOf(ctx context.Context, method, channel string, err error, secrets []string) *relay.Refusal {
	if code := codeOf(err); code != "" {
		return refusalOfCode(method, channel, hide(code, secrets))
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return refusalOfStatus(method, status.Code)
	}
	return refusalOfWire(ctx, method, err, secrets)
}

func hide(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) > 5 { // what is shorter tells nothing, and would make holes in other words
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}

func refusalOfCode(method, channel, code string) *relay.Refusal {
	mend, known := mends[code]
	code = words(code, nameLimit)
	switch {
	case known:
		return &relay.Refusal{Kind: relay.Away, Reason: joined(": ", joined(" ", "Slack", channel), code, mend)}
	case slices.Contains(limits, code):
		return &relay.Refusal{Kind: relay.Away, Reason: "Slack: too many calls (" + code + ")", Status: http.StatusTooManyRequests}
	case code == frozen, slices.Contains(rootIsGone, code):
		return &relay.Refusal{Kind: relay.Unfit, Reason: goneReason(code)}
	case slices.Contains(unfit, code):
		return &relay.Refusal{Kind: relay.Unfit, Reason: method + ": " + code}
	}
	return &relay.Refusal{Kind: relay.Uncertain, Reason: method + ": " + code}
}

func refusalOfStatus(method string, status int) *relay.Refusal {
	r := &relay.Refusal{Kind: relay.Uncertain, Status: status, Reason: fmt.Sprintf("%s: HTTP %d", method, status)}
	switch {
	case status == http.StatusGone:
		r.Kind = relay.Gone
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge,
		status == http.StatusUnsupportedMediaType, status == http.StatusUnprocessableEntity:
		r.Kind = relay.Unfit
	case status == http.StatusTooManyRequests:
		r.Kind, r.Reason = relay.Away, "Slack: too many calls"
	case status >= 300 && status < 500 && status != http.StatusRequestTimeout:
		r.Kind = relay.Away
	}
	return r
}

// refusalOfWire is of no answer at all. Where not even a connection was made, nothing has happened.
func refusalOfWire(ctx context.Context, method string, err error, secrets []string) *relay.Refusal {
	if wire, ok := errors.AsType[*url.Error](err); ok {
		err = wire.Err // without the address
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return &relay.Refusal{Kind: relay.Away, Reason: words("Slack cannot be reached: "+dial.Error(), lineLimit)}
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &relay.Refusal{Kind: relay.Away, Reason: words("Slack's certificate is not trusted: "+untrusted.Error(), lineLimit)}
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return &relay.Refusal{Kind: relay.Uncertain, Reason: method + ": no answer in time"}
	}
	return &relay.Refusal{Kind: relay.Uncertain, Reason: words(method+": "+hide(err.Error(), secrets), lineLimit)}
}

// isSure says of a refused sending that nothing of it has happened.
func isSure(err error) bool {
	refusal, ok := errors.AsType[*relay.Refusal](err)
	return ok && (refusal.Kind == relay.Away || refusal.Kind == relay.Unfit)
}
