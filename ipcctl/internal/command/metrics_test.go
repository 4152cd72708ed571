package command_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// exposed returns a look-up of the value of one series of an exposition, which the official
// parser and linter must accept.
func exposed(t *testing.T, text string) func(name string, labels ...string) float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	return func(name string, labels ...string) float64 {
		t.Helper()
		for _, m := range families[name].GetMetric() {
			same := 0
			for i := 0; i < len(labels); i += 2 {
				for _, l := range m.GetLabel() {
					if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
						same++
					}
				}
			}
			if same == len(labels)/2 {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		t.Fatalf("no %s with %q in:\n%s", name, labels, text)
		return 0
	}
}

func TestMetrics(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--capacity", "7")
	must(t, "", "queue", "put", name, "a", "b", "c")
	must(t, "", "queue", "get", name)
	value := exposed(t, must(t, "", "metrics"))
	is.Equal(value("ipc_queue_waiting_messages", "name", name), 2.0)
	is.Equal(value("ipc_queue_capacity_entries", "name", name), 7.0)
	is.Equal(value("ipc_queue_put_messages_total", "name", name), 3.0)
	is.Equal(value("ipc_queue_taken_messages_total", "name", name), 1.0)
	is.True(value("ipc_object_bytes", "kind", "queue", "name", name) > 0)
	is.True(value("ipc_objects", "kind", "queue", "state", "idle") >= 1)
	fails(t, 2, []string{"metrics", "--serve", "0.0.0.0:9464"}, "only loopback")
	fails(t, 2, []string{"metrics", "--serve", "9464"}, "loopback host:port")
}

// TestMetricsOfAnyName: whoever makes a FIFO chooses what its label holds.
func TestMetricsOfAnyName(t *testing.T) {
	is := is.New(t)
	cmd := command(t, "metrics")
	dir := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	for _, n := range []string{`a"b\c`, "two\nlines 1 2", "no\xffUTF-8"} {
		is.NoErr(mkfifo(filepath.Join(dir, n), 0o600))
	}
	r := finish(t, cmd)
	is.Equal(r.code, 0)
	value := exposed(t, r.out)
	for _, n := range []string{`a"b\c`, "two\nlines 1 2", "no\uFFFDUTF-8"} {
		is.Equal(value("ipc_object_users", "kind", "fifo", "name", filepath.Join(dir, n)), 0.0)
	}
}

func TestMetricsServed(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	path := filepath.Join(t.TempDir(), "metrics.sock")
	b := start(t, "serving /metrics at "+path, "metrics", "--serve", path)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	get := func(method, what string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://ipcctl"+what, nil)
		is.NoErr(err)
		resp, err := client.Do(req)
		is.NoErr(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		is.NoErr(err)
		return resp.StatusCode, string(body)
	}
	for puts := 1.0; puts <= 2; puts++ { // each scrape looks anew
		must(t, "", "queue", "put", name, "a")
		code, body := get("GET", "/metrics")
		is.Equal(code, 200)
		is.Equal(exposed(t, body)("ipc_queue_put_messages_total", "name", name), puts)
	}
	code, _ := get("GET", "/")
	is.Equal(code, 404)
	code, _ = get("POST", "/metrics")
	is.Equal(code, 405)
	b.cmd.Process.Kill()
	is.Equal(b.status(t), -1)
	b = start(t, "serving /metrics at "+path, "metrics", "--serve", path) // the file that is left is no obstacle
	fails(t, 1, []string{"metrics", "--serve", path}, path, "live server")
	is.Equal(b.interrupt(t), 0)
	_, err := os.Lstat(path)
	is.True(os.IsNotExist(err)) // the socket's file is gone

	b = start(t, "serving http://127.0.0.1:", "metrics", "--serve", "127.0.0.1:0")
	is.Equal(b.interrupt(t), 0)
}
