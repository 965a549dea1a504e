package commvault

import (
	"slices"

	"jobwatch/internal/job"
)

// clipper cuts texts to what an event can carry, and notes the members it cut.
type clipper struct{ cut []string }

func (c *clipper) name(member string, t text) job.Text { return c.clip(member, t.words, job.NameLimit) }

func (c *clipper) reason(member string, t text) job.Text {
	return c.clip(member, t.words, job.ReasonLimit)
}

func (c *clipper) clip(member, words string, limit int) job.Text {
	clipped, cut := job.Clip(words, limit)
	if cut && !slices.Contains(c.cut, member) {
		c.cut = append(c.cut, member)
	}
	return clipped
}

func (d *jobDetail) snapshot(commcell string) job.Snapshot {
	s := job.Snapshot{CommCell: commcell, Number: *d.General.v.JobID.value}
	var clip clipper
	d.General.v.fill(&s, &clip)
	d.Progress.v.fill(&s, &clip)
	d.Detail.v.fill(&s, &d.Progress.v)
	// The general start is there from the first answer to the last, so the job's start never moves.
	s.StartTime = d.General.v.StartTime.time()
	if s.StartTime == nil {
		s.StartTime = d.Detail.v.StartTime.time()
	}
	s.Failures = clip.name("failures", either(d.Detail.v.Failures, d.Progress.v.Failures))
	s.Attempt = d.Attempts.number()
	s.Machines = d.Clients.v.machines(&clip)
	s.Truncated = clip.cut
	s.Settle()
	return s
}

func (g *generalInfo) fill(s *job.Snapshot, clip *clipper) {
	s.Client = clip.name("client", either(g.Subclient.v.ClientName, g.DestinationClient.v.Name))
	s.DestinationClient = clip.name("destinationClient", g.DestinationClient.v.Name)
	s.Agent = clip.name("agent", g.Subclient.v.AppName)
	s.Instance = clip.name("instance", g.Subclient.v.InstanceName)
	s.Backupset = clip.name("backupset", g.Subclient.v.BackupsetName)
	s.Subclient = clip.name("subclient", g.Subclient.v.SubclientName)
	s.StoragePolicy = clip.name("storagePolicy", g.StoragePolicy.v.Name)
	s.MediaAgent = clip.name("mediaAgent", g.MediaAgent.v.Name)
	s.Operation = clip.name("operation", g.OperationType)
	s.BackupLevel = clip.name("backupLevel", g.BackupType)
	s.StartedBy = clip.name("startedBy", g.StartedBy)
	s.StartedFrom = clip.name("startedFrom", g.StartedFrom)
	s.SystemState = clip.name("systemState", g.SystemState)
	s.SoftwareCompression = clip.name("softwareCompression", g.Compression)
	s.ReasonCode = clip.name("pendingReasonCode", g.ReasonCode)
	s.Priority, s.TotalFiles = g.Priority.value, g.TotalFiles.value
	s.ParentJob = g.ParentJob.positive()
}

func (p *progressInfo) fill(s *job.Snapshot, clip *clipper) {
	s.State = clip.name("state", p.State)
	s.Phase = clip.name("phase", p.Phase)
	s.Reason = clip.reason("pendingReason", either(p.DelayReason, p.PendingReason))
	s.LastUpdateTime = p.Updated.time()
	if p.Estimated.value != nil && *p.Estimated.value >= firstTimestamp {
		s.EstimatedCompletionTime = p.Estimated.time()
	}
	s.ElapsedSeconds = p.Elapsed.value
	s.PercentComplete = p.Percent.value
	s.FilesTransferred = p.FilesTransferred.value
	s.AverageThroughput, s.CurrentThroughput = p.AverageThroughput.value, p.CurrentThroughput.value
}

func (d *detailInfo) fill(s *job.Snapshot, progress *progressInfo) {
	s.EndTime = d.EndTime.time()
	s.TransferSeconds = d.TransferTime.or(progress.TransferTime)
	s.SizeOfApplication = d.SizeOfApplication.or(progress.SizeOfApplication)
	s.DataWritten, s.DataTransferred = d.DataWritten.value, d.DataTransferred.value
	s.UncompressedBytes, s.CompressedBytes = d.UncompressedBytes.value, d.CompressedBytes.value
	s.SizeOfMediaOnDisk = d.SizeOfMedia.value
	s.Objects, s.Streams, s.SkippedItems = d.Objects.value, d.Streams.value, d.SkippedItems.value
	s.SavingsPercent, s.Throughput = d.SavingsPercent.value, d.Throughput.value
}
