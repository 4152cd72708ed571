package queue

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// seconds are what another process does beside a victim that is stopped or dead
// and not yet cleaned up after, before it dies too. The evidence for what the
// first one did may then be in what the second one left behind.
var seconds = []*scenario{
	{name: "Put", puts: []string{"z0"}, act: put},
	{name: "Get", takes: 1, act: get},
	{name: "GetBatch", takes: 2, act: getBatch(2)},
	{name: "Lease", leases: true, act: lease},
	{name: "Lease and Nack", leases: true, returns: true, act: func(v *victim) outcome {
		if o := lease(v); o.err != nil {
			return o
		}
		return nack(v)
	}},
	{name: "Get and Put", takes: 1, puts: []string{"z0"}, act: func(v *victim) outcome {
		get(v)
		return put(v)
	}},
}

// TestCrashPairs kills two processes, each before every step of its operation, and
// cleans up after them in either order.
func TestCrashPairs(t *testing.T) {
	first := map[string]bool{
		"Put": true, "Put large": true, "PutBatch": true, "Get": true, "GetBatch packed": true, "Get large": true,
		"Lease": true, "Lease again": true, "Ack packed": true, "Nack": true, "Nack packed": true,
	}
	pairs := 0
	for _, s := range scenarios {
		if !first[s.name] {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			for _, level := range []int{0, 1, crashCapacity} {
				if testing.Short() && level != 1 {
					continue
				}
				for _, above := range []bool{false, true} {
					for n := 1; ; n++ {
						d := kill(t, s, level, crashCapacity, n, above)
						if d == nil {
							break
						}
						for _, other := range seconds {
							for m := 1; ; m++ {
								more, faults := d.second(t, other, m, n%2*(crashCapacity+1), m%2 == 0)
								if len(faults) > 0 {
									t.Fatalf("%d waiting, step %d, then %s, step %d, lanes above %v:\n\t%s", level, n, other.name, m, above, strings.Join(faults, "\n\t"))
								}
								if !more {
									break
								}
								pairs++
							}
						}
					}
				}
			}
		})
	}
	t.Log(fmt.Sprint(pairs, " pairs"))
}

// second kills another victim, and reports whether it had an m-th step.
func (d *death) second(t testing.TB, s *scenario, m, rounds int, byLease bool) (reached bool, faults []string) {
	t.Helper()
	w, stopped := d.clone(d.stopped)
	l := d.ledger
	l.got = append([]delivery(nil), l.got...)
	l.second = s

	q2, locks := w.open(t)
	count := 0
	q2.r.hook = func(step) {
		if count++; count == m {
			reached = true
			runtime.Goexit()
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		o := s.act(&victim{q: q2, s: s})
		for _, m := range o.got { // it lived long enough to see them
			l.got = append(l.got, delivery{msg: m})
		}
	}()
	<-done
	q2.r.hook = nil

	q, _ := w.open(t)
	l.work(q, rounds, byLease)
	stopped.kill()
	locks.kill()
	locks.WaitSet.Close()
	l.drain(q, byLease)
	l.buried = w.buried(t)
	l.end(q)
	w.close(t, q, &l)
	return reached, l.faults
}
