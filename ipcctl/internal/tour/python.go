package tour

import (
	"fmt"
	"os/exec"
	"time"

	"github.com/ipcctl/ipc/shm"
)

// script is a Python program with no import of ours. It talks to the server at
// argv[1], and makes the segment argv[2] and keeps it until stdin ends.
const script = `
import json, sys, time
from multiprocessing.connection import Client
from multiprocessing.shared_memory import SharedMemory

took = []
with Client(sys.argv[1], 'AF_UNIX') as c:
    for i in range(500):
        begin = time.perf_counter_ns()
        c.send_bytes(b'hello from Python')
        answer = c.recv_bytes().decode()
        took.append(time.perf_counter_ns() - begin)
took.sort()

m = SharedMemory(name=sys.argv[2], create=True, size=4096)
m.buf[:6] = b'Python'
print(json.dumps({'Answer': answer, 'P50': took[250], 'Version': '%d.%d.%d' % sys.version_info[:3]}), flush=True)
sys.stdin.read()
m.close()
m.unlink()
`

// snake is the report of the script.
type snake struct {
	Answer, Version string
	P50             time.Duration
}

// pythonStep: a stock Python process calls our server and shares memory with us.
func pythonStep(g *guide, r *Result) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		r.Skipped, r.What = true, "not shown: there is no python3 on PATH"
		return nil
	}
	server, err := g.server()
	if err != nil {
		return err
	}
	name := g.prefix + segment
	client, err := g.launch("python", exec.Command(python, "-c", script, g.path("tour.sock"), name))
	if err != nil {
		return err
	}
	var seen greeting
	if err := server.hear(g.ctx, &seen); err != nil {
		return err
	}
	var s snake
	if err := client.hear(g.ctx, &s); err != nil {
		return err
	}
	if want := "ACK: hello from Python"; s.Answer != want {
		return fmt.Errorf("the Python process got the answer %q, want %q", s.Answer, want)
	}
	region, err := shm.OpenReader(name, nil)
	if err != nil {
		return err
	}
	defer region.Close()
	b := make([]byte, 6)
	if _, err := region.ReadAt(b, 0); err != nil {
		return err
	}
	if string(b) != "Python" {
		return fmt.Errorf("the segment that Python made begins with %q, want %q", b, "Python")
	}
	r.What = fmt.Sprintf("Python %s (%d) got its answer; its SharedMemory was read here", s.Version, seen.PID)
	r.Figure = short(s.P50) + " a round trip"
	return nil
}
