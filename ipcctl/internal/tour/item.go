package tour

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// itemSize is the size of a message in the steps for queues.
const itemSize = 64

// An item is a message that shows whether it is whole, where it comes from and
// whether any is missing:
//
//	0   producer u32
//	4   number   u32     0, 1, 2, … of that producer
//	8   filling
//	60  crc32    u32     of all before
func makeItem(b []byte, producer, number uint32) {
	binary.LittleEndian.PutUint32(b, producer)
	binary.LittleEndian.PutUint32(b[4:], number)
	for i := 8; i < itemSize-4; i++ {
		b[i] = byte(int(number) + i)
	}
	binary.LittleEndian.PutUint32(b[itemSize-4:], crc32.ChecksumIEEE(b[:itemSize-4]))
}

var errTorn = errors.New("a message is torn")

func readItem(b []byte) (producer, number uint32, err error) {
	if len(b) != itemSize || binary.LittleEndian.Uint32(b[itemSize-4:]) != crc32.ChecksumIEEE(b[:itemSize-4]) {
		return 0, 0, errTorn
	}
	return binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), nil
}
