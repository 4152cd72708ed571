package shmsync

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// A Member is one handle's proof of life on one object. It has a random id of
// 30 bits, which it writes into what it owns, and holds the kernel's lock of
// that id until Close or death. Ids are not numbered from a table: a table
// would hand the id of a dead owner to somebody who lives.
type Member struct {
	id   uint32
	live *Liveness
	set  *WaitSet
}

// Member ids are liveness indices memberBase+id, apart from the small indices
// that the object's own protocol may use.
const (
	memberBase = 1 << 20
	idBits     = 30
	idMask     = 1<<idBits - 1
)

// Join makes a member, which takes over live. Its waits go through set, which
// stays the caller's.
func Join(live *Liveness, set *WaitSet) (*Member, error) {
	const tries = 100
	for range tries {
		id := 1 + rand.Uint32N(idMask)
		ok, err := live.TryLock(memberBase + int(id))
		if err != nil {
			return nil, err
		}
		if ok {
			return &Member{id: id, live: live, set: set}, nil
		}
	}
	return nil, errors.New("shmsync: no free member id")
}

// Close ends the membership. What it still owns, others find owned by the dead.
func (m *Member) Close() error { return m.live.Close() }

// ifDead runs act if the owner of id is dead, while nobody can take that id:
// act decides with what it reads itself.
func (m *Member) ifDead(id uint32, act func()) (dead bool, err error) {
	if id == m.id {
		return false, nil
	}
	i := memberBase + int(id)
	if held, err := m.live.Held(i); held || err != nil {
		return false, wrapProbe(err)
	}
	if ok, err := m.live.TryLock(i); !ok || err != nil {
		return false, wrapProbe(err)
	}
	act()
	return true, wrapProbe(m.live.Unlock(i))
}

func wrapProbe(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("shmsync: probe the owner: %w", err)
}
