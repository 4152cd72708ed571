//go:build unix

package shm_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/shm/shmsync"
)

func Example() {
	w, err := shm.Create("", 4096, nil) // psm_xxxxxxxx
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shm.Remove(w.Name())
	defer w.Close()
	if _, err := w.WriteAt([]byte("hello"), 0); err != nil {
		fmt.Println(err)
		return
	}

	r, err := shm.OpenReader(w.Name(), nil) // in any other process
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	b := make([]byte, 5)
	_, err = r.ReadAt(b, 0)
	fmt.Println(string(b), err)
	// Output: hello <nil>
}

func ExampleCreate_init() {
	// The segment appears under its name with "ready" in it, or not at all.
	name := fmt.Sprintf("example-%d", os.Getpid())
	r, err := shm.Create(name, 64, &shm.Options{Init: func(mem []byte) error {
		copy(mem, "ready")
		return nil
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shm.Remove(name)
	defer r.Close()
	_, err = shm.Create(name, 64, nil)
	fmt.Println(errors.Is(err, os.ErrExist))
	// Output: true
}

func ExampleCell() {
	type position struct{ X, Y float64 }
	r, err := shm.Anonymous(shm.CellSize[position](), &shm.Options{Init: shm.InitCell[position]})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	cell, err := shm.OpenCell[position](r, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range []position{{1, 2}, {3, 4}} {
		if err := cell.Store(context.Background(), p); err != nil {
			fmt.Println(err)
			return
		}
	}
	p, n, err := cell.Load()
	fmt.Println(p, n, err)
	// Output: {3 4} 2 <nil>
}

func ExampleRegion_Mutex() {
	r, err := shm.Anonymous(4096, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	mutex, err := r.Mutex(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = mutex.Lock(context.Background())
	if errors.Is(err, shmsync.ErrOwnerDead) {
		// Locked, but the last owner died inside: make the data whole again.
		err = mutex.Repaired()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mutex.Unlock())
	// Output: <nil>
}

func ExampleShareableList() {
	l, err := shm.CreateShareableList("", []any{"text", 42, 2.5, true, nil, []byte("raw")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shm.Remove(l.Name())
	defer l.Close()
	if err := l.Set(1, 43); err != nil {
		fmt.Println(err)
		return
	}
	items, err := l.Items() // in Python: list(ShareableList(name=...))
	fmt.Println(items, err)
	// Output: [text 43 2.5 true <nil> [114 97 119]] <nil>
}
