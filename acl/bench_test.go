package acl

import (
	"fmt"
	"strings"
	"testing"
)

// manyRules is a policy of n rules about n users, 50 groups and n/10 services:
// the shape of a generated policy.
func manyRules(n int) string {
	var b strings.Builder
	for i := range n {
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "allow uid:%d connect socket:/run/app%d/api.sock\n", 1000+i, i/50)
		case 1:
			fmt.Fprintf(&b, "allow uid:%d, gid:%d call rpc:/svc%d.Orders/*\n", 1000+i, 500+i%50, i/10)
		case 2:
			fmt.Fprintf(&b, "allow gid:%d put, get queue:jobs-%d-*\n", 500+i%50, i/10)
		case 3:
			fmt.Fprintf(&b, "deny uid:%d any rpc:/svc%d.Orders/Delete\n", 1000+i-2, i/10)
		case 4:
			fmt.Fprintf(&b, "allow any read shm:feed%d\n", i/10)
		}
	}
	return b.String()
}

var sink Decision

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		p := parse(b, manyRules(n))
		s := Subject{UID: 1001, GID: 1001, Groups: []uint32{4, 24, 27, 501}}
		for _, q := range []struct{ name, action, resource string }{
			{"allow", "call", "rpc:/svc0.Orders/Get"},
			{"deny", "call", "rpc:/svc0.Orders/Delete"},
			{"norule", "connect", "socket:/run/other/api.sock"},
			{"prefix", "read", "shm:feed0"},
		} {
			b.Run(fmt.Sprintf("rules=%d/%s", n, q.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					sink = p.Check(s, q.action, q.resource)
				}
			})
		}
	}
}

// BenchmarkCheckSpread asks about a different user and resource each time, so
// that the index isn't always in the nearest cache.
func BenchmarkCheckSpread(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			p := parse(b, manyRules(n))
			type request struct {
				s        Subject
				resource string
			}
			requests := make([]request, 1024)
			for i := range requests {
				k := i * 7919 % n
				requests[i] = request{Subject{UID: uint32(1000 + k), GID: 7, Groups: []uint32{4, 24, 501}}, fmt.Sprintf("rpc:/svc%d.Orders/Get", k/10)}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				r := &requests[i%len(requests)]
				sink = p.Check(r.s, "call", r.resource)
				i++
			}
		})
	}
}

func BenchmarkCheckParallel(b *testing.B) {
	p := parse(b, manyRules(10000))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		s := Subject{UID: 1001, GID: 1001, Groups: []uint32{4, 24, 27, 501}}
		for pb.Next() {
			p.Check(s, "call", "rpc:/svc0.Orders/Get")
		}
	})
}

// BenchmarkCheckManyGroups asks about a subject of as many groups as can be.
func BenchmarkCheckManyGroups(b *testing.B) {
	for _, groups := range []int{16, 1000, 65536} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			p := parse(b, manyRules(10000))
			s := Subject{UID: 5, GID: 5, Groups: make([]uint32, groups)}
			for i := range s.Groups {
				s.Groups[i] = uint32(100000 + i)
			}
			b.ReportAllocs()
			for b.Loop() {
				sink = p.Check(s, "call", "rpc:/svc0.Orders/Get")
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		text := []byte(manyRules(n))
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Parse("bench.acl", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
