package event

import "github.com/google/jsonschema-go/jsonschema"

// description is what the schema says of a member besides its Go type.
type description struct {
	text    string
	pattern string
	enum    []any
	least   *float64
}

func (d description) write(s *jsonschema.Schema) {
	s.Description = d.text
	if d.pattern != "" {
		s.Pattern = d.pattern
	}
	if d.enum != nil {
		s.Enum = d.enum
	}
	s.Minimum = d.least
}

// The patterns keep to what all engines of regular expressions understand alike.
const (
	commCellPattern = `[A-Za-z0-9_-]+`
	jobPattern      = `[1-9][0-9]*`
	numeralPattern  = `^-?[0-9]+$`
	timePattern     = `^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z$`

	// No upper case, white space or punctuation of ASCII, but single underscores between words.
	slugWord    = `[^\x00-\x2f\x3a-\x60\x7b-\xa0]+`
	slugPattern = `^` + slugWord + `(_` + slugWord + `)*$`
)

var (
	zero, one = 0.0, 1.0

	// descriptions are by the Go type's name in the schema and the member's in JSON.
	descriptions = map[string]description{
		"event.id":              {text: "Unique for ever, and opaque. Also the Nats-Msg-Id.", pattern: `^[0-9a-z]{16,}-[0-9]{12,}$`},
		"event.source":          {text: "The CommCell that the event comes from.", pattern: `^/commcells/` + commCellPattern + `$`},
		"event.time":            {text: "When the answer that showed the change was complete."},
		"event.sequence":        {text: "Counts the events of a partition from 1 without a gap.", pattern: `^[0-9]{20}$`},
		"event.specversion":     {text: "The version of CloudEvents.", enum: []any{"1.0"}},
		"event.datacontenttype": {text: "The media type of data.", enum: []any{"application/json"}},

		"jobData.severity":  {text: "How much the event should worry its reader."},
		"jobData.truncated": {text: "The members of job that were cut; absent where none was."},

		"change.kind":       {text: "What changed; the fifth token of the subject."},
		"change.detail":     {text: "What of it; the sixth token of the subject."},
		"change.from":       {text: "What was told before, in the CommServe's own words; null where nothing was."},
		"change.to":         {text: "What is now, in the CommServe's own words."},
		"change.vm":         {text: "The name of the virtual machine that failed; in jobs that install, update or fetch logs, of the client."},
		"change.vmGuid":     {text: "The machine's GUID, by which it is known; absent where the server gives none."},
		"change.vmJob":      {text: "The number of the virtual machine's own job; absent where it has none.", least: &one},
		"change.code":       {text: "The error code of the reason; absent where it has none."},
		"change.notBefore":  {text: "The change happened after this time; null where nothing earlier is known of the job."},
		"change.observedAt": {text: "The change happened before this time."},

		"change.log": {text: "What the CommServe's own feed has told of the job since the event before, the oldest first; absent where nothing."},

		"feedEntry.code":     {text: "The code of what happened: 19:1086 is a job suspended."},
		"feedEntry.severity": {text: "Commvault's own; null where it gives none.", enum: orNull(feedSeverities)},
		"feedEntry.time":     {text: "When, by the CommServe's clock."},
		"feedEntry.text":     {text: "What happened, in the CommServe's own words; a text that was cut ends in an ellipsis."},

		"commcellData.commcell":   {text: "The CommCell's name in jobwatch's configuration.", pattern: `^` + commCellPattern + `$`},
		"commcellData.detail":     {text: "What became of it; the last token of the subject."},
		"commcellData.reason":     {text: "Why it does not answer; null where it does."},
		"commcellData.severity":   {text: "How much the event should worry its reader."},
		"commcellData.observedAt": {text: "When it was seen."},

		"job.commcell":                {text: "The CommCell's name in jobwatch's configuration.", pattern: `^` + commCellPattern + `$`},
		"job.id":                      {text: "The job's number, unique in its CommCell.", least: &one},
		"job.state":                   {text: "The state in the CommServe's own words."},
		"job.stateClass":              {text: "What the state means; null where the state is.", enum: orNull(classes)},
		"job.terminal":                {text: "Whether the job has ended."},
		"job.phase":                   {text: "The phase in the CommServe's own words; null once the job has ended."},
		"job.client":                  {text: "The client that the job is about; the subject carries it encoded."},
		"job.operation":               {text: "What the job does: Backup, Restore, …"},
		"job.systemState":             {text: "Whether the system state is protected: Yes, No, Unavailable."},
		"job.softwareCompression":     {text: "Where the data is compressed."},
		"job.parentJob":               {text: "The number of the job that started this one for one of its virtual machines."},
		"job.attempt":                 {text: "The number of the attempt, where the CommServe tells attempts."},
		"job.estimatedCompletionTime": {text: "When the CommServe expects the end."},
		"job.elapsedSeconds":          {text: "How long the job has worked, without its pauses, in seconds."},
		"job.transferSeconds":         {text: "How long data was transferred, in seconds."},
		"job.percentComplete":         {text: "How far the job is; 100 does not mean success."},
		"job.sizeOfApplication":       {text: "Bytes to be protected."},
		"job.dataWritten":             {text: "Bytes written to media."},
		"job.dataTransferred":         {text: "Bytes sent over the network."},
		"job.uncompressedBytes":       {text: "Bytes before compression."},
		"job.compressedBytes":         {text: "Bytes after compression."},
		"job.sizeOfMediaOnDisk":       {text: "Bytes taken on disk."},
		"job.savingsPercent":          {text: "What compression and deduplication saved; may be negative."},
		"job.averageThroughput":       {text: "GB an hour."},
		"job.currentThroughput":       {text: "GB an hour, of this attempt."},
		"job.throughput":              {text: "GB an hour."},
		"job.failures":                {text: "Failed folders and files in the CommServe's own words."},
		"job.pendingReason":           {text: "Why the job waits, in the CommServe's own words."},
		"job.pendingReasonCode":       {text: "The error code of that reason."},
		"job.vms":                     {text: "How many virtual machines, or clients to install or update, the job has; null where it has none."},
		"vms.total":                   {text: "All of them.", least: &zero},
		"vms.failed":                  {text: "Those that failed.", least: &zero},
	}
)

func orNull[T ~string](texts []T) []any { return append(anyOf(texts), nil) }

func anyOf[T ~string](texts []T) []any {
	var values []any
	for _, text := range texts {
		values = append(values, string(text))
	}
	return values
}
