package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"jobwatch/internal/relay"
)

// api is the part of Slack that is used, in one channel, by one bot.
type api struct {
	config Config

	mu     sync.Mutex
	token  string
	client *slack.Client
	until  time.Time // Slack wants no call before
}

func newAPI(c Config) (*api, error) {
	a := &api{config: c}
	token, err := c.Token()
	if err != nil {
		return nil, err
	}
	a.use(token)
	return a, nil
}

func (a *api) use(token string) {
	once := *a.config.HTTP
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the body has the token
	a.token = token
	a.client = slack.New(token, slack.OptionAPIURL(a.config.APIURL), slack.OptionHTTPClient(watching{&once, a}))
}

// watching notes for how long Slack wants no further call: it says so by 429 and, some say, in a body with 200. It hands on no
// more of an answer than Slack has ever to say: the library reads all that comes.
type watching struct {
	client *http.Client
	api    *api
}

func (w watching) Do(r *http.Request) (*http.Response, error) {
	response, err := w.client.Do(r)
	if err != nil {
		return nil, err
	}
	response.Body = &bounded{response.Body, mostOfAnswer}
	if response.Header.Get("Retry-After") != "" {
		w.api.hold(retryAfter(response.Header.Get("Retry-After")))
		if response.StatusCode == http.StatusTooManyRequests {
			response.Header.Del("Retry-After") // the library reads whole seconds alone
		}
	}
	return response, nil
}

const mostOfAnswer = 16 << 20 // bytes, unpacked; a page of a channel has a few hundred messages

// bounded is an answer that ends with an error where it is longer than it may be.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("the answer is over %d MiB", mostOfAnswer>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func retryAfter(text string) time.Duration {
	const longest = time.Hour
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return max(0, min(longest, time.Duration(min(seconds, longest.Seconds())*float64(time.Second))))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(longest, time.Until(at)))
	}
	return 0
}

func (a *api) hold(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if until := time.Now().Add(d); until.After(a.until) {
		a.until = until
	}
}

func (a *api) left() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(0, time.Until(a.until))
}

// call calls Slack once, or a second time where the token's file holds another one by now. Its error is a Refusal.
func (a *api) call(ctx context.Context, method string, do func(context.Context, *slack.Client) error) error {
	if left := a.left(); left > 0 {
		return &relay.Refusal{Kind: relay.Away, Status: http.StatusTooManyRequests, Reason: "Slack wants no calls for now", After: left}
	}
	a.mu.Lock()
	client, used := a.client, a.token
	a.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, a.config.Timeout)
	defer cancel()
	err := do(limited, client)
	if err != nil && refusesToken(err) {
		if again := a.reread(used); again != nil {
			err = do(limited, again)
		}
	}
	if err == nil {
		return nil
	}
	a.mu.Lock()
	now := a.token
	a.mu.Unlock()
	refusal := refusalOf(limited, method, a.config.Channel, err, []string{used, now})
	if refusal.Kind == relay.Away && isLimit(err) {
		refusal.After = a.left()
	}
	return refusal
}

// reread reads the token's file; nil: it holds what was refused.
func (a *api) reread(used string) *slack.Client {
	token, err := a.config.Token()
	if err != nil || token == used {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != token {
		a.use(token)
	}
	return a.client
}

// sent is a message with what tells it from others.
type sent struct {
	message
	mark      mark
	id        string // client_msg_id; "": what was said may be said again
	thread    string // the ts of the root; "": it is one
	broadcast bool
}

func (m sent) options() []slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(m.Text, false),
		slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionMetadata(m.mark.metadata()),
		slack.MsgOptionParse(false),
		slack.MsgOptionLinkNames(false),
	}
	if m.Attachments != nil {
		options = append(options, slack.MsgOptionAttachments(m.Attachments...))
	}
	return options
}

// post sends a message and gives its ts.
func (a *api) post(ctx context.Context, m sent) (ts string, err error) {
	options := append(m.options(), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(), slack.MsgOptionDisableMarkdown())
	if m.thread != "" {
		options = append(options, slack.MsgOptionTS(m.thread))
	}
	if m.broadcast {
		options = append(options, slack.MsgOptionBroadcast())
	}
	options = append(options, slack.UnsafeMsgOptionEndpoint(a.config.APIURL+"chat.postMessage", func(v url.Values) {
		if m.id != "" {
			v.Set("client_msg_id", m.id)
		}
	}))
	err = a.call(ctx, "chat.postMessage", func(ctx context.Context, c *slack.Client) error {
		_, ts, _, err = c.SendMessageContext(ctx, a.config.Channel, options...)
		if err == nil && ts == "" {
			err = errNoAnswer
		}
		return err
	})
	return ts, err
}

