package command

import (
	"strings"

	"github.com/ipcctl/ipc/queue"
	"github.com/prometheus/client_golang/prometheus"
)

// collector looks at all objects whenever it is asked for metrics.
type collector struct{}

// metric is a family of samples.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

var (
	objectCount = gauge("ipc_objects", "Objects on this host, by kind and state.", "kind", "state")
	objectBytes = gauge("ipc_object_bytes", "Size of an object in shared memory.", "kind", "name")
	objectUsers = gauge("ipc_object_users", "Processes that use an object, as far as they can be seen.", "kind", "name")
	connections = gauge("ipc_socket_connections", "Connections that a listening socket has accepted.", "name")

	queueWaiting  = gauge("ipc_queue_waiting_messages", "Messages waiting in a queue.", "name")
	queueCapacity = gauge("ipc_queue_capacity_entries", "Entries that a queue holds.", "name")
	queueLeased   = gauge("ipc_queue_leased_entries", "Entries out on lease.", "name")
	queuePuts     = counter("ipc_queue_put_messages_total", "Messages put into a queue.", "name")
	queueTaken    = counter("ipc_queue_taken_messages_total", "Messages taken or acknowledged.", "name")
	queueRequeued = counter("ipc_queue_requeued_entries_total", "Entries put back for another delivery.", "name")
	queueDead     = counter("ipc_queue_dead_messages_total", "Messages set aside as dead letters.", "name")
	queueLost     = counter("ipc_queue_lost_messages_total", "Messages that died in the hand of a consumer.", "name")

	queueAsleep = gauge("ipc_queue_asleep_processes", "Processes that sleep until there is a message, or room for one, if all can be seen.", "name", "until")

	metrics = []metric{
		objectCount, objectBytes, objectUsers, connections,
		queueWaiting, queueCapacity, queueLeased, queuePuts, queueTaken, queueRequeued, queueDead, queueLost, queueAsleep,
	}
)

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (collector) Collect(out chan<- prometheus.Metric) {
	objects, err := survey("", nil)
	if err != nil {
		out <- prometheus.NewInvalidMetric(objectCount.desc, err)
		return
	}
	s := samples{}
	for _, o := range objects {
		s.add(objectCount, 1, o.Kind, o.State)
		switch o.Kind {
		case "shm", "queue", "sysv-shm":
			s.add(objectBytes, float64(o.Size), o.Kind, o.Name)
		case "socket":
			s.add(connections, float64(o.Connections), o.Name)
		}
		s.add(objectUsers, float64(len(o.Users)), o.Kind, o.Name)
		if o.Kind != "queue" {
			continue
		}
		// One that has gone, or may not be read, has no numbers.
		if q, err := queueStatsOf(o.Name); err == nil {
			s.add(queueWaiting, float64(q.Len), o.Name)
			s.add(queueCapacity, float64(q.Capacity), o.Name)
			s.add(queueLeased, float64(q.Leased), o.Name)
			s.add(queuePuts, float64(q.Puts), o.Name)
			s.add(queueTaken, float64(q.Gets), o.Name)
			s.add(queueRequeued, float64(q.Requeued), o.Name)
			s.add(queueDead, float64(q.Dead), o.Name)
			s.add(queueLost, float64(q.Lost), o.Name)
			if w := waitersOf(o.Name, q.Holders); !w.Hidden {
				s.add(queueAsleep, float64(len(w.Messages)), o.Name, "message")
				s.add(queueAsleep, float64(len(w.Room)), o.Name, "room")
			}
		}
	}
	for m, values := range s {
		for labels, value := range values {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, strings.Split(labels, labelEnd)[1:]...)
		}
	}
}

// samples are values by their labels, which are unique: two segments whose
// names are gone may have had the same one, and count together.
type samples map[metric]map[string]float64

// labelEnd stands before each label of a key of samples. It is no part of UTF-8.
const labelEnd = "\xff"

func (s samples) add(m metric, value float64, labels ...string) {
	key := ""
	for _, l := range labels {
		key += labelEnd + strings.ToValidUTF8(l, "\uFFFD") // a label must be UTF-8
	}
	if s[m] == nil {
		s[m] = map[string]float64{}
	}
	s[m][key] += value
}

func queueStatsOf(name string) (queue.Stats, error) {
	r, err := queue.OpenReader(name)
	if err != nil {
		return queue.Stats{}, err
	}
	defer r.Close()
	return r.Stats()
}
