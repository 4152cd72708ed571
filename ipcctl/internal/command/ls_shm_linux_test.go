//go:build !ipcportable

package command_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

func TestListSegmentsAndQueues(t *testing.T) {
	is := is.New(t)
	held, err := shm.Create(segmentName(t), 5000, &shm.Options{Mode: 0o640})
	is.NoErr(err)
	defer held.Close()
	unlinked, err := shm.Create(segmentName(t), 5000, nil)
	is.NoErr(err)
	defer unlinked.Close()
	is.NoErr(shm.Remove(unlinked.Name()))
	q := newQueue(t)
	must(t, "", "queue", "put", q, "a", "b")

	objects := conforms(t, "ipcctl ls", must(t, "", "ls", "--json"))
	o := find(objects, held.Name())
	is.Equal(o["kind"], "shm")
	is.Equal(o["state"], "live")
	is.Equal(o["size"], 5000.0)
	is.Equal(o["mode"], "0640")
	is.True(usedBy(o, os.Getpid()))
	is.True(slices.ContainsFunc(objects, func(o map[string]any) bool { // in memory, which has a size, and out of reach
		return o["kind"] == "shm" && o["state"] == "orphan" && strings.HasSuffix(o["name"].(string), "(deleted)") && usedBy(o, os.Getpid()) &&
			o["size"] == 5000.0
	}))
	o = find(objects, q)
	is.Equal(o["kind"], "queue")
	is.Equal(o["state"], "idle")
	is.Equal(o["waiting"], 2.0)
	is.Equal(find(objects, "ipcq."+q), nil) // a queue is not a segment too

	only := conforms(t, "ipcctl ls", must(t, "", "ls", "--json", "--kind=queue"))
	for _, o := range only {
		is.Equal(o["kind"], "queue")
	}
	is.True(strings.Contains(must(t, "", "ls", "--kind", "shm"), held.Name()))
}