// update changes a message.
func (a *api) update(ctx context.Context, ts string, m sent) error {
	return a.call(ctx, "chat.update", func(ctx context.Context, c *slack.Client) error {
		_, changed, _, err := c.UpdateMessageContext(ctx, a.config.Channel, ts, m.options()...)
		if err == nil && changed == "" {
			err = errNoAnswer
		}
		return err
	})
}

// root looks for a message of the channel by its mark, from a time on.
func (a *api) root(ctx context.Context, of mark, from time.Time) (ts string, found mark, err error) {
	params := slack.GetConversationHistoryParameters{
		ChannelID: a.config.Channel, Oldest: stamp(from), Inclusive: true, Limit: 200, IncludeAllMetadata: true,
	}
	for {
		var page *slack.GetConversationHistoryResponse
		err := a.call(ctx, "conversations.history", func(ctx context.Context, c *slack.Client) (err error) {
			page, err = c.GetConversationHistoryContext(ctx, &params)
			if err == nil && !page.Ok {
				err = errNoAnswer
			}
			return err
		})
		if err != nil {
			return "", mark{}, err
		}
		for _, m := range page.Messages {
			if its := markOf(m.Metadata); its.isOf(of) {
				return m.Timestamp, its, nil
			}
		}
		params.Cursor = page.ResponseMetaData.NextCursor
		if params.Cursor == "" {
			return "", mark{}, nil
		}
	}
}

// lastReply looks for the last reply of a thread that is ours.
func (a *api) lastReply(ctx context.Context, thread string, of mark, from time.Time) (last mark, err error) {
	params := slack.GetConversationRepliesParameters{
		ChannelID: a.config.Channel, Timestamp: thread, Oldest: stamp(from), Inclusive: true, Limit: 200, IncludeAllMetadata: true,
	}
	for {
		var page []slack.Message
		err := a.call(ctx, "conversations.replies", func(ctx context.Context, c *slack.Client) (err error) {
			page, _, params.Cursor, err = c.GetConversationRepliesContext(ctx, &params)
			return err
		})
		if err != nil {
			return mark{}, err
		}
		for _, m := range page {
			if its := markOf(m.Metadata); its.isOf(of) && !its.At.Before(last.At) {
				last = its
			}
		}
		if params.Cursor == "" {
			return last, nil
		}
	}
}

// look asks who the token is, and whether the app may post in the channel.
func (a *api) look(ctx context.Context) (found string, err error) {
	var bot *slack.AuthTestResponse
	if err := a.call(ctx, "auth.test", func(ctx context.Context, c *slack.Client) (err error) {
		bot, err = c.AuthTestContext(ctx)
		return err
	}); err != nil {
		return "", a.elsewhere(err)
	}
	var channel *slack.Channel
	if err := a.call(ctx, "conversations.info", func(ctx context.Context, c *slack.Client) (err error) {
		channel, err = c.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: a.config.Channel})
		switch {
		case err != nil:
			return err
		case channel.IsArchived:
			return slack.SlackErrorResponse{Err: "is_archived"}
		case !channel.IsMember && !channel.IsIM:
			return slack.SlackErrorResponse{Err: "not_in_channel"}
		}
		return nil
	}); err != nil {
		return "", err
	}
	return fmt.Sprintf("Slack accepts the token of %s in %s, and it is in #%s; nothing was posted",
		words(bot.User, nameLimit), words(bot.Team, nameLimit), words(cmp.Or(channel.Name, channel.ID), nameLimit)), nil
}

// elsewhere says where Slack was asked, if that is not Slack's own address and what answers is no Slack.
func (a *api) elsewhere(err error) error {
	refusal, ok := errors.AsType[*relay.Refusal](err)
	if !ok || refusal.Status == 0 || a.config.APIURL == slack.APIURL {
		return err
	}
	return fmt.Errorf("%w; is slack.api_url right? Slack's own is %s", err, slack.APIURL)
}

func stamp(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }
