package command

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func metricsVerb() *node {
	return &node{
		name:  "metrics",
		usage: "write the numbers of all visible objects for Prometheus",
		about: "Once to stdout, or with --serve at /metrics of a Unix socket or a loopback port\n" +
			"until it is interrupted. The format is Prometheus' text exposition format 0.0.4.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "serve", Usage: "serve at `ADDRESS`: a path, or a loopback host:port"},
		},
		examples: []example{
			{"ipcctl metrics", "once"},
			{"ipcctl metrics > /var/lib/node_exporter/ipc.prom", "for the textfile collector"},
			{"ipcctl metrics --serve 127.0.0.1:9464", "to be scraped"},
		},
		run: runMetrics,
	}
}

func runMetrics(c *call) error {
	if !c.set("serve") {
		return writeMetrics(c.out)
	}
	l, err := listenForScrapes(c.str("serve"))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(c.ctx, func() { l.Close() })
	defer stop()
	c.notef("serving http://%s/metrics", l.Addr())
	for {
		conn, err := l.Accept()
		if c.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go answerScrape(conn)
	}
}

// answerScrape answers one request and hangs up. That is all the HTTP that a
// scrape needs; net/http would cost every verb its time to start.
func answerScrape(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(scrapeLimit))
	in := bufio.NewReader(io.LimitReader(conn, 16<<10))
	request, err := in.ReadString('\n')
	if err != nil {
		return
	}
	for { // past its headers, none of which matters
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimRight(line, "\r\n") == "" {
			break
		}
	}
	var page bytes.Buffer
	status, kind := "200 OK", "text/plain; version=0.0.4; charset=utf-8"
	switch f := strings.Fields(request); {
	case len(f) < 2 || f[0] != "GET":
		status = "405 Method Not Allowed"
	case f[1] != "/metrics":
		status = "404 Not Found"
	default:
		if err := writeMetrics(&page); err != nil {
			page.Reset()
			status, kind = "500 Internal Server Error", "text/plain; charset=utf-8"
			fmt.Fprintln(&page, err)
		}
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", status, kind, page.Len())
	conn.Write(page.Bytes())
}

// scrapeLimit bounds how long a request may take.
const scrapeLimit = 10 * time.Second

// listenForScrapes refuses addresses that other hosts could reach: who uses
// what on this one is not their business.
func listenForScrapes(address string) (net.Listener, error) {
	if strings.Contains(address, "/") {
		return net.Listen("unix", address)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("--serve %q: want a path, or a loopback host:port such as 127.0.0.1:9464", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("--serve %q: only loopback addresses, such as 127.0.0.1", address)
	}
	return net.Listen("tcp", address)
}

// metric is a family of samples.
type metric struct {
	name, kind, help string
	samples          []sample
}

type sample struct {
	labels []string // name, value, name, value, …
	value  float64
}

func (m *metric) add(value float64, labels ...string) {
	m.samples = append(m.samples, sample{labels, value})
}

func writeMetrics(w io.Writer) error {
	objects, err := survey("", nil)
	if err != nil {
		return err
	}
	var (
		count   = metric{name: "ipc_objects", kind: "gauge", help: "Objects on this host, by kind and state."}
		bytes   = metric{name: "ipc_object_bytes", kind: "gauge", help: "Size of an object in shared memory."}
		users   = metric{name: "ipc_object_users", kind: "gauge", help: "Processes that use an object, as far as they can be seen."}
		conns   = metric{name: "ipc_socket_connections", kind: "gauge", help: "Connections that a listening socket has accepted."}
		waiting = metric{name: "ipc_queue_waiting_messages", kind: "gauge", help: "Messages waiting in a queue."}
		room    = metric{name: "ipc_queue_capacity_entries", kind: "gauge", help: "Entries that a queue holds."}
		leased  = metric{name: "ipc_queue_leased_entries", kind: "gauge", help: "Entries out on lease."}
		puts    = metric{name: "ipc_queue_put_messages_total", kind: "counter", help: "Messages put into a queue."}
		gets    = metric{name: "ipc_queue_taken_messages_total", kind: "counter", help: "Messages taken or acknowledged."}
		again   = metric{name: "ipc_queue_requeued_entries_total", kind: "counter", help: "Entries put back for another delivery."}
		dead    = metric{name: "ipc_queue_dead_messages_total", kind: "counter", help: "Messages set aside as dead letters."}
		lost    = metric{name: "ipc_queue_lost_messages_total", kind: "counter", help: "Messages that died in the hand of a consumer."}
	)
	states := map[[2]string]int{}
	for _, o := range objects {
		states[[2]string{o.Kind, o.State}]++
		switch o.Kind {
		case "shm", "queue", "sysv-shm":
			bytes.add(float64(o.Size), "kind", o.Kind, "name", o.Name)
		case "socket":
			conns.add(float64(o.Connections), "name", o.Name)
		}
		users.add(float64(len(o.Users)), "kind", o.Kind, "name", o.Name)
		if o.Kind != "queue" {
			continue
		}
		s, err := queueStatsOf(o.Name)
		if err != nil {
			continue // it has gone, or may not be read: then there is nothing to say
		}
		waiting.add(float64(s.Len), "name", o.Name)
		room.add(float64(s.Capacity), "name", o.Name)
		leased.add(float64(s.Leased), "name", o.Name)
		puts.add(float64(s.Puts), "name", o.Name)
		gets.add(float64(s.Gets), "name", o.Name)
		again.add(float64(s.Requeued), "name", o.Name)
		dead.add(float64(s.Dead), "name", o.Name)
		lost.add(float64(s.Lost), "name", o.Name)
	}
	for key, n := range states {
		count.add(float64(n), "kind", key[0], "state", key[1])
	}
	out := bufio.NewWriter(w)
	for _, m := range []*metric{&count, &bytes, &users, &conns, &waiting, &room, &leased, &puts, &gets, &again, &dead, &lost} {
		m.write(out)
	}
	return out.Flush()
}

func queueStatsOf(name string) (queue.Stats, error) {
	r, err := queue.OpenReader(name)
	if err != nil {
		return queue.Stats{}, err
	}
	defer r.Close()
	return r.Stats()
}

// write writes a family in the text exposition format.
func (m *metric) write(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
	lines := make([]string, 0, len(m.samples))
	for _, s := range m.samples {
		var labels []string
		for i := 0; i < len(s.labels); i += 2 {
			labels = append(labels, s.labels[i]+`="`+escapeLabel(s.labels[i+1])+`"`)
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %s\n", m.name, strings.Join(labels, ","), strconv.FormatFloat(s.value, 'g', -1, 64)))
	}
	sort.Strings(lines)
	for _, l := range lines {
		io.WriteString(w, l)
	}
}

// escapeLabel writes a label's value: it must be UTF-8, with backslash, quote
// and newline escaped.
func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}
