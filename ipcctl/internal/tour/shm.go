package tour

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ipcctl/ipc/shm"
)

const segmentSize = 1 << 20

// digest is a peer's report about the bytes it wrote or read.
type digest struct {
	SHA256 string
	P50    time.Duration
}

// shmStep: one process makes a segment and fills it with random bytes, another
// one attaches by name and reads them.
func shmStep(g *guide, r *Result) error {
	name := g.prefix + segment
	writer, err := g.start("writer", name)
	if err != nil {
		return err
	}
	var wrote, read digest
	if err := writer.hear(g.ctx, &wrote); err != nil {
		return err
	}
	reader, err := g.start("reader", name)
	if err != nil {
		return err
	}
	if err := reader.hear(g.ctx, &read); err != nil {
		return err
	}
	if wrote.SHA256 != read.SHA256 {
		return fmt.Errorf("%d wrote bytes with digest %.8s, %d read %.8s", writer.pid(), wrote.SHA256, reader.pid(), read.SHA256)
	}
	r.What = fmt.Sprintf("%d wrote 1 MiB of noise, %d read the same bytes", writer.pid(), reader.pid())
	r.Figure = fmt.Sprintf("%.1f GB/s read", segmentSize/read.P50.Seconds()/1e9)
	return shm.Remove(name)
}

// playWriter makes the segment args[0].
func playWriter(s *stage) error {
	region, err := shm.Create(s.args[0], segmentSize, nil)
	if err != nil {
		return err
	}
	defer region.Close()
	noise := make([]byte, segmentSize)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	if _, err := region.WriteAt(noise, 0); err != nil {
		return err
	}
	if err := s.report(digest{SHA256: sum(noise)}); err != nil {
		return err
	}
	<-s.ctx.Done()
	return nil
}

// playReader reads the segment args[0].
func playReader(s *stage) error {
	region, err := shm.OpenReader(s.args[0], nil)
	if err != nil {
		return err
	}
	defer region.Close()
	b := make([]byte, region.Size())
	took, err := p50(100, func() error {
		_, err := region.ReadAt(b, 0)
		return err
	})
	if err != nil {
		return err
	}
	return s.report(digest{sum(b), took})
}

func sum(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}
