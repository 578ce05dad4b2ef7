package awsapi

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// PlainBody is an option of a client (aws.Config.APIOptions) by which the bodies of its requests can only be
// read, and not write themselves (io.WriterTo). Load sets it, for the calls too that bring credentials.
//
// The SDK closes a request's body as soon as the answer has begun, and its closed body then says
// io.EOF where an io.WriterTo says nothing (smithy-go, transport/http/internal/io). net/http looks once
// more, behind the last byte, whether there is more of the body: if a quick answer comes before that, it takes this for an
// error, and cuts the connection while the answer is read. The call was done, and fails with "use of closed network
// connection": one of about a thousand on loopback, fewer the farther away a server is.
func PlainBody(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("starlift.PlainBody", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return next.HandleDeserialize(ctx, in)
		}
		if _, writes := request.GetStream().(io.WriterTo); writes {
			plain, err := request.SetStream(readOnly(request.GetStream()))
			if err != nil {
				return middleware.DeserializeOutput{}, middleware.Metadata{}, fmt.Errorf("body of a request: %w", err)
			}
			in.Request = plain
		}
		return next.HandleDeserialize(ctx, in)
	}), middleware.After)
}

// readOnly hides all but reading, and what a request needs to be sent again.
func readOnly(body io.Reader) io.Reader {
	if seeker, ok := body.(io.ReadSeeker); ok {
		return struct{ io.ReadSeeker }{seeker}
	}
	return struct{ io.Reader }{body}
}
