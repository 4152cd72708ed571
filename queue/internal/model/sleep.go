package model

// Waiting: wait.go's await and sleep, ring.go's arm and notify, and what the
// kernel does for them.

// The lines that processes sleep on.
const (
	notEmpty = iota
	notFull
)

// wait ends an operation that found no message or no room: at once, or when it
// has slept and comes again.
func (m *machine) wait(s *state, p int, line uint8) {
	pr := &s.proc[p]
	if !m.sleep || pr.res == sealed {
		m.end(s, p)
		return
	}
	tried := pr.tried
	pr.temp = temp{line: line, old: pr.old}
	pr.pc = pcArmRead
	if tried {
		pr.pc = pcSleep
	}
}

// again starts the operation of process p once more.
func (m *machine) again(s *state, p int, tried bool) {
	pr := &s.proc[p]
	t := temp{tried: tried}
	if tried {
		t.old = pr.old
	}
	pr.temp = t
	m.start(s, p, m.doing(s, p).op)
}

// notify ends an operation that made a message or room available.
func (m *machine) notify(s *state, p int, line uint8) { m.notifyThen(s, p, line, pcEnd) }

// notifyThen is notify for an operation that goes on at ret.
func (m *machine) notifyThen(s *state, p int, line uint8, ret pc) {
	if !m.sleep {
		m.jump(s, p, ret)
		return
	}
	s.proc[p].temp = temp{line: line, retWake: ret}
	s.proc[p].pc = pcNotify
}

// leaseOver wakes those who wait to learn whether messages of a closed queue
// come back.
func (m *machine) leaseOver(s *state, p int, ret pc) {
	if !m.sleep {
		m.jump(s, p, ret)
		return
	}
	s.proc[p].retWake, s.proc[p].pc = ret, pcLeaseOver
}

// wakeAll wakes everybody who sleeps.
func (m *machine) wakeAll(s *state, p int, ret pc) {
	if !m.sleep {
		m.jump(s, p, ret)
		return
	}
	s.proc[p].retWake, s.proc[p].line, s.proc[p].pc = ret, notEmpty, pcAllAdd
}

// accessSleep makes the access if it belongs to waiting or waking.
func (m *machine) accessSleep(s *state, p int, pr *proc) bool {
	switch pr.pc {
	case pcArmRead:
		pr.old = s.seq[pr.line]
		pr.pc = pcArm

	case pcArm:
		s.armed[pr.line] = pr.old | 1
		if m.mutant == mutArmAfterLook {
			pr.pc = pcSleep
			return true
		}
		m.again(s, p, true)

	case pcSleep:
		if s.seq[pr.line] == pr.old {
			pr.asleep = true
			return true
		}
		m.again(s, p, false)

	case pcNotify:
		if pr.old = s.armed[pr.line]; pr.old == 0 {
			m.jump(s, p, pr.retWake)
			return true
		}
		pr.pc = pcNotifyAdd
		if m.mutant == mutSeqStays {
			pr.pc = pcWake
		}

	case pcNotifyAdd:
		s.seq[pr.line] += 2
		pr.pc = pcWake

	case pcWake:
		for q := range m.procs {
			if other := &s.proc[q]; other.asleep && other.line == pr.line {
				other.asleep = false
				m.again(s, q, false)
				m.jump(s, p, pr.retWake)
				return true
			}
		}
		pr.pc = pcDisarm

	case pcDisarm:
		if s.armed[pr.line] == pr.old || m.mutant == mutDisarmAlways {
			s.armed[pr.line] = 0
		}
		m.jump(s, p, pr.retWake)

	case pcLeaseOver:
		if s.closed {
			m.wakeAll(s, p, pr.retWake)
		} else {
			m.jump(s, p, pr.retWake)
		}

	case pcAllAdd:
		s.seq[pr.line] += 2
		pr.pc = pcAllWake

	case pcAllWake:
		for q := range m.procs {
			if other := &s.proc[q]; other.asleep && other.line == pr.line {
				other.asleep = false
				m.again(s, q, false)
			}
		}
		if pr.line == notEmpty {
			pr.line, pr.pc = notFull, pcAllAdd
			return true
		}
		m.jump(s, p, pr.retWake)

	default:
		return false
	}
	return true
}
