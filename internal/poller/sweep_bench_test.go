package poller_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

// BenchmarkListSweep runs cycles over active jobs of which one in a hundred has changed, and beside it reads the same
// pages of the list with a bare net/http client that decodes of each line what a script would look at: `times_bare` is
// the ratio of the two, in the same run; `share_of_details` that of the requests to those of a details sweep.
func BenchmarkListSweep(b *testing.B) {
	for _, jobs := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) { benchmarkListSweep(b, jobs) })
	}
}

func benchmarkListSweep(b *testing.B, jobs int) {
	cs := newListed(jobs)
	server := httptest.NewServer(cs)
	defer server.Close()
	st, err := store.Open(filepath.Join(b.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	p := newListSweeper(b, server.URL, st)
	poll := func() error { return p.Cycle(b.Context()) }
	if err := poll(); err != nil { // the first asks for each job
		b.Fatal(err)
	}
	drain(b, st)

	var watcher, bare cost
	var asked, pages int64
	client := &http.Client{}
	defer client.CloseIdleConnections()
	for b.Loop() {
		cs.change(jobs / 100)
		cs.asked.Store(0)
		watcher.of(b, poll)
		asked += cs.asked.Swap(0)
		bare.of(b, func() error { return readBarely(client, server.URL, jobs) })
		pages += cs.asked.Load()
		b.StopTimer()
		if told := drain(b, st); told != jobs/100 {
			b.Fatalf("%d events for %d changes", told, jobs/100)
		}
		b.StartTimer()
	}
	cycles := float64(b.N)
	b.ReportMetric(watcher.took.Seconds()/cycles, "s/cycle")
	b.ReportMetric(bare.took.Seconds()/cycles, "bare-s/cycle")
	b.ReportMetric(watcher.took.Seconds()/bare.took.Seconds(), "times_bare")
	b.ReportMetric(float64(asked)/cycles, "requests/cycle")
	b.ReportMetric(float64(pages)/cycles, "bare-requests/cycle")
	b.ReportMetric(float64(asked)/cycles/float64(jobs), "share_of_details")
}

func newListSweeper(b *testing.B, url string, st *store.Store) *poller.Poller {
	log := slog.New(slog.DiscardHandler)
	client, err := commvault.New(commvault.Config{CommCell: "prod", URL: url, Token: "QSDK sim", Log: log})
	if err != nil {
		b.Fatal(err)
	}
	schedule, err := cron.ParseStandard("@every 30s")
	if err != nil {
		b.Fatal(err)
	}
	return poller.New(poller.Config{
		CommCell: "prod", Source: client, Store: st, Schedule: schedule, Log: log, Discover: true, FinishedWithin: time.Hour,
		Sweep: poller.SweepList, FullRefresh: 24 * time.Hour,
	})
}

// drain takes the events out, as a publisher would that is never behind, and counts them.
func drain(b *testing.B, st *store.Store) int {
	ids, err := st.Waiting()
	if err != nil {
		b.Fatal(err)
	}
	var told atomic.Int64
	var group errgroup.Group
	group.SetLimit(256) // they share their transactions
	for _, id := range ids {
		group.Go(func() error {
			for {
				next, found, err := storetest.Oldest(st, id)
				if err != nil || !found {
					return err
				}
				if err := st.Acknowledge(id, next.Event, uint64(told.Add(1))); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return int(told.Load())
}

// listed is a CommServe that is quick: what it answers lies ready.
type listed struct {
	states []string
	next   int // whose state changes next
	asked  atomic.Int64
}

func newListed(jobs int) *listed {
	l := &listed{states: make([]string, jobs)}
	for i := range l.states {
		l.states[i] = "Running"
	}
	return l
}

// change changes the states of some jobs, spread over the list.
func (l *listed) change(some int) {
	for range some {
		l.next = (l.next + 101) % len(l.states)
		if l.states[l.next] == "Running" {
			l.states[l.next] = "Waiting"
		} else {
			l.states[l.next] = "Running"
		}
	}
}

func (l *listed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asked.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		l.details(w, r)
		return
	}
	offset, _ := strconv.Atoi(r.Header.Get("offset"))
	limit, _ := strconv.Atoi(r.Header.Get("limit"))
	page := fmt.Appendf(nil, `{"totalRecordsWithoutPaging":%d,"jobs":[`, len(l.states))
	for i := offset; i < min(offset+limit, len(l.states)); i++ {
		if i > offset {
			page = append(page, ',')
		}
		page = fmt.Appendf(page, listedLine, i+1, l.states[i], l.states[i], i%300)
	}
	_, _ = w.Write(append(page, "]}"...))
}

func (l *listed) details(w http.ResponseWriter, r *http.Request) {
	var asked struct{ JobID int }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, `{"job":{"jobDetail":{"generalInfo":{"jobId":%d,"operationType":"Backup","startTime":1764000000,`+
		`"subclient":{"clientName":"winter-%d","appName":"File System","subclientName":"default"}},`+
		`"progressInfo":{"state":%q,"currentPhase":"Backup","percentComplete":7}}}}`, asked.JobID, asked.JobID%300, l.states[asked.JobID-1])
}

// listedLine has what a CommServe says of a job in its list.
const listedLine = `{"jobSummary":{"jobId":%d,"status":%q,"localizedStatus":%q,"statusColor":"black","jobType":"Backup","opType":4,` +
	`"operation":"Incremental Backup","localizedOperationName":"Incremental Backup","backupLevel":2,"backupLevelName":"Incremental",` +
	`"appTypeName":"File System","currentPhase":7,"currentPhaseName":"Backup","percentComplete":41,"lastUpdateTime":1764000300,` +
	`"jobStartTime":1764000000,"jobElapsedTime":290,"pendingReason":"","pendingReasonErrorCode":"","jobSubmitErrorCode":0,"errorType":0,` +
	`"alertColorLevel":0,"totalFailedFiles":0,"totalFailedFolders":0,"totalNumOfFiles":12000,"sizeOfApplication":73400320,"percentSavings":41.5,` +
	`"isAged":false,"isVisible":true,"commcellId":2,"vsaParentJobID":0,"maxRestartOfRetries":0,"destClientName":"winter",` +
	`"subclient":{"clientId":5,"clientName":"winter-%d","displayName":"winter","applicationId":33,"appName":"File System","instanceId":1,` +
	`"instanceName":"DefaultInstanceName","backupsetId":9,"backupsetName":"defaultBackupSet","subclientId":12,"subclientName":"default"},` +
	`"destinationClient":{"clientId":5,"clientName":"winter","displayName":"winter"},"storagePolicy":{"storagePolicyId":3,"storagePolicyName":"weekly"},` +
	`"userName":{"userId":1,"userName":"admin"},"clientGroups":[{"clientGroupId":4,"clientGroupName":"servers"}]}}`

// readBarely reads the same pages as the watcher, and decodes what any script has to: which jobs, and how they do.
func readBarely(client *http.Client, url string, jobs int) error {
	const limit, overlap = 500, 10
	seen := 0
	for offset := 0; ; offset += limit - overlap {
		var page struct {
			Jobs []struct {
				Summary struct {
					JobID                         int64
					Status, CurrentPhaseName      string
					PendingReason                 string
					TotalFailedFiles, JobEndTime  int64
					TotalFailedFolders, StartTime int64
				} `json:"jobSummary"`
			}
		}
		if err := readPage(client, url, offset, limit, &page); err != nil {
			return err
		}
		if seen = max(seen, offset+len(page.Jobs)); seen >= jobs {
			return nil
		}
	}
}

func readPage(client *http.Client, url string, offset, limit int, page any) error {
	request, err := http.NewRequest(http.MethodGet, url+"/Job?completedJobLookupTime=3600&jobFilter=", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authtoken", "QSDK sim")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("offset", strconv.Itoa(offset))
	request.Header.Set("limit", strconv.Itoa(limit))
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return json.NewDecoder(bytes.NewReader(body)).Decode(page)
}
