package kubelet

import (
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields in the echo server's messages (grpcecho.proto of the conformance suite).
const (
	responseAssertions = 1
	responseRequest    = 2

	assertionsMethod    = 1
	assertionsHeaders   = 2
	assertionsAuthority = 3
	assertionsContext   = 4
	assertionsTLS       = 5

	tlsVersion          = 1
	tlsProtocol         = 2
	tlsServerName       = 3
	tlsCipherSuite      = 4
	tlsPeerCertificates = 5
)

const (
	grpcService      = "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/"
	grpcPrefix       = 5       // bytes before each message: compressed or not, length
	grpcMaxMessage   = 4 << 20 // what gRPC servers accept unless told otherwise
	grpcStatus       = "Grpc-Status"
	grpcMessage      = "Grpc-Message"
	grpcContentType  = "application/grpc"
	grpcReservedHead = "Grpc-" // headers of the protocol itself begin so
)

// grpcEcho answers the unary methods Echo and EchoTwo of the conformance suite's gRPC service, and
// any other method with Unimplemented. The messages are so few that they are written by hand; the
// generated ones live in the suite's module, which would bring all of its dependencies.
func grpcEcho(where place) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), grpcContentType) {
			http.Error(w, "Expected a gRPC request", http.StatusUnsupportedMediaType)
			return
		}
		w.Header().Set("Content-Type", grpcContentType)
		method, known := strings.CutPrefix(r.URL.Path, grpcService)
		if !known || (method != "Echo" && method != "EchoTwo") {
			refuse(w, codes.Unimplemented, "unknown method "+r.URL.Path)
			return
		}
		request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, grpcMaxMessage+grpcPrefix))
		if err != nil {
			refuse(w, codes.Internal, err.Error())
			return
		}
		if len(request) < grpcPrefix || request[0] != 0 || int(binary.BigEndian.Uint32(request[1:grpcPrefix])) != len(request)-grpcPrefix {
			refuse(w, codes.Unimplemented, "one message that is not compressed is expected")
			return
		}
		answer := protowire.AppendTag(nil, responseAssertions, protowire.BytesType)
		answer = protowire.AppendBytes(answer, assertions(r, where))
		answer = protowire.AppendTag(answer, responseRequest, protowire.BytesType)
		answer = protowire.AppendBytes(answer, request[grpcPrefix:])
		frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer))) //nolint:gosec // as long as the request and its headers
		_, _ = w.Write(append(frame, answer...))
		w.Header().Set(http.TrailerPrefix+grpcStatus, strconv.Itoa(int(codes.OK)))
	})
}

// refuse ends a call without a message.
func refuse(w http.ResponseWriter, code codes.Code, message string) {
	w.Header().Set(grpcStatus, strconv.Itoa(int(code)))
	w.Header().Set(grpcMessage, message)
	w.WriteHeader(http.StatusOK)
}

// assertions is the message in which the echo server tells what it saw.
func assertions(r *http.Request, where place) []byte {
	b := appendText(nil, assertionsMethod, r.URL.Path)
	headers := map[string][]string{":authority": {r.Host}}
	for name, values := range r.Header {
		if !strings.HasPrefix(name, grpcReservedHead) && name != "Te" {
			headers[strings.ToLower(name)] = values
		}
	}
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range headers[name] {
			b = appendMessage(b, assertionsHeaders, appendText(appendText(nil, 1, name), 2, value))
		}
	}
	b = appendText(b, assertionsAuthority, r.Host)
	context := appendText(appendText(nil, 1, where.Namespace), 2, where.Ingress)
	b = appendMessage(b, assertionsContext, appendText(appendText(context, 3, where.Service), 4, where.Pod))
	if s := seen(r.TLS); s != nil {
		tls := appendText(appendText(nil, tlsVersion, s.Version), tlsProtocol, s.NegotiatedProtocol)
		tls = appendText(appendText(tls, tlsServerName, s.ServerName), tlsCipherSuite, s.CipherSuite)
		for _, certificate := range s.PeerCertificates {
			tls = appendText(tls, tlsPeerCertificates, certificate)
		}
		b = appendMessage(b, assertionsTLS, tls)
	}
	return b
}

// appendText adds a string field; as proto3 has it, an empty one is left out.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}
