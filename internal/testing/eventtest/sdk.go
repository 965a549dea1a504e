package eventtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"jobwatch/internal/event"
)

// misread is what the SDK of CloudEvents reads otherwise than we do.
func misread(message []byte) []string {
	ours, err := event.Parse(message)
	if err != nil {
		return []string{err.Error()}
	}
	var theirs cloudevents.Event
	if err := json.Unmarshal(message, &theirs); err != nil {
		return []string{"the CloudEvents SDK says: " + err.Error()}
	}
	var wrong []string
	if err := theirs.Validate(); err != nil {
		wrong = append(wrong, "the CloudEvents SDK says: "+err.Error())
	}
	for what, pair := range map[string][2]string{
		"specversion":     {theirs.SpecVersion(), ours.SpecVersion},
		"id":              {theirs.ID(), ours.ID},
		"source":          {theirs.Source(), ours.Source},
		"type":            {theirs.Type(), ours.Type},
		"subject":         {theirs.Subject(), ours.Subject},
		"time":            {theirs.Time().String(), ours.Time.String()},
		"datacontenttype": {theirs.DataContentType(), ours.DataContentType},
		"dataschema":      {theirs.DataSchema(), ours.DataSchema},
	} {
		if pair[0] != pair[1] {
			wrong = append(wrong, fmt.Sprintf("the CloudEvents SDK reads %s as %q, we as %q", what, pair[0], pair[1]))
		}
	}
	extensions := map[string]any{"sequence": ours.Sequence, "partitionkey": ours.PartitionKey}
	if got := theirs.Extensions(); !maps.Equal(got, extensions) {
		wrong = append(wrong, fmt.Sprintf("the CloudEvents SDK reads the extensions as %v, we as %v", got, extensions))
	}
	if !bytes.Equal(theirs.Data(), ours.Data) {
		wrong = append(wrong, fmt.Sprintf("the CloudEvents SDK reads data as %s", theirs.Data()))
	}
	return wrong
}
