package standin

import "strings"

// words are those that the API's names of members are made of, in lower case.
var words = set(`
	access account acknowledge acted action active activity actual additional address admin affected after age aged agent agents
	alert alerts alias all allocation allow allowed amount analytics any api app application applications archive archived area array
	ascending at attachment attempt attempts attribute attributes auth authentication auto automatic auxiliary available average
	awaiting back background backup backups backupset bandwidth base basic batch bcd before begin bit bits block blocks body boolean
	browse by byte bytes cache call can cancel canceled capability capacity catalog category cause cbt ccn cell center change
	changed channel check checks child children class classification cleanup client clients clienttype cloud cluster code codes
	collection color comm command comment commcell commserv commserve common commvault complete completed completion component
	compressed compression computer condition config configuration connection console consumed container content context control
	convert copied copies copy core correlation cost count counter create created creation credential credentials criteria critical
	cs current cursor custom cv cvd cvs cycle daily data database date day days ddb decryption dedup dedupe deduplication default
	delay delayed delete deleted deletion delta dependent depth desc descending description dest destination detail details device
	diff different differential direct direction directory disabled discovered discovery disk disks display dm domain done down download
	dr drive drives duration dynamic each edge effective elapsed element elements email enable enabled encrypted encryption end ended
	engine engines enterprise entities entity entry enum environment error errors estimate estimated estimation event events ev ex
	exception exclude excluded execution exist existing exit exitval expected expiration expires expiry export extended extension
	extent external factor fail failed failure failures family fault feature fetch file files filter filters final finalize finish
	finished first flag flags flow folder folders for force forever format forward free frequency from full fully function gb
	general generic get global group groups guest guid guids handler hardware has hash hash header health heartbeat height hidden
	hide high history hold host hosts hour hours http https hyperv hypervisor icon id identifier identity ids idle if ignore image
	impersonation import in inactive include included incr incremental index indexing info information infra inherited init initial
	initiated input install installation installed instance instances int integer interactive interface internal interrupt
	interrupted interval invalid io ip is item items job jobs keep kept key kill killed kind label language last latest layer
	length level levels library license life limit limits line lines link list load local localized location lock locked log login
	logs long loss machine machines mail main major manage managed management manager map master match max maximum mb mean media
	member members memory merge message messages metadata method min minimum minor minute minutes miss missed missing mode model
	modified modify module monitor monitoring month more mount move ms multi name names native need needed needs network new next
	no node nodes non none normal not note notes notification null num number numbers object objects of off offline offset old
	on online op open operating operation operations option optional options or order org organization origin original os other
	out output outcome over overall override own owner owners package page pages paging pair parallel param parameter parameters
	parent part partial partially partition parts password patch path paths pause paused pending per percent percentage performance
	period permission permissions phase phases physical ping plan plans platform point points policies policy pool port position
	post power powered preempt preemptable preferred present preserve preview previous primary priority private problem process
	processed processing processinginstructioninfo product profile program progress properties property protected protection
	protocol provider proxies proxy pruned public pull purge push put query queue queued quota range rate ratio raw read reader reads
	ready reason reasons reboot received recent record records recover recovery reference refresh region register registered
	registration release remaining remark remote remove removed renew replica replicate replication report request requested
	requests required reserved reset resource resources resp response restart restartable restored restore restores result results
	resubmit resume resumed retain retained retention retries retry return revert revision right rights role roles root route row
	rows rule rules run running runs sa saas safe sample saved savings scalable scan schedule scheduled scheduler schema scope score
	script search second secondary seconds secret section secure security select selected self send sent sequence serv server servers
	service services session set setting settings severity shared short should show shown signature silo simple since site size
	sizes skip skipped sla slot smtp snap snapshot software sort source space span speed spool sql stage stamp standard start
	started state states static statistics stats status statuses step steps stop stopped storage store stored stream streams string
	stub sub subclient subclients subject submit submitted subsystem subtask success successful suffix sum summary supported
	suspend suspended switch sync synchronization synthetic system table tag tags tape target task tasks temp template tenant test
	text thread threshold through throughput tier time timeout times timestamp timezone to token tool tools total totals trace
	track traffic trail transaction transfer transferred transfers transport tree trigger triggered true try type types un unit
	units universal unknown unplanned unused up update updated updates upgrade upload uri url usage use used user users utc uuid
	validate validation validity value values vendor verification verified verify version versions view virtual virtualization
	visible vm vms vmware volume volumes vsa wait waiting warning warnings web week window windows with without work worker
	workflow workload write writer writes written xfered xferred xml year yes zone
	gui aging bkp deferred field hook inputs interfaces inventory lookup renewable rst sec sidb sp standalone synced throughtput title until
	j m v cred creds sessions errlist err errno jobid dataid gui csguid req url
`)

// set is of words without spaces.
func set(text string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		all[word] = true
	}
	return all
}
