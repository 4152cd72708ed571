package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
)

// daemon serves calls at path, to whom the policy in a file admits, until ctx
// ends. A main function passes it the context of
// signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM).
func daemon(ctx context.Context, path, policyFile string) error {
	policy, err := acl.Load(policyFile) // refuses a file that others could have written
	if err != nil {
		return err
	}
	options := &socket.ListenOptions{
		Mode:   0o666, // anybody may knock: the policy decides who is let in
		Policy: policy,
		Refused: func(peer acl.Subject, err error) {
			slog.Warn("turned away", "peer", peer.String(), "error", err)
		},
	}
	l, err := socket.ListenActivated("", options) // the socket of a systemd unit
	if errors.Is(err, os.ErrNotExist) {           // not started by systemd
		l, err = socket.Listen(path, options)
	}
	if err != nil {
		return err
	}
	defer l.Close()

	server := &rpc.Server{Policy: policy, Logger: slog.Default()}
	server.HandleFunc("/backup/Start", func(ctx context.Context, call *rpc.Call) ([]byte, error) {
		if len(call.Data) == 0 {
			return nil, rpc.Errorf(rpc.CodeInvalid, "backup of what?")
		}
		// ctx ends when the caller gives up; call.Peer() is the kernel's word.
		return fmt.Appendf(nil, "backup of %s begun", call.Data), nil
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	if _, err := socket.Notify(ctx, "READY=1"); err != nil { // does nothing without systemd
		return err
	}

	select {
	case err := <-served: // accepting has failed
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(grace) // removes the socket file, lets calls finish
}

// A whole daemon and its client, here in one process.
func Example_daemon() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path, policyFile := filepath.Join(dir, "backup.sock"), filepath.Join(dir, "backup.acl")
	rules := fmt.Sprintf("allow same-user connect socket:%s\nallow same-user call rpc:/backup/*\n", path)
	if err := os.WriteFile(policyFile, []byte(rules), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- daemon(ctx, path, policyFile) }()

	// Wait: the daemon may still be starting.
	client := rpc.Dial(path, &rpc.ClientOptions{Socket: &socket.DialOptions{Wait: true}})
	defer client.Close()
	reply, err := client.Do(ctx, &rpc.Request{
		Method: "/backup/Start", Data: []byte("/home"), Timeout: 10 * time.Second,
	})
	fmt.Printf("%s %v\n", reply.Data, err)
	_, err = client.Call(ctx, "/backup/Start", nil)
	var refusal *rpc.Error
	fmt.Println(errors.As(err, &refusal) && refusal.Code == rpc.CodeInvalid, err)

	stop()
	fmt.Println(<-ended)
	// Output:
	// backup of /home begun <nil>
	// true rpc: call "/backup/Start": backup of what? (code 6)
	// <nil>
}
