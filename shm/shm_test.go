package shm_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

func TestCreateOpenReadWrite(t *testing.T) {
	is := is.New(t)
	r, err := shm.Create("", 100, nil)
	is.NoErr(err)
	defer shm.Remove(r.Name())
	defer r.Close()
	o, err := shm.Open(r.Name(), nil)
	is.NoErr(err)
	defer o.Close()
	_, err = r.WriteAt([]byte("hello"), 95)
	is.NoErr(err)
	b := make([]byte, 5)
	_, err = o.ReadAt(b, 95)
	is.NoErr(err)
	is.Equal(string(b), "hello")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = shm.OpenContext(ctx, "nope", nil)
	is.True(os.IsNotExist(err) || err != nil)
}
