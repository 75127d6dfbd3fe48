// Package acceptance runs two built test clusters with one pod CIDR and shows on them what the
// manifests under deploy/ and examples/ rely on.
package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	deadline      = 30 * time.Second // for anything that happens by itself
	podCIDR       = "10.0.0.0/20"    // of both clusters
	gatewayAPI    = "sigs.k8s.io/gateway-api@v1.6.3"
	goodToken     = "k8s-aws-v1.reconciler"
	reconcilers   = "trellis-reconcilers"
	manager       = "acceptance"
	examples      = "../../../examples"
	manifests     = "../../../deploy"
	podMapOfOne   = "127.91"
	podMapOfTwo   = "127.92"
	guidePort     = 8090
	testNamespace = "default"
)

var one, two *cluster

func TestMain(m *testing.M) {
	code, err := withClusters(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withClusters(run func() int) (int, error) {
	tokens := httptest.NewServer(http.HandlerFunc(reviewToken))
	defer tokens.Close()
	var err error
	if one, err = startCluster("one", podMapOfOne, tokens.URL); err != nil {
		return 0, err
	}
	defer one.stop()
	if two, err = startCluster("two", podMapOfTwo, tokens.URL); err != nil {
		return 0, err
	}
	defer two.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	defer cancel()
	for _, c := range []*cluster{one, two} {
		if err := c.install(ctx); err != nil {
			return 0, fmt.Errorf("%w\n%s", err, c.logTail())
		}
	}
	return run(), nil
}

// reviewToken stands for the TokenReview webhook of EKS: it knows one token.
func reviewToken(w http.ResponseWriter, r *http.Request) {
	var review authenticationv1.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Status = authenticationv1.TokenReviewStatus{}
	if review.Spec.Token == goodToken {
		review.Status.Authenticated = true
		review.Status.User = authenticationv1.UserInfo{Username: "reconciler", Groups: []string{reconcilers}}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// cluster is one running test cluster and the administrator's clients for it.
type cluster struct {
	name, dir, podMap string
	args              []string
	process           *exec.Cmd
	stdin             io.Closer
	config            *rest.Config
	client            clientset.Interface
	dynamic           dynamic.Interface
	mapper            *restmapper.DeferredDiscoveryRESTMapper
}

func startCluster(name, podMap, tokenURL string) (*cluster, error) {
	dir, err := os.MkdirTemp("", "tc-") // short: it holds a unix socket
	if err != nil {
		return nil, err
	}
	c := &cluster{name: name, dir: dir, podMap: podMap}
	c.args = []string{
		"--data-dir", dir, "--name", name, "--controllers", "--pod-cidr", podCIDR, "--pod-map", podMap,
		"--exit-on-stdin-eof", "--eks-auth-url", tokenURL + "/eks-auth/" + name,
	}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

func (c *cluster) start() error {
	binary := os.Getenv("TESTCLUSTER")
	if binary == "" {
		binary = "../testcluster"
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("build it with build.sh first: %w", err)
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.process = exec.Command(binary, c.args...)
	c.process.Stderr = log
	if c.stdin, err = c.process.StdinPipe(); err != nil {
		return err
	}
	stdout, err := c.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.process.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n') // the program itself gives up after a while
	if err != nil {
		return fmt.Errorf("cluster %s: not ready: %w\n%s", c.name, err, c.logTail())
	}
	_, kubeconfig, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "READY ")), " ")
	if c.config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return err
	}
	c.config.QPS = -1 // no client-side limit
	if c.client, err = clientset.NewForConfig(c.config); err != nil {
		return err
	}
	if c.dynamic, err = dynamic.NewForConfig(c.config); err != nil {
		return err
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(c.client.Discovery()))
	return nil
}

// halt ends the process and keeps the data.
func (c *cluster) halt() error {
	_ = c.stdin.Close()
	return c.process.Wait()
}

func (c *cluster) stop() {
	if err := c.halt(); err != nil {
		fmt.Fprintf(os.Stderr, "cluster %s: %v\n%s", c.name, err, c.logTail())
	}
	_ = os.RemoveAll(c.dir)
}

func (c *cluster) logFile() string { return filepath.Join(c.dir, "log") }

func (c *cluster) logTail() string {
	const most = 4096
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// install brings in the Gateway API and what deploy/ puts into a cluster besides the webhook itself.
func (c *cluster) install(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", gatewayAPI).Output()
	if err != nil {
		return fmt.Errorf("go mod download %s: %w", gatewayAPI, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return err
	}
	for _, pattern := range []string{
		filepath.Join(module.Dir, "config/crd/standard/*.yaml"), manifests + "/charts/trellis-crds/templates/*.yaml", manifests + "/reconciler-rbac.yaml",
		manifests + "/namespace.yaml",
	} {
		if err := c.applyFiles(ctx, pattern); err != nil {
			return err
		}
	}
	webhook, err := read(manifests + "/webhook.yaml")
	if err != nil {
		return err
	}
	for _, obj := range webhook {
		// No image runs here, and a registration would send the API server after a Service's name.
		if kind := obj.GetKind(); kind == "Deployment" || kind == "ValidatingWebhookConfiguration" || kind == "MutatingWebhookConfiguration" {
			continue
		}
		if _, err := c.apply(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) applyFiles(ctx context.Context, pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s: no such files (%w)", pattern, err)
	}
	for _, file := range files {
		objects, err := read(file)
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if _, err := c.apply(ctx, obj); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// read gives the objects of one manifest.
func read(file string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := readAll(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// readAll gives the objects of a text.
func readAll(text io.Reader) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(text, 4096)
	var all []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(obj.Object) > 0 {
			all = append(all, obj)
		}
	}
}

// resource finds where an object lives; a kind that was installed a moment ago is waited for.
func (c *cluster) resource(ctx context.Context, obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	gvk := obj.GroupVersionKind()
	for {
		mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err == nil {
			if mapping.Scope.Name() == meta.RESTScopeNameRoot {
				return c.dynamic.Resource(mapping.Resource), nil
			}
			namespace := obj.GetNamespace()
			if namespace == "" {
				namespace = testNamespace
			}
			return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
		}
		if !meta.IsNoMatchError(err) {
			return nil, err
		}
		c.mapper.Reset()
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// apply is `kubectl apply --server-side --validate=strict`.
func (c *cluster) apply(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client, err := c.resource(ctx, obj)
	if err != nil {
		return nil, err
	}
	var stored *unstructured.Unstructured
	err = eventually(ctx, func() error {
		body, err := json.Marshal(obj)
		if err != nil {
			return err
		}
		force := true
		stored, err = client.Patch(ctx, obj.GetName(), "application/apply-patch+yaml", body,
			metav1.PatchOptions{FieldManager: manager, Force: &force, FieldValidation: "Strict"})
		if apierrors.IsNotFound(err) { // a CRD is served a moment after it is stored
			return errNotYet
		}
		return err
	})
	return stored, err
}

// errNotYet makes eventually ask again.
var errNotYet = errors.New("not yet")

// eventually asks until the answer is not errNotYet, up to the deadline.
func eventually(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	for {
		err := ask()
		if !errors.Is(err, errNotYet) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", deadline, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
