package kubelet

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	echoHTTPPort  = 3000             // HTTP_PORT of the image when unset
	echoH2CPort   = 3001             // H2C_PORT of the image when unset
	echoHTTPSPort = 8443             // HTTPS_PORT of the image when unset
	echoMaxDelay  = 60 * time.Second // longest ?delay= that is honoured; the suite asks for at most some seconds
)

// echo is the answer of the Gateway API conformance suite's echo server (image echo-basic): the
// request as it arrived and where the server runs. The suite decodes it by these member names.
type echo struct {
	Path     string              `json:"path"`
	Host     string              `json:"host"`
	Method   string              `json:"method"`
	Proto    string              `json:"proto"`
	Headers  map[string][]string `json:"headers"`
	HTTPPort string              `json:"httpPort"`
	place
	TLS *tlsSeen `json:"tls,omitempty"`
}

// place is where an echo server runs, by its environment.
type place struct {
	Namespace string `json:"namespace"`
	Ingress   string `json:"ingress"`
	Service   string `json:"service"`
	Pod       string `json:"pod"`
}

// tlsSeen is what the echo server saw of the TLS connection.
type tlsSeen struct {
	Version            string   `json:"version"`
	PeerCertificates   []string `json:"peerCertificates,omitempty"` // PEM
	ServerName         string   `json:"serverName"`
	NegotiatedProtocol string   `json:"negotiatedProtocol,omitempty"`
	CipherSuite        string   `json:"cipherSuite"`
}

// echoBasic is what a container of the image serves: HTTP on one port, cleartext HTTP/2 on another,
// HTTPS on a third if it has a certificate; or gRPC or lines over TCP in their place. Its UDP mode,
// which VPC Lattice cannot route, is not there.
func echoBasic(container string, env map[string]string, files fileReader) ([]service, error) {
	where := place{Namespace: env["NAMESPACE"], Ingress: env["INGRESS_NAME"], Service: env["SERVICE_NAME"], Pod: env["POD_NAME"]}
	switch {
	case env["GRPC_ECHO_SERVER"] != "": // the first of several modes, as in the image
	case env["TCP_ECHO_SERVER"] != "":
		return echoTCP(container, env, where, files)
	case env["UDP_ECHO_SERVER"] != "":
		return nil, nil
	}
	httpPort := portOr(env["HTTP_PORT"], echoHTTPPort)
	reply := echoHandler(echo{HTTPPort: strconv.Itoa(int(httpPort)), place: where})
	var all []service
	plain := echoRoutes(reply)
	if env["GRPC_ECHO_SERVER"] != "" {
		plain = grpcEcho(where)
	} else {
		all = append(all, service{container: container, port: portOr(env["H2C_PORT"], echoH2CPort), handler: onlyHTTP2(reply)})
	}
	all = append(all, service{container: container, port: httpPort, handler: plain})
	config, err := echoTLS(env, files)
	if err != nil {
		return nil, err
	}
	if config != nil {
		port := portOr(env["HTTPS_PORT"], echoHTTPSPort)
		all = append(all, service{container: container, port: port, handler: plain, tls: config})
	}
	return all, nil
}

func onlyHTTP2(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			http.Error(w, "Expected h2c request", http.StatusBadRequest)
			return
		}
		next(w, r)
	})
}

// echoTLS reads the certificate that the environment names, and the authorities of clients if it
// names any; nil without a certificate.
func echoTLS(env map[string]string, files fileReader) (*tls.Config, error) {
	config, err := serverCertificate(env["TLS_SERVER_CERT"], env["TLS_SERVER_PRIVKEY"], files)
	if config == nil {
		return nil, err
	}
	if authorities := env["TLS_CLIENT_CACERTS"]; authorities != "" {
		text, err := files(authorities)
		if err != nil {
			return nil, err
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", authorities)
		}
	}
	return config, nil
}

// serverCertificate reads a certificate and its key; nil when one of the two is not named.
func serverCertificate(cert, key string, files fileReader) (*tls.Config, error) {
	if cert == "" || key == "" {
		return nil, nil
	}
	certPEM, err := files(cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := files(key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", cert, key, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// seen describes a TLS connection; nil for cleartext.
func seen(state *tls.ConnectionState) *tlsSeen {
	if state == nil {
		return nil
	}
	s := &tlsSeen{
		// Go writes "TLS 1.3" where the suite expects "TLSv1.3".
		Version:    strings.Replace(tls.VersionName(state.Version), "TLS ", "TLSv", 1),
		ServerName: state.ServerName, NegotiatedProtocol: state.NegotiatedProtocol, CipherSuite: tls.CipherSuiteName(state.CipherSuite),
	}
	for _, c := range state.PeerCertificates {
		s.PeerCertificates = append(s.PeerCertificates, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return s
}

func portOr(text string, other uint16) uint16 {
	if port, err := strconv.ParseUint(text, 10, 16); err == nil && port != 0 {
		return uint16(port)
	}
	return other
}

var statusPath = regexp.MustCompile(`^/status/([2-5][0-9]{2})$`)

// echoRoutes answers /health and /status/NNN and echoes everything else. No http.ServeMux: it would
// redirect paths that are not clean, and the suite wants them back as they were sent.
func echoRoutes(reply http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.ReplaceAll(r.URL.Path, "//", "/")
		switch {
		case path == "/health":
			_, _ = w.Write([]byte("OK"))
		case strings.HasPrefix(path, "/status/"):
			code := http.StatusBadRequest
			if match := statusPath.FindStringSubmatch(path); match != nil {
				code, _ = strconv.Atoi(match[1])
			}
			w.WriteHeader(code)
		default:
			reply(w, r)
		}
	})
}

func echoHandler(where echo) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if text := r.URL.Query().Get("delay"); text != "" {
			delay, err := time.ParseDuration(text)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			timer := time.NewTimer(min(delay, echoMaxDelay))
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		answer := where
		answer.Path, answer.Host, answer.Method, answer.Proto = r.RequestURI, r.Host, r.Method, r.Proto
		answer.Headers, answer.TLS = r.Header, seen(r.TLS)
		body, err := json.MarshalIndent(answer, "", " ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		setAskedHeaders(w.Header(), r.Header.Values("X-Echo-Set-Header"))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	}
}

// setAskedHeaders sets what the client asks for in X-Echo-Set-Header, "name:value,name:value", in
// the client's own spelling; a name asked for again is joined with a comma.
func setAskedHeaders(header http.Header, asked []string) {
	for _, list := range asked {
		for pair := range strings.SplitSeq(list, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), ":")
			if old := header[name]; len(old) > 0 {
				value = old[0] + "," + strings.TrimSpace(value)
			}
			header[name] = []string{value}
		}
	}
}
