package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/rogpeppe/go-internal/testscript"
)

// lab is the cluster of one script.
type lab struct {
	sim      *pvesim.Sim
	guests   map[string]string   // how the guests of others were, by path
	counted  map[string]int      // requests that were printed already
	identity map[string]identity // by VMID
}

type labKey struct{}

func labOf(ts *testscript.TestScript) *lab { return ts.Value(labKey{}).(*lab) }

const labHost = `host "lab" {
  endpoint    = %q
  token_id    = %q
  token_file  = ".token"
  fingerprint = %q
  defaults {
    node    = "pve1"
    storage = "local-lvm"
    bridge  = "vmbr0"
  }
}
`

// newLab serves the cluster of a script, a hundred times as fast as a real one.
func newLab(env *testscript.Env) error {
	seed, err := labSeed(filepath.Join(env.WorkDir, "seed.json"))
	if err != nil {
		return err
	}
	sim, err := pvesim.Open(pvesim.Options{Seed: seed, Speed: 100})
	if err != nil {
		return err
	}
	server, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = errors.Join(server.Close(), sim.Close()) })
	id, secret := sim.Token()
	for key, value := range map[string]string{
		"NO_COLOR": "1", "URL": server.URL, "FINGERPRINT": server.Fingerprint, "TOKEN_ID": id, "TOKEN_SECRET": secret,
	} {
		env.Setenv(key, value)
	}
	l := &lab{sim: sim, counted: map[string]int{}, identity: map[string]identity{}}
	env.Values[labKey{}] = l
	if l.guests, err = l.lookAtAll(seed.Guests); err != nil {
		return err
	}
	host := filepath.Join(env.WorkDir, "lab.hcl")
	if _, err := os.Stat(host); err == nil {
		return nil
	}
	text := fmt.Sprintf(labHost, server.URL, id, server.Fingerprint)
	return errors.Join(
		os.WriteFile(host, []byte(text), 0o600),
		os.WriteFile(filepath.Join(env.WorkDir, ".token"), []byte(secret), 0o600),
	)
}

// labSeed is the cluster of the simulator with the parts that a file replaces,
// if there is one.
func labSeed(name string) (*pvesim.Seed, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return pvesim.Cluster(), nil
	}
	usual, usualErr := json.Marshal(pvesim.Cluster())
	if err := errors.Join(err, usualErr); err != nil {
		return nil, err
	}
	parts, seed := map[string]json.RawMessage{}, &pvesim.Seed{}
	if err := errors.Join(json.Unmarshal(usual, &parts), json.Unmarshal(text, &parts)); err != nil {
		return nil, err
	}
	merged, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
	return seed, json.Unmarshal(merged, seed)
}

// ask sends one request with the ticket of root@pam, so that nothing is
// forbidden. It does not count among those that requests prints.
func (l *lab) ask(method, path string, form url.Values) (int, []byte, error) {
	before := l.sim.Stats().Requests
	defer func() {
		for kind, n := range l.sim.Stats().Requests {
			l.counted[kind] += n - before[kind]
		}
	}()
	ticket, err := l.login()
	if err != nil {
		return 0, nil, err
	}
	return l.roundTrip(method, path, form, ticket)
}

type ticket struct{ Ticket, CSRFPreventionToken string }

func (l *lab) login() (ticket, error) {
	form := url.Values{"username": {"root@pam"}, "password": {"proximity"}}
	status, body, err := l.roundTrip(http.MethodPost, "/access/ticket", form, ticket{})
	var answer struct{ Data ticket }
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(body, &answer)
	}
	return answer.Data, err
}

