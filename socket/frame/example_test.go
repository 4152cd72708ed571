package frame_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/ipcctl/ipc/socket/frame"
)

func Example() {
	var stream bytes.Buffer

	w := frame.NewWriter(&stream, frame.DefaultLimit)
	_ = w.BufferMessage([]byte("one"))
	_ = w.WriteMessage([]byte("two")) // one write for both
	fmt.Printf("%x\n", stream.Bytes())

	r := frame.NewReader(&stream, frame.DefaultLimit)
	var buf []byte // reused from message to message
	for {
		msg, err := r.ReadMessage(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(msg))
		buf = msg
	}
	// Output:
	// 000000036f6e650000000374776f
	// one
	// two
}
