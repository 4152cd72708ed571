package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ipcctl/ipc/socket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
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
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(collector{}); err != nil {
		return err
	}
	if c.set("serve") {
		return c.serveMetrics(registry)
	}
	families, err := looking(c, registry.Gather)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			return err
		}
	}
	if c.width == 0 {
		_, err := text.WriteTo(c.out)
		return err
	}
	for line := range strings.Lines(text.String()) { // a label is whatever somebody called a file
		fmt.Fprintln(c.out, oneLine(line))
	}
	return nil
}

// scrapeLimit bounds how long a request may take, scrapesAtOnce how many are
// answered at the same time: each looks at every process.
const (
	scrapeLimit   = 10 * time.Second
	scrapesAtOnce = 4
)

// serveMetrics answers scrapes until the verb is interrupted.
func (c *call) serveMetrics(registry *prometheus.Registry) error {
	l, err := listenForScrapes(c.str("serve"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeLimit}))
	server := http.Server{
		Handler: mux, ReadTimeout: scrapeLimit, WriteTimeout: 2 * scrapeLimit, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(c.err, "ipcctl metrics: ", 0),
	}
	stop := context.AfterFunc(c.ctx, func() { server.Close() })
	defer stop()
	where := "http://" + l.Addr().String() + "/metrics"
	if l.Addr().Network() == "unix" {
		where = "/metrics at " + l.Addr().String()
	}
	c.notef("serving %s", where)
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listenForScrapes refuses addresses that other hosts could reach: who uses
// what on this one is not their business.
func listenForScrapes(address string) (net.Listener, error) {
	if strings.Contains(address, "/") {
		// Unlike net.Listen it takes the place of a server that was killed.
		l, err := socket.Listen(address, nil)
		if err != nil {
			return nil, socketAdvice(err)
		}
		return l.NetListener(), nil
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