func (l *lab) roundTrip(method, path string, form url.Values, as ticket) (int, []byte, error) {
	req, err := http.NewRequest(method, "https://lab:8006/api2/json"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	if method == http.MethodGet || method == http.MethodDelete {
		query := req.URL.Query()
		maps.Copy(query, form)
		req.Body, req.ContentLength, req.URL.RawQuery = http.NoBody, 0, query.Encode()
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if as.Ticket != "" {
		req.AddCookie(&http.Cookie{Name: "PVEAuthCookie", Value: url.QueryEscape(as.Ticket)})
		req.Header.Set("CSRFPreventionToken", as.CSRFPreventionToken)
	}
	resp, err := l.sim.Transport().RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// read asks for something that has to be there.
func (l *lab) read(path string, into any) error {
	status, body, err := l.ask(http.MethodGet, path, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("GET %s: status %d: %s", path, status, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, &struct{ Data any }{into})
}

// task is one line of a node's list of tasks.
type task struct {
	UPID, Type, ID, Status string
	StartTime              int64
}

// tasksOf returns the tasks of a guest, or of all for "", in their order.
func (l *lab) tasksOf(vmid string) ([]task, error) {
	var nodes []struct{ Node, Status string }
	if err := l.read("/nodes", &nodes); err != nil {
		return nil, err
	}
	var all []task
	for _, n := range nodes {
		if n.Status != "online" {
			continue
		}
		var some []task
		if err := l.read("/nodes/"+n.Node+"/tasks?source=all&limit=10000", &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	all = slices.DeleteFunc(all, func(t task) bool { return vmid != "" && t.ID != vmid })
	slices.SortStableFunc(all, func(a, b task) int {
		return cmp.Or(cmp.Compare(a.StartTime, b.StartTime), cmp.Compare(a.UPID, b.UPID))
	})
	return all, nil
}

// identity is what a container keeps as long as it is not made anew.
type identity struct {
	marker  string
	volumes map[string]string // volume ids by key
	deletes int               // tasks so far that deleted one of this number
}

func (l *lab) identify(vmid string) (identity, error) {
	var listed []struct {
		VMID int
		Node string
	}
	if err := l.read("/cluster/resources?type=vm", &listed); err != nil {
		return identity{}, err
	}
	who := identity{volumes: map[string]string{}}
	for _, g := range listed {
		if strconv.Itoa(g.VMID) != vmid {
			continue
		}
		var config map[string]any
		if err := l.read("/nodes/"+g.Node+"/lxc/"+vmid+"/config", &config); err != nil {
			return identity{}, err
		}
		notes, _ := config["description"].(string)
		_, marker, _ := strings.Cut(notes, "<!-- proximity ")
		who.marker, _, _ = strings.Cut(marker, " -->")
		for key, value := range config {
			if key == "rootfs" || strings.HasPrefix(key, "mp") || strings.HasPrefix(key, "unused") {
				who.volumes[key], _, _ = strings.Cut(fmt.Sprint(value), ",")
			}
		}
	}
	all, err := l.tasksOf(vmid)
	for _, t := range all {
		if t.Type == "vzdestroy" {
			who.deletes++
		}
	}
	if who.marker == "" {
		err = errors.Join(err, fmt.Errorf("there is no container %s of ours", vmid))
	}
	return who, err
}

// isListedRight tells whether the listing has caught up with all containers.
func (l *lab) isListedRight() (bool, error) {
	var listed []struct {
		VMID               int
		Type, Node, Status string
	}
	if err := l.read("/cluster/resources?type=vm", &listed); err != nil {
		return false, err
	}
	for _, g := range listed {
		var now struct{ Status string }
		if err := l.read(fmt.Sprintf("/nodes/%s/%s/%d/status/current", g.Node, g.Type, g.VMID), &now); err != nil || now.Status != g.Status {
			return false, err
		}
	}
	return true, nil
}

// lookAtAll returns the configurations of guests, and whether they run.
func (l *lab) lookAtAll(guests []pvesim.SeedGuest) (map[string]string, error) {
	all := map[string]string{}
	for _, g := range guests {
		path := fmt.Sprintf("/nodes/%s/%s/%d", g.Node, cmp.Or(g.Type, "lxc"), g.VMID)
		var config json.RawMessage
		var power struct{ Status string }
		if err := errors.Join(l.read(path+"/config", &config), l.read(path+"/status/current", &power)); err != nil {
			return nil, err
		}
		all[path] = power.Status + " " + string(config)
	}
	return all, nil
}
