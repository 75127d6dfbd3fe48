package acceptance

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// recorder is a webhook that allows everything and remembers what it was asked about the objects of
// one namespace.
type recorder struct {
	server    *httptest.Server
	namespace string
	mu        sync.Mutex
	seen      []string // "OPERATION Kind name"
}

// newRecorder runs a webhook that cluster one asks.
func newRecorder(t *testing.T) *recorder {
	t.Helper()
	namespace := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "admission-"}}
	namespace, err := one.client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{namespace: namespace.Name}
	r.server = httptest.NewTLSServer(http.HandlerFunc(r.review))
	t.Cleanup(r.server.Close)
	r.register(t, one)
	return r
}

func (r *recorder) review(w http.ResponseWriter, req *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(req.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	a := review.Request
	if a.Namespace == r.namespace || a.Namespace == "trellis-system" || a.Kind.Kind == "GatewayClass" {
		r.mu.Lock()
		r.seen = append(r.seen, fmt.Sprintf("%s %s %s", a.Operation, a.Kind.Kind, a.Name))
		r.mu.Unlock()
	}
	review.Request, review.Response = nil, &admissionv1.AdmissionResponse{UID: a.UID, Allowed: true}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// take gives what was asked since the last call. A review is over before its request is answered, so
// there is nothing to wait for.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// register installs the registration of deploy/ with the recorder behind it. failurePolicy becomes
// Fail, so that a condition that cannot be evaluated refuses the request instead of hiding.
func (r *recorder) register(t *testing.T, c *cluster) {
	t.Helper()
	objects, err := read(manifests + "/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "ValidatingWebhookConfiguration" })
	if i < 0 {
		t.Fatal("deploy/webhook.yaml registers no webhook")
	}
	config := objects[i]
	webhooks, _, err := unstructured.NestedSlice(config.Object, "webhooks")
	if err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
	for _, w := range webhooks {
		webhook, ok := w.(map[string]any)
		if !ok {
			t.Fatalf("webhook is %T", w)
		}
		if webhook["failurePolicy"] != "Ignore" || webhook["timeoutSeconds"] != float64(1) {
			t.Errorf("webhook %v may hold up a cluster: failurePolicy %v, timeoutSeconds %v", webhook["name"], webhook["failurePolicy"], webhook["timeoutSeconds"])
		}
		webhook["failurePolicy"], webhook["timeoutSeconds"] = "Fail", float64(10)
		webhook["clientConfig"] = map[string]any{"url": r.server.URL + "/validate", "caBundle": ca}
	}
	if err := unstructured.SetNestedSlice(config.Object, jsonSlice(t, webhooks), "webhooks"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.apply(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(context.Background(), config.GetName(), metav1.DeleteOptions{})
	})
	r.waitUntilAsked(t, c)
}

// jsonSlice makes plain JSON values of everything, as unstructured objects need them.
func jsonSlice(t *testing.T, in []any) []any {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out []any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// waitUntilAsked changes a Service until the API server knows the registration.
func (r *recorder) waitUntilAsked(t *testing.T, c *cluster) {
	t.Helper()
	ctx := t.Context()
	services := c.client.CoreV1().Services(r.namespace)
	err := eventually(ctx, func() error {
		probe := &v1.Service{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}, Spec: v1.ServiceSpec{Ports: []v1.ServicePort{{Port: 80}}}}
		if _, err := services.Create(ctx, probe, metav1.CreateOptions{}); err != nil {
			return err
		}
		if len(r.take()) == 0 {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// reviewed is one object under test.
type reviewed struct {
	*testing.T
	r      *recorder
	client dynamic.ResourceInterface
	kind   string
	name   string
}

// expect does something and compares the operations that the webhook was asked about with want.
func (o *reviewed) expect(what string, do func(context.Context) error, want ...string) {
	o.Helper()
	o.r.take()
	if err := do(o.Context()); err != nil {
		o.Errorf("%s %s: %v", what, o.kind, err)
		return
	}
	var expected []string
	for _, operation := range want {
		expected = append(expected, fmt.Sprintf("%s %s %s", operation, o.kind, o.name))
	}
	if got := o.r.take(); !reflect.DeepEqual(got, expected) {
		o.Errorf("%s %s: reviews %v, want %v", what, o.kind, got, expected)
	}
	o.settle()
}

// settle waits until the API server's cache holds what is stored. Before that an update starts from
// the older object, is reviewed so, fails to be stored, and is reviewed once more.
func (o *reviewed) settle() {
	o.Helper()
	err := eventually(o.Context(), func() error {
		stored, err := o.version("")
		if err != nil {
			return err
		}
		if cached, err := o.version("0"); err != nil || cached != stored {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		o.Fatalf("the cache of %s does not catch up: %v", o.kind, err)
	}
}

// version is the object's resourceVersion as of at ("": stored, "0": cached), "" if there is no object.
func (o *reviewed) version(at string) (string, error) {
	obj, err := o.client.Get(o.Context(), o.name, metav1.GetOptions{ResourceVersion: at})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return obj.GetResourceVersion(), nil
}

func (o *reviewed) merge(patch string, subresources ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := o.client.Patch(ctx, o.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
		return err
	}
}

func (o *reviewed) create(obj *unstructured.Unstructured, dryRun ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := o.client.Create(ctx, obj, metav1.CreateOptions{DryRun: dryRun})
		return err
	}
}

func (o *reviewed) delete(dryRun ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return o.client.Delete(ctx, o.name, metav1.DeleteOptions{DryRun: dryRun})
	}
}

func TestTheWebhookIsAskedOnlyAboutWhatMeansSomething(t *testing.T) {
	r := newRecorder(t)
	for _, c := range []struct {
		object string // without metadata
		change string // merge patch of what matters
		status string // merge patch through the status subresource, if there is one
	}{
		{`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","spec":{"controllerName":"example.com/c"}}`,
			`{"spec":{"description":"d"}}`, condition},
		{`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","spec":{"gatewayClassName":"c","listeners":[{"name":"http","port":80,"protocol":"HTTP"}]}}`,
			`{"spec":{"listeners":[{"name":"http","port":81,"protocol":"HTTP"}]}}`, condition},
		{`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","spec":{"rules":[{"backendRefs":[{"name":"a","port":80}]}]}}`,
			`{"spec":{"hostnames":["a.example"]}}`, `{"status":{"parents":[]}}`},
		{`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GRPCRoute","spec":{"rules":[{"backendRefs":[{"name":"a","port":80}]}]}}`,
			`{"spec":{"hostnames":["a.example"]}}`, `{"status":{"parents":[]}}`},
		{`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"TLSRoute","spec":{"hostnames":["b.example"],"rules":[{"backendRefs":[{"name":"a","port":80}]}]}}`,
			`{"spec":{"hostnames":["a.example"]}}`, `{"status":{"parents":[]}}`},
		{`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"ReferenceGrant","spec":{"from":[{"group":"g","kind":"K","namespace":"n"}],"to":[{"group":"","kind":"Service"}]}}`,
			`{"spec":{"to":[{"group":"","kind":"Service","name":"s"}]}}`, ""},
		{`{"apiVersion":"application-networking.k8s.aws/v1alpha1","kind":"ServiceExport"}`,
			`{"spec":{"exportedPorts":[{"port":80,"routeType":"HTTP"}]}}`, condition},
		{`{"apiVersion":"application-networking.k8s.aws/v1alpha1","kind":"ServiceImport","spec":{"type":"ClusterSetIP","ports":[{"port":80}]}}`,
			`{"spec":{"ports":[{"port":81}]}}`, `{"status":{"clusters":[{"cluster":"c"}]}}`},
	} {
		obj := r.parse(t, c.object, "subject")
		t.Run(obj.GetKind(), func(t *testing.T) {
			o := r.about(t, obj)
			o.expect("dry run of create", o.create(obj, "All"))
			o.expect("create", o.create(obj), "CREATE")
			o.expect("update that changes nothing", o.merge(`{}`))
			o.expect("change of spec", o.merge(c.change), "UPDATE")
			o.expect("the same change again", o.merge(c.change))
			o.expect("change of labels", o.merge(`{"metadata":{"labels":{"a":"b"}}}`), "UPDATE")
			o.expect("change of annotations", o.merge(`{"metadata":{"annotations":{"a":"b"}}}`), "UPDATE")
			if c.status != "" {
				o.expect("change of status", o.merge(c.status, "status"))
			}
			o.expect("a finalizer more", o.merge(`{"metadata":{"finalizers":["example.com/f"]}}`))
			o.expect("dry run of delete", o.delete("All"))
			o.expect("delete", o.delete(), "DELETE")
			o.expect("removal of the last finalizer", o.merge(`{"metadata":{"finalizers":null}}`), "UPDATE")
		})
	}
}

func TestAServiceIsReviewedOnlyWhenItsSpecChanges(t *testing.T) {
	r := newRecorder(t)
	obj := r.parse(t, `{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":80}]}}`, "subject")
	o := r.about(t, obj)
	o.expect("create", o.create(obj), "CREATE")
	o.expect("update that changes nothing", o.merge(`{}`))
	o.expect("change of labels", o.merge(`{"metadata":{"labels":{"a":"b"}}}`))
	o.expect("change of annotations", o.merge(`{"metadata":{"annotations":{"a":"b"}}}`))
	o.expect("change of status", o.merge(`{"status":{"conditions":[{"type":"T","status":"True","reason":"R","message":"","lastTransitionTime":"2024-01-01T00:00:00Z"}]}}`, "status"))
	o.expect("change of a port", o.merge(`{"spec":{"ports":[{"port":80,"targetPort":8090}]}}`), "UPDATE")
	o.expect("dry run of a change", func(ctx context.Context) error {
		_, err := o.client.Patch(ctx, o.name, types.MergePatchType, []byte(`{"spec":{"selector":{"a":"c"}}}`), metav1.PatchOptions{DryRun: []string{"All"}})
		return err
	})
	o.expect("delete", o.delete(), "DELETE")
}

func TestAnEndpointSliceIsReviewedOnlyWhenItsEndpointsOrPortsChange(t *testing.T) {
	r := newRecorder(t)
	const slice = `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4",
		"endpoints":[{"addresses":["10.0.1.1"],"conditions":{"ready":true}}],"ports":[{"name":"","port":8090,"protocol":"TCP"}]}`
	obj := r.parse(t, slice, "subject")
	obj.SetLabels(map[string]string{"kubernetes.io/service-name": "a"})
	o := r.about(t, obj)
	o.expect("create", o.create(obj), "CREATE")
	o.expect("time of the last change", o.merge(`{"metadata":{"annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"2024-01-01T00:00:00Z"}}}`))
	o.expect("update that changes nothing", o.merge(`{}`))
	o.expect("an endpoint that is no longer ready", o.merge(`{"endpoints":[{"addresses":["10.0.1.1"],"conditions":{"ready":false}}]}`), "UPDATE")
	o.expect("no endpoint", o.merge(`{"endpoints":[]}`), "UPDATE")
	o.expect("another port", o.merge(`{"ports":[{"name":"","port":8091,"protocol":"TCP"}]}`), "UPDATE")
	o.expect("most endpoints that a slice may hold", o.merge(`{"endpoints":`+endpoints(1000, true)+`}`), "UPDATE")
	o.expect("one of many that changed", o.merge(`{"endpoints":`+endpoints(1000, false)+`}`), "UPDATE")
	o.expect("none of many that changed", o.merge(`{"endpoints":`+endpoints(1000, false)+`}`))
	o.expect("delete", o.delete(), "DELETE")

	stray := r.about(t, r.parse(t, slice, "stray"))
	stray.expect("create of a slice of no Service", stray.create(r.parse(t, slice, "stray")))
	stray.expect("change of it", stray.merge(`{"endpoints":[]}`))
	stray.expect("delete of it", stray.delete())
}

func TestTheWebhooksOwnNamespaceIsNotReviewed(t *testing.T) {
	r := newRecorder(t)
	obj := r.parse(t, `{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":80}]}}`, "own")
	obj.SetNamespace("trellis-system")
	o := r.about(t, obj)
	o.expect("create", o.create(obj))
	o.expect("delete", o.delete())
}

func TestAnOlderVersionOfAKindIsReviewedOnce(t *testing.T) {
	r := newRecorder(t)
	obj := r.parse(t, `{"apiVersion":"gateway.networking.k8s.io/v1beta1","kind":"ReferenceGrant",
		"spec":{"from":[{"group":"g","kind":"K","namespace":"n"}],"to":[{"group":"","kind":"Service"}]}}`, "old")
	o := r.about(t, obj)
	o.expect("create", o.create(obj), "CREATE")
	o.expect("delete", o.delete(), "DELETE")
	route := r.parse(t, `{"apiVersion":"gateway.networking.k8s.io/v1beta1","kind":"HTTPRoute","spec":{"rules":[{}]}}`, "old")
	o = r.about(t, route)
	o.expect("create", o.create(route), "CREATE")
	o.expect("delete", o.delete(), "DELETE")
}

const condition = `{"status":{"conditions":[{"type":"T","status":"True","reason":"R","message":"m","lastTransitionTime":"2024-01-01T00:00:00Z"}]}}`

func (r *recorder) about(t *testing.T, obj *unstructured.Unstructured) *reviewed {
	t.Helper()
	client, err := one.resource(t.Context(), obj)
	if err != nil {
		t.Fatal(err)
	}
	return &reviewed{T: t, r: r, client: client, kind: obj.GetKind(), name: obj.GetName()}
}

func (r *recorder) parse(t *testing.T, text, name string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatal(err)
	}
	obj.SetName(name)
	obj.SetNamespace(r.namespace)
	if obj.GetKind() == "GatewayClass" {
		obj.SetNamespace("")
	}
	return obj
}

// endpoints is a JSON list of n endpoints; of the last one ready tells.
func endpoints(n int, ready bool) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"addresses":["10.0.%d.%d"],"conditions":{"ready":%v},"targetRef":{"kind":"Pod","name":"pod-%d"}}`,
			i/250, i%250+1, ready || i < n-1, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}
