package tour

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestComplete has the judge of the queue's steps find every sort of fault.
func TestComplete(t *testing.T) {
	consumer := func(numbers ...uint32) haul {
		h := haul{Runs: map[uint32][]run{}}
		for _, n := range numbers {
			h.got(7, n)
		}
		return h
	}
	for _, c := range []struct {
		name  string
		hauls []haul
		want  string
	}{
		{"all by one", []haul{consumer(0, 1, 2, 3)}, ""},
		{"shared", []haul{consumer(0, 3), consumer(1, 2)}, ""},
		{"lost", []haul{consumer(0, 1, 3)}, "message 2 of producer 7 was delivered 0 times"},
		{"doubled by two", []haul{consumer(0, 1, 2), consumer(2, 3)}, "message 2 of producer 7 was delivered 2 times"},
		{"doubled by one", []haul{consumer(0, 1, 1, 2, 3)}, "after"},
		{"out of order", []haul{consumer(0, 2, 1, 3)}, "after"},
		{"too many", []haul{consumer(0, 1, 2, 3, 4)}, "which put 4"},
		{"none", []haul{consumer()}, "delivered 0 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			err := complete(c.hauls, 7, 4)
			if c.want == "" {
				is.NoErr(err)
				return
			}
			is.True(err != nil && strings.Contains(err.Error(), c.want))
		})
	}
}

func TestItem(t *testing.T) {
	is := is.New(t)
	b := make([]byte, itemSize)
	makeItem(b, 3, 99)
	producer, number, err := readItem(b)
	is.NoErr(err)
	is.Equal(producer, uint32(3))
	is.Equal(number, uint32(99))
	for i := range b { // every torn byte is noticed
		b[i] ^= 1
		_, _, err := readItem(b)
		is.Equal(err, errTorn)
		b[i] ^= 1
	}
	_, _, err = readItem(b[:itemSize-1])
	is.Equal(err, errTorn)
}
