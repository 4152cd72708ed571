package tour

import (
	"os/signal"
	"syscall"
)

// playJanitor waits until everybody else has ended and removes what they made. A
// terminal's interrupt reaches it too: it stays, to clean up after the others.
func playJanitor(s *stage) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := s.report(struct{}{}); err != nil {
		return err
	}
	for range s.orders {
	}
	clean(s.args[0], s.args[1])
	return nil
}
