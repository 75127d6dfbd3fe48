package kubelet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// rawCodec hands messages through as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	message, _ := v.(*[]byte)
	return *message, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	message, _ := v.(*[]byte)
	*message = append([]byte{}, data...)
	return nil
}

// dialEcho opens a Pod with the gRPC echo server and gives a client of it.
func dialEcho(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	services := served(t, echoPod(v1.EnvVar{Name: "GRPC_ECHO_SERVER", Value: "1"}))
	if got := ports(services); !reflect.DeepEqual(got, []uint16{3000}) {
		t.Fatalf("ports %v", got)
	}
	open, err := openServers(netip.MustParseAddr(address), services)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(open.close)
	conn, err := grpc.NewClient("passthrough:///"+address+":3000",
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("grpc.example"),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// parts are the length-delimited fields of a message, by number.
func parts(t *testing.T, message []byte) map[protowire.Number][][]byte {
	t.Helper()
	all := map[protowire.Number][][]byte{}
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 || kind != protowire.BytesType {
			t.Fatalf("no message: %q", message)
		}
		value, m := protowire.ConsumeBytes(message[n:])
		if m < 0 {
			t.Fatalf("no message: %q", message)
		}
		all[number] = append(all[number], value)
		message = message[n+m:]
	}
	return all
}

func TestTheGRPCEchoServerTellsTheCallAndWhereItRuns(t *testing.T) {
	conn := dialEcho(t, "127.94.1.4")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-a", "1")
	for _, method := range []string{"Echo", "EchoTwo"} {
		var request, answer []byte
		if err := conn.Invoke(ctx, grpcService+method, &request, &answer); err != nil {
			t.Fatal(err)
		}
		seen := parts(t, parts(t, answer)[responseAssertions][0])
		if got := string(seen[assertionsMethod][0]); got != grpcService+method {
			t.Errorf("method %q", got)
		}
		if got := string(seen[assertionsAuthority][0]); got != "grpc.example" {
			t.Errorf("authority %q", got)
		}
		where := parts(t, seen[assertionsContext][0])
		if string(where[1][0]) != "ns" || string(where[4][0]) != "pod-1" {
			t.Errorf("context %q", where)
		}
		headers := map[string]string{}
		for _, header := range seen[assertionsHeaders] {
			pair := parts(t, header)
			headers[string(pair[1][0])] = string(pair[2][0])
		}
		if headers["x-a"] != "1" || headers[":authority"] != "grpc.example" || headers["content-type"] != "application/grpc+proto" {
			t.Errorf("headers %v", headers)
		}
	}
}

func TestAnotherGRPCMethodIsUnimplemented(t *testing.T) {
	conn := dialEcho(t, "127.94.1.5")
	for _, method := range []string{grpcService + "EchoThree", "/other.Service/Method"} {
		var request, answer []byte
		if err := conn.Invoke(t.Context(), method, &request, &answer); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestTheGRPCEchoServerRefusesWhatIsNotGRPC(t *testing.T) {
	resp, _ := ask(t, grpcEcho(place{}), http.MethodGet, "/", nil)
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("got %d", resp.StatusCode)
	}
}

// selfSigned is a certificate for echo.example and its key, both PEM.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "echo"}, DNSNames: []string{"echo.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// tlsPod is an echo server whose certificate is in a Secret, mounted under other names.
func tlsPod() *v1.Pod {
	pod := echoPod(v1.EnvVar{Name: "TLS_SERVER_CERT", Value: "/etc/tls/crt"}, v1.EnvVar{Name: "TLS_SERVER_PRIVKEY", Value: "/etc/tls/key"})
	pod.Spec.Containers[0].VolumeMounts = []v1.VolumeMount{{Name: "tls", MountPath: "/etc/tls/"}}
	pod.Spec.Volumes = []v1.Volume{{Name: "tls", VolumeSource: v1.VolumeSource{Secret: &v1.SecretVolumeSource{
		SecretName: "cert", Items: []v1.KeyToPath{{Key: "tls.crt", Path: "crt"}, {Key: "tls.key", Path: "key"}},
	}}}}
	return pod
}

func TestTheEchoServerServesTLSWithTheMountedCertificate(t *testing.T) {
	cert, key := selfSigned(t)
	client := fake.NewClientset(&v1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "cert", Namespace: "ns"}, Data: map[string][]byte{"tls.crt": cert, "tls.key": key},
	})
	pod := tlsPod()
	files := func(c *v1.Container) fileReader { return mountedFiles(t.Context(), client, pod, c) }
	podMap, err := ParsePodMap(testMap)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := startInstance(pod, netip.MustParseAddr("10.0.1.6"), podMap, files)
	if err != nil {
		t.Fatal(err)
	}
	defer inst.servers.close()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	https := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "echo.example"}, ForceAttemptHTTP2: true}}
	resp, err := https.Get("https://127.94.1.6:8443/path")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got echo
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Path != "/path" || got.Pod != "pod-1" || got.TLS == nil || got.TLS.ServerName != "echo.example" ||
		got.TLS.Version != "TLSv1.3" || got.TLS.NegotiatedProtocol != "h2" {
		t.Errorf("got %+v, %+v", got, got.TLS)
	}
}

func TestAPodWhoseSecretIsMissingSaysSo(t *testing.T) {
	b := newBench(t)
	pod := tlsPod()
	pod.Name, pod.UID = "a", "a"
	b.create(pod)
	b.until("the reason", func() bool {
		status := b.pod("a").Status
		return len(status.ContainerStatuses) == 1 && status.ContainerStatuses[0].State.Waiting != nil
	})
	waiting := b.pod("a").Status.ContainerStatuses[0].State.Waiting
	if waiting.Reason != "CreateContainerConfigError" || waiting.Message != `container echo: secrets "cert" not found` {
		t.Errorf("waiting %+v", waiting)
	}
}

func TestFilesAreFoundOnlyWhereTheyAreMounted(t *testing.T) {
	client := fake.NewClientset(&v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "ca", Namespace: "ns"}, Data: map[string]string{"ca.crt": "text"}})
	pod := podOf(v1.Container{Name: "c", VolumeMounts: []v1.VolumeMount{{Name: "ca", MountPath: "/etc/ca"}, {Name: "gone", MountPath: "/gone"}, {Name: "empty", MountPath: "/empty"}}})
	pod.Spec.Volumes = []v1.Volume{
		{Name: "ca", VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: "ca"}}}},
		{Name: "empty", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}}},
	}
	files := mountedFiles(t.Context(), client, pod, &pod.Spec.Containers[0])
	if text, err := files("/etc/ca/ca.crt"); err != nil || string(text) != "text" {
		t.Errorf("got %q, %v", text, err)
	}
	for _, file := range []string{"/etc/ca/other", "/etc/caca.crt", "/gone/x", "/empty/x", "/etc/ca/../x"} {
		if text, err := files(file); err == nil {
			t.Errorf("%s: got %q", file, text)
		}
	}
}
