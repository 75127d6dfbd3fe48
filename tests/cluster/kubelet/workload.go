package kubelet

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// guidePort is where the image of the user's guide (http-server) listens when its container
// declares no port, as in the guide's own files.
const guidePort = 8090

// service is one TCP port that a container serves, and how it answers there: HTTP, or in some other
// way if it has a stream.
type service struct {
	container string
	port      uint16
	handler   http.Handler
	stream    func(context.Context, net.Conn) error
	tls       *tls.Config // nil: cleartext
}

// containerError says why one container cannot run, with the kubelet's word for it.
type containerError struct {
	container, reason string
	err               error
}

func (e *containerError) Error() string { return fmt.Sprintf("container %s: %v", e.container, e.err) }
func (e *containerError) Unwrap() error { return e.err }

// servicesOf tells what the containers of a Pod serve. No image is pulled: the echo server of the
// Gateway API conformance suite is known by its name, every other image answers as the guide's.
// status is the HTTP status with which the guide's image answers, files reads mounted files. An
// error is a *containerError.
func servicesOf(pod *v1.Pod, status *atomic.Int32, files func(*v1.Container) fileReader) ([]service, error) {
	var all []service
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		env := environment(pod, c)
		if strings.Contains(c.Image, "echo-basic") {
			echoes, err := echoBasic(c.Name, env, files(c))
			if err != nil {
				return nil, &containerError{container: c.Name, reason: "CreateContainerConfigError", err: err}
			}
			all = append(all, echoes...)
			continue
		}
		handler := guideHandler(pod.Name, c.Name, env, status)
		for _, port := range guidePorts(c) {
			all = append(all, service{container: c.Name, port: port, handler: handler})
		}
	}
	return all, nil
}

// guidePorts are the declared TCP ports, or the known one of the guide's image.
func guidePorts(c *v1.Container) []uint16 {
	var ports []uint16
	for _, p := range c.Ports {
		if p.Protocol == "" || p.Protocol == v1.ProtocolTCP {
			ports = append(ports, uint16(p.ContainerPort)) //nolint:gosec // the API server holds it within 1 to 65535
		}
	}
	if len(c.Ports) == 0 && strings.Contains(c.Image, "http-server") {
		ports = append(ports, guidePort)
	}
	return ports
}

// guideHandler answers each request as the image of the user's guide does.
func guideHandler(pod, container string, env map[string]string, status *atomic.Int32) http.Handler {
	text, ok := env["PodName"]
	if !ok {
		text = container + " handler pod"
	}
	answer := fmt.Sprintf("Requesting to Pod(%s): %s\n", pod, text)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, answer) // the client may be gone; nobody else could be told
	})
}

// environment is what a container finds in its environment: literal values and references to
// fields of its own Pod. References to ConfigMaps and Secrets are left out.
func environment(pod *v1.Pod, c *v1.Container) map[string]string {
	env := map[string]string{}
	for _, e := range c.Env {
		switch {
		case e.ValueFrom == nil:
			env[e.Name] = e.Value
		case e.ValueFrom.FieldRef != nil:
			if value, ok := podFields(pod)[e.ValueFrom.FieldRef.FieldPath]; ok {
				env[e.Name] = value
			}
		}
	}
	return env
}

// podFields are the fields of a Pod that a container's environment may refer to.
func podFields(pod *v1.Pod) fields.Set {
	return fields.Set{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": string(pod.UID),
		"spec.nodeName": pod.Spec.NodeName, "spec.serviceAccountName": pod.Spec.ServiceAccountName,
		"status.podIP": pod.Status.PodIP,
	}
}
