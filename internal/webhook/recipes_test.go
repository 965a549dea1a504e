package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/eventtest"
)

// recipe is a relay of docs/relays.md.
type recipe struct {
	Name     string
	Subjects []string
	Webhook  struct {
		URL       string
		URLFile   string `yaml:"url_file"`
		AllowHTTP bool   `yaml:"allow_http"`
		Headers   map[string]struct {
			ValueFile string `yaml:"value_file"`
		}
		Body any
	}
}

// TestRecipes holds what each recipe of docs/relays.md sends against the payload that its vendor documents, as
// testdata/recipes has it. Whatever a name holds, the message has the shape that it has with an ordinary one.
func TestRecipes(t *testing.T) {
	recipes := readRecipes(t)
	for _, name := range []string{"teams", "pagerduty", "pagerduty-over", "servicenow", "servicenow-incident", "alertmanager", "ntfy"} {
		r, ok := recipes[name]
		if !ok {
			t.Errorf("docs/relays.md has no recipe %s", name)
			continue
		}
		schema, err := os.ReadFile(filepath.Join("testdata", "recipes", strings.TrimSuffix(name, "-over")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		payload := eventtest.Compile(schema, "")
		w := r.webhook(t)
		ordinary := shape(r.render(t, w, eventAbout(t, "fall")))
		for _, e := range recipeEvents(t) {
			body := r.render(t, w, e)
			if err := payload.Validate(body); err != nil {
				t.Errorf("%s of %s:\n%v", name, e.Data, err)
			}
			if got := shape(body); !reflect.DeepEqual(got, ordinary) {
				t.Errorf("%s of %s has another shape:\n got %v\nwant %v", name, e.Data, got, ordinary)
			}
		}
	}
}

// TestRecipesTellWhatIsWrong pins one message of each, as a person would read it.
func TestRecipesTellWhatIsWrong(t *testing.T) {
	recipes := readRecipes(t)
	e := eventAbout(t, "fall")
	for name, want := range map[string]string{
		"teams":               `failure state: fall`,
		"pagerduty":           `"dedup_key":"jobwatch prod/1248"`,
		"pagerduty-over":      `{"dedup_key":"jobwatch prod/1248","event_action":"resolve","routing_key":"0123456789abcdef0123456789abcdef"}`,
		"servicenow":          `"description":"Job prod/1248: Failed. fall"`,
		"servicenow-incident": `"short_description":"fall: Failed, job prod/1248"`,
		"alertmanager":        `"job":"1248"`,
		"ntfy":                `"title":"fall: Failed"`,
	} {
		text, err := recipes[name].webhook(t).Preview(batchOf(e))
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: %v: %s lacks %s", name, err, text, want)
		}
	}
}

// TestLimitsOfRecipes: what is no matter of a schema.
func TestLimitsOfRecipes(t *testing.T) {
	recipes := readRecipes(t)
	for _, e := range recipeEvents(t) {
		for name, most := range map[string]int{"teams": 28 << 10, "pagerduty": 512 << 10} {
			r := recipes[name]
			if body, _ := json.Marshal(r.render(t, r.webhook(t), e)); len(body) > most {
				t.Errorf("%s: %d bytes, of at most %d", name, len(body), most)
			}
		}
		ntfy := recipes["ntfy"]
		if m := ntfy.render(t, ntfy.webhook(t), e).(map[string]any)["message"].(string); len(m) > 4096 {
			t.Errorf("ntfy: a message of %d bytes", len(m))
		}
		now := recipes["servicenow"]
		record := now.render(t, now.webhook(t), e).(map[string]any)["records"].([]any)[0].(map[string]any)
		if read(t, []byte(record["additional_info"].(string))) == nil {
			t.Error("additional_info is no JSON")
		}
	}
}

// recipeEvents are about jobs with ordinary and hostile names, with the longest texts, and with none.
func recipeEvents(t *testing.T) []*relay.Event {
	t.Helper()
	var events []*relay.Event
	for _, name := range append(slices.Clone(hostileTexts), "", "fall", strings.Repeat("<", job.NameLimit)) {
		events = append(events, eventAbout(t, name))
	}
	at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	longest := job.Text(strings.Repeat("\x01", job.ReasonLimit))
	for _, c := range []job.Change{
		{Kind: job.KindFailure, Detail: "vm", VM: "mail", To: longest},
		{Kind: job.KindFailure, Detail: "items", To: "0 Folders, 2 Files"},
		{Kind: job.KindFailure, Detail: "reason", To: longest},
		{Kind: job.KindWatch, Detail: "lost"},
		{Kind: job.KindWatch, Detail: "stalled"},
	} {
		o := job.Observation{Asked: at, Answered: at, Snapshot: job.Snapshot{CommCell: "prod", Number: 1248, Reason: c.To}}
		o.Snapshot.Settle()
		minted, err := event.NewMinter(nil).Job(1, c, o, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, relayed(t, minted))
	}
	return events
}

func (r recipe) webhook(t *testing.T) *Webhook {
	t.Helper()
	c := Config{
		URL: r.Webhook.URL, URLFile: r.Webhook.URLFile, AllowHTTP: r.Webhook.AllowHTTP, Headers: map[string]string{},
		Body: expanded(r.Webhook.Body), Version: "1.2.3",
		ReadSecret: func(_, file string) (string, error) { return "https://hooks.example.com/" + file, nil },
	}
	for name, value := range r.Webhook.Headers {
		c.Headers[name] = value.ValueFile
	}
	w, err := New(c)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return w
}

// expanded fills in ${NAME}, as the configuration is read.
func expanded(body any) any {
	switch body := body.(type) {
	case string:
		return strings.ReplaceAll(body, "${PAGERDUTY_KEY}", "0123456789abcdef0123456789abcdef")
	case map[string]any:
		for name := range maps.Clone(body) {
			body[name] = expanded(body[name])
		}
	case []any:
		for i := range body {
			body[i] = expanded(body[i])
		}
	}
	return body
}

func (r recipe) render(t *testing.T, w *Webhook, e *relay.Event) any {
	t.Helper()
	m, err := w.message(e)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	if !utf8.Valid(m.body) {
		t.Errorf("%s: %q is no UTF-8", r.Name, m.body)
	}
	return read(t, m.body)
}

// shape is a value without its texts and numbers.
func shape(value any) any {
	switch value := value.(type) {
	case map[string]any:
		shapes := map[string]any{}
		for name, member := range value {
			shapes[name] = shape(member)
		}
		return shapes
	case []any:
		shapes := make([]any, len(value))
		for i, item := range value {
			shapes[i] = shape(item)
		}
		return shapes
	default:
		return fmt.Sprintf("%T", value)
	}
}

var fenced = regexp.MustCompile("(?s)```yaml\n(relays:.*?)```")

// readRecipes reads all relays of docs/relays.md that have a webhook with a body.
func readRecipes(t *testing.T) map[string]recipe {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "relays.md"))
	if err != nil {
		t.Fatal(err)
	}
	recipes := map[string]recipe{}
	for _, block := range fenced.FindAllSubmatch(page, -1) {
		var file struct{ Relays []recipe }
		if err := yaml.Unmarshal(block[1], &file); err != nil {
			t.Fatalf("%v in\n%s", err, block[1])
		}
		for _, r := range file.Relays {
			if r.Webhook.Body != nil {
				recipes[r.Name] = r
			}
		}
	}
	return recipes
}
