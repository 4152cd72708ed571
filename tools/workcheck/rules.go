package main

// outside is the one module that go.work leaves out: the benchmarks require
// the libraries that they are compared with, and no user and no test run
// should have to download those.
const outside = "bench"

const (
	modSys  = "golang.org/x/sys"
	modTest = "github.com/matryer/is" // for tests alone
	modCLI  = "github.com/urfave/cli/v2"
	modMod  = "golang.org/x/mod"
	modProm = "github.com/prometheus/client_golang"
	modText = "github.com/prometheus/common" // the text that Prometheus reads
	modGrid = "github.com/jedib0t/go-pretty/v6"
	modView = "github.com/rivo/tview"
	modCell = "github.com/gdamore/tcell/v2" // what tview draws with
	modPlot = "gonum.org/v1/plot"
	modLin  = "github.com/anishathalye/porcupine" // checks histories for linearizability
)

// rule says what one module may depend on and what it must hold.
type rule struct {
	siblings []string // directories of modules whose packages it may import
	others   []string // paths of other modules whose packages it may import
	library  bool     // imported by users: documented, with examples
	released bool     // gets version tags, so has a CHANGELOG
}

// rules has the two chains of libraries, acl <- socket <- pipe and
// shm <- queue, and below them the programs that use both.
var rules = map[string]rule{
	"acl":    {library: true, released: true, others: []string{modSys}},
	"socket": {library: true, released: true, siblings: []string{"acl"}, others: []string{modSys}},
	"pipe":   {library: true, released: true, siblings: []string{"socket"}, others: []string{modSys}},
	"shm":    {library: true, released: true, others: []string{modSys}},
	"queue":  {library: true, released: true, siblings: []string{"shm"}, others: []string{modSys}},

	"ipcctl": {released: true, siblings: []string{"acl", "socket", "pipe", "shm", "queue"}, others: []string{modSys, modCLI, modProm, modText, modGrid, modView, modCell, modPlot}},

	"demos/pipe":          {siblings: []string{"pipe"}},
	"demos/queue":         {siblings: []string{"queue"}},
	"demos/shm-reader":    {siblings: []string{"shm"}},
	"demos/shm-writer":    {siblings: []string{"shm"}},
	"demos/socket-client": {siblings: []string{"socket"}},
	"demos/socket-server": {siblings: []string{"socket"}},

	"tools": {others: []string{modMod}},
	"e2e":   {siblings: []string{"queue"}, others: []string{modSys, modLin}},
}

// reach returns the directories of the siblings that a module may depend on,
// directly or through another.
func reach(dir string) []string {
	var all []string
	for _, s := range rules[dir].siblings {
		all = append(append(all, s), reach(s)...)
	}
	return all
}

// platforms are those whose imports are looked at: a platform file must not
// bring in what the others don't.
var platforms = []struct{ goos, tags string }{
	{goos: "linux"},
	{goos: "linux", tags: "ipcportable"},
	{goos: "darwin"},
	{goos: "freebsd"},
	{goos: "windows"},
}
