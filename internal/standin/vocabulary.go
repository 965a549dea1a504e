package standin

import (
	"regexp"
	"strings"

	"jobwatch/internal/job"
)

// vocabularies are the strings that may stay, as the product writes them, each in the members where it means that.
var vocabularies = func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, v := range []struct{ members, strings string }{
		{"currentphase currentphasename phase phasename", `
			Scan|Backup|Archive Index|Discover|Finalize|System State|Verify Data|Restore|Content Index|Analyze|Copy|Download|Install|
			Database Backup|Log Backup|Index Restore|Prepare|Upload|Cleanup|Prune|Catalog|Replicate|Snap Backup|Backup Copy|Update`},
		{"operationtype jobtype operation localizedoperationname optype", `
			Backup|Restore|Disaster Recovery Backup|CS DR Backup|Data Verification|Snap Backup|Auxiliary Copy|Aux Copy|Data Aging|
			Synthetic Full|Synthetic Full Backup|Install Software|Download Software|Install Updates|Download Updates|Send Log Files|
			Admin|Offline Content Indexing|Information Management|Backup Copy|Media Inventory|DDB Backup|DDB Verification|
			Dedup DB Verification|Workflow|Report|Replication|Live Sync|Virtualize Me|Archive|Index Restore|Browse|Upgrade Clients|
			Administrative|Schedule|File System Backup|Virtual Machine Backup|Space Reclamation|Move DDB|Delayed Catalog`},
		{"backuptype backuplevel backuplevelname localizedbackuplevelname", `
			Full|Incremental|Differential|Synthetic Full|Synthetic_Full|Unknown|None|Transaction Log|Pre-Selected|Automatic Incremental|
			FULL|INCREMANTAL|INCREMENTAL|DIFFERENTIAL|SYNTHETIC_FULL|NONE|TRANSACTION_LOG|Snap|Archive|Automatic`},
		{"appname apptypename", `
			Windows File System|Linux File System|Virtual Server|Default Application Type Name|File System|SQL Server|Oracle|
			Oracle RAC|SAP for Oracle|SAP HANA|Exchange Database|Exchange Mailbox|Active Directory|MySQL|PostgreSQL|DB2|Sybase|
			Informix|NAS|Cloud Apps|Sharepoint Server|Documentum|Domino Database|Notes Database|Unix File System|Solaris File System|
			AIX File System|HP-UX File System|Mac FileSystem|Object Storage|Big Data Apps|MongoDB|Kubernetes`},
		{"jobstartedfrom", `Schedule|Interactive|Automatic|Command Line|API|System|Third Party|Web|Console`},
		{"systemstate encrypted encryption usescalableresourceallocation softwarecompression hardwarecompression",
			`Yes|No|On|Off|Unavailable|Storage Policy|Client|Media Agent|Not Applicable|N/A`},
		{"transportmode", `hotadd|nbd|nbdssl|san|nas|lan|direct|HotAdd|NBD|NBDSSL|SAN|NAS|Local`},
		{"cbtstatus", `Used|Not Used|Enabled|Disabled|Not Supported|Failed|N/A`},
		{"toolsversion", `Current|Out of date|Not running|Not installed|Not Installed|Unmanaged`},
		{"statuscolor", `black|red|green|blue|orange|yellow|gray|grey|blackspan|redspan|greenspan|bluespan|orangespan|yellowspan`},
		{"subsystem", `
			JobManager|MediaManager|EvMgrS|EventManager|CVD|CVMountd|AppManager|CommServe|cvd|ArchiveMgr|Indexing|Workflow|GxCVD|Scheduler`},
		{"subclientname", `default`},
		{"backupsetname", `defaultBackupSet`},
		{"instancename", `DefaultInstanceName|VMware|Hyper-V|VMInstance|defaultInstance|Nutanix AHV|OracleVM|Azure|Amazon Web Services`},
		{"timezone", `UTC|GMT`},
	} {
		kept := map[string]bool{}
		for text := range strings.SplitSeq(v.strings, "|") {
			kept[strings.TrimSpace(text)] = true
		}
		for name := range strings.FieldsSeq(v.members) {
			all[name] = kept
		}
	}
	return all
}()

var (
	stateNames = set("state status localizedstatus")
	phaseNames = set("currentphase currentphasename phase phasename")
	phases     = func() map[string]bool {
		all := map[string]bool{}
		for phase := range vocabularies["phase"] {
			all[folded(phase)] = true
		}
		return all
	}()
)

// folded is a state or a phase without what makes no other one of it.
func folded(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// mayStay says whether a string is the product's own in a member.
func mayStay(m member, text string) bool {
	switch {
	case stateNames[m.name] && job.LookUp(job.Text(text), false).Class != job.Unknown, phaseNames[m.name] && phases[folded(text)]:
		return len(text) <= longName
	case vocabularies[m.name][text]:
		return true
	}
	return isCode(m, text) || isVersion(m, text) || isMoment(m, text)
}

var (
	codeShape    = regexp.MustCompile(`^\[?[0-9]{1,3}:[0-9]{1,5}\]?$`)
	versionShape = regexp.MustCompile(`^(vmx-)?[0-9]{1,2}(\.[0-9]{1,3}){0,2}$`)
	momentShape  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$`)
	versionWords = set("version release")
	momentWords  = set("time date timestamp")
)

// isCode takes 19:1131 for the code of a reason, where one stands.
func isCode(m member, text string) bool {
	return (strings.HasSuffix(m.name, "code") || strings.HasSuffix(m.name, "codestring")) && codeShape.MatchString(text)
}

func isVersion(m member, text string) bool {
	return m.known && m.has(versionWords) && versionShape.MatchString(text)
}

func isMoment(m member, text string) bool {
	return m.known && m.has(momentWords) && momentShape.MatchString(text)
}
