package kubelet

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func podOf(containers ...v1.Container) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod-1", Namespace: "ns"}, Spec: v1.PodSpec{Containers: containers}}
}

// served is what a Pod serves when the guide's image answers with 200 and no file is mounted.
func served(t *testing.T, pod *v1.Pod) []service {
	t.Helper()
	status := &atomic.Int32{}
	status.Store(http.StatusOK)
	services, err := servicesOf(pod, status, noFiles)
	if err != nil {
		t.Fatal(err)
	}
	return services
}

func noFiles(*v1.Container) fileReader {
	return func(file string) ([]byte, error) { return nil, fmt.Errorf("no file %s", file) }
}

// at is the handler of one port.
func at(t *testing.T, services []service, port uint16) http.Handler {
	t.Helper()
	for _, s := range services {
		if s.port == port {
			return s.handler
		}
	}
	t.Fatalf("port %d is not among %v", port, ports(services))
	return nil
}

func ask(t *testing.T, h http.Handler, method, target string, header http.Header) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func ports(services []service) []uint16 {
	var all []uint16
	for _, s := range services {
		all = append(all, s.port)
	}
	slices.Sort(all)
	return all
}

func TestAPodAnswersWithItsNameAndTheTextOfItsEnvironment(t *testing.T) {
	pod := podOf(v1.Container{
		Name: "parking", Image: "public.ecr.aws/x2j8p8w7/http-server:latest",
		Ports: []v1.ContainerPort{{ContainerPort: 8090}}, Env: []v1.EnvVar{{Name: "PodName", Value: "parking handler pod"}},
	})
	services := served(t, pod)
	if got := ports(services); !reflect.DeepEqual(got, []uint16{8090}) {
		t.Fatalf("ports %v", got)
	}
	resp, body := ask(t, services[0].handler, http.MethodGet, "/any/path", nil)
	if want := "Requesting to Pod(pod-1): parking handler pod\n"; resp.StatusCode != http.StatusOK || body != want {
		t.Errorf("got %d %q, want 200 %q", resp.StatusCode, body, want)
	}
}

func TestWithoutThatVariableTheContainersNameIsTheText(t *testing.T) {
	pod := podOf(v1.Container{Name: "web", Image: "nginx", Ports: []v1.ContainerPort{{ContainerPort: 80}}})
	if _, body := ask(t, at(t, served(t, pod), 80), http.MethodGet, "/", nil); body != "Requesting to Pod(pod-1): web handler pod\n" {
		t.Errorf("got %q", body)
	}
}

func TestTheTextMayComeFromAFieldOfThePod(t *testing.T) {
	field := &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}
	pod := podOf(v1.Container{
		Name: "web", Image: "nginx", Ports: []v1.ContainerPort{{ContainerPort: 80}}, Env: []v1.EnvVar{{Name: "PodName", ValueFrom: field}},
	})
	if _, body := ask(t, at(t, served(t, pod), 80), http.MethodGet, "/", nil); body != "Requesting to Pod(pod-1): ns\n" {
		t.Errorf("got %q", body)
	}
}

func TestOnlyTCPPortsAreServed(t *testing.T) {
	pod := podOf(
		v1.Container{Name: "a", Image: "a", Ports: []v1.ContainerPort{{ContainerPort: 53, Protocol: v1.ProtocolUDP}, {ContainerPort: 80, Protocol: v1.ProtocolTCP}}},
		v1.Container{Name: "b", Image: "b"},
		v1.Container{Name: "c", Image: "example/http-server"},
	)
	if got := ports(served(t, pod)); !reflect.DeepEqual(got, []uint16{80, guidePort}) {
		t.Errorf("ports %v", got)
	}
}

func TestTheAnswersStatusFollowsTheAnnotation(t *testing.T) {
	pod := podOf(v1.Container{Name: "web", Image: "nginx", Ports: []v1.ContainerPort{{ContainerPort: 80}}})
	inst := &instance{}
	services, err := servicesOf(pod, &inst.status, noFiles)
	if err != nil {
		t.Fatal(err)
	}
	handler := at(t, services, 80)
	for annotation, want := range map[string]int{"": 200, "503": 503, "404": 404, "101": 200, "600": 200, "x": 200} {
		pod.Annotations = map[string]string{AnnotationHTTPStatus: annotation}
		inst.observe(pod)
		if resp, _ := ask(t, handler, http.MethodGet, "/", nil); resp.StatusCode != want {
			t.Errorf("annotation %q: got %d, want %d", annotation, resp.StatusCode, want)
		}
	}
}

func echoPod(env ...v1.EnvVar) *v1.Pod {
	env = append(env,
		v1.EnvVar{Name: "POD_NAME", ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
		v1.EnvVar{Name: "NAMESPACE", ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}})
	return podOf(v1.Container{Name: "echo", Image: "registry.k8s.io/gateway-api/echo-basic:v1.5.1", Env: env})
}

func TestTheEchoServerTellsTheRequestAndWhereItRuns(t *testing.T) {
	services := served(t, echoPod())
	if got := ports(services); !reflect.DeepEqual(got, []uint16{3000, 3001}) {
		t.Fatalf("ports %v", got)
	}
	resp, body := ask(t, at(t, services, 3000), http.MethodPut, "http://a.example/p//q?x=1", http.Header{"X-A": {"1", "2"}})
	var got echo
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := echo{
		Path: "http://a.example/p//q?x=1", Host: "a.example", Method: "PUT", Proto: "HTTP/1.1", Headers: map[string][]string{"X-A": {"1", "2"}},
		HTTPPort: "3000", place: place{Namespace: "ns", Pod: "pod-1"},
	}
	if !reflect.DeepEqual(got, want) || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheEchoServerListensWhereItsEnvironmentSays(t *testing.T) {
	services := served(t, echoPod(v1.EnvVar{Name: "HTTP_PORT", Value: "8080"}, v1.EnvVar{Name: "H2C_PORT", Value: "nonsense"}))
	if got := ports(services); !reflect.DeepEqual(got, []uint16{3001, 8080}) {
		t.Errorf("ports %v", got)
	}
}

func TestTheEchoServerSetsTheHeadersThatItIsAskedFor(t *testing.T) {
	resp, _ := ask(t, at(t, served(t, echoPod()), 3000), http.MethodGet, "/", http.Header{"X-Echo-Set-Header": {"X-A:1, X-B: 2", "X-A:3"}})
	if got := resp.Header["X-A"]; !reflect.DeepEqual(got, []string{"1,3"}) {
		t.Errorf("X-A: %q", got)
	}
	if got := resp.Header["X-B"]; !reflect.DeepEqual(got, []string{" 2"}) {
		t.Errorf("X-B: %q", got)
	}
}

func TestTheEchoServerAnswersWithAnAskedStatus(t *testing.T) {
	handler := at(t, served(t, echoPod()), 3000)
	for path, want := range map[string]int{"/status/404": 404, "/status/503": 503, "/status/": 400, "/status/abc": 400, "/status/199": 400, "/health": 200, "/?delay=nonsense": 400} {
		if resp, _ := ask(t, handler, http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestTheCleartextHTTP2PortRefusesOlderHTTP(t *testing.T) {
	if resp, _ := ask(t, at(t, served(t, echoPod()), 3001), http.MethodGet, "/", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestTheUDPModeOfTheEchoServerServesNothing(t *testing.T) {
	if services := served(t, echoPod(v1.EnvVar{Name: "UDP_ECHO_SERVER", Value: "1"})); len(services) != 0 {
		t.Errorf("ports %v", ports(services))
	}
}
