package pipe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/ipcctl/ipc/socket"
)

// What a parent tells its child in the environment.
//
//	IPC_PIPE_FD=3          the descriptor of the child's end
//	IPC_PIPE_INODE=81532   the socket behind it, so that no other is mistaken for it
const (
	// EnvFD names the environment variable that holds the number of the
	// descriptor. A Python child takes it as
	// multiprocessing.connection.Connection(int(os.environ["IPC_PIPE_FD"])).
	EnvFD = "IPC_PIPE_FD"

	envInode = "IPC_PIPE_INODE"
)

// ErrNoParent says that no parent left a connection to this process.
var ErrNoParent = errors.New("no connection was left by a parent process")

// Duplex makes a pair of connections: what one sends, the other receives, and
// Peer is the process that made the pair. It is Python's Pipe(duplex=True).
func Duplex() (*socket.Conn, *socket.Conn, error) {
	a, b, err := socket.Pair()
	if err != nil {
		return nil, nil, fmt.Errorf("pipe: duplex: %w", err)
	}
	return a, b, nil
}

// Command starts cmd with one end of a duplex pair, which [FromEnv] finds in
// the child, and returns the other end. The caller waits for the child with
// cmd.Wait, and knows who it is by cmd.Process: Peer of this end is the process
// that made the pair, which is the caller. Peer in the child is the parent.
//
// When the child ends, however it does, Recv here returns io.EOF (or an error
// wrapping socket.ErrPeerClosed, if it left messages unread), unless it passed
// its end on to a process that lives longer. If this process ends, the child
// notices in the same way.
func Command(cmd *exec.Cmd) (*socket.Conn, error) {
	ours, theirs, err := Duplex()
	if err != nil {
		return nil, err
	}
	f, err := theirs.File()
	_ = theirs.Close() // f is the child's end now, in the blocking mode that programs expect
	if err == nil {
		err = startWith(cmd, f)
		_ = f.Close() // or the child's death would not end the connection
	}
	if err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("pipe: command %q: %w", cmd.Path, err)
	}
	return ours, nil
}

// startWith starts cmd with f as its next descriptor.
func startWith(cmd *exec.Cmd, f *os.File) error {
	id, err := socketID(f)
	if err != nil {
		return err
	}
	env, files := cmd.Env, cmd.ExtraFiles
	cmd.ExtraFiles = append(files[:len(files):len(files)], f)
	fd := 2 + len(cmd.ExtraFiles) // behind stdin, stdout and stderr
	cmd.Env = append(cmd.Environ(),
		EnvFD+"="+strconv.Itoa(fd),
		envInode+"="+strconv.FormatUint(id, 10))
	if err := cmd.Start(); err != nil {
		cmd.Env, cmd.ExtraFiles = env, files
		return err
	}
	return nil
}

// FromEnv returns the connection that a parent's [Command] left to this
// process. It takes the descriptor and its names in the environment away, so
// that no child of this process inherits either; call it before starting one.
// The error wraps ErrNoParent if there is none.
func FromEnv() (*socket.Conn, error) {
	fd, inode, err := takeEnv()
	if err != nil {
		return nil, fmt.Errorf("pipe: from environment: %w", err)
	}
	conn, err := takeSocket(fd, inode)
	if err != nil {
		return nil, fmt.Errorf("pipe: from environment: %s=%d: %w", EnvFD, fd, err)
	}
	return conn, nil
}

func takeEnv() (fd int, inode uint64, err error) {
	value, ok := os.LookupEnv(EnvFD)
	if !ok {
		return 0, 0, fmt.Errorf("%s is not set: %w", EnvFD, ErrNoParent)
	}
	fd, err = strconv.Atoi(value)
	if err != nil || fd < 3 {
		return 0, 0, fmt.Errorf("%s=%q: want the number of a descriptor above 2: %w", EnvFD, value, ErrNoParent)
	}
	if value := os.Getenv(envInode); value != "" {
		if inode, err = strconv.ParseUint(value, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("%s=%q: want a number: %w", envInode, value, ErrNoParent)
		}
	}
	return fd, inode, errors.Join(os.Unsetenv(EnvFD), os.Unsetenv(envInode))
}
