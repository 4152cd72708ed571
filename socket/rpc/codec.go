package rpc

import (
	"context"
	"encoding/json"
)

// Codec turns values into the bytes that calls carry, and back.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// JSON is the Codec of encoding/json.
type JSON struct{}

// Marshal is json.Marshal.
func (JSON) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal is json.Unmarshal.
func (JSON) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// Invoke calls method with a value and returns one, both in the codec's form.
func Invoke[Resp, Req any](ctx context.Context, cl *Client, codec Codec, method string, req Req) (resp Resp, err error) {
	data, err := codec.Marshal(req)
	if err != nil {
		return resp, callError(method, err)
	}
	if data, err = cl.Call(ctx, method, data); err != nil {
		return resp, err
	}
	if err = codec.Unmarshal(data, &resp); err != nil {
		return resp, callError(method, err)
	}
	return resp, nil
}

// Typed makes a Handler of a function on values. A request that the codec
// can't read is answered with CodeInvalid.
func Typed[Req, Resp any](codec Codec, f func(context.Context, *Call, Req) (Resp, error)) Handler {
	return HandlerFunc(func(ctx context.Context, call *Call) ([]byte, error) {
		var req Req
		if err := codec.Unmarshal(call.Data, &req); err != nil {
			return nil, &Error{CodeInvalid, err.Error()}
		}
		resp, err := f(ctx, call, req)
		if err != nil {
			return nil, err
		}
		return codec.Marshal(resp)
	})
}
